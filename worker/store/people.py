"""People: invited, listed, given roles, recognised when they sign in, disabled. Nobody gets in without an invitation."""

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select, text, update
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Session

from worker.moderation.errors import RejectedError
from worker.moderation.identifiers import new_uuid7
from worker.moderation.people import Role, plain_email
from worker.store import audit
from worker.store.models import PersonRow
from worker.store.models.people import LIVE
from worker.store.people_sessions import end_sessions
from worker.store.saved_filters import forget_filters
from worker.store.tenants import ensure_tenant

ACTOR = "person:"  # and their id: how audit and reviews name them
BIND = text(
    """
    -- bind: an account at the identity provider to the invitation of its e-mail, once; accounts that are known already keep their person
    UPDATE people SET issuer = :issuer, subject = :subject, bound_at = now()
     WHERE tenant_id = :tenant_id AND email = :email AND issuer IS NULL AND disabled_at IS NULL
       AND NOT EXISTS (SELECT FROM people AS known WHERE known.tenant_id = :tenant_id AND known.issuer = :issuer
                          AND known.subject = :subject AND known.disabled_at IS NULL)
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who an identity provider says somebody is. `email` is None unless the provider has verified it."""

    issuer: str
    subject: str
    email: str | None


def invite_person(session: Session, tenant_id: str, *, email: str, name: str, role: Role, actor: str) -> PersonRow:
    """Lets the owner of the address sign in. Raises RejectedError: email_invalid, person_exists."""
    ensure_tenant(session, tenant_id)
    values = {"id": new_uuid7(), "tenant_id": tenant_id, "email": plain_email(email), "name": name, "role": role.value, "invited_by": actor}
    unless_invited = postgresql.insert(PersonRow).on_conflict_do_nothing(index_elements=["tenant_id", "email"], index_where=LIVE)
    made = session.execute(unless_invited.values(**values).returning(PersonRow)).scalar_one_or_none()
    if made is None:
        raise RejectedError("person_exists", "Somebody with this e-mail address is invited already.")
    _record(session, "person.invited", made, actor)
    return made


def list_people(session: Session, tenant_id: str | None, *, before: UUID | None = None, limit: int) -> list[PersonRow]:
    """Newest first, disabled ones too; of every tenant without `tenant_id`."""
    query = select(PersonRow).order_by(PersonRow.id.desc()).limit(limit)
    query = query if tenant_id is None else query.filter_by(tenant_id=tenant_id)
    return list(session.execute(query if before is None else query.where(PersonRow.id < before)).scalars())


def names_of(session: Session, tenant_id: str, actors: Collection[str]) -> dict[str, str]:
    """What people are called, by the names under which records know them; keys and people of other tenants are left out."""
    actor = func.concat(ACTOR, PersonRow.id)
    query = select(actor.label("actor"), PersonRow.name).where(PersonRow.tenant_id == tenant_id, actor.in_(actors))
    return {row.actor: row.name for row in session.execute(query)}


def find_person(session: Session, tenant_id: str, who: UUID | str) -> PersonRow:
    """By id, or by the address of one who is not disabled. Raises RejectedError `person_missing`."""
    if isinstance(who, UUID):
        query = select(PersonRow).filter_by(tenant_id=tenant_id, id=who)
    else:
        query = select(PersonRow).where(LIVE).filter_by(tenant_id=tenant_id, email=who.lower())
    query = query.with_for_update().execution_options(populate_existing=True)
    if (row := session.execute(query).scalar_one_or_none()) is None:
        raise RejectedError("person_missing", "There is no such person. `zoomin people list` lists them.")
    return row


def change_role(session: Session, tenant_id: str, who: UUID | str, role: Role, *, actor: str) -> PersonRow:
    """Another role, for sessions that are open too. Raises RejectedError: person_missing, person_disabled."""
    row = find_person(session, tenant_id, who)
    if row.disabled_at is not None:
        raise RejectedError("person_disabled", "This person is disabled for good. Invite them again.")
    if row.role != role:
        before, row.role = row.role, role.value
        session.flush()
        _record(session, "person.role_changed", row, actor, before=before)
    return row


def disable_person(session: Session, tenant_id: str, who: UUID | str, *, actor: str) -> PersonRow:
    """Ends their access and sessions, for good; who was disabled before stays so. Raises RejectedError `person_missing`."""
    row = find_person(session, tenant_id, who)
    if row.disabled_at is None:
        session.execute(update(PersonRow).where(PersonRow.id == row.id).values(disabled_at=func.now()))
        session.refresh(row)
        _record(session, "person.disabled", row, actor, sessions=end_sessions(session, row.id))
        forget_filters(session, tenant_id, f"person:{row.id}", actor=actor)
    return row


def recognise(session: Session, tenant_id: str, identity: Identity) -> PersonRow | None:
    """Who that is here: by issuer and subject; the first time by the verified address of an invitation. None for everybody else."""
    account = {"tenant_id": tenant_id, "issuer": identity.issuer, "subject": identity.subject}
    if identity.email is not None:
        session.execute(BIND, {**account, "email": identity.email.lower()})
    query = select(PersonRow).where(LIVE).filter_by(**account).with_for_update().execution_options(populate_existing=True)
    return session.execute(query).scalar_one_or_none()


def _record(session: Session, action: str, row: PersonRow, actor: str, **more: str | int) -> None:
    detail = {"person": str(row.id), "role": row.role, **more}
    audit.record(session, actor=actor, action=action, tenant_id=row.tenant_id, detail=detail)
