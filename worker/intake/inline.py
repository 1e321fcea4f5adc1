"""Small sets of references that come with the request: taken in at once, all or nothing, in one transaction."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Engine, text

from worker.intake.manifest import row_of
from worker.intake.receiving import ACTOR
from worker.intake.reference import AllowedSources
from worker.intake.slicing import SLICE_ROWS, cut_slices
from worker.intake.submission import Accepted, Submission, open_submission
from worker.moderation.identifiers import new_uuid7
from worker.moderation.settings import Settings
from worker.store.batches import find_batch
from worker.store.session import transaction
from worker.store.slices import append_slice, finish_intake

SOURCE = "inline"  # what the batch remembers as its source
MAX_REFERENCES = 1_000  # far below a slice: the transaction takes some tens of milliseconds


def submit_references(references: Sequence[Mapping[str, Any]], submission: Submission, settings: Settings, engine: Engine) -> Accepted:
    """A batch of these rows, like a manifest's. Bad ones become row errors. Raises RejectedError `idempotency_conflict`."""
    if len(references) > SLICE_ROWS:
        raise ValueError(f"{len(references)} references are no small set")
    rows = (row_of(line, dict(reference)) for line, reference in enumerate(references, 1))
    slices = cut_slices(rows, AllowedSources.of(settings), start={}, cursor=lambda row: {"line": row.line})
    batch_id = new_uuid7()
    with transaction(engine) as session:
        batch = open_submission(session, submission, batch_id, SOURCE)
        if batch.id == batch_id:
            for part in slices:
                append_slice(session, batch_id, part, chunk_items=settings.chunk_items)
            finish_intake(session, batch_id, actor=ACTOR)
            session.execute(text("SET LOCAL synchronous_commit = on"))  # `append_slice` turns it off; here the commit is the promise
            batch = find_batch(session, batch_id)
    return Accepted(batch, batch.id == batch_id)
