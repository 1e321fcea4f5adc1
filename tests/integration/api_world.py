"""An API on real services, and callers with keys, for the tests of the HTTP surface."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import httpx
from sqlalchemy import Engine

from api.app import create_app
from worker.moderation.scopes import Scope
from worker.moderation.settings import Settings
from worker.store.api_keys import NewKey, create_key
from worker.store.session import transaction

EVERYTHING = frozenset(Scope)


def new_key(engine: Engine, *scopes: Scope, tenant: str = "default", lifetime: Any = None) -> NewKey:
    """A key as `zoomin keys create` makes it; with all scopes unless some are named."""
    with transaction(engine) as session:
        return create_key(session, tenant_id=tenant, name="test", scopes=scopes or EVERYTHING, lifetime=lifetime, actor="test")


@asynccontextmanager
async def calling(settings: Settings, key: str | None) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a fresh application, in this process."""
    app = create_app(settings)
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport, base_url="http://api", headers=headers) as client:
        yield client


def problem(answer: httpx.Response) -> tuple[int, str]:
    """Status and code, after a look that the body is a whole problem of RFC 9457."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    body = answer.json()
    assert set(body) == {"type", "title", "status", "detail", "code", "request_id", "retryable", "errors"}
    assert body["status"] == answer.status_code
    assert body["request_id"] == answer.headers["x-request-id"]
    return answer.status_code, body["code"]


def fresh() -> dict[str, str]:
    """Headers of a submission under a key of its own."""
    return {"Idempotency-Key": uuid4().hex}
