"""Webhooks: endpoints, their secrets, deliveries and the attempts at them."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ARRAY, CheckConstraint, ForeignKey, Index, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from worker.store.models.base import Base, BigSerial, Now, Small, one_of


class EndpointState(StrEnum):
    """Whether an endpoint is sent to."""

    ACTIVE = "active"
    PAUSED = "paused"  # by its owner, or because it failed for days: deliveries wait for its resumption
    DISABLED = "disabled"  # removed, or it answered 410 Gone: for good


class DeliveryState(StrEnum):
    """Where a delivery stands."""

    PENDING = "pending"  # tried again from next_attempt_at on
    DELIVERED = "delivered"
    FAILED = "failed"  # out of attempts, or its endpoint is disabled; redelivery revives it


class WebhookEndpointRow(Base):
    """A URL that a tenant wants events sent to."""

    __tablename__ = "webhook_endpoints"
    __table_args__ = (
        CheckConstraint(one_of("state", EndpointState), name="state"),
        CheckConstraint("cardinality(types) > 0", name="types"),
        Index("ix_webhook_endpoints_tenant_id", "tenant_id", "id"),
        {"comment": "URLs that tenants want events sent to"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, comment="UUIDv7")
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenants.id"), comment="Whose events")
    url: Mapped[str] = mapped_column(comment="Where to; judged at every send")
    types: Mapped[list[str]] = mapped_column(ARRAY(Text), comment="Event types it subscribes to")
    description: Mapped[str] = mapped_column(server_default=text("''"), comment="Its owner's own words")
    state: Mapped[str] = mapped_column(server_default=text("'active'"), comment="active | paused | disabled")
    state_reason: Mapped[str | None] = mapped_column(comment="Why it is paused or disabled, for people")
    failing_since: Mapped[datetime | None] = mapped_column(comment="First failure since the last success")
    failures: Mapped[int] = mapped_column(server_default=text("0"), comment="Failures since the last success")
    rests_until: Mapped[datetime | None] = mapped_column(comment="Nothing is sent before this: it fails, or asked for a pause")
    created_at: Mapped[Now] = mapped_column(comment="When it was added")


class WebhookSecretRow(Base):
    """A signing secret. Two are live while one replaces the other."""

    __tablename__ = "webhook_secrets"
    __table_args__ = (
        Index("ix_webhook_secrets_endpoint_id", "endpoint_id", "id"),
        {"comment": "Signing secrets; two are live while one replaces the other"},
    )

    id: Mapped[BigSerial] = mapped_column(comment="Order of making")
    endpoint_id: Mapped[UUID] = mapped_column(ForeignKey("webhook_endpoints.id"), comment="Whose")
    sealed: Mapped[str] = mapped_column(comment="Encrypted under ZOOMIN_SECRETS_KEY, bound to the endpoint")
    created_at: Mapped[Now] = mapped_column(comment="When it was made")
    expires_at: Mapped[datetime | None] = mapped_column(comment="No longer signs from then on; null: the present one")


class WebhookDeliveryRow(Base):
    """An event on its way to an endpoint."""

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        CheckConstraint(one_of("state", DeliveryState), name="state"),
        CheckConstraint("lease_token IS NULL OR state = 'pending'", name="lease"),
        Index("ix_webhook_deliveries_event_id", "event_id"),
        Index("ix_webhook_deliveries_due", "endpoint_id", "next_attempt_at", postgresql_where=text("state = 'pending'")),
        Index("ix_webhook_deliveries_leased", "endpoint_id", postgresql_where=text("lease_token IS NOT NULL")),
        Index("ix_webhook_deliveries_failed", "endpoint_id", "event_id", postgresql_where=text("state = 'failed'")),
        {"comment": "Events on their way to endpoints"},
    )

    endpoint_id: Mapped[UUID] = mapped_column(ForeignKey("webhook_endpoints.id"), primary_key=True, comment="Where to")
    event_id: Mapped[UUID] = mapped_column(ForeignKey("outbox.event_id"), primary_key=True, comment="Which event")
    state: Mapped[str] = mapped_column(server_default=text("'pending'"), comment="pending | delivered | failed")
    attempts: Mapped[Small] = mapped_column(server_default=text("0"), comment="Begun since it was created or redelivered")
    next_attempt_at: Mapped[Now] = mapped_column(comment="Not sent before this; under a lease: when that runs out")
    lease_token: Mapped[UUID | None] = mapped_column(comment="Fencing token of the attempt in flight")
    last_status: Mapped[int | None] = mapped_column(comment="HTTP status of the last attempt that was answered")
    last_error: Mapped[str | None] = mapped_column(comment="Stable code of the last failure")
    last_seconds: Mapped[float | None] = mapped_column(comment="How long the last attempt took")
    created_at: Mapped[Now] = mapped_column(comment="When it was fanned out")
    delivered_at: Mapped[datetime | None] = mapped_column(comment="When it was accepted")


class WebhookAttemptRow(Base):
    """One attempt at a delivery, as it ended."""

    __tablename__ = "webhook_attempts"
    __table_args__ = (
        Index("ix_webhook_attempts_delivery", "endpoint_id", "event_id", "id"),
        Index("ix_webhook_attempts_event_id", "event_id"),
        {"comment": "Attempts at deliveries, as they ended; insert-only"},
    )

    id: Mapped[BigSerial] = mapped_column(comment="Order of ending")
    endpoint_id: Mapped[UUID] = mapped_column(ForeignKey("webhook_endpoints.id"), comment="Where to")
    event_id: Mapped[UUID] = mapped_column(ForeignKey("outbox.event_id"), comment="Which event")
    attempt: Mapped[Small] = mapped_column(comment="1, 2… since it was created or redelivered")
    status: Mapped[int | None] = mapped_column(comment="HTTP status; null when there was no answer")
    error_code: Mapped[str | None] = mapped_column(comment="Stable code; null when it was accepted")
    seconds: Mapped[float] = mapped_column(comment="How long it took")
    ended_at: Mapped[Now] = mapped_column(comment="When it was recorded")
