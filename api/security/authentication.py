"""Keys and sessions are asked for before anything else of a request is looked at. Only the paths named here are open: new ones are closed.

Whoever sends an Authorization header is judged by that alone, so that no cookie can come to the aid of a bad key.
"""

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable, Collection

from anyio import CapacityLimiter, to_thread
from sqlalchemy import Engine
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from api.problems import ProblemError
from api.security.principal import Principal
from api.security.sessions import SESSION, Browsers, csrf_token
from worker.store.api_keys import authenticate
from worker.store.people_sessions import look_up_session
from worker.store.session import transaction

OPEN_PATHS = frozenset({"/healthz", "/readyz", "/openapi.json", "/v1/sign-in", "/v1/sign-in/callback"})
OPEN_FILES = "/review/static/"  # scripts and styles; nothing of any tenant's
FRESH_SECONDS = 1.0
LOOK_UP_THREADS = 4  # of their own, so that a flood of bad credentials leaves those that handle requests alone
MOST_KEPT = 1_000  # in use at once; the one looked up longest ago is forgotten first
POLICY_VIOLATION = 1008  # RFC 6455
CHALLENGE = {"WWW-Authenticate": 'Bearer realm="zoomin"'}


class Recent:
    """Principals whose credentials were found valid a moment ago, by their hashes: a busy caller is looked up once a second.

    What is revoked or ended therefore works up to FRESH_SECONDS longer. Bad credentials are not kept: each is looked up.
    """

    def __init__(self, look_up: Callable[[str], Principal | None], clock: Callable[[], float] = time.monotonic) -> None:
        self._look_up = look_up
        self._clock = clock
        self._threads = CapacityLimiter(LOOK_UP_THREADS)
        self._found: OrderedDict[bytes, tuple[float, Principal]] = OrderedDict()

    async def principal(self, credential: str) -> Principal:
        """Whom the credential stands for. Raises ProblemError `unauthenticated`."""
        digest = hashlib.sha256(credential.encode()).digest()
        at, principal = self._found.get(digest, (float("-inf"), None))
        if principal is not None and self._clock() - at < FRESH_SECONDS:
            return principal
        if (principal := await to_thread.run_sync(self._look_up, credential, limiter=self._threads)) is None:
            raise ProblemError("unauthenticated", headers=CHALLENGE)
        self._found.pop(digest, None)
        self._found[digest] = (self._clock(), principal)
        if len(self._found) > MOST_KEPT:
            self._found.popitem(last=False)
        return principal


class Authentication:
    """ASGI middleware. Raises ProblemError `unauthenticated`, the very same for every credential that is not valid, or `csrf_refused`."""

    def __init__(self, app: ASGIApp, engine: Engine, browsers: Browsers, open_paths: Collection[str] = OPEN_PATHS) -> None:
        self._app = app
        self._engine = engine
        self._browsers = browsers
        self._open_paths = open_paths
        self._keys = Recent(self._look_up_key)
        self._sessions = Recent(self._look_up_session)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Puts the principal into `scope["state"]`."""
        if scope["type"] == "websocket":  # there are none; one that is added must not come in by here
            await send({"type": "websocket.close", "code": POLICY_VIOLATION})
            return
        if scope["type"] == "http" and scope["path"] not in self._open_paths and not scope["path"].startswith(OPEN_FILES):
            scope["state"]["principal"] = await self._principal(scope["method"], Headers(scope=scope))
        await self._app(scope, receive, send)

    async def _principal(self, method: str, headers: Headers) -> Principal:
        if (authorization := headers.get("authorization")) is not None:
            scheme, _, key = authorization.partition(" ")
            if scheme.lower() != "bearer" or not key:
                raise ProblemError("unauthenticated", headers=CHALLENGE)
            return await self._keys.principal(key.strip())
        if not (token := self._browsers.cookie(headers, SESSION)):
            raise ProblemError("unauthenticated", headers=CHALLENGE)
        principal = await self._sessions.principal(token)
        self._browsers.check_origin(method, headers, token)
        return principal

    def _look_up_key(self, key: str) -> Principal | None:
        with transaction(self._engine) as session:
            holder = authenticate(session, key)
        return Principal.of_key(holder) if holder else None

    def _look_up_session(self, token: str) -> Principal | None:
        with transaction(self._engine) as session:
            holder = look_up_session(session, token)
        return Principal.of_person(holder, csrf_token(token)) if holder else None
