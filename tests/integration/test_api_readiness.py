"""What readiness finds on real services."""

from typing import Any

import httpx
from pydantic import SecretStr

from api.app import create_app
from worker.local import postgres
from worker.local.services import Services
from worker.moderation.settings import Settings
from worker.store.session import connect


async def ask(settings: Settings) -> tuple[int, dict[str, Any]]:
    """Status and checks of a fresh application."""
    app = create_app(settings)
    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api") as client:
        answer = await client.get("/readyz")
    return answer.status_code, {name: check["ok"] for name, check in answer.json()["checks"].items()}


async def test_without_workers_the_api_is_ready_and_says_that_batches_wait(settings: Settings) -> None:
    needed = {"database": True, "schema": True, "storage": True}
    processes = dict.fromkeys(("dispatcher", "intake", "webhooks", "attention", "worker"), False)
    assert await ask(settings) == (200, {**needed, **processes})


async def test_connected_workers_and_dispatchers_are_seen(settings: Settings) -> None:
    parts = [connect(settings, application=name) for name in ("zoomin-worker host:1", "zoomin-dispatcher")]
    connections = [part.connect() for part in parts]
    _, checks = await ask(settings)
    for connection, part in zip(connections, parts, strict=True):
        connection.close()
        part.dispose()
    assert checks["worker"]
    assert checks["dispatcher"]


async def test_a_database_without_our_schema_is_not_ready(settings: Settings, services: Services) -> None:
    empty = SecretStr(postgres.url(services.layout, postgres.LOGIN, "postgres"))
    status, checks = await ask(settings.model_copy(update={"database_url": empty}))
    assert (status, checks["database"], checks["schema"]) == (503, True, False)


async def test_a_missing_bucket_is_not_ready(settings: Settings) -> None:
    status, checks = await ask(settings.model_copy(update={"evidence_bucket": "zoomin-nowhere"}))
    assert (status, checks["storage"]) == (503, False)
