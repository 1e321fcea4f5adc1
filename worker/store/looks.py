"""Looks as they stand, and who may see which. Each asker's looks at an outcome are a dialogue that nobody else's enter.

Whoever still has to answer about an image sees no other's looks at it, as they see no other's answers: what somebody looked at, and asked,
says what they think.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Row, func, select, text
from sqlalchemy.orm import Session

from worker.moderation.errors import RejectedError
from worker.moderation.explanation_jobs import JobKind, JobState
from worker.moderation.looks import LookState
from worker.moderation.release import Training
from worker.moderation.review import UNFINISHED_TASKS
from worker.store.items import StoredEvidence, check_item
from worker.store.models import LookAnswerRow, OutcomeRow
from worker.store.review_tasks import Claimant

_UNFINISHED = ", ".join(repr(state.value) for state in UNFINISHED_TASKS)
# Whether :viewer, a lead or not, may see looks AS l: one's own always, others' as soon as one owes no answer about the image any more.
VISIBLE = f"""
    (:lead OR l.author = :viewer OR NOT EXISTS (
        SELECT FROM review_tasks AS t
         WHERE t.batch_id = l.batch_id AND t.ordinal = l.ordinal AND t.state IN ({_UNFINISHED})
           AND NOT EXISTS (SELECT FROM reviews AS mine WHERE mine.task_id = t.id AND mine.reviewer = :viewer
                                                         AND mine.taken_back_at IS NULL AND mine.pending_until IS NULL)))
"""  # noqa: S608  states of ours
SEEN = f"""
    SELECT l.*, j.state, j.error_code, j.error_message, a.release_id, a.question_put, a.crop_x0, a.crop_y0, a.crop_x1, a.crop_y1,
           a.crop_sha256, a.scale, a.finding, a.explanation, a.verdict, a.p_generated, a.created_at AS answered_at, r.training,
           o.release_id AS judged_by
      FROM looks AS l
      JOIN explanation_jobs AS j ON (j.batch_id, j.ordinal, j.revision) = (l.batch_id, l.ordinal, l.revision)
                                AND j.kind = '{JobKind.LOOK}' AND j.key = l.id::text
      JOIN outcomes AS o ON (o.batch_id, o.ordinal, o.revision) = (l.batch_id, l.ordinal, l.revision)
      LEFT JOIN LATERAL (SELECT * FROM look_answers WHERE look_id = l.id ORDER BY attempt DESC LIMIT 1) AS a ON true
      LEFT JOIN releases AS r ON r.id = a.release_id
"""  # noqa: S608  constants of ours
OF_ITEM = text(
    f"""
    -- looks of an outcome, as far as the viewer may see them, the newest first
    {SEEN} WHERE l.batch_id = :batch_id AND l.ordinal = :ordinal AND l.revision = :revision AND {VISIBLE}
     ORDER BY l.id DESC LIMIT :limit
    """
)
ONE = text(
    f"""
    -- one look of a tenant, if the viewer may see it
    {SEEN} WHERE l.id = :id AND l.tenant_id = :tenant AND {VISIBLE}
    """
)
CROP = text(
    """
    -- crop of a look: where it is kept, if it still is
    SELECT e.sha256, e.bucket, e.key, e.media_type, e.byte_count
      FROM look_answers AS a JOIN evidence AS e ON e.sha256 = a.crop_sha256 AND e.removed_at IS NULL
     WHERE a.look_id = :id ORDER BY a.attempt DESC LIMIT 1
    """
)
MOST_SHOWN = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class LookAnswered:
    """What the model said for a look. `other_release`: not the one that judged looked."""

    release: str
    training: Training
    other_release: bool
    question_put: bool
    crop_box: tuple[int, int, int, int]
    scale: float
    finding: str | None
    explanation: str | None
    verdict: str | None
    p_generated: float | None
    at: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A look and where it stands."""

    id: UUID
    batch_id: UUID
    ordinal: int
    revision: int
    number: int
    author: str
    position: int | None
    box: tuple[int, int, int, int]
    question: str
    created_at: Any
    state: LookState
    error_code: str | None
    error_message: str | None
    answer: LookAnswered | None


def item_looks(session: Session, viewer: Claimant, batch_id: UUID, ordinal: int, revision: int | None) -> list[Look]:
    """The last MOST_SHOWN looks at an outcome, by default the newest, that the viewer may see, oldest first. Raises `item_missing`."""
    check_item(session, viewer.tenant_id, batch_id, ordinal)
    if revision is None:
        newest = select(func.max(OutcomeRow.revision)).filter_by(batch_id=batch_id, ordinal=ordinal)
        revision = session.execute(newest).scalar_one_or_none() or 0
    place = {"batch_id": batch_id, "ordinal": ordinal, "revision": revision}
    rows = session.execute(OF_ITEM, {**place, **_seen_by(viewer), "limit": MOST_SHOWN}).all()
    return [_look(row) for row in reversed(rows)]


def find_look(session: Session, viewer: Claimant, look_id: UUID) -> Look:
    """A look that the viewer may see. Raises RejectedError `look_missing`."""
    row = session.execute(ONE, {"id": look_id, "tenant": viewer.tenant_id, **_seen_by(viewer)}).one_or_none()
    if row is None:
        raise RejectedError("look_missing", f"There is no look {look_id}.")
    return _look(row)


def look_traces(session: Session, look_id: UUID) -> Sequence[LookAnswerRow]:
    """Every request for the look and its reply, in order."""
    return session.execute(select(LookAnswerRow).filter_by(look_id=look_id).order_by(LookAnswerRow.attempt)).scalars().all()


def find_look_crop(session: Session, look_id: UUID) -> StoredEvidence | None:
    """Where the crop of a look is; None before its answer, and when it is no longer kept."""
    row = session.execute(CROP, {"id": look_id}).one_or_none()
    return None if row is None else StoredEvidence(*row)


def _seen_by(viewer: Claimant) -> dict[str, Any]:
    return {"viewer": viewer.reviewer, "lead": viewer.lead}


def _look(row: Row[Any]) -> Look:
    return Look(
        id=row.id,
        batch_id=row.batch_id,
        ordinal=row.ordinal,
        revision=row.revision,
        number=row.number,
        author=row.author,
        position=row.position,
        box=(row.x0, row.y0, row.x1, row.y1),
        question=row.question,
        created_at=row.created_at,
        state=_state(row),
        error_code=row.error_code,
        error_message=row.error_message if row.error_code else None,
        answer=_answered(row) if row.release_id else None,
    )


def _state(row: Row[Any]) -> LookState:
    match JobState(row.state):
        case JobState.DONE:
            return LookState.ANSWERED if row.verdict else LookState.UNREADABLE
        case JobState.FAILED:
            return LookState.FAILED
        case JobState.RUNNING:
            return LookState.LOOKING
        case _:
            return LookState.WAITING


def _answered(row: Row[Any]) -> LookAnswered:
    return LookAnswered(
        release=row.release_id,
        training=Training(row.training),
        other_release=row.release_id != row.judged_by,
        question_put=row.question_put,
        crop_box=(row.crop_x0, row.crop_y0, row.crop_x1, row.crop_y1),
        scale=row.scale,
        finding=row.finding,
        explanation=row.explanation,
        verdict=row.verdict,
        p_generated=row.p_generated,
        at=row.answered_at,
    )
