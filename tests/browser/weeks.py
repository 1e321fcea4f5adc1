"""Weeks of review as rows, with their own dates: what a lead finds on the dashboard.

They end at the last midnight (UTC), and are the same each time but for their dates: pictures of the charts hardly change from day to day.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, insert, select
from sqlalchemy.orm import Session

from tests.integration.queue_world import World
from worker.moderation.identifiers import first_uuid7
from worker.store.models import (
    DecisionRow,
    GoldenItemRow,
    OutcomeRow,
    RegionJudgementRow,
    RegionRow,
    ReviewRow,
    ReviewTaskRow,
    StageTallyRow,
)
from worker.store.session import transaction

DAYS, IMAGES = 45, 1_500
OLD, NEW = "nano-3f1c0a9d2b7e", "qwen2.5-vl-7b-tuned-81d0c4f7a2be"
CHANGED = timedelta(days=9)  # ago: the new release came, and with it the second version of the policy
ANSWERED = timedelta(hours=5)  # a task waits about as long
GOLDEN, SAMPLED = 25, 7  # every so many images
ABOUT = (
    ("hands", 0.86),
    ("letters on the sign", 0.9),
    ("a face", 0.78),
    ("edge of the roof", 0.55),
    ("texture of the grass", 0.62),
    ("sky", 0.5),
)


@dataclass(frozen=True, slots=True)
class Image:
    """An image that waited, or waits, for people."""

    ordinal: int
    at: datetime
    closed_at: datetime | None
    new: bool  # judged by the new release
    generated: bool  # in truth
    said: bool  # by the model
    scan_said: bool

    @property
    def kind(self) -> str:
        """Why people are asked about it."""
        return "golden" if self.ordinal % GOLDEN == 0 else "qa" if self.ordinal % SAMPLED == 0 else "routing"

    @property
    def about(self) -> tuple[str, float]:
        """What its box shows, and how often people accept it."""
        return ABOUT[min(self.ordinal % 17 // 3, self.ordinal % 11 // 2)]

    @property
    def release(self) -> str:
        """Which judged it."""
        return NEW if self.new else OLD


@dataclass(frozen=True, slots=True)
class Answered:
    """The rows of an answered task."""

    reviews: Sequence[dict[str, Any]]
    judgements: Sequence[dict[str, Any]]
    decision: dict[str, Any] | None  # golden tasks come to none


def fill(engine: Engine, tenant: str, reviewers: Sequence[str]) -> UUID:
    """The weeks of a tenant, whose tasks are answered by these actors: their batch."""
    batch_id = World(engine).batch(1, tenant=tenant)
    chance = Random(20_261_127)  # noqa: S311
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    images = list(_images(chance, midnight))
    with transaction(engine) as session:
        _write(session, OutcomeRow, [_outcome(batch_id, image) for image in images])
        _write(session, RegionRow, [_region(batch_id, image) for image in images])
        _write(session, GoldenItemRow, [_golden(tenant, batch_id, image) for image in images if image.kind == "golden"])
        _write(session, StageTallyRow, [_tally(tenant, image) for image in images])
        _write(session, ReviewTaskRow, [_task(tenant, batch_id, image) for image in images])
        query = select(ReviewTaskRow).filter_by(batch_id=batch_id).where(ReviewTaskRow.closed_at.is_not(None)).order_by(ReviewTaskRow.id)
        answered = [_answered(task, images[task.ordinal], reviewers, chance) for task in session.execute(query).scalars()]
        _write(session, ReviewRow, [review for one in answered for review in one.reviews])
        _write(session, RegionJudgementRow, [judgement for one in answered for judgement in one.judgements if judgement["position"]])
        _write(session, RegionJudgementRow, [judgement for one in answered for judgement in one.judgements if not judgement["position"]])
        _write(session, DecisionRow, [one.decision for one in answered if one.decision])
    return batch_id


def _images(chance: Random, midnight: datetime) -> Iterator[Image]:
    for ordinal in range(IMAGES):
        at = midnight - timedelta(days=DAYS) * (1 - ordinal / IMAGES)
        at -= timedelta(hours=4 * (1 + math.sin(ordinal / 3)) * chance.random())
        new = midnight - at < CHANGED
        generated = chance.random() < 0.45
        right = 0.97 if ordinal % SAMPLED == 0 else 0.92 if new else 0.82
        said = generated if chance.random() < right else not generated
        scan_said = said if chance.random() < 0.88 else not said
        waits = chance.random() < 0.01
        closed_at = at + ANSWERED * chance.expovariate(1.0)
        yield Image(ordinal, at, None if waits or closed_at >= midnight else closed_at, new, generated, said, scan_said)


def _outcome(batch_id: UUID, image: Image) -> dict[str, Any]:
    return {
        **_place(batch_id, image),
        "chunk_id": 1,
        "kind": "verdict",
        "verdict": _word(image.said),
        "scan_verdict": _word(image.scan_said),
        "p_generated": 0.6 if image.said else 0.4,
        "release_id": image.release,
        "width": 640,
        "height": 480,
        "created_at": image.at,
    }


def _region(batch_id: UUID, image: Image) -> dict[str, Any]:
    return {**_place(batch_id, image), "position": 1, "x0": 10, "y0": 10, "x1": 90, "y1": 90, "reason": image.about[0]}


def _golden(tenant: str, batch_id: UUID, image: Image) -> dict[str, Any]:
    known = {"verdict": _word(image.generated), "boxes": [[10, 10, 90, 90]], "added_by": "key:keeper"}
    return {**_place(batch_id, image), "tenant_id": tenant, **known}


def _tally(tenant: str, image: Image) -> dict[str, Any]:
    """As of a chunk that the image was in."""
    drift = 30 if image.release == NEW else 22
    return {
        "tenant_id": tenant,
        "release_id": image.release,
        "verdicts": 256,
        "disagreed": drift + 9 * (image.scan_said != image.said),
        "created_at": image.at,
    }


def _task(tenant: str, batch_id: UUID, image: Image) -> dict[str, Any]:
    return {
        **_place(batch_id, image),
        "tenant_id": tenant,
        "queue": "appeals" if image.ordinal % 40 == 1 else "default",
        "kind": image.kind,
        "route": "pass" if image.kind == "qa" else "review",
        "reason": "P(generated) between 0.2 and 0.8",
        "slots": 2 if image.ordinal % 4 == 0 else 1,
        "state": "open" if image.closed_at is None else "done",
        "due_at": image.at + timedelta(hours=24),
        "created_at": image.at,
        "closed_at": image.closed_at,
    }


def _answered(task: ReviewTaskRow, image: Image, reviewers: Sequence[str], chance: Random) -> Answered:
    assert task.closed_at is not None
    who = chance.sample(reviewers, k=min(task.slots, len(reviewers)))
    verdicts = [_said(image, chance) for _ in who]
    reviews: list[dict[str, Any]] = [
        {
            "id": _id(task.closed_at, chance),
            "task_id": task.id,
            "slot": slot,
            "reviewer": reviewer,
            "verdict": verdict,
            "action": "none",
            "seconds": 8 + chance.expovariate(1 / (12 + 9 * reviewers.index(reviewer))),
            "exposure_seconds": 4 + chance.expovariate(1 / 9),
            "created_at": task.closed_at,
        }
        for slot, (reviewer, verdict) in enumerate(zip(who, verdicts, strict=True), 1)
    ]
    decision = {
        **_place(task.batch_id, image),
        "id": _id(task.closed_at, chance),
        "tenant_id": task.tenant_id,
        "task_id": task.id,
        "basis": "review",
        "verdict": _word(image.generated) if "unsure" in verdicts else verdicts[0],
        "action": "none",
        "decided_by": who[0],
        "reason": "",
        "policy_version": f"default@{2 if image.release == NEW else 1}",
        "created_at": task.closed_at,
    }
    judgements = [one for review in reviews for one in _judgements(review["id"], image, chance)]
    return Answered(reviews, judgements, decision if task.kind != "golden" else None)


def _said(image: Image, chance: Random) -> str:
    luck = chance.random()
    return "unsure" if luck < 0.04 else _word(image.generated if luck < 0.94 else not image.generated)


def _judgements(review_id: UUID, image: Image, chance: Random) -> list[dict[str, Any]]:
    right = image.about[1]
    luck = chance.random()
    kind = "accept" if luck < right else "move" if luck < right + 0.05 else "reject"
    box = {"x0": 12, "y0": 12, "x1": 80, "y1": 80}
    judged = [{"review_id": review_id, "number": 1, "kind": kind, "position": 1, **(box if kind == "move" else dict.fromkeys(box))}]
    if chance.random() < 0.08:
        judged.append({"review_id": review_id, "number": 2, "kind": "add", "position": None, **box})
    return judged


def _place(batch_id: UUID, image: Image) -> dict[str, Any]:
    return {"batch_id": batch_id, "ordinal": image.ordinal, "revision": 1}


def _word(generated: bool) -> str:  # noqa: FBT001
    return "generated" if generated else "real"


def _id(at: datetime, chance: Random) -> UUID:
    return UUID(int=first_uuid7(at).int | 0x7 << 76 | 0x2 << 62 | chance.getrandbits(60))


def _write(session: Session, model: type[Any], rows: Sequence[dict[str, Any]]) -> None:
    if rows:
        session.execute(insert(model), rows)
