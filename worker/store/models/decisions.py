"""Decisions, which supersede one another; appeals against them; statements of reasons."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from worker.moderation.outcomes import Verdict
from worker.moderation.policy import Action
from worker.moderation.review import AppealState, DecisionBasis
from worker.store.models.base import Base, Jsonb, Now, Small, one_of


class StatementState(StrEnum):
    """Where a statement of reasons stands."""

    HELD = "held"  # the hold window runs: a mistake can still be taken back unsent
    SUBMITTED = "submitted"
    REFUSED = "refused"  # the receiver would not have it; see the code
    WITHDRAWN = "withdrawn"  # its decision was superseded before it was sent


class DecisionRow(Base):
    """What was decided of an image. Written once; a later one supersedes it, so that an item's decisions are one line."""

    __tablename__ = "decisions"
    __table_args__ = (
        CheckConstraint(one_of("basis", DecisionBasis), name="basis"),
        CheckConstraint(one_of("verdict", Verdict), name="verdict"),
        CheckConstraint(one_of("action", Action), name="action"),
        CheckConstraint("(basis = 'automatic') = (task_id IS NULL)", name="task"),
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
    task_id: Mapped[int | None] = mapped_column(ForeignKey("review_tasks.id"), comment="The task that led to it; null for automatic ones")
    basis: Mapped[str] = mapped_column(comment="review | lead | appeal | automatic")
    verdict: Mapped[str] = mapped_column(comment="real | generated")
    action: Mapped[str] = mapped_column(comment="none | label | restrict | remove: what the platform is to do")
    decided_by: Mapped[str] = mapped_column(comment="A reviewer, a lead, or the policy version")
    reason: Mapped[str] = mapped_column(comment="Why, for people")
    policy_version: Mapped[str | None] = mapped_column(comment="Under which version the outcome had been routed")
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
        {"comment": "Contested decisions, whole or one box of them"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, comment="UUIDv7")
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenants.id"), comment="Whose")
    decision_id: Mapped[UUID] = mapped_column(ForeignKey("decisions.id"), comment="What is contested; once")
    region_position: Mapped[int | None] = mapped_column(comment="The one box that is contested; null: the decision as a whole")
    statement: Mapped[str] = mapped_column(comment="What the appellant says: untrusted text")
    reference: Mapped[str | None] = mapped_column(comment="The platform's own name for the case; no personal data")
    state: Mapped[str] = mapped_column(server_default=text("'open'"), comment="open | upheld | reversed")
    due_at: Mapped[datetime] = mapped_column(comment="When it should be decided")
    created_at: Mapped[Now] = mapped_column(comment="When it came")
    decided_at: Mapped[datetime | None] = mapped_column(comment="When it was decided")


class StatementRow(Base):
    """A statement of reasons (DSA, article 17) about a decision, and its way to the transparency database."""

    __tablename__ = "statements_of_reasons"
    __table_args__ = (
        CheckConstraint(one_of("state", StatementState), name="state"),
        Index("uq_statements_of_reasons_decision", "decision_id", unique=True),
        Index("ix_statements_of_reasons_held", "hold_until", postgresql_where=text("state = 'held'")),
        {"comment": "Statements of reasons about decisions, and their way to the transparency database"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, comment="UUIDv7; its hex is the puid")
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenants.id"), comment="Whose")
    decision_id: Mapped[UUID] = mapped_column(ForeignKey("decisions.id"), comment="About which decision")
    payload: Mapped[Jsonb] = mapped_column(comment="As the transparency database takes it; no personal data")
    state: Mapped[str] = mapped_column(server_default=text("'held'"), comment="held | submitted | refused | withdrawn")
    signed_by: Mapped[str] = mapped_column(comment="The person who answers for it")
    hold_until: Mapped[datetime] = mapped_column(comment="Not sent before this")
    receiver_code: Mapped[str | None] = mapped_column(comment="What the receiver answered")
    created_at: Mapped[Now] = mapped_column(comment="When it was drafted")
    submitted_at: Mapped[datetime | None] = mapped_column(comment="When it was sent")
