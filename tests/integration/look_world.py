"""An image that a scripted model really judged: real fetch, decode child, evidence and traces; and the worker that answers looks at it."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Engine

from tests.integration.queue_world import MAX_ATTEMPTS, World
from tests.unit.zoomin.world import SCAN, ZOOM, picture, said
from worker.images.pool import DecodePool
from worker.intake.inline import submit_references
from worker.intake.storage import Storage
from worker.intake.submission import Submission
from worker.moderation.explanation_jobs import JobKind
from worker.moderation.identifiers import item_id
from worker.moderation.settings import Settings
from worker.queue.async_moderator import AsyncModerator, EventLoopThread, LoadedModel, moderator_over
from worker.queue.explain_look import build
from worker.queue.explaining import Bench, Ending, Explainers, explain
from worker.queue.run_chunk import run_chunk
from worker.store.announcements import announce
from worker.store.explanation_queue import announce_jobs
from worker.store.releases import ensure_release
from worker.store.session import transaction
from worker.store.settlement import finish_batches
from worker.vision.model import Answer, ImagePart, Question
from worker.vision.scripted import ScriptedVision
from worker.zoomin.prompts import load_prompts

FOUND = '{"findings":[{"region":%d,"finding":"six fingers"}],"explanation":"One too many.","verdict":"generated"}'


@dataclass
class Script:
    """Judges every image alike, and says of every look what `looks` begins with, then FOUND; `meanwhile` happens before it speaks."""

    looks: list[str] = field(default_factory=list)
    meanwhile: list[Callable[[], None]] = field(default_factory=list)

    def __call__(self, question: Question) -> Answer:
        *_, last = question.turns
        if len(question.turns) == 2:
            return said(SCAN)
        if last.parts[-1] in {load_prompts().zoom, load_prompts().second_look}:
            return said(ZOOM)
        if self.meanwhile:
            self.meanwhile.pop()()
        crops = sum(isinstance(part, ImagePart) for turn in question.turns for part in turn.parts) - 1
        return said(self.looks.pop(0) if self.looks else FOUND % crops)


@contextmanager
def scripted_moderator(settings: Settings, script: Script) -> Iterator[tuple[AsyncModerator, ScriptedVision]]:
    """The real moderator over a scripted model."""
    vision = ScriptedVision(script)
    model = LoadedModel(loop=EventLoopThread(), vision=vision, prompts=load_prompts(), decoder=DecodePool(1))
    moderator = moderator_over(model, settings)
    yield moderator, vision
    moderator.close()


@dataclass(frozen=True)
class LookWorld:
    """Judges images, and answers looks as a worker does."""

    engine: Engine
    settings: Settings
    storage: Storage
    moderator: AsyncModerator
    vision: ScriptedVision
    script: Script

    @property
    def world(self) -> World:
        return World(self.engine)

    def judged(self, tenant: str, body: bytes | None = None) -> "Judged":
        """A finished batch of one image."""
        key = f"looks/{uuid4().hex}.png"
        self.storage.put(self.settings.upload_bucket, key, body or picture(), "image/png")
        rows: list[dict[str, Any]] = [{"source-ref": f"s3://{self.settings.upload_bucket}/{key}", "custom_id": "pictured"}]
        submission = Submission(tenant=tenant, idempotency_key=uuid4().hex, digest="", priority=0, actor="test")
        batch_id = submit_references(rows, submission, self.settings, self.engine).batch.id
        with transaction(self.engine) as session:
            ensure_release(session, self.moderator.release)
            announce(session, 1_000, max_attempts=MAX_ATTEMPTS)
        (chunk,) = self.world.rows("SELECT id FROM chunks WHERE batch_id = :id", id=batch_id)
        run_chunk(chunk.id, engine=self.engine, moderator=self.moderator, settings=self.settings, owner="worker", drain=threading.Event())
        with transaction(self.engine) as session:
            assert batch_id in finish_batches(session, actor="test")
        return Judged(batch_id, key)

    def answer(self, **changes: Any) -> list[Ending]:
        """Does every look that waits: how each ended."""
        bench = Bench(settings=self.settings, engine=self.engine, owner="worker", moderator=self.moderator)
        explainers = Explainers(bench, {JobKind.LOOK: build(replace(bench, **changes))})
        with transaction(self.engine) as session:
            jobs = announce_jobs(session, JobKind.LOOK, 100)
        return [explain(job, explainers, drained=False) for job in jobs]


@dataclass(frozen=True)
class Judged:
    """One image, judged."""

    batch_id: UUID
    key: str

    @property
    def item(self) -> str:
        return item_id(self.batch_id, 0)

    @property
    def looks(self) -> str:
        return f"/v1/items/{self.item}/looks"
