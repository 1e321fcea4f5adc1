"""API keys: made, checked, listed, revoked, rotated. A key reads `zk_<prefix>_<secret>`; the secret is seen once and kept as a hash.

Secrets have 256 random bits: one round of sha256 is enough for those, and as slow as a key check can afford to be.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func, or_, select, text, update
from sqlalchemy.orm import Session

from worker.moderation.errors import RejectedError
from worker.moderation.identifiers import new_uuid7
from worker.moderation.scopes import Scope
from worker.store import audit
from worker.store.models import ApiKeyRow
from worker.store.tenants import ensure_tenant

PREFIX_BYTES, SECRET_BYTES = 6, 32  # 12 hex digits, public; 256 bits, secret
LATEST = 1_000  # keys per listing: far more than a tenant has
KEY = re.compile(r"zk_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")
NOBODY = ("0" * 2 * PREFIX_BYTES, "")  # looked up for what is no key at all, so that it takes as long
NO_DIGEST = "0" * 64  # no sha256 that anybody knows a secret for

LOOK_UP = text(
    """
    -- look up: the key of a prefix, whether it may still be used, and whether its last use should be noted
    SELECT id, tenant_id, prefix, scopes, secret_sha256,
           revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now()) AS live,
           last_used_at IS NULL OR last_used_at < now() - interval '1 minute' AS stale
      FROM api_keys WHERE prefix = :prefix
    """
)
TOUCH = text(
    """
    -- touch: the last use, at most once a minute, whoever else notes it at this moment
    UPDATE api_keys SET last_used_at = now() WHERE id = :id AND (last_used_at IS NULL OR last_used_at < now() - interval '1 minute')
    """
)


@dataclass(frozen=True, slots=True)
class KeyHolder:
    """Who a valid key stands for."""

    key_id: UUID
    prefix: str
    tenant_id: str
    scopes: frozenset[Scope]


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key and its text, which nobody can show again."""

    row: ApiKeyRow
    text: str


def create_key(session: Session, *, tenant_id: str, name: str, scopes: Collection[Scope], lifetime: timedelta | None, actor: str) -> NewKey:
    """A new key; without `lifetime` it never expires."""
    made = _insert(session, tenant_id=tenant_id, name=name, scopes=sorted(scopes), lifetime=lifetime)
    _record(session, "key.created", made.row, actor)
    return made


def authenticate(session: Session, key: str) -> KeyHolder | None:
    """Whom the key stands for; None for any that is malformed, unknown, forged, expired or revoked, all in comparable time."""
    match = KEY.fullmatch(key)
    prefix, secret = match.groups() if match else NOBODY
    row = session.execute(LOOK_UP, {"prefix": prefix}).one_or_none()
    genuine = hmac.compare_digest(_digest(secret), row.secret_sha256 if row else NO_DIGEST)
    if row is None or not (genuine and row.live):
        return None
    if row.stale:
        session.execute(TOUCH, {"id": row.id})
    return KeyHolder(row.id, row.prefix, row.tenant_id, frozenset(map(Scope, row.scopes)))


def list_keys(session: Session, *, tenant_id: str | None = None) -> list[ApiKeyRow]:
    """Newest first, revoked and expired ones too."""
    query = select(ApiKeyRow).order_by(ApiKeyRow.id.desc()).limit(LATEST)
    return list(session.execute(query if tenant_id is None else query.filter_by(tenant_id=tenant_id)).scalars())


def revoke_key(session: Session, prefix: str, *, actor: str) -> ApiKeyRow:
    """Ends a key at once. Raises RejectedError `key_missing`; one that was revoked before stays as it is."""
    row = _find(session, prefix)
    if row.revoked_at is None:
        session.execute(update(ApiKeyRow).where(ApiKeyRow.id == row.id).values(revoked_at=func.now()))
        _record(session, "key.revoked", row, actor)
    return _find(session, prefix)


def rotate_key(session: Session, prefix: str, *, grace: timedelta, actor: str) -> NewKey:
    """A new key with the same name, scopes and lifetime; the old one expires after `grace`, or before that, as it would have.

    Raises RejectedError: key_missing, key_ended.
    """
    old = _find(session, prefix)
    now = session.execute(select(func.now())).scalar_one()
    if old.revoked_at is not None or (old.expires_at is not None and old.expires_at <= now) or old.successor_id is not None:
        raise RejectedError("key_ended", f"Key {prefix} was revoked or rotated, or has expired. Create a new one.")
    lifetime = None if old.expires_at is None else old.expires_at - old.created_at
    made = _insert(session, tenant_id=old.tenant_id, name=old.name, scopes=old.scopes, lifetime=lifetime)
    ends = now + grace
    earlier = or_(ApiKeyRow.expires_at.is_(None), ApiKeyRow.expires_at > ends)
    session.execute(update(ApiKeyRow).where(ApiKeyRow.id == old.id).values(successor_id=made.row.id))
    session.execute(update(ApiKeyRow).where(ApiKeyRow.id == old.id, earlier).values(expires_at=ends))
    _record(session, "key.rotated", old, actor, successor=made.row.prefix)
    return made


def _insert(session: Session, *, tenant_id: str, name: str, scopes: Collection[str], lifetime: timedelta | None) -> NewKey:
    ensure_tenant(session, tenant_id)
    prefix, secret = secrets.token_hex(PREFIX_BYTES), secrets.token_urlsafe(SECRET_BYTES)
    row = ApiKeyRow(
        id=new_uuid7(),
        tenant_id=tenant_id,
        name=name,
        prefix=prefix,
        secret_sha256=_digest(secret),
        scopes=[str(scope) for scope in scopes],
        expires_at=_in(session, lifetime),
    )
    session.add(row)
    session.flush()
    session.refresh(row)
    return NewKey(row, f"zk_{prefix}_{secret}")


def _in(session: Session, lifetime: timedelta | None) -> datetime | None:
    """That long from now, by the database's clock."""
    return None if lifetime is None else session.execute(select(func.now())).scalar_one() + lifetime


def _find(session: Session, prefix: str) -> ApiKeyRow:
    query = select(ApiKeyRow).filter_by(prefix=prefix).with_for_update().execution_options(populate_existing=True)
    if (row := session.execute(query).scalar_one_or_none()) is None:
        raise RejectedError("key_missing", f"There is no key {prefix[:40]!r}. `zoomin keys list` lists them.")
    return row


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _record(session: Session, action: str, row: ApiKeyRow, actor: str, **more: str) -> None:
    detail = {"key": row.prefix, "scopes": list(row.scopes), **more}
    audit.record(session, actor=actor, action=action, tenant_id=row.tenant_id, detail=detail)
