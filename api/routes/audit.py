"""The audit trail: a tenant's own events, and the seals over everybody's."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from api.answering import written
from api.cursors import DEFAULT_LIMIT, Cursor, Limit, write_cursor
from api.describing import answers, link, problems
from api.paths import ACTOR, AuditId
from api.positions import read_position, write_position
from api.problems import ProblemError
from api.schemas import audit as bodies
from api.security.principal import Auditor
from api.services import Services
from api.times import Since
from worker.moderation.identifiers import item_id as public_item_id
from worker.moderation.identifiers import parse_item_id
from worker.store.audit_reading import Wanted, find_event, read_trail
from worker.store.audit_seals import RecordedSeal, find_seal, read_seals
from worker.store.audit_trail import RecordedEvent
from worker.store.session import transaction

router = APIRouter(prefix="/v1", tags=["audit"])

SEALS = "audit-seals"


Batch = Annotated[
    str | None,
    Query(pattern="^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$", description="Only a batch's."),
]
ItemWanted = Annotated[str | None, Query(alias="item", pattern="^item_[0-9a-f]{32}_[0-9]{1,10}$", description="Only an item's.")]
Actor = Annotated[str | None, Query(pattern=ACTOR, description="Only this actor's.")]
Action = Annotated[str | None, Query(pattern="^[a-z_.]{1,80}$", description="Only this action.", examples=["policy.version_moved"])]


@router.get(
    "/audit-events",
    operation_id="listAuditEvents",
    response_model=bodies.AuditEventPage,
    responses=answers(200, "A page of events", links={"event": link("readAuditEvent", event_id="$response.body#/events/0/id")})
    | problems("cursor_invalid", "not_found"),
)
def list_audit_events(
    principal: Auditor,
    services: Services,
    batch: Batch = None,
    item: ItemWanted = None,
    actor: Actor = None,
    action: Action = None,
    since: Since = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Response:
    """List the tenant's audit events, oldest first.

    Ids follow commits: nothing is ever added before an event that was seen, so polling with `next_cursor` misses nothing. Reading the
    trail is an event itself (`audit_events.read`), unless a page shows readings alone.
    """
    wanted = _wanted(batch, item, actor, action, since)
    listing = f"audit-events:{wanted}"
    with transaction(services.engine) as session:
        page = read_trail(session, principal.tenant, wanted, after=read_position(listing, cursor), limit=limit, actor=principal.actor)
    events = [_event(event) for event in page.events]
    return written(bodies.AuditEventPage(events=events, next_cursor=write_position(listing, page.after), more=page.more))


@router.get(
    "/audit-events/{event_id:segment}",
    operation_id="readAuditEvent",
    response_model=bodies.AuditEvent,
    responses=problems("not_found"),
)
def read_audit_event(event_id: AuditId, principal: Auditor, services: Services) -> Response:
    """See one of the tenant's audit events, which leaves one."""
    with transaction(services.engine) as session:
        return written(_event(find_event(session, principal.tenant, event_id, actor=principal.actor)))


@router.get(
    "/audit-seals",
    operation_id="listAuditSeals",
    response_model=bodies.SealPage,
    responses=answers(200, "A page of seals", links={"seal": link("readAuditSeal", seal_id="$response.body#/seals/0/id")})
    | problems("cursor_invalid"),
)
def list_audit_seals(
    principal: Auditor,  # noqa: ARG001  the scope is all
    services: Services,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Response:
    """List the seals, oldest first: heads of the one chain over all tenants' events, and nothing of any event.

    Keep them elsewhere: a trail that was rewritten or shortened no longer leads to a head that you have.
    """
    with transaction(services.engine) as session:
        found = read_seals(session, after=read_position(SEALS, cursor), page=limit + 1)
    page = [_head(seal) for seal in found[:limit]]
    return written(bodies.SealPage(seals=page, next_cursor=write_cursor(SEALS, page[-1].link) if len(found) > limit else None))


@router.get("/audit-seals/{seal_id:segment}", operation_id="readAuditSeal", responses=problems("not_found"))
def read_audit_seal(
    seal_id: AuditId,
    principal: Auditor,  # noqa: ARG001  the scope is all
    services: Services,
) -> bodies.Seal:
    """See a seal, and which object of the evidence bucket has it."""
    with transaction(services.engine) as session:
        seal = find_seal(session, seal_id)
    return bodies.Seal(**_head(seal).model_dump(), bucket=seal.bucket, key=seal.key, version_id=seal.version_id)


def _wanted(batch: str | None, item: str | None, actor: str | None, action: str | None, since: datetime | None) -> Wanted:
    """Of an item and a batch that is not its own there is nothing."""
    batch_id, ordinal = parse_item_id(item) if item else (UUID(batch) if batch else None, None)
    if batch and batch_id != UUID(batch):
        raise ProblemError("not_found")
    return Wanted(batch_id=batch_id, ordinal=ordinal, actor=actor, action=action, since=since)


def _event(event: RecordedEvent) -> bodies.AuditEvent:
    return bodies.AuditEvent(
        id=event.id,
        occurred_at=event.occurred_at,
        actor=event.actor,
        action=event.action,
        batch_id=event.batch_id,
        item_id=_item(event.batch_id, event.ordinal),
        revision=event.revision,
        payload_digest=event.payload_digest,
        detail=event.detail,
    )


def _item(batch_id: UUID | None, ordinal: int | None) -> str | None:
    return None if batch_id is None or ordinal is None else public_item_id(batch_id, ordinal)


def _head(seal: RecordedSeal) -> bodies.SealHead:
    return bodies.SealHead(id=seal.id, link=seal.link, head=seal.head, events=seal.events, created_at=seal.created_at)
