"""`/review/appeals` and `/review/statements`: what waits, each with its way to the image it is about."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from starlette.responses import HTMLResponse

from api.cursors import Cursor, read_id, write_cursor
from api.review_page.rendering import page
from api.review_page.visitors import Visitor
from api.schemas import appeals as appeal_bodies
from api.schemas import statements as statement_bodies
from api.security.principal import Requirement
from api.services import Services
from worker.moderation.review import AppealState
from worker.moderation.scopes import Scope
from worker.store.appeals import list_appeals
from worker.store.decisions import find_decisions
from worker.store.models.decisions import StatementState
from worker.store.session import transaction
from worker.store.statements_of_reasons import list_statements

router = APIRouter(prefix="/review", include_in_schema=False, dependencies=[Depends(Requirement((Scope.READ, Scope.LEAD)))])

PAGE = 50
AppealsOf = Annotated[appeal_bodies.State, Query(description="Only these.")]
StatementsOf = Annotated[statement_bodies.State, Query(description="Only these.")]


@router.get("/appeals", response_class=HTMLResponse)
def see_appeals(visit: Visitor, services: Services, state: AppealsOf = "open", cursor: Cursor = None) -> HTMLResponse:
    """Appeals in one state, newest first."""
    listing = f"page appeals?{state}"
    before = read_id(listing, cursor) if cursor else None
    with transaction(services.engine) as session:
        rows = list_appeals(session, visit.principal.tenant, state=AppealState(state), before=before, limit=PAGE + 1)
        decisions = find_decisions(session, {row.decision_id for row in rows})
    shown = [(row, decisions[row.decision_id]) for row in rows[:PAGE]]
    following = write_cursor(listing, str(rows[PAGE - 1].id)) if len(rows) > PAGE else None
    return page("appeals.html", visit, appeals=shown, state=state, states=[each.value for each in AppealState], following=following)


@router.get("/statements", response_class=HTMLResponse)
def see_statements(visit: Visitor, services: Services, state: StatementsOf = "draft", cursor: Cursor = None) -> HTMLResponse:
    """Statements of reasons in one state, newest first."""
    listing = f"page statements?{state}"
    before = read_id(listing, cursor) if cursor else None
    with transaction(services.engine) as session:
        rows = list_statements(session, visit.principal.tenant, state=StatementState(state), before=before, limit=PAGE + 1)
        decisions = find_decisions(session, {row.decision_id for row in rows})
    shown = [(row, decisions[row.decision_id]) for row in rows[:PAGE]]
    following = write_cursor(listing, str(rows[PAGE - 1].id)) if len(rows) > PAGE else None
    return page(
        "statements.html", visit, statements=shown, state=state, states=[each.value for each in StatementState], following=following
    )
