"""The tables. Insert-only at the grain of images, mutable only at the grain of chunks and batches."""

from worker.store.models.base import Base
from worker.store.models.events import AuditEventRow, OutboxRow
from worker.store.models.intake import BatchRow, IntakeRow, ItemRow, RowErrorRow, TenantRow
from worker.store.models.keys import ApiKeyRow
from worker.store.models.queue import ChunkRow
from worker.store.models.results import EvidenceRow, OutcomeRow, RegionRow, ReleaseRow, RoutingRow, TraceRow

__all__ = [
    "ApiKeyRow",
    "AuditEventRow",
    "Base",
    "BatchRow",
    "ChunkRow",
    "EvidenceRow",
    "IntakeRow",
    "ItemRow",
    "OutboxRow",
    "OutcomeRow",
    "RegionRow",
    "ReleaseRow",
    "RoutingRow",
    "RowErrorRow",
    "TenantRow",
    "TraceRow",
]
