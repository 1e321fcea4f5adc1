"""`/review/dashboard`: how review goes, for whoever opens it in the morning. Links and a form choose what is shown; it needs no script."""

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BeforeValidator
from starlette.responses import HTMLResponse

from api.finding import found
from api.review_page.dashboard_panels import panels, tiles
from api.review_page.rendering import page
from api.review_page.visitors import Visitor
from api.routes.review_figures import DEFAULT_DAYS, Days, Queue, whose
from api.security.principal import Requirement
from api.services import Services
from worker.moderation.scopes import Scope
from worker.store.people import names_of
from worker.store.review_figures.reading import ReviewFigures, read_figures
from worker.store.review_queues import queue_names
from worker.store.session import transaction
from worker.store.tenants import ensure_tenant

router = APIRouter(
    prefix="/review",
    include_in_schema=False,
    dependencies=[Depends(Requirement((Scope.READ, Scope.REVIEW, Scope.LEAD, Scope.ADMIN)))],
)

Chosen = Annotated[Queue, BeforeValidator(lambda queue: queue or None)]  # a form sends its empty choice, too
WINDOWS: Mapping[int, str] = {1: "Day", 7: "Week", 30: "30 days", 90: "90 days"}


@router.get("/dashboard", response_class=HTMLResponse)
def see_dashboard(visit: Visitor, services: Services, days: Days = DEFAULT_DAYS, queue: Chosen = None) -> HTMLResponse:
    """The figures of `GET /v1/review-figures` as charts. Leads see people by their names."""
    tenant, only = visit.principal.tenant, whose(visit.principal)
    with transaction(services.engine) as session:
        ensure_tenant(session, tenant)
        figures = found(read_figures, session, tenant, days=days, queue=queue, only=only)
        names = names_of(session, tenant, _people(figures)) if only is None else {visit.principal.actor: "You"}
        queues = queue_names(session, tenant)
    return page(
        "dashboard.html",
        visit,
        windows=WINDOWS,
        days=days,
        queue=queue,
        queues=queues,
        tiles=tiles(figures),
        panels=panels(figures, names, everybody=only is None),
        until=figures.scope.until,
    )


def _people(figures: ReviewFigures) -> set[str]:
    pairs = {name for pair in figures.agreement.pairs for name in (pair.one, pair.other)}
    return pairs | {name for name, _ in figures.throughput.reviewers}
