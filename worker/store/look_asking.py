"""Asking for looks: what can be looked at, how often, and the job that brings the answer."""

import hashlib
from typing import Any
from uuid import UUID

from sqlalchemy import func, insert, select, text
from sqlalchemy.orm import Session

from worker.moderation.boxes import Box, Size
from worker.moderation.errors import RejectedError
from worker.moderation.explanation_jobs import AskedJob, JobKind
from worker.moderation.identifiers import new_uuid7
from worker.moderation.looks import MOST_LOOKS, MOST_WAITING, WantedLook, checked_box
from worker.moderation.outcomes import Stage
from worker.store import audit
from worker.store.erasures import check_not_erased
from worker.store.explanation_jobs import ask_for
from worker.store.items import check_item
from worker.store.models import LookRow, OutcomeRow, RegionRow, TraceRow
from worker.store.outcome_rows import canonical

LOCK_AUTHOR = text(
    """
    -- lock author: two looks of one asker are counted and numbered one after the other
    SELECT pg_advisory_xact_lock(hashtextextended('looks/' || :tenant || '/' || :author, 0))
    """
)
# In two parts, each with a partial index of its own: asked for together, neither is used, and all jobs that ever ended are read instead.
WAITING = text(
    f"""
    -- waiting: how many looks of an asker are not answered yet, wherever
    SELECT (SELECT count(*) FROM explanation_jobs
             WHERE kind = '{JobKind.LOOK}' AND tenant_id = :tenant AND asked_by = :author AND state = 'waiting')
         + (SELECT count(*) FROM explanation_jobs
             WHERE kind = '{JobKind.LOOK}' AND tenant_id = :tenant AND asked_by = :author AND state IN ('announced', 'running'))
    """  # noqa: S608  a constant of ours
)
FAILED = text(
    f"""
    -- failed: whether a look's job has
    SELECT state = 'failed' FROM explanation_jobs
     WHERE batch_id = :batch_id AND ordinal = :ordinal AND revision = :revision AND kind = '{JobKind.LOOK}' AND key = :key
    """  # noqa: S608  a constant of ours
)


def ask_look(session: Session, wanted: WantedLook) -> UUID:
    """Asks for a look: its id. Asking the same again gives the same look, and tries a failed one again.

    Raises RejectedError: item_missing, item_erased, look_unseen, look_trace_ended, region_unknown, look_box_invalid, looks_full,
    looks_waiting.
    """
    check_item(session, wanted.tenant_id, wanted.batch_id, wanted.ordinal)
    check_not_erased(session, wanted.batch_id, wanted.ordinal)
    outcome = _outcome(session, wanted)
    attempt = _scan_attempt(session, outcome)
    box = checked_box(wanted.box or _region_box(session, outcome, wanted.region), Size(outcome.width or 0, outcome.height or 0))
    if wanted.box is not None and wanted.region is not None:
        _region_box(session, outcome, wanted.region)
    session.execute(LOCK_AUTHOR, {"tenant": wanted.tenant_id, "author": wanted.author})
    corners = dict(zip(("x0", "y0", "x1", "y1"), box.corners(), strict=True))
    place = {"batch_id": outcome.batch_id, "ordinal": outcome.ordinal, "revision": outcome.revision, "author": wanted.author}
    said = {**corners, "position": wanted.region, "question": wanted.question}
    look_id = session.execute(select(LookRow.id).filter_by(**place, **said).limit(1)).scalar_one_or_none()
    if look_id is None:
        row = {**place, **said, "tenant_id": wanted.tenant_id, "trace_attempt": attempt, "number": _next_number(session, place)}
        _check_waiting(session, wanted)
        look_id = new_uuid7()
        session.execute(insert(LookRow).values(id=look_id, **row))
        _note(session, look_id, row)
    elif session.execute(FAILED, {**place, "key": str(look_id)}).scalar_one_or_none():
        _check_waiting(session, wanted)  # it is about to be tried again
    ask_for(
        session,
        AskedJob(
            tenant_id=wanted.tenant_id,
            kind=JobKind.LOOK,
            batch_id=outcome.batch_id,
            ordinal=outcome.ordinal,
            revision=outcome.revision,
            key=str(look_id),
            asked_by=wanted.author,
        ),
    )
    return look_id


def _outcome(session: Session, wanted: WantedLook) -> OutcomeRow:
    query = select(OutcomeRow).filter_by(batch_id=wanted.batch_id, ordinal=wanted.ordinal).order_by(OutcomeRow.revision.desc()).limit(1)
    if wanted.revision is not None:
        query = query.filter_by(revision=wanted.revision)
    outcome = session.execute(query).scalar_one_or_none()
    if outcome is None or outcome.sent_sha256 is None or outcome.width is None:
        raise RejectedError("look_unseen", "The model was sent no image at that revision: there is nothing to look at more closely.")
    return outcome


def _scan_attempt(session: Session, outcome: OutcomeRow) -> int:
    """The scan's last attempt: the one that was read, or the last that could not be."""
    place = {"batch_id": outcome.batch_id, "ordinal": outcome.ordinal, "revision": outcome.revision, "stage": Stage.SCAN.value}
    attempt = session.execute(select(func.max(TraceRow.attempt)).filter_by(**place)).scalar_one_or_none()
    if attempt is None:
        raise RejectedError(
            "look_trace_ended",
            "Requests and replies of this revision are no longer kept, and a look continues them. Judge the image again, then look.",
        )
    return attempt


def _region_box(session: Session, outcome: OutcomeRow, position: int | None) -> Box:
    place = {"batch_id": outcome.batch_id, "ordinal": outcome.ordinal, "revision": outcome.revision, "position": position}
    region = session.execute(select(RegionRow).filter_by(**place)).scalar_one_or_none()
    if region is None:
        raise RejectedError("region_unknown", f"Revision {outcome.revision} of the image has no region {position}.")
    return Box(region.x0, region.y0, region.x1, region.y1)


def _next_number(session: Session, place: dict[str, Any]) -> int:
    last: int = session.execute(select(func.coalesce(func.max(LookRow.number), 0)).filter_by(**place)).scalar_one()
    if last >= MOST_LOOKS:
        raise RejectedError("looks_full", f"You have looked {MOST_LOOKS} times at this outcome: that is as often as anybody may.")
    return last + 1


def _check_waiting(session: Session, wanted: WantedLook) -> None:
    waiting = session.execute(WAITING, {"tenant": wanted.tenant_id, "author": wanted.author}).scalar_one()
    if waiting >= MOST_WAITING:
        raise RejectedError("looks_waiting", f"{waiting} looks of yours are not answered yet. Ask again when one of them is.")


def _note(session: Session, look_id: UUID, row: dict[str, Any]) -> None:
    """The digest is the sha256 of the canonical JSON of the look's row, all columns but `trace_stage` and `created_at`."""
    audit.record(
        session,
        actor=row["author"],
        action="look.asked",
        batch_id=row["batch_id"],
        ordinal=row["ordinal"],
        revision=row["revision"],
        payload_digest=hashlib.sha256(canonical({"id": look_id, **row}).encode()).hexdigest(),
        detail={"look": str(look_id), "position": row["position"], "question": bool(row["question"])},
    )
