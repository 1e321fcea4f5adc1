"""Sessions of people: begun by a sign-in, looked up at every request, ended. The token is the cookie's; its hash is kept."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import func, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Session

from worker.moderation.errors import RejectedError
from worker.moderation.identifiers import new_uuid7
from worker.moderation.people import SCOPES, Role
from worker.moderation.scopes import Scope
from worker.store import audit
from worker.store.models import PersonRow, PersonSessionRow
from worker.store.statements import rows_changed

TOKEN_BYTES = 32  # 256 bits: one round of sha256 is enough for those
LONGEST = timedelta(hours=12)  # a working day; then the identity provider is asked again
IDLE = timedelta(hours=2)  # somebody left: a browser on a desk is nobody's

LOOK_UP = text(
    """
    -- look up: whose session a token is, while it and its owner are live, and whether its use should be noted
    SELECT s.id, s.person_id, p.tenant_id, p.role, s.last_seen_at < now() - interval '1 minute' AS stale
      FROM people_sessions AS s JOIN people AS p ON p.id = s.person_id
     WHERE s.token_sha256 = :digest AND s.ended_at IS NULL AND s.expires_at > now() AND s.idle_expires_at > now()
       AND p.disabled_at IS NULL
    """
)
TOUCH = text(
    """
    -- touch: the last use, at most once a minute, whoever else notes it at this moment
    UPDATE people_sessions SET last_seen_at = now(), idle_expires_at = now() + :idle
     WHERE id = :id AND last_seen_at < now() - interval '1 minute'
    """
)
END = text(
    """
    -- end: one session
    UPDATE people_sessions SET ended_at = now() WHERE id = :id AND person_id = :person_id AND ended_at IS NULL
    """
)
END_ALL = text(
    """
    -- end all: of a person
    UPDATE people_sessions SET ended_at = now() WHERE person_id = :person_id AND ended_at IS NULL
    """
)


@dataclass(frozen=True, slots=True)
class SessionHolder:
    """Whom a live session stands for."""

    session_id: UUID
    person_id: UUID
    tenant_id: str
    scopes: frozenset[Scope]


def begin_session(session: Session, person: PersonRow, *, sign_in: str) -> str:
    """A new session's token, which nobody can show again. `sign_in` names the sign-in: each makes one session.

    Raises RejectedError `sign_in_expired` for one that has made its session.
    """
    token, session_id = secrets.token_urlsafe(TOKEN_BYTES), new_uuid7()
    unless_begun = postgresql.insert(PersonSessionRow).on_conflict_do_nothing(index_elements=["sign_in_sha256"])
    made = unless_begun.values(
        id=session_id,
        person_id=person.id,
        token_sha256=_digest(token),
        sign_in_sha256=_digest(sign_in),
        expires_at=func.now() + LONGEST,
        idle_expires_at=func.now() + IDLE,
    ).returning(PersonSessionRow.id)
    if session.execute(made).scalar_one_or_none() is None:
        raise RejectedError("sign_in_expired", "This sign-in was finished before.")
    _record(session, "person.signed_in", person.tenant_id, person.id, session_id)
    return token


def look_up_session(session: Session, token: str) -> SessionHolder | None:
    """Whom the token stands for; None for any that is unknown, expired, idle for too long or ended, and for disabled people's."""
    row = session.execute(LOOK_UP, {"digest": _digest(token)}).one_or_none()
    if row is None:
        return None
    if row.stale:
        session.execute(TOUCH, {"id": row.id, "idle": IDLE})
    return SessionHolder(row.id, row.person_id, row.tenant_id, SCOPES[Role(row.role)])


def sign_out(session: Session, tenant_id: str, person_id: UUID, session_id: UUID) -> None:
    """Ends a session; one that has ended stays as it is."""
    if rows_changed(session, END, id=session_id, person_id=person_id):
        _record(session, "person.signed_out", tenant_id, person_id, session_id)


def end_sessions(session: Session, person_id: UUID) -> int:
    """Ends all sessions of a person: how many were open."""
    return rows_changed(session, END_ALL, person_id=person_id)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _record(session: Session, action: str, tenant_id: str, person_id: UUID, session_id: UUID) -> None:
    audit.record(session, actor=f"person:{person_id}", action=action, tenant_id=tenant_id, detail={"session": str(session_id)})
