"""What a worker needs for a look, and what it records of one."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, insert, select, text
from sqlalchemy.orm import Session

from worker.moderation.boxes import Box
from worker.moderation.errors import OutageError, RejectedError
from worker.moderation.looks import EarlierLook, LookAnswer
from worker.moderation.outcomes import ItemReference, RetentionClass, StageTrace
from worker.store import audit
from worker.store.evidence import keep_evidence
from worker.store.models import EvidenceRow, LookAnswerRow, LookRow, OutcomeRow
from worker.store.outcome_rows import canonical, storable

TO_ANSWER = text(
    """
    -- look to answer: with the scan that it continues, which bytes were judged, and where they are
    SELECT l.*, t.request, t.reply, o.image_sha256, o.sent_sha256, i.custom_id, i.bucket, i.key,
           coalesce(o.version_id, i.version_id) AS version_id
      FROM looks AS l
      JOIN traces AS t ON (t.batch_id, t.ordinal, t.revision) = (l.batch_id, l.ordinal, l.revision)
                      AND (t.stage, t.attempt) = (l.trace_stage, l.trace_attempt)
      JOIN outcomes AS o ON (o.batch_id, o.ordinal, o.revision) = (l.batch_id, l.ordinal, l.revision)
      JOIN items AS i ON (i.batch_id, i.ordinal) = (l.batch_id, l.ordinal)
     WHERE l.id = :id
    """
)
EARLIER = text(
    """
    -- earlier looks: what was answered before in the same dialogue, oldest first
    SELECT l.x0, l.y0, l.x1, l.y1, l.question, a.crop_x0, a.crop_y0, a.crop_x1, a.crop_y1, a.reply
      FROM looks AS l JOIN look_answers AS a ON a.look_id = l.id AND a.verdict IS NOT NULL
     WHERE l.batch_id = :batch_id AND l.ordinal = :ordinal AND l.revision = :revision AND l.author = :author AND l.number < :number
     ORDER BY l.number
    """
)
# Retention removed the same pixels of another image at that very moment.
EVIDENCE_REMOVED = OutageError("evidence_removed", "The crop was removed from the bucket while the model looked: it looks again.")


@dataclass(frozen=True, slots=True, kw_only=True)
class LookToAnswer:
    """A look with what it continues. `turns` are the recorded scan's, `reply` what it said."""

    look_id: UUID
    item: ItemReference
    box: Box
    question: str
    turns: Sequence[Any]
    reply: str
    image_sha256: str
    sent_sha256: str
    earlier: tuple[EarlierLook, ...]


def look_to_answer(session: Session, look_id: UUID) -> LookToAnswer:
    """Raises RejectedError `look_trace_ended` when the look ended with its traces meanwhile."""
    row = session.execute(TO_ANSWER, {"id": look_id}).one_or_none()
    if row is None:
        raise RejectedError("look_trace_ended", "What the look was to continue is no longer kept.")
    place = {"batch_id": row.batch_id, "ordinal": row.ordinal, "revision": row.revision, "author": row.author, "number": row.number}
    return LookToAnswer(
        look_id=look_id,
        item=ItemReference(row.batch_id, row.ordinal, row.custom_id, row.bucket, row.key, row.version_id),
        box=Box(row.x0, row.y0, row.x1, row.y1),
        question=row.question,
        turns=row.request.get("turns") or [],
        reply=row.reply,
        image_sha256=row.image_sha256 or "",
        sent_sha256=row.sent_sha256 or "",
        earlier=tuple(_earlier(one) for one in session.execute(EARLIER, place)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LookedBy:
    """Who looked: the worker, as an actor, its model's release, the bucket of its crops, and since when the crop was being stored."""

    actor: str
    release_id: str
    evidence_bucket: str
    stored_since: datetime | None  # as for evidence


def record_look(session: Session, look_id: UUID, answer: LookAnswer, by: LookedBy) -> None:
    """Writes what was sent and what came back, and keeps the crop as long as the image's other evidence.

    The trail has a digest of it: sha256 of the canonical JSON of the rows by attempt, all columns but `created_at`.

    Raises RejectedError `look_trace_ended`; OutageError when the crop must be stored again.
    """
    look = session.get(LookRow, look_id)
    if look is None:
        raise RejectedError("look_trace_ended", "What the look continued is no longer kept: what the model said is discarded.")
    kept = [(answer.evidence, _retention(session, look))]
    if keep_evidence(session, kept, bucket=by.evidence_bucket, stored_since=by.stored_since):
        raise EVIDENCE_REMOVED
    rows = _answer_rows(look_id, answer, by.release_id)
    session.execute(insert(LookAnswerRow), rows)
    audit.record(
        session,
        actor=by.actor,
        action="look.answered",
        batch_id=look.batch_id,
        ordinal=look.ordinal,
        revision=look.revision,
        payload_digest=hashlib.sha256(canonical(rows).encode()).hexdigest(),
        detail={"look": str(look_id), "read": answer.verdict is not None},
    )


def _answer_rows(look_id: UUID, answer: LookAnswer, release_id: str) -> list[dict[str, Any]]:
    """One of each attempt; what was read stands with the last."""
    rows = []
    last = len(answer.traces)
    for trace in answer.traces:
        read = trace.attempt == last and answer.verdict is not None
        said = {
            "finding": answer.finding if read else None,
            "explanation": answer.explanation if read else None,
            "verdict": answer.verdict if read else None,
            "p_generated": answer.p_generated if read else None,
        }
        rows.append(storable({**_sent(look_id, answer, release_id), **said, **_exchange(trace)}))
    return rows


def _retention(session: Session, look: LookRow) -> RetentionClass:
    """That of the image the look is at."""
    outcome = session.get_one(OutcomeRow, (look.batch_id, look.ordinal, look.revision))
    image = select(EvidenceRow.retention_class).filter_by(sha256=outcome.sent_sha256)
    return RetentionClass(session.execute(image).scalar_one_or_none() or RetentionClass.ROUTINE)


def _sent(look_id: UUID, answer: LookAnswer, release_id: str) -> dict[str, Any]:
    crop = dict(zip(("crop_x0", "crop_y0", "crop_x1", "crop_y1"), answer.crop_box.corners(), strict=True))
    return {
        "look_id": look_id,
        "release_id": release_id,
        "wording": answer.wording,
        "question_put": answer.question_put,
        **crop,
        "crop_sha256": answer.evidence.sha256,
        "scale": answer.scale,
    }


def _exchange(trace: StageTrace) -> dict[str, Any]:
    return {
        "attempt": trace.attempt,
        "request": trace.request,
        "reply": trace.reply,
        "finish_reason": trace.finish_reason,
        "prompt_tokens": trace.prompt_tokens,
        "cached_tokens": trace.cached_tokens,
        "completion_tokens": trace.completion_tokens,
        "seconds": trace.seconds,
    }


def _earlier(row: Row[Any]) -> EarlierLook:
    crop = Box(row.crop_x0, row.crop_y0, row.crop_x1, row.crop_y1)
    return EarlierLook(Box(row.x0, row.y0, row.x1, row.y1), crop, row.question, row.reply)
