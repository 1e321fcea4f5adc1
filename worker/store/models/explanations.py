"""What is made about outcomes after they are recorded: the jobs."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from worker.moderation.explanation_jobs import JobKind, JobState
from worker.store.models.base import Base, Jsonb, Now, Small, one_of


class ExplanationJobRow(Base):
    """A piece of work about one outcome: an attention map, a look, a translation."""

    __tablename__ = "explanation_jobs"
    __table_args__ = (
        UniqueConstraint("batch_id", "ordinal", "revision", "kind", "key"),
        CheckConstraint(one_of("kind", JobKind), name="kind"),
        CheckConstraint(one_of("state", JobState), name="state"),
        CheckConstraint("(state = 'running') = (lease_token IS NOT NULL)", name="lease"),
        CheckConstraint("(state = 'failed') = (error_code IS NOT NULL)", name="error"),
        CheckConstraint("(state IN ('done', 'failed')) = (finished_at IS NOT NULL)", name="finished"),
        Index("ix_explanation_jobs_waiting", "kind", "tenant_id", "lane", "id", postgresql_where=text("state = 'waiting'")),
        Index("ix_explanation_jobs_in_flight", "kind", "state", postgresql_where=text("state IN ('announced','running')")),
        Index("ix_explanation_jobs_tenant_id", "tenant_id", "id"),
        {"comment": "Work about recorded outcomes: attention maps, looks, translations. None changes a verdict"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, comment="UUIDv7; what a Celery message carries")
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenants.id"), comment="Whose")
    kind: Mapped[str] = mapped_column(comment="attention | look | translation")
    batch_id: Mapped[UUID] = mapped_column(ForeignKey("batches.id"), comment="Batch of the outcome")
    ordinal: Mapped[int] = mapped_column(comment="Item of the outcome")
    revision: Mapped[Small] = mapped_column(comment="Revision of the outcome")
    key: Mapped[str] = mapped_column(comment="What of the kind is made of the outcome; asking for the same again gives this job")
    detail: Mapped[Jsonb] = mapped_column(comment="Ids and parameters; no words of people or models")
    asked_by: Mapped[str] = mapped_column(comment="Who asked first: an actor")
    lane: Mapped[Small] = mapped_column(
        server_default=text("0"), comment="0: somebody waits for it; 1: a policy drew it, and it lets those go first"
    )
    state: Mapped[str] = mapped_column(server_default=text("'waiting'"), comment="waiting | announced | running | done | failed")
    next_attempt_at: Mapped[Now] = mapped_column(comment="Not announced before this, by the database's clock")
    announced_at: Mapped[datetime | None] = mapped_column(comment="When its id was last put into Redis")
    announcements: Mapped[int] = mapped_column(server_default=text("0"), comment="How often it was announced")
    attempts: Mapped[Small] = mapped_column(server_default=text("0"), comment="Claims so far")
    lease_owner: Mapped[str | None] = mapped_column(comment="Which worker holds it")
    lease_token: Mapped[UUID | None] = mapped_column(comment="Fencing token: whoever writes names it")
    lease_expires_at: Mapped[datetime | None] = mapped_column(comment="By the database's clock")
    error_code: Mapped[str | None] = mapped_column(comment="Stable code of what made it fail")
    error_message: Mapped[str | None] = mapped_column(comment="What happened and what to do, for people; also of the last attempt")
    created_at: Mapped[Now] = mapped_column(comment="When it was first asked for")
    finished_at: Mapped[datetime | None] = mapped_column(comment="When it was done, or failed")
