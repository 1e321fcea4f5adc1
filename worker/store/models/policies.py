"""Policies of a tenant, their versions, and the bands of each."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ARRAY, CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from worker.moderation.outcomes import Verdict
from worker.moderation.policy import Action
from worker.store.models.base import Base, Now, Small, one_of


class VersionState(StrEnum):
    """Where a policy version stands."""

    DRAFT = "draft"  # written down; routes nothing
    SHADOW = "shadow"  # routes beside the live one; nobody acts on it
    LIVE = "live"  # decides; one per policy
    RETIRED = "retired"  # was live or shadow


class PolicyRow(Base):
    """A named set of rules of a tenant; batches name it."""

    __tablename__ = "policies"
    __table_args__ = {"comment": "Named sets of routing rules, one tenant's each; batches name theirs"}  # noqa: RUF012

    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenants.id"), primary_key=True, comment="Whose policy")
    name: Mapped[str] = mapped_column(primary_key=True, comment="Slug; default is what batches use that name none")
    description: Mapped[str] = mapped_column(server_default=text("''"), comment="What it is for, for people")
    created_at: Mapped[Now] = mapped_column(comment="When it was made")


class PolicyVersionRow(Base):
    """A version: written once; only its state moves."""

    __tablename__ = "policy_versions"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "policy"], ["policies.tenant_id", "policies.name"]),
        CheckConstraint(one_of("state", VersionState), name="state"),
        CheckConstraint(one_of("automatic_action", tuple(a.value for a in Action if a is not Action.NONE)), name="automatic_action"),
        CheckConstraint(
            "num_nonnulls(automatic_action, opted_in_by, opted_in_reason) IN (0, 3)",
            name="opt_in",
        ),
        CheckConstraint("four_eyes <@ ARRAY['label', 'restrict', 'remove']", name="four_eyes"),
        CheckConstraint("qa_share BETWEEN 0 AND 1 AND double_share BETWEEN 0 AND 1", name="shares"),
        CheckConstraint(
            "faithfulness_share BETWEEN 0 AND 1 AND least_drop BETWEEN 0 AND 1 AND attention_share BETWEEN 0 AND 1", name="explaining"
        ),
        CheckConstraint("accuracy_floor BETWEEN 0 AND 1", name="accuracy_floor"),
        Index("uq_policy_versions_live", "tenant_id", "policy", unique=True, postgresql_where=text("state = 'live'")),
        {"comment": "Versions of policies; written once, only the state moves"},
    )

    tenant_id: Mapped[str] = mapped_column(primary_key=True, comment="Whose policy")
    policy: Mapped[str] = mapped_column(primary_key=True, comment="Which policy")
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, comment="1, 2…; routings name it policy@version")
    state: Mapped[str] = mapped_column(comment="draft | shadow | live | retired; one is live per policy")
    queue: Mapped[str] = mapped_column(comment="Review queue that takes what it sends to review")
    automatic_action: Mapped[str | None] = mapped_column(comment="label | restrict | remove: done to what is flagged, without a person")
    opted_in_by: Mapped[str | None] = mapped_column(comment="Who answers for the automatic action")
    opted_in_reason: Mapped[str | None] = mapped_column(comment="Why they opted in")
    reason_required: Mapped[bool] = mapped_column(server_default=text("false"), comment="Whether who says real or generated must say why")
    four_eyes: Mapped[list[str]] = mapped_column(
        ARRAY(Text), server_default=text("'{}'"), comment="Of label, restrict, remove: what takes two people to decide"
    )
    note: Mapped[str] = mapped_column(server_default=text("''"), comment="What changed, for people")
    created_by: Mapped[str] = mapped_column(comment="Who wrote it")
    created_at: Mapped[Now] = mapped_column(comment="When it was written")
    in_force_since: Mapped[datetime | None] = mapped_column(comment="When it became live or shadow, last")
    flag_queue: Mapped[str | None] = mapped_column(comment="Review queue of what is flagged; null: as what is reviewed")
    disagreement_queue: Mapped[str | None] = mapped_column(
        comment="Review queue of what scan and zoom disagree on, flagged or not; null: as if they agreed"
    )
    qa_share: Mapped[float] = mapped_column(server_default=text("0"), comment="Of what passes, this share is asked about all the same")
    double_share: Mapped[float] = mapped_column(
        server_default=text("0"), comment="Of what is reviewed or flagged, this share is asked one reviewer more"
    )
    sampling_key: Mapped[UUID] = mapped_column(
        server_default=text("gen_random_uuid()"), comment="Of the hash that samples: without it nobody can foretell what is looked at"
    )
    faithfulness_share: Mapped[float] = mapped_column(
        server_default=text("0"),
        comment="Of what is called generated, this share is tested: the cited regions masked, the score read again",
    )
    least_drop: Mapped[float] = mapped_column(
        server_default=text("0.05"),
        comment="Of P(generated), beyond the control's: an explanation that moves the score less goes to review",
    )
    attention_share: Mapped[float] = mapped_column(
        server_default=text("0"), comment="Of what has a verdict, a map of the model's attention is drawn for this share"
    )
    languages: Mapped[list[str]] = mapped_column(
        ARRAY(Text), server_default=text("'{}'"), comment="BCP-47 tags that explanations may be asked for in"
    )
    accuracy_floor: Mapped[float | None] = mapped_column(
        comment="Images as degraded as those that the release was right on less often than this go to a person; null: none do"
    )


class PolicyBandRow(Base):
    """The thresholds of a version for one thing the model can have said."""

    __tablename__ = "policy_bands"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "policy", "version"], ["policy_versions.tenant_id", "policy_versions.policy", "policy_versions.version"]
        ),
        CheckConstraint(one_of("verdict", Verdict), name="verdict"),
        CheckConstraint("0 <= pass_below AND pass_below <= coalesce(flag_from, 1) AND coalesce(flag_from, 1) <= 1", name="order"),
        {"comment": "Thresholds of a policy version on P(generated); what has no band is always reviewed"},
    )

    tenant_id: Mapped[str] = mapped_column(primary_key=True, comment="Whose policy")
    policy: Mapped[str] = mapped_column(primary_key=True, comment="Which policy")
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, comment="Which version")
    verdict: Mapped[str] = mapped_column(primary_key=True, comment="real | generated: the final verdict it is for")
    agreed: Mapped[bool] = mapped_column(primary_key=True, comment="Whether scan and zoom said the same")
    pass_below: Mapped[float] = mapped_column(comment="Below this P(generated) the image passes")
    flag_from: Mapped[float | None] = mapped_column(comment="At or above this it is flagged; null: never")


class PolicyClauseRow(Base):
    """What a decision under a version can rest on."""

    __tablename__ = "policy_clauses"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "policy", "version"], ["policy_versions.tenant_id", "policy_versions.policy", "policy_versions.version"]
        ),
        {"comment": "Clauses of a policy version; where there are any, whoever decides names one"},
    )

    tenant_id: Mapped[str] = mapped_column(primary_key=True, comment="Whose policy")
    policy: Mapped[str] = mapped_column(primary_key=True, comment="Which policy")
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, comment="Which version")
    clause: Mapped[str] = mapped_column(primary_key=True, comment="Slug; answers and decisions name it")
    number: Mapped[Small] = mapped_column(comment="1, 2… in the order in which they are offered")
    title: Mapped[str] = mapped_column(comment="What it says, for people")
    reason: Mapped[str] = mapped_column(comment="What the reviewer's reason begins as")
