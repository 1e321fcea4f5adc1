"""The tables. Insert-only at the grain of images, mutable only at the grain of chunks and batches."""

from worker.store.models.base import Base
from worker.store.models.events import AuditEventRow, OutboxRow
from worker.store.models.intake import BatchRow, ItemRow, RowErrorRow, TenantRow
from worker.store.models.queue import ChunkRow
from worker.store.models.results import EvidenceRow, OutcomeRow, RegionRow, ReleaseRow, RoutingRow, TraceRow
from worker.store.models.webhooks import WebhookAttemptRow, WebhookDeliveryRow, WebhookEndpointRow, WebhookSecretRow

__all__ = [
    "AuditEventRow",
    "Base",
    "BatchRow",
    "ChunkRow",
    "EvidenceRow",
    "ItemRow",
    "OutboxRow",
    "OutcomeRow",
    "RegionRow",
    "ReleaseRow",
    "RoutingRow",
    "RowErrorRow",
    "TenantRow",
    "TraceRow",
    "WebhookAttemptRow",
    "WebhookDeliveryRow",
    "WebhookEndpointRow",
    "WebhookSecretRow",
]
