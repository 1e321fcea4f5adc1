"""The piece of the judging page that shows a task's duplicates: what is ticked in it is decided together with the task."""

from fastapi import APIRouter, Response
from starlette.responses import HTMLResponse

from api.finding import found
from api.paths import TaskId
from api.review_page.rendering import HEADERS, render
from api.review_page.visitors import MayJudge, Visitor
from api.reviewing import claimant_of
from api.routes.duplicates import describe_duplicates
from api.services import Services
from worker.store.duplicates import find_duplicates
from worker.store.session import transaction

router = APIRouter(prefix="/review", include_in_schema=False, dependencies=[MayJudge])


@router.get("/tasks/{task_id:segment}/duplicates", response_class=HTMLResponse)
def see_duplicates(task_id: TaskId, visit: Visitor, services: Services) -> Response:
    """The HTML of a task's duplicates; 204 when it has none."""
    with transaction(services.engine) as session:
        duplicates = describe_duplicates(found(find_duplicates, session, task_id, claimant_of(visit.principal)))
    if not duplicates.exact and not duplicates.near:
        return Response(status_code=204)
    return HTMLResponse(render("duplicates.html", visit, duplicates=duplicates), headers=HEADERS)
