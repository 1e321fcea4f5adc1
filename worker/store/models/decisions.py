"""Decisions, which supersede one another; appeals against them; statements of reasons."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from worker.moderation.outcomes import Verdict
from worker.moderation.policy import Action
from worker.moderation.review import AppealState, DecisionBasis
from worker.store.models.base import Base, Jsonb, Now, Small, one_of


class StatementState(StrEnum):
    """Where a statement of reasons stands."""

    DRAFT = "draft"  # nobody answers for it yet
    HELD = "held"  # signed; the hold window runs, or it waits for the sender: a mistake can still be taken back unsent
    SUBMITTED = "submitted"
    REFUSED = "refused"  # the receiver would not have it; see the code
    WITHDRAWN = "withdrawn"  # taken back, or superseded or its image erased, before it was sent


class DecisionRow(Base):
    """What was decided of an image. Written once; a later one supersedes it, so that an item's decisions are one line."""

    __tablename__ = "decisions"
    __table_args__ = (
        CheckConstraint(one_of("basis", DecisionBasis), name="basis"),
        CheckConstraint(one_of("verdict", Verdict), name="verdict"),
        CheckConstraint(one_of("action", Action), name="action"),
        CheckConstraint("basis = 'lead' OR (basis = 'automatic') = (task_id IS NULL)", name="task"),
        Index("uq_decisions_supersedes", "supersedes", unique=True),
        Index("uq_decisions_first", "batch_id", "ordinal", unique=True, postgresql_where=text("supersedes IS NULL")),
        Index("ix_decisions_item", "batch_id", "ordinal", "created_at"),
        Index("ix_decisions_tenant", "tenant_id", "id"),
        {"comment": "What was decided of images; insert-only, a later one supersedes"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, comment="UUIDv7")
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenants.id"), comment="Whose")
    batch_id: Mapped[UUID] = mapped_column(comment="Batch of the item")
    ordinal: Mapped[int] = mapped_column(comment="The item")
    revision: Mapped[Small] = mapped_column(comment="The outcome it was decided on")
    task_id: Mapped[int | None] = mapped_column(
        ForeignKey("review_tasks.id"), comment="The task that led to it; null for automatic ones, and for a lead's own"
    )
    basis: Mapped[str] = mapped_column(comment="review | lead | appeal | automatic")
    verdict: Mapped[str] = mapped_column(comment="real | generated")
    action: Mapped[str] = mapped_column(comment="none | label | restrict | remove: what the platform is to do")
    decided_by: Mapped[str] = mapped_column(comment="A reviewer, a lead, or the policy version")
    reason: Mapped[str] = mapped_column(comment="Why, for people")
    policy_version: Mapped[str | None] = mapped_column(comment="Under which version the outcome had been routed")
    clause: Mapped[str | None] = mapped_column(comment="Which clause of that version it rests on; null where it has none")
    supersedes: Mapped[UUID | None] = mapped_column(
        ForeignKey("decisions.id"), comment="The decision it replaces; null for an item's first"
    )
    created_at: Mapped[Now] = mapped_column(comment="When it was decided")


class AppealRow(Base):
    """A contested decision, whole or one box of it."""

    __tablename__ = "appeals"
    __table_args__ = (
        CheckConstraint(one_of("state", AppealState), name="state"),
        CheckConstraint("(state = 'open') = (decided_at IS NULL)", name="decided"),
        Index("uq_appeals_decision", "decision_id", unique=True),
        Index("ix_appeals_tenant", "tenant_id", "id"),
        Index("uq_appeals_key", "tenant_id", "idempotency_key", unique=True),
        {"comment": "Contested decisions, whole or one box of them"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, comment="UUIDv7")
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenants.id"), comment="Whose")
    decision_id: Mapped[UUID] = mapped_column(ForeignKey("decisions.id"), comment="What is contested; once")
    region_position: Mapped[int | None] = mapped_column(comment="The one box that is contested; null: the decision as a whole")
    statement: Mapped[str] = mapped_column(comment="What the appellant says: untrusted text")
    reference: Mapped[str | None] = mapped_column(comment="The platform's own name for the case; no personal data")
    opened_by: Mapped[str] = mapped_column(comment="Who opened it: never who decides it")
    state: Mapped[str] = mapped_column(server_default=text("'open'"), comment="open | upheld | reversed")
    due_at: Mapped[datetime] = mapped_column(comment="When it should be decided")
    created_at: Mapped[Now] = mapped_column(comment="When it came")
    decided_at: Mapped[datetime | None] = mapped_column(comment="When it was decided")
    idempotency_key: Mapped[str | None] = mapped_column(comment="Its submitter's; the same again is no second")
    request_digest: Mapped[str | None] = mapped_column(comment="sha256 of what the key stands for")
    settled_by: Mapped[UUID | None] = mapped_column(ForeignKey("decisions.id"), comment="The decision that ended it")


class StatementRow(Base):
    """A statement of reasons (DSA, article 17) about a decision, and its way to the transparency database."""

    __tablename__ = "statements_of_reasons"
    __table_args__ = (
        CheckConstraint(one_of("state", StatementState), name="state"),
        CheckConstraint(
            "state IN ('draft', 'withdrawn') OR num_nonnulls(signed_by, signed_at, hold_until, next_attempt_at) = 4", name="signed"
        ),
        CheckConstraint("lease_token IS NULL OR state = 'held'", name="lease"),
        Index(
            "uq_statements_of_reasons_decision",
            "decision_id",
            unique=True,
            postgresql_where=text("state IN ('draft', 'held', 'submitted')"),
        ),
        Index("ix_statements_of_reasons_due", "next_attempt_at", postgresql_where=text("state = 'held'")),
        Index("ix_statements_of_reasons_tenant", "tenant_id", "id"),
        {"comment": "Statements of reasons about decisions, and their way to the transparency database"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, comment="UUIDv7; its hex is the puid")
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenants.id"), comment="Whose")
    decision_id: Mapped[UUID] = mapped_column(ForeignKey("decisions.id"), comment="About which decision")
    payload: Mapped[Jsonb] = mapped_column(comment="As the transparency database takes it; no personal data")
    state: Mapped[str] = mapped_column(server_default=text("'draft'"), comment="draft | held | submitted | refused | withdrawn")
    drafted_by: Mapped[str] = mapped_column(comment="Who drafted it")
    signed_by: Mapped[str | None] = mapped_column(comment="The person who answers for it")
    signed_at: Mapped[datetime | None] = mapped_column(comment="When it was signed")
    hold_until: Mapped[datetime | None] = mapped_column(comment="Not sent before this")
    next_attempt_at: Mapped[datetime | None] = mapped_column(
        comment="Not sent before this: the hold, a pause after a failure, or the lease of an attempt"
    )
    lease_token: Mapped[UUID | None] = mapped_column(comment="Fencing token of the attempt in flight")
    attempts: Mapped[Small] = mapped_column(server_default=text("0"), comment="Begun")
    uncertain: Mapped[bool] = mapped_column(
        server_default=text("false"), comment="An attempt began and no answer told how it ended: the receiver may have it"
    )
    receiver_code: Mapped[str | None] = mapped_column(comment="What the receiver answered")
    receiver_detail: Mapped[dict[str, Any] | None] = mapped_column(JSONB, comment="What it said of single fields, when it refused")
    receiver_id: Mapped[str | None] = mapped_column(comment="Its own id there, when it told")
    created_at: Mapped[Now] = mapped_column(comment="When it was drafted")
    submitted_at: Mapped[datetime | None] = mapped_column(comment="When it was sent")
