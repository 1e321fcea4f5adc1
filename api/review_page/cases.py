"""`/review/items/{item_id}`: one image with all of its life; what was sent to the model; and for auditors, who did what."""

from datetime import timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from starlette.responses import HTMLResponse

from api.cursors import Revision
from api.finding import found
from api.paths import ItemId
from api.problems import ProblemError
from api.review_page.case_view import view_case
from api.review_page.rendering import page
from api.review_page.trace_view import view_trace
from api.review_page.visitors import MayRead, Visitor
from api.reviewing import claimant_of
from api.security.principal import Principal, Requirement
from api.services import Services
from worker.moderation.identifiers import parse_item_id
from worker.moderation.policy import Action
from worker.moderation.scopes import Scope
from worker.store import audit
from worker.store.audit_reading import Wanted, read_trail
from worker.store.item_life import read_life
from worker.store.items import check_item, item_outcomes, item_regions, item_traces
from worker.store.models import ReleaseRow
from worker.store.session import transaction

router = APIRouter(prefix="/review/items", include_in_schema=False)

EVENTS = 200  # of the trail, on one page
ACTIONS = {Action.NONE: "Leave it as it is", Action.LABEL: "Label it", Action.RESTRICT: "Restrict it", Action.REMOVE: "Remove it"}
After = Annotated[int, Query(ge=0, le=2**63 - 1, description="Behind which event.")]
MayAudit = Depends(Requirement((Scope.AUDIT,)))


@router.get("/{item_id:segment}", response_class=HTMLResponse, dependencies=[MayRead])
def see_case(item_id: ItemId, visit: Visitor, services: Services, revision: Revision = None) -> HTMLResponse:
    """The picture, what the model said of it, what people decided, and all that can be done about it. Each look is audited."""
    with transaction(services.engine) as session:
        life = found(read_life, session, claimant_of(visit.principal), *parse_item_id(item_id))
        now = session.execute(select(func.now())).scalar_one()
        _note(session, visit.principal, "item.read", life.item.batch_id, life.item.ordinal)
    case = view_case(life, revision=revision, now=now, sends=services.settings.dsa_url is not None)
    hold = timedelta(hours=services.settings.dsa_hold_hours)
    return page("case.html", visit, case=case, life=life, actions=ACTIONS, hold=hold)


@router.get("/{item_id:segment}/trace", response_class=HTMLResponse, dependencies=[MayRead])
def see_trace(item_id: ItemId, visit: Visitor, services: Services, revision: Revision = None) -> HTMLResponse:
    """Every request and reply of a revision, by default of the newest. Each look is audited."""
    place = parse_item_id(item_id)
    with transaction(services.engine) as session:
        found(check_item, session, visit.principal.tenant, *place)
        outcomes = item_outcomes(session, *place)
        outcome = next((row for row in outcomes if revision in {None, row.revision}), None)
        if outcome is None:
            raise ProblemError("not_found")
        regions = item_regions(session, *place, outcome.revision)
        traces = item_traces(session, *place, outcome.revision)
        release = session.get(ReleaseRow, outcome.release_id) if outcome.release_id else None
        _note(session, visit.principal, "trace.read", *place, outcome.revision)
    trace = view_trace(outcome, regions, traces, release)
    return page("trace.html", visit, trace=trace, revisions=[row.revision for row in outcomes])


@router.get("/{item_id:segment}/trail", response_class=HTMLResponse, dependencies=[MayAudit])
def see_trail(item_id: ItemId, visit: Visitor, services: Services, after: After = 0) -> HTMLResponse:
    """The audit events of the image. Reading them is one itself."""
    batch_id, ordinal = parse_item_id(item_id)
    tenant = visit.principal.tenant
    with transaction(services.engine) as session:
        found(check_item, session, tenant, batch_id, ordinal)
        wanted = Wanted(batch_id=batch_id, ordinal=ordinal)
        trail = read_trail(session, tenant, wanted, after=after, limit=EVENTS, actor=visit.principal.actor)
    return page("trail.html", visit, item_id=item_id, trail=trail, began=after)


def _note(session: Session, reader: Principal, action: str, batch_id: UUID, ordinal: int, revision: int | None = None) -> None:
    place: dict[str, Any] = {"tenant_id": reader.tenant, "batch_id": batch_id, "ordinal": ordinal, "revision": revision}
    audit.record(session, actor=reader.actor, action=action, **place)
