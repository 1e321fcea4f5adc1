"""`/review`: what waits, and where to begin."""

from fastapi import APIRouter
from starlette.responses import HTMLResponse

from api.review_page.rendering import page
from api.review_page.visitors import MayWatch, Visitor
from api.reviewing import claimant_of
from api.services import Services
from worker.store import review_queues
from worker.store.review_claims import held_claims
from worker.store.review_tasks import find_task
from worker.store.session import transaction
from worker.store.tenants import ensure_tenant

router = APIRouter(prefix="/review", include_in_schema=False)
MOST_QUEUES = 200


@router.get("", response_class=HTMLResponse, dependencies=[MayWatch])
def see_queues(visit: Visitor, services: Services) -> HTMLResponse:
    """The tenant's queues with what waits in each, and what the reviewer holds."""
    tenant = visit.principal.tenant
    with transaction(services.engine) as session:
        ensure_tenant(session, tenant)
        queues = review_queues.list_queues(session, tenant, limit=MOST_QUEUES)
        claimant = claimant_of(visit.principal)
        held = [find_task(session, claim.task_id, claimant) for claim in held_claims(session, claimant)] if visit.judges else []
    return page("queues.html", visit, queues=queues, held=held)
