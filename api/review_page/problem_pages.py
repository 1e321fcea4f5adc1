"""Problems as pages: a browser that goes somewhere is shown what happened and what to do, or is sent to sign in first."""

from urllib.parse import quote

from starlette.datastructures import Headers
from starlette.responses import RedirectResponse, Response
from starlette.types import Scope

from api.middleware.request_ids import request_id_of
from api.problems import Problem
from api.review_page.rendering import page

HOME = "/review"
SIGN_IN = "/v1/sign-in"
PAGES = (f"{HOME}/", f"{SIGN_IN}/")


def is_page(scope: Scope) -> bool:
    """Whether a browser goes to a page of ours, rather than a script asking for data."""
    return (
        scope["method"] in {"GET", "HEAD"}
        and f"{scope['path']}/".startswith(PAGES)
        and "text/html" in Headers(scope=scope).get("accept", "")
    )


def problem_page(problem: Problem, scope: Scope) -> Response:
    """The problem in words; who is not signed in goes to sign in, and comes back to where they went."""
    if problem.kind.code == "unauthenticated" and not scope["path"].startswith(SIGN_IN):
        where = scope["path"] + (f"?{scope['query_string'].decode('latin-1')}" if scope["query_string"] else "")
        return RedirectResponse(f"{SIGN_IN}?next={quote(where, safe='')}", 303)
    answer = page("problem.html", None, status=problem.kind.status, problem=problem, request_id=request_id_of(scope))
    answer.headers.update(problem.headers)
    return answer
