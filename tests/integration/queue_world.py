"""Batches, chunks and judges for the tests of the queue: rows as intake would leave them, answers as a model would give them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, cast
from uuid import UUID

from sqlalchemy import CursorResult, Engine, text

from worker.moderation.boxes import Box, Size
from worker.moderation.identifiers import new_uuid7
from worker.moderation.outcomes import (
    EvidenceFacts,
    ItemReference,
    Outcome,
    OutcomeKind,
    Region,
    SourceFacts,
    Stage,
    StageTrace,
    Verdict,
    ZoomPath,
)
from worker.moderation.release import Release, Training
from worker.queue.moderator import ScriptedModerator, Unfinished
from worker.store.announcements import announce
from worker.store.releases import ensure_release
from worker.store.session import transaction
from worker.store.tenants import ensure_tenant

RELEASE = Release("scripted", Training.TRAINED, {"weights": "none"})
MAX_ATTEMPTS = 3


def verdict(item: ItemReference, p_generated: float = 0.9) -> Outcome:
    """A verdict with a region, both traces and evidence."""
    said = Verdict.GENERATED if p_generated >= 0.5 else Verdict.REAL
    digest = f"{item.batch_id.hex}{item.ordinal:032d}"
    trace = StageTrace(
        stage=Stage.SCAN,
        attempt=1,
        request={"turns": ["look"]},
        reply='{"verdict":"generated"}',
        finish_reason="stop",
        prompt_tokens=100,
        cached_tokens=0,
        attainable_tokens=None,
        completion_tokens=10,
        seconds=0.1,
    )
    return Outcome(
        ordinal=item.ordinal,
        kind=OutcomeKind.VERDICT,
        release_id=RELEASE.id,
        verdict=said,
        p_generated=p_generated,
        p_generated_raw=p_generated,
        scan_verdict=said,
        explanation="a\x00 hand with six fingers \ud800",
        path=ZoomPath.ZOOMED,
        regions=(Region(box=Box(1, 2, 30, 40), reason="hand", crop_box=Box(0, 0, 35, 45), crop_sha256=digest, scale=1.0),),
        traces=(trace, replace(trace, stage=Stage.ZOOM, prompt_tokens=150, cached_tokens=96, attainable_tokens=100)),
        evidence=(EvidenceFacts(sha256=digest, media_type="image/png", byte_count=10),),
        source=SourceFacts(sha256="0" * 64, etag="e", byte_count=10, media_type="image/png", size=Size(64, 64)),
        sent_size=Size(28, 28),
    )


def judge(answer: Any = verdict, seconds: float = 0.0) -> ScriptedModerator:
    """A moderator that answers at once."""
    return ScriptedModerator(RELEASE, answer, seconds)


def answers(special: dict[int, Any]) -> Any:
    """An answer per ordinal: an error instance is raised when it is an EngineDiedError, an Unfinished or Outcome is given."""

    def answer(item: ItemReference) -> Outcome | Unfinished:
        given = special.get(item.ordinal)
        if isinstance(given, Exception):
            raise given
        return given if given is not None else verdict(item)

    return answer


@dataclass(frozen=True)
class World:
    """What a test does to the database beside the code under test."""

    engine: Engine

    def batch(self, items: int, *, chunk: int = 256, tenant: str = "t", priority: int = 0, names: dict[int, str] | None = None) -> UUID:
        """A received batch, its items and chunks, as intake leaves them. `names` are custom ids by ordinal."""
        batch_id = new_uuid7()
        with transaction(self.engine) as session:
            ensure_release(session, RELEASE)
            ensure_tenant(session, tenant)
            session.execute(
                text(
                    "INSERT INTO batches (id, tenant_id, idempotency_key, request_digest, source, state, priority, items_accepted)"
                    " VALUES (:id, :tenant, :key, '', 's3://b/', 'running', :priority, :items)"
                ),
                {"id": batch_id, "tenant": tenant, "key": str(batch_id), "priority": priority, "items": items},
            )
            session.execute(
                text(
                    "INSERT INTO items (batch_id, ordinal, custom_id, bucket, key, line)"
                    " SELECT :id, n, coalesce(CAST(:names AS jsonb) ->> n::text, 'line:' || n + 1), 'b', 'k' || n, n + 1"
                    " FROM generate_series(0, :items - 1) AS n"
                ),
                {"id": batch_id, "items": items, "names": json.dumps(names or {})},
            )
            session.execute(
                text(
                    "INSERT INTO chunks (batch_id, lo, hi)"
                    " SELECT :id, n, least(n + :chunk, :items) FROM generate_series(0, :items - 1, :chunk) AS n"
                ),
                {"id": batch_id, "items": items, "chunk": chunk},
            )
        return batch_id

    def rows(self, sql: str, **parameters: object) -> Sequence[Any]:
        """What a query finds, or what a change returns."""
        with transaction(self.engine) as session:
            result = session.execute(text(sql), parameters)
            return result.all() if cast("CursorResult[Any]", result).returns_rows else []

    def value(self, sql: str, **parameters: object) -> Any:
        """The one value a query finds."""
        return self.rows(sql, **parameters)[0][0]

    def announced(self, limit: int = 1000) -> list[int]:
        """Announces what is ready."""
        with transaction(self.engine) as session:
            return announce(session, limit, max_attempts=MAX_ATTEMPTS)

    def chunk(self, chunk_id: int) -> Any:
        """A chunk's row."""
        return self.rows("SELECT * FROM chunks WHERE id = :id", id=chunk_id)[0]

    def counts(self, batch_id: UUID, revision: int = 1) -> dict[str, int]:
        """Outcomes by kind."""
        sql = "SELECT kind, count(*) AS number FROM outcomes WHERE batch_id = :id AND revision = :revision GROUP BY kind"
        return {row.kind: row.number for row in self.rows(sql, id=batch_id, revision=revision)}

    def retire(self) -> None:
        """Takes every open batch out of the next test's way."""
        self.rows("UPDATE batches SET state = 'rejected' WHERE state IN ('receiving', 'running', 'cancelling', 'paused')")
        self.rows(
            "UPDATE chunks SET state = 'done', lease_token = NULL, lease_owner = NULL WHERE state IN ('ready', 'announced', 'leased')"
        )


def reconciles(world: World, batch_id: UUID) -> bool:
    """Accepted = verdict + unreadable + failed + cancelled, in the outcomes, in the counters, and in the audit trail."""
    accepted = world.value("SELECT items_accepted FROM batches WHERE id = :id", id=batch_id)
    counted = world.value("SELECT sum(verdicts + unreadable + failed + cancelled) FROM chunks WHERE batch_id = :id", id=batch_id)
    audited = world.value(
        "SELECT count(DISTINCT (ordinal, revision)) FROM audit_events WHERE batch_id = :id AND action = 'outcome.recorded'", id=batch_id
    )
    events = world.value("SELECT count(*) FROM audit_events WHERE batch_id = :id AND action = 'outcome.recorded'", id=batch_id)
    return bool(accepted == sum(world.counts(batch_id).values()) == counted == audited == events)
