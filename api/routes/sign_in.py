"""Signing in and out. The two GETs are for browsers, and open to everybody: they lead to the identity provider and back."""

import logging
import time
from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import RedirectResponse

from api.describing import answers, problems
from api.problems import ProblemError
from api.queries import foreign_query
from api.security.principal import Anybody
from api.security.sessions import SESSION, SIGN_IN, Browsers
from api.services import ApiServices, Services
from api.sign_in.attempts import SECONDS, Attempt
from api.sign_in.desk import SignInDesk
from api.sign_in.provider import refused
from worker.store.people import Identity, recognise
from worker.store.people_sessions import begin_session
from worker.store.people_sessions import sign_out as end
from worker.store.session import transaction

router = APIRouter(prefix="/v1", tags=["sign-in"])
log = logging.getLogger(__name__)

SEE_OTHER = 303
# A path of ours and nothing else: neither a second slash nor a backslash, which browsers read as one, begins a host's name.
PATH = r"^/([A-Za-z0-9._~!$&'()*+,;=:@%?-][A-Za-z0-9._~!$&'()*+,;=:@%/?-]*)?$"
HOME = "/review"
Tenant = Annotated[str | None, Query(pattern="^[a-z0-9][a-z0-9-]{0,62}$", description="Which tenant; without it, the installation's own.")]
Next = Annotated[str, Query(pattern=PATH, max_length=1_000, description="Where to go afterwards: a path of this origin.")]
VISIBLE = "^[ -~]*$"  # what RFC 6749 lets providers bring
Brought = Annotated[str | None, Query(max_length=500, pattern=VISIBLE)]
Code = Annotated[str | None, Query(max_length=4_000, pattern=VISIBLE)]


def desk_of(request: Request) -> SignInDesk:
    """The application's. Raises ProblemError `sign_in_off`."""
    desk: SignInDesk | None = request.app.state.sign_in_desk
    if desk is None:
        raise ProblemError("sign_in_off")
    return desk


Desk = Annotated[SignInDesk, Depends(desk_of)]


@router.get(
    "/sign-in",
    operation_id="signIn",
    status_code=SEE_OTHER,
    response_class=RedirectResponse,
    responses=answers(SEE_OTHER, "To the identity provider", headers={"Location": "The provider's page"})
    | problems("sign_in_off", "sign_in_unavailable"),
)
async def sign_in(desk: Desk, services: Services, next: Next = HOME, tenant: Tenant = None) -> Response:  # noqa: A002  its name outside
    """Begin to sign in: sends the browser to the identity provider, which sends it back to the callback."""
    attempt, address = await desk.begin(next, tenant or services.settings.tenant)
    response = RedirectResponse(address, SEE_OTHER)
    desk.browsers.set_cookie(response, SIGN_IN, desk.attempts.seal(attempt, time.time()), SECONDS)
    return response


@router.get(
    "/sign-in/callback",
    operation_id="finishSignIn",
    status_code=SEE_OTHER,
    response_class=RedirectResponse,
    dependencies=[Depends(foreign_query)],
    responses=answers(SEE_OTHER, "Signed in", headers={"Location": "Where the sign-in was asked for"})
    | problems("sign_in_off", "sign_in_expired", "sign_in_refused", "not_invited", "sign_in_unavailable"),
)
async def finish_sign_in(
    request: Request,
    desk: Desk,
    services: Services,
    state: Brought = None,
    code: Code = None,
    error: Brought = None,
    iss: Brought = None,
) -> Response:
    """Finish signing in: the identity provider sends the browser here. Each sign-in works once, and in the browser that began it."""
    sealed = desk.browsers.cookie(request.headers, SIGN_IN)
    attempt = desk.attempts.open(sealed, time.time()) if sealed else None
    if attempt is None or state is None or not attempt.answers(state):
        raise ProblemError("sign_in_expired")
    if error is not None or code is None:
        raise refused("the provider sent no code")
    identity = await desk.provider.identity(attempt, code, iss)
    token = await to_thread.run_sync(_let_in, services, attempt, identity)
    response = RedirectResponse(f"{desk.browsers.origin}{attempt.next}", SEE_OTHER)
    desk.browsers.set_session(response, token)
    desk.browsers.forget(response, SIGN_IN)
    return response


@router.post("/sign-out", operation_id="signOut", status_code=204, response_class=Response)
def sign_out(principal: Anybody, services: Services) -> Response:
    """Sign out: ends the session, and takes the cookie back. A key has no session, and stays as it is."""
    response = Response(status_code=204)
    if principal.session is not None:
        with transaction(services.engine) as session:
            end(session, principal.tenant, principal.session.person, principal.session.id)
        Browsers.of(services.settings).forget(response, SESSION)
    return response


def _let_in(services: ApiServices, attempt: Attempt, identity: Identity) -> str:
    """The new session's token. Raises ProblemError `not_invited`, the very same for everybody who is not."""
    with transaction(services.engine) as session:
        if (person := recognise(session, attempt.tenant, identity)) is None:
            log.warning("a sign-in was refused: not invited%s", "" if identity.email else "; the issuer vouches for no e-mail address")
            raise ProblemError("not_invited")
        return begin_session(session, person, sign_in=attempt.state)
