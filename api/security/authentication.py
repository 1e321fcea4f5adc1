"""Keys are asked for before anything else of a request is looked at. Open are only the paths named here: a new route is closed."""

from collections.abc import Collection

from anyio import to_thread
from sqlalchemy import Engine
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from api.problems import ProblemError
from api.security.principal import Principal
from worker.store.api_keys import authenticate
from worker.store.session import transaction

OPEN_PATHS = frozenset({"/healthz", "/readyz", "/openapi.json"})
CHALLENGE = {"WWW-Authenticate": 'Bearer realm="zoomin"'}


class Authentication:
    """ASGI middleware. Raises ProblemError `unauthenticated`, the very same for every key that is not valid."""

    def __init__(self, app: ASGIApp, engine: Engine, open_paths: Collection[str] = OPEN_PATHS) -> None:
        self._app = app
        self._engine = engine
        self._open_paths = open_paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Puts the principal into `scope["state"]`."""
        if scope["type"] == "http" and scope["path"] not in self._open_paths:
            scheme, _, credential = Headers(scope=scope).get("authorization", "").partition(" ")
            if scheme.lower() != "bearer" or not credential:
                raise ProblemError("unauthenticated", headers=CHALLENGE)
            scope["state"]["principal"] = await to_thread.run_sync(self._principal, credential.strip())
        await self._app(scope, receive, send)

    def _principal(self, credential: str) -> Principal:
        with transaction(self._engine) as session:
            holder = authenticate(session, credential)
        if holder is None:
            raise ProblemError("unauthenticated", headers=CHALLENGE)
        return Principal.of_key(holder)
