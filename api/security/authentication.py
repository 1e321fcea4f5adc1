"""Keys are asked for before anything else of a request is looked at. Open are only the paths named here: a new route is closed."""

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable, Collection

from anyio import to_thread
from sqlalchemy import Engine
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from api.problems import ProblemError
from api.security.principal import Principal
from worker.store.api_keys import authenticate
from worker.store.session import transaction

OPEN_PATHS = frozenset({"/healthz", "/readyz", "/openapi.json"})
FRESH_SECONDS = 1.0
MOST_KEYS = 1_000  # in use at once; the one looked up longest ago is forgotten first
POLICY_VIOLATION = 1008  # RFC 6455
CHALLENGE = {"WWW-Authenticate": 'Bearer realm="zoomin"'}


class RecentKeys:
    """Principals of keys that were found valid a moment ago, by the keys' hashes: a busy caller is looked up once a second.

    A key that is revoked therefore works up to FRESH_SECONDS longer. Bad keys are not kept: each is looked up.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._found: OrderedDict[bytes, tuple[float, Principal]] = OrderedDict()

    def get(self, digest: bytes) -> Principal | None:
        """Whom the key stood for a moment ago."""
        at, principal = self._found.get(digest, (float("-inf"), None))
        return principal if self._clock() - at < FRESH_SECONDS else None

    def keep(self, digest: bytes, principal: Principal) -> None:
        """The key was looked up and is valid."""
        self._found.pop(digest, None)
        self._found[digest] = (self._clock(), principal)
        if len(self._found) > MOST_KEYS:
            self._found.popitem(last=False)


class Authentication:
    """ASGI middleware. Raises ProblemError `unauthenticated`, the very same for every key that is not valid."""

    def __init__(self, app: ASGIApp, engine: Engine, open_paths: Collection[str] = OPEN_PATHS) -> None:
        self._app = app
        self._engine = engine
        self._open_paths = open_paths
        self._recent = RecentKeys()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Puts the principal into `scope["state"]`."""
        if scope["type"] == "websocket":  # there are none; one that is added must not come in by here
            await send({"type": "websocket.close", "code": POLICY_VIOLATION})
            return
        if scope["type"] == "http" and scope["path"] not in self._open_paths:
            scheme, _, credential = Headers(scope=scope).get("authorization", "").partition(" ")
            if scheme.lower() != "bearer" or not credential:
                raise ProblemError("unauthenticated", headers=CHALLENGE)
            scope["state"]["principal"] = await self._principal(credential.strip())
        await self._app(scope, receive, send)

    async def _principal(self, credential: str) -> Principal:
        digest = hashlib.sha256(credential.encode()).digest()
        if (principal := self._recent.get(digest)) is None:
            principal = await to_thread.run_sync(self._look_up, credential)
            self._recent.keep(digest, principal)
        return principal

    def _look_up(self, credential: str) -> Principal:
        with transaction(self._engine) as session:
            holder = authenticate(session, credential)
        if holder is None:
            raise ProblemError("unauthenticated", headers=CHALLENGE)
        return Principal.of_key(holder)
