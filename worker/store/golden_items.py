"""The golden set: images whose answer is known. Whoever keeps it says what the answer is, and is never asked about it.

What is said of an image can be corrected: answers that were given before are then measured by the correction.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from worker.moderation.boxes import Box
from worker.moderation.errors import RejectedError
from worker.moderation.identifiers import item_id
from worker.moderation.outcomes import Verdict
from worker.store import audit
from worker.store.erasures import check_not_erased
from worker.store.items import check_item
from worker.store.legal_holds import SWEEP_AGAIN
from worker.store.models import GoldenItemRow, OutcomeRow

MOST_BOXES = 64  # as many as a review may judge


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """The answer. `boxes` in original, oriented pixels, empty where none is known; `revision` is shown to reviewers, None the newest."""

    verdict: Verdict
    boxes: tuple[Box, ...] = ()
    note: str = ""
    revision: int | None = None


def put_golden(session: Session, tenant_id: str, place: tuple[UUID, int], known: Known, *, actor: str) -> tuple[GoldenItemRow, bool]:
    """Adds an item to the set, or changes what is known of it; one that was retired is back. And whether it was never there before.

    Raises RejectedError: item_missing, item_erased, item_not_judged, golden_box_invalid.
    """
    batch_id, ordinal = place
    check_item(session, tenant_id, batch_id, ordinal)
    check_not_erased(session, batch_id, ordinal)
    outcome = _outcome(session, place, known.revision)
    _check_boxes(known.boxes, outcome)
    said = {
        "revision": outcome.revision,
        "verdict": known.verdict.value,
        "boxes": [list(box.corners()) for box in known.boxes],
        "note": known.note,
        "added_by": actor,
    }
    made = insert(GoldenItemRow).values(batch_id=batch_id, ordinal=ordinal, tenant_id=tenant_id, **said)
    created = session.execute(made.on_conflict_do_nothing().returning(GoldenItemRow.ordinal)).one_or_none() is not None
    row = find_golden(session, tenant_id, place, lock=True)
    changed = row.retired_at is not None or any(getattr(row, name) != said[name] for name in ("revision", "verdict", "boxes", "note"))
    if changed:
        for name, value in said.items():
            setattr(row, name, value)
        row.retired_at = row.retired_by = None
        row.added_at = func.now()
        session.flush()
        session.refresh(row)
    if created or changed:
        digest = hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
        _note(session, row, actor, "golden.added" if created else "golden.changed", digest)
    return row, created


def retire_golden(session: Session, tenant_id: str, place: tuple[UUID, int], *, actor: str) -> GoldenItemRow:
    """Nobody is asked about the item any more, and what was answered stays. Twice is as once. Raises RejectedError `golden_missing`."""
    row = find_golden(session, tenant_id, place, lock=True)
    if row.retired_at is None:
        row.retired_at, row.retired_by = func.now(), actor
        session.flush()
        session.refresh(row)
        session.execute(SWEEP_AGAIN, {"batch_id": row.batch_id})  # what was kept for its sake is let go
        _note(session, row, actor, "golden.retired", None)
    return row


def find_golden(session: Session, tenant_id: str, place: tuple[UUID, int], *, lock: bool = False) -> GoldenItemRow:
    """An item of the tenant's set, retired or not. Raises RejectedError `golden_missing`."""
    row = session.get(GoldenItemRow, place, populate_existing=True, with_for_update=lock or None)
    if row is None or row.tenant_id != tenant_id:
        raise RejectedError("golden_missing", f"Item {item_id(*place)} is not in the golden set.")
    return row


def list_golden(
    session: Session, tenant_id: str, *, retired: bool = False, after: tuple[UUID, int] | None = None, limit: int
) -> Sequence[GoldenItemRow]:
    """In the order of batches and items, those behind `after`; retired ones too, or only those in use."""
    place = tuple_(GoldenItemRow.batch_id, GoldenItemRow.ordinal)
    query = select(GoldenItemRow).filter_by(tenant_id=tenant_id).order_by(GoldenItemRow.batch_id, GoldenItemRow.ordinal).limit(limit)
    query = query if retired else query.where(GoldenItemRow.retired_at.is_(None))
    query = query if after is None else query.where(place > after)
    return session.execute(query).scalars().all()


def _outcome(session: Session, place: tuple[UUID, int], revision: int | None) -> OutcomeRow:
    batch_id, ordinal = place
    query = select(OutcomeRow).filter_by(batch_id=batch_id, ordinal=ordinal).order_by(OutcomeRow.revision.desc()).limit(1)
    query = query if revision is None else query.filter_by(revision=revision)
    outcome = session.execute(query).scalar_one_or_none()
    if outcome is None or outcome.verdict is None:
        at = "" if revision is None else f" at revision {revision}"
        raise RejectedError("item_not_judged", f"Item {item_id(*place)} has no verdict{at}: there is nothing to show to a reviewer.")
    return outcome


def _check_boxes(boxes: Sequence[Box], outcome: OutcomeRow) -> None:
    if len(boxes) > MOST_BOXES:
        raise RejectedError("golden_box_invalid", f"An image has {MOST_BOXES} known boxes at most; these are {len(boxes)}.")
    width, height = outcome.width or 0, outcome.height or 0
    for box in boxes:
        if not (0 <= box.x0 < box.x1 <= width and 0 <= box.y0 < box.y1 <= height):
            raise RejectedError(
                "golden_box_invalid", f"The box {list(box.corners())} does not lie in the image, which has {width} × {height} pixels."
            )


def _note(session: Session, row: GoldenItemRow, actor: str, action: str, digest: str | None) -> None:
    place: dict[str, Any] = {"batch_id": row.batch_id, "ordinal": row.ordinal, "revision": row.revision}
    detail = {"verdict": row.verdict, "boxes": len(row.boxes)}
    audit.record(session, actor=actor, action=action, **place, payload_digest=digest, detail=detail)
