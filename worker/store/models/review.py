"""Review: queues, tasks, claims on their slots, reviews, and what reviewers say of each box."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from worker.moderation.policy import Action, Route
from worker.moderation.review import UNFINISHED_TASKS, ClaimState, JudgementKind, ReviewVerdict, TaskKind, TaskState
from worker.store.models.base import Base, BigSerial, Now, Small, one_of

UNFINISHED = text(one_of("state", tuple(state.value for state in UNFINISHED_TASKS)))
ASKED_BY_POLICY = text("kind IN ('routing', 'qa')")
HELD_SLOTS = text("state IN ('active', 'submitted')")
STANDING = text("taken_back_at IS NULL")


class ReviewQueueRow(Base):
    """Where tasks wait, and how many people each needs."""

    __tablename__ = "review_queues"
    __table_args__ = (
        CheckConstraint("slots BETWEEN 1 AND 5", name="slots"),
        CheckConstraint("lease_seconds BETWEEN 30 AND 86400", name="lease_seconds"),
        CheckConstraint("due_hours BETWEEN 1 AND 8760", name="due_hours"),
        CheckConstraint("golden_share BETWEEN 0 AND 0.5", name="golden_share"),
        {"comment": "Review queues of a tenant: where tasks wait, and how many people each needs"},
    )

    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenants.id"), primary_key=True, comment="Whose queue")
    name: Mapped[str] = mapped_column(primary_key=True, comment="Slug")
    slots: Mapped[Small] = mapped_column(server_default=text("1"), comment="Reviewers per task, who do not see each other's answers")
    lease_seconds: Mapped[int] = mapped_column(server_default=text("300"), comment="A claim without a heartbeat expires after this")
    due_hours: Mapped[int] = mapped_column(server_default=text("24"), comment="A task is due this long after it was made")
    guidance: Mapped[str] = mapped_column(server_default=text("''"), comment="What reviewers of this queue are told")
    golden_share: Mapped[float] = mapped_column(
        server_default=text("0"), comment="Of claims, this share is of images whose answer is known, to measure reviewers"
    )
    version: Mapped[int] = mapped_column(
        server_default=text("1"), comment="Counts changes of the settings; a change that saw an older one is refused"
    )
    created_at: Mapped[Now] = mapped_column(comment="When it was made")


class ReviewTaskRow(Base):
    """One question to people: what of this outcome? Everything of it that changes is here; answers are rows of their own."""

    __tablename__ = "review_tasks"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "queue"], ["review_queues.tenant_id", "review_queues.name"]),
        CheckConstraint(one_of("kind", TaskKind), name="kind"),
        CheckConstraint(one_of("state", TaskState), name="state"),
        CheckConstraint(one_of("route", Route), name="route"),
        CheckConstraint("(kind = 'appeal') = (appeal_id IS NOT NULL)", name="appeal"),
        CheckConstraint("escalated OR state <> 'escalated'", name="escalated"),
        Index("ix_review_tasks_unfinished", "tenant_id", "queue", text("priority DESC"), "due_at", "id", postgresql_where=UNFINISHED),
        Index("ix_review_tasks_item", "batch_id", "ordinal"),
        Index("ix_review_tasks_tenant", "tenant_id", "id"),
        Index("ix_review_tasks_created", "tenant_id", "created_at"),
        Index("ix_review_tasks_closed", "tenant_id", "closed_at", postgresql_where=text("closed_at IS NOT NULL")),
        Index("ix_review_tasks_golden", "id", postgresql_where=text(f"kind = 'golden' AND {UNFINISHED.text}")),
        Index("uq_review_tasks_policy", "batch_id", "ordinal", "revision", unique=True, postgresql_where=ASKED_BY_POLICY),
        {"comment": "Questions to people about outcomes; the answers are reviews"},
    )

    id: Mapped[BigSerial] = mapped_column(comment="What reviewers claim")
    tenant_id: Mapped[str] = mapped_column(comment="Whose task")
    queue: Mapped[str] = mapped_column(comment="Where it waits")
    batch_id: Mapped[UUID] = mapped_column(comment="Batch of the outcome in question")
    ordinal: Mapped[int] = mapped_column(comment="Its item")
    revision: Mapped[Small] = mapped_column(comment="Its revision")
    kind: Mapped[str] = mapped_column(comment="routing | qa | appeal | golden: why a person is asked")
    appeal_id: Mapped[UUID | None] = mapped_column(comment="The appeal, for kind appeal")
    route: Mapped[str] = mapped_column(comment="pass | review | flag: how the policy version routed the outcome")
    reason: Mapped[str] = mapped_column(comment="Why a person is asked, for people")
    priority: Mapped[Small] = mapped_column(server_default=text("0"), comment="Higher is offered first")
    slots: Mapped[Small] = mapped_column(comment="Reviews it needs")
    state: Mapped[str] = mapped_column(server_default=text("'open'"), comment="open | held | escalated | done | withdrawn")
    state_reason: Mapped[str | None] = mapped_column(comment="Why it is held, escalated or withdrawn")
    escalated: Mapped[bool] = mapped_column(
        server_default=text("false"), comment="Its reviewers did not agree: leads alone are offered it, also after it was held"
    )
    held_until: Mapped[datetime | None] = mapped_column(comment="A held task is offered again from then on; null: when released")
    assigned_to: Mapped[str | None] = mapped_column(comment="Only this reviewer may claim it")
    version: Mapped[int] = mapped_column(
        server_default=text("1"), comment="Counts changes of the question; actions on a stale one are refused"
    )
    due_at: Mapped[datetime] = mapped_column(comment="When it should be answered")
    created_at: Mapped[Now] = mapped_column(comment="When it was made")
    closed_at: Mapped[datetime | None] = mapped_column(comment="When it was done or withdrawn")


class ReviewClaimRow(Base):
    """A reviewer's right to answer a task, for a while. Slots make overshooting impossible: each holds one claim."""

    __tablename__ = "review_claims"
    __table_args__ = (
        CheckConstraint(one_of("state", ClaimState), name="state"),
        Index("uq_review_claims_slot", "task_id", "slot", unique=True, postgresql_where=HELD_SLOTS),
        Index("uq_review_claims_reviewer", "task_id", "reviewer", unique=True, postgresql_where=HELD_SLOTS),
        Index("ix_review_claims_active", "expires_at", postgresql_where=text("state = 'active'")),
        Index("ix_review_claims_reviewer", "reviewer", postgresql_where=text("state = 'active'")),
        {"comment": "Reviewers' rights to answer a task, each for one of its slots and for a while"},
    )

    token: Mapped[UUID] = mapped_column(primary_key=True, server_default=text("gen_random_uuid()"), comment="Every action names it")
    task_id: Mapped[int] = mapped_column(ForeignKey("review_tasks.id"), comment="Which task")
    slot: Mapped[Small] = mapped_column(comment="1, 2… up to the task's slots")
    reviewer: Mapped[str] = mapped_column(comment="Who")
    state: Mapped[str] = mapped_column(server_default=text("'active'"), comment="active | submitted | released | skipped | expired")
    claimed_at: Mapped[Now] = mapped_column(comment="When it was claimed")
    expires_at: Mapped[datetime] = mapped_column(comment="Put off by each heartbeat; by the database's clock")
    ended_at: Mapped[datetime | None] = mapped_column(comment="When it stopped being active")
    reason: Mapped[str | None] = mapped_column(comment="Why it was skipped or taken away")


