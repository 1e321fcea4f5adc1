"""People and their sessions. Names and addresses stay here: the audit trail and reviews say `person:<id>`."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from worker.moderation.people import Role
from worker.store.models.base import Base, Now, one_of

LIVE = text("disabled_at IS NULL")


class PersonRow(Base):
    """Somebody who was invited. Disabling is for good; a new invitation makes a new person."""

    __tablename__ = "people"
    __table_args__ = (
        CheckConstraint(one_of("role", Role), name="role"),
        CheckConstraint("email = lower(email)", name="email"),
        CheckConstraint("(issuer IS NULL) = (subject IS NULL) AND (issuer IS NULL) = (bound_at IS NULL)", name="bound"),
        Index("ix_people_tenant_id", "tenant_id", "id"),
        Index("uq_people_email", "tenant_id", "email", unique=True, postgresql_where=LIVE),
        Index("uq_people_subject", "tenant_id", "issuer", "subject", unique=True, postgresql_where=LIVE),
        {"comment": "People who may sign in; personal data, which analysts do not see"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, comment="UUIDv7; in audit and reviews as person:<id>")
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenants.id"), comment="Whose data they work on")
    email: Mapped[str] = mapped_column(comment="Personal data. In lower case; what the first sign-in is matched by")
    name: Mapped[str] = mapped_column(comment="Personal data. How they are called on pages")
    role: Mapped[str] = mapped_column(comment="viewer | reviewer | lead | auditor | admin")
    issuer: Mapped[str | None] = mapped_column(comment="OIDC issuer, bound at the first sign-in")
    subject: Mapped[str | None] = mapped_column(comment="Their name there, bound with it; alone counts from then on")
    invited_by: Mapped[str] = mapped_column(comment="Actor who invited them")
    created_at: Mapped[Now] = mapped_column(comment="When they were invited")
    bound_at: Mapped[datetime | None] = mapped_column(comment="When they first signed in")
    disabled_at: Mapped[datetime | None] = mapped_column(comment="When their access ended, for good")


class PersonSessionRow(Base):
    """A browser that somebody is signed in with."""

    __tablename__ = "people_sessions"
    __table_args__ = (
        Index("ix_people_sessions_open", "person_id", postgresql_where=text("ended_at IS NULL")),
        {"comment": "Browsers that people are signed in with; tokens are kept as hashes only"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, comment="UUIDv7")
    person_id: Mapped[UUID] = mapped_column(ForeignKey("people.id"), comment="Whose")
    token_sha256: Mapped[str] = mapped_column(unique=True, comment="sha256 (hex) of the cookie's token, which has 256 random bits")
    sign_in_sha256: Mapped[str] = mapped_column(unique=True, comment="sha256 (hex) of the sign-in's state: one sign-in makes one session")
    created_at: Mapped[Now] = mapped_column(comment="When they signed in")
    expires_at: Mapped[datetime] = mapped_column(comment="Refused from then on, used or not")
    idle_expires_at: Mapped[datetime] = mapped_column(comment="Refused from then on unless used before, which moves it")
    last_seen_at: Mapped[Now] = mapped_column(comment="Last use, to the minute")
    ended_at: Mapped[datetime | None] = mapped_column(comment="When they signed out or were disabled")
