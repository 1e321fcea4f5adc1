"""API keys: who may call, for which tenant, with which scopes. Secrets are kept as hashes only."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from worker.moderation.scopes import Scope
from worker.store.models.base import Base, Now

SCOPE_LIST = ", ".join(repr(scope.value) for scope in Scope)


class ApiKeyRow(Base):
    """A key for machines."""

    __tablename__ = "api_keys"
    __table_args__ = (
        CheckConstraint(f"scopes <@ ARRAY[{SCOPE_LIST}]::text[] AND cardinality(scopes) > 0", name="scopes"),
        {"comment": "Keys of machines; secrets are kept as hashes only"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, comment="UUIDv7")
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenants.id"), comment="Whose data it opens")
    name: Mapped[str] = mapped_column(comment="What it is for, for people")
    prefix: Mapped[str] = mapped_column(unique=True, comment="The public part, by which it is looked up and named")
    secret_sha256: Mapped[str] = mapped_column(comment="sha256 (hex) of the secret part, which has 256 random bits")
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text), comment="submit | read | review | lead | audit | admin")
    created_at: Mapped[Now] = mapped_column(comment="When it was made")
    expires_at: Mapped[datetime | None] = mapped_column(comment="Refused from then on; null: never expires")
    revoked_at: Mapped[datetime | None] = mapped_column(comment="When it was revoked")
    last_used_at: Mapped[datetime | None] = mapped_column(comment="Last use, to the minute")
    successor_id: Mapped[UUID | None] = mapped_column(ForeignKey("api_keys.id"), comment="The key it was rotated to")