class ReviewRow(Base):
    """One reviewer's answer; written once. It takes effect, or is taken back, and nothing else of it ever changes."""

    __tablename__ = "reviews"
    __table_args__ = (
        Index("uq_reviews_slot", "task_id", "slot", unique=True, postgresql_where=STANDING),
        Index("uq_reviews_reviewer", "task_id", "reviewer", unique=True, postgresql_where=STANDING),
        Index("ix_reviews_pending", "pending_until", postgresql_where=text("pending_until IS NOT NULL")),
        CheckConstraint(one_of("verdict", ReviewVerdict), name="verdict"),
        CheckConstraint(one_of("action", Action), name="action"),
        CheckConstraint("exposure_seconds BETWEEN 0 AND 86400", name="exposure_seconds"),
        CheckConstraint("num_nonnulls(pending_until, taken_back_at) < 2", name="taken_back"),
        Index("ix_reviews_created", "created_at"),
        Index("ix_reviews_reviewer", "reviewer", "task_id"),
        {"comment": "Reviewers' answers; none is ever deleted or reworded"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, comment="UUIDv7")
    task_id: Mapped[int] = mapped_column(ForeignKey("review_tasks.id"), comment="Which task")
    slot: Mapped[Small] = mapped_column(comment="Which of its slots; one above them for a lead's")
    reviewer: Mapped[str] = mapped_column(comment="Who")
    verdict: Mapped[str] = mapped_column(comment="real | generated | unsure")
    action: Mapped[str] = mapped_column(comment="none | label | restrict | remove: what the platform should do")
    note: Mapped[str] = mapped_column(server_default=text("''"), comment="Why, in the reviewer's words")
    clause: Mapped[str | None] = mapped_column(comment="Which clause of the policy version it rests on")
    seconds: Mapped[float] = mapped_column(comment="From the claim to the answer")
    exposure_seconds: Mapped[float | None] = mapped_column(comment="How long the picture was visible unblurred, as the page measured it")
    created_at: Mapped[Now] = mapped_column(comment="When it was given")
    pending_until: Mapped[datetime | None] = mapped_column(
        comment="Until then its reviewer may take it back, and it has no effect; null once it has, or was taken back"
    )
    taken_back_at: Mapped[datetime | None] = mapped_column(comment="When its reviewer took it back: it is no answer any more")
    answered_with: Mapped[int | None] = mapped_column(
        ForeignKey("review_tasks.id"), comment="The task with whose answer it was given, as one of its duplicates"
    )


class RegionJudgementRow(Base):
    """What a reviewer said of one box."""

    __tablename__ = "region_judgements"
    __table_args__ = (
        CheckConstraint(one_of("kind", JudgementKind), name="kind"),
        CheckConstraint("(kind = 'add') = (position IS NULL)", name="position"),
        CheckConstraint("CASE WHEN kind IN ('add', 'move') THEN num_nonnulls(x0, y0, x1, y1) = 4 ELSE x0 IS NULL END", name="box"),
        {"comment": "What reviewers said of single boxes; insert-only"},
    )

    review_id: Mapped[UUID] = mapped_column(ForeignKey("reviews.id"), primary_key=True, comment="In which review")
    number: Mapped[Small] = mapped_column(primary_key=True, autoincrement=False, comment="1, 2… within the review")
    kind: Mapped[str] = mapped_column(comment="accept | reject | move | add")
    position: Mapped[int | None] = mapped_column(comment="The region of the outcome; null for an added box")
    x0: Mapped[int | None] = mapped_column(comment="Left of a moved or added box, original oriented pixels")
    y0: Mapped[int | None] = mapped_column(comment="Top")
    x1: Mapped[int | None] = mapped_column(comment="Right, exclusive")
    y1: Mapped[int | None] = mapped_column(comment="Bottom, exclusive")
