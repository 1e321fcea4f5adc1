"""The last door: whatever is raised behind it becomes a problem, or breaks the connection when an answer has begun."""

from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import problem_of
from api.measurements import PROBLEM
from api.middleware.request_ids import request_id_of
from api.problems import MEDIA_TYPE, Problem
from api.review_page.problem_pages import is_page, problem_page


class Guard:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on and answers for what fails."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = False

        async def observe(message: Message) -> None:
            nonlocal begun
            begun = begun or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, observe)
        except Exception as error:  # the last door before the caller
            problem = problem_of(error)
            if begun:  # half an answer must not look like a whole one: the server breaks the connection off
                raise
            await response_of(problem, scope)(scope, receive, send)


def response_of(problem: Problem, scope: Scope) -> Response:
    """The answer. Its code is left with the request, for the measurements."""
    scope["state"][PROBLEM] = problem.kind.code
    if is_page(scope):
        return problem_page(problem, scope)
    body = problem.body(request_id_of(scope))
    return JSONResponse(body, status_code=problem.kind.status, headers=dict(problem.headers), media_type=MEDIA_TYPE)
