"""People: invite them, give them roles, disable them; and who one is oneself."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Response

from api.answering import written
from api.cursors import DEFAULT_LIMIT, Cursor, Limit, read_cursor, write_cursor
from api.describing import answers, link, problems
from api.problems import ProblemError
from api.schemas import people as bodies
from api.security.principal import Admin, Anybody, Principal
from api.services import Services
from worker.moderation.people import SCOPES, Role
from worker.store import people as store
from worker.store.models import PersonRow
from worker.store.session import transaction

router = APIRouter(prefix="/v1", tags=["people"])

LISTING = "people"
PersonId = Annotated[UUID, Path(description="A person's id.", examples=["0198c7a0-0000-7000-8000-000000000000"])]
OF_PERSON = {operation: link(operation, person="$response.body#/id") for operation in ("readPerson", "changeRole", "disablePerson")}


@router.get("/me", operation_id="readMe", responses=answers(200, "Who"))
def read_me(principal: Anybody, services: Services) -> bodies.Me:
    """See whom your requests are made for, and what they may do."""
    signed_in = principal.session
    person = None
    if signed_in is not None:
        with transaction(services.engine) as session:
            person = _person(store.find_person(session, principal.tenant, signed_in.person))
    return bodies.Me(
        actor=principal.actor,
        tenant=principal.tenant,
        scopes=sorted(scope.value for scope in principal.scopes),
        person=person,
        csrf_token=signed_in and signed_in.csrf_token,
    )


@router.get("/people", operation_id="listPeople", response_model=bodies.PersonPage, responses=problems("cursor_invalid"))
def list_people(principal: Admin, services: Services, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None) -> Response:
    """List people, newest first."""
    before = _id(read_cursor(LISTING, cursor)) if cursor else None
    with transaction(services.engine) as session:
        found = store.list_people(session, principal.tenant, before=before, limit=limit + 1)
    page = [_person(row) for row in found[:limit]]
    return written(bodies.PersonPage(people=page, next_cursor=write_cursor(LISTING, page[-1].id) if len(found) > limit else None))


@router.post(
    "/people",
    operation_id="invitePerson",
    status_code=201,
    responses=answers(201, "Invited", links=OF_PERSON, headers={"Location": "The person"}) | problems("person_exists"),
)
def invite_person(body: bodies.Invitation, principal: Admin, services: Services, response: Response) -> bodies.Person:
    """Invite somebody: whoever signs in with that verified address is let in. No message is sent."""
    _check_gift(principal, Role(body.role))
    with transaction(services.engine) as session:
        made = store.invite_person(session, principal.tenant, email=body.email, name=body.name, role=Role(body.role), actor=principal.actor)
    response.headers["Location"] = f"/v1/people/{made.id}"
    return _person(made)


@router.get("/people/{person:segment}", operation_id="readPerson", responses=answers(200, "Who", links=OF_PERSON) | problems("not_found"))
def read_person(person: PersonId, principal: Admin, services: Services) -> bodies.Person:
    """See a person."""
    with transaction(services.engine) as session:
        return _person(store.find_person(session, principal.tenant, person))


@router.patch(
    "/people/{person:segment}",
    operation_id="changeRole",
    responses=answers(200, "Changed", links=OF_PERSON) | problems("not_found", "person_disabled"),
)
def change_role(person: PersonId, body: bodies.RoleChange, principal: Admin, services: Services) -> bodies.Person:
    """Give a person another role. Open sessions have it within a second."""
    _check_gift(principal, Role(body.role))
    with transaction(services.engine) as session:
        return _person(store.change_role(session, principal.tenant, person, Role(body.role), actor=principal.actor))


@router.post(
    "/people/{person:segment}:disable",
    operation_id="disablePerson",
    responses=answers(200, "Disabled", links=OF_PERSON) | problems("not_found"),
)
def disable_person(person: PersonId, principal: Admin, services: Services) -> bodies.Person:
    """End a person's access and sessions, for good. To let them in again, invite them again."""
    with transaction(services.engine) as session:
        return _person(store.disable_person(session, principal.tenant, person, actor=principal.actor))


def _check_gift(principal: Principal, role: Role) -> None:
    """Scopes do not imply one another: nobody gives what they do not have. Raises ProblemError `scope_missing`."""
    if lacking := sorted(SCOPES[role] - principal.scopes):
        raise ProblemError("scope_missing", f"Who makes somebody {role} must have its scopes; yours lack {', '.join(lacking)}.")


def _person(row: PersonRow) -> bodies.Person:
    return bodies.Person(
        id=str(row.id),
        email=row.email,
        name=row.name,
        role=Role(row.role).value,
        invited_by=row.invited_by,
        created_at=row.created_at,
        bound_at=row.bound_at,
        disabled_at=row.disabled_at,
    )


def _id(position: Any) -> UUID:
    try:
        return UUID(position)
    except (ValueError, TypeError, AttributeError):
        raise ProblemError("cursor_invalid") from None
