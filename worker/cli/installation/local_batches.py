"""Batches of an installation whose database and object store are at hand."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from itertools import islice
from uuid import UUID

from worker.cli.batches import actor
from worker.cli.installation.asking import Listed, Submission
from worker.cli.services import Services
from worker.intake.enqueue import BatchReceipt, IntakeProgress, enqueue_batch
from worker.moderation.outcomes import OutcomeKind
from worker.store import batches as store
from worker.store import progress
from worker.store.exporting import note_errors_export, note_results_export
from worker.store.models.intake import BatchState
from worker.store.results import ItemResult, RowError, stream_results, stream_row_errors
from worker.store.session import transaction


@dataclass(frozen=True, slots=True)
class LocalBatches:
    """See `Batches`."""

    services: Services

    def submit(self, source: str, submission: Submission, watch: Callable[[IntakeProgress], None]) -> BatchReceipt:
        """In this process: uploads, reads, writes rows."""
        return enqueue_batch(
            source,
            settings=self.services.settings,
            engine=self.services.engine,
            storage=self.services.storage,
            tenant=submission.tenant,
            idempotency_key=submission.key,
            priority=submission.priority,
            policy=submission.policy,
            progress=watch,
        )

    def progress(self, batch_id: UUID) -> progress.BatchProgress:
        """Where the batch stands."""
        with transaction(self.services.engine) as session:
            return progress.progress(session, batch_id)

    def newest(self, tenant: str | None, limit: int) -> list[Listed]:
        """Newest first; without a tenant, everybody's."""
        with transaction(self.services.engine) as session:
            rows = store.list_batches(session, tenant_id=tenant, limit=limit)
            counts = progress.count_items(session, [row.id for row in rows])
        return [
            Listed(tenant=row.tenant_id, source=row.source, created_at=row.created_at, progress=progress.standing(row, counts[row.id]))
            for row in rows
        ]

    def cancel(self, batch_id: UUID) -> BatchState:
        """Asks for the batch's end."""
        with transaction(self.services.engine) as session:
            return store.cancel_batch(session, batch_id, actor=actor())

    def resume(self, batch_id: UUID) -> BatchState:
        """Lets a paused batch go on."""
        with transaction(self.services.engine) as session:
            return store.resume_batch(session, batch_id, actor=actor())

    def rescan(self, batch_id: UUID, only: Collection[OutcomeKind] | None) -> int:
        """Begins a new revision."""
        with transaction(self.services.engine) as session:
            return store.rescan_batch(session, batch_id, only=only, chunk_items=self.services.settings.chunk_items, actor=actor())

    def export(self, batch_id: UUID, form: str, revision: int | None, limit: int | None) -> Iterator[ItemResult]:
        """Results, page by page."""
        with transaction(self.services.engine) as session:
            batch = store.find_batch(session, batch_id)
            note_results_export(session, batch, form=form, revision=revision, limit=limit, actor=actor())
        return islice(stream_results(self.services.engine, batch_id, revision), limit)

    def export_errors(self, batch_id: UUID) -> Iterator[RowError]:
        """Refused rows, page by page."""
        with transaction(self.services.engine) as session:
            note_errors_export(session, store.find_batch(session, batch_id), actor=actor())
        return stream_row_errors(self.services.engine, batch_id)
