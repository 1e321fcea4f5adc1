"""Exports as audit events. Written before anything is handed out: a download that breaks off has been one, too."""

import hashlib

from sqlalchemy.orm import Session

from worker.moderation.search import Filter
from worker.store import audit
from worker.store.models import BatchRow


def note_results_export(session: Session, batch: BatchRow, *, form: str, revision: int | None, limit: int | None, actor: str) -> None:
    """Whose results were asked for, in which format, and how many items at most."""
    items = batch.items_accepted if limit is None else min(limit, batch.items_accepted)
    detail = {"format": form, "items": items}
    audit.record(session, actor=actor, action="results.exported", batch_id=batch.id, revision=revision, detail=detail)


def note_errors_export(session: Session, batch: BatchRow, *, actor: str) -> None:
    """Whose refused rows were asked for, and how many there are."""
    audit.record(session, actor=actor, action="errors.exported", batch_id=batch.id, detail={"rows": batch.rows_rejected})


def note_search_export(session: Session, tenant_id: str, wanted: Filter, *, form: str, items: int, actor: str) -> None:
    """Whose, in which format, how many items; of the filter its digest, for it may hold words and names."""
    digest = hashlib.sha256(wanted.query().encode()).hexdigest()
    detail = {"format": form, "items": items}
    audit.record(session, actor=actor, action="search.exported", tenant_id=tenant_id, payload_digest=digest, detail=detail)
