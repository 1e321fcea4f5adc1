"""Health endpoints without any service: what they say when everything behind them is gone."""

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from api.app import create_app
from worker.moderation.settings import Settings

PASSWORD = "correct-horse"
UNREACHABLE = Settings(
    database_url=SecretStr(f"postgresql+psycopg://zoomin:{PASSWORD}@127.0.0.1:1/zoomin"),
    s3_endpoint="http://127.0.0.1:1",
    s3_access_key=SecretStr("key"),
    s3_secret_key=SecretStr(PASSWORD),
)

OPEN_METRICS = UNREACHABLE.model_copy(update={"api_metrics_open": True})


@pytest.fixture(scope="module")
def app() -> FastAPI:
    return create_app(UNREACHABLE)


@pytest.fixture
def client(app: FastAPI) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api")


async def test_a_process_without_services_is_alive(client: httpx.AsyncClient) -> None:
    answer = await client.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"alive": True})


async def test_a_process_without_services_is_not_ready_and_names_each(client: httpx.AsyncClient) -> None:
    answer = await client.get("/readyz")
    checks = answer.json()["checks"]
    assert answer.status_code == 503
    failing = [name for name, check in checks.items() if not check["ok"]]
    assert failing == ["database", "schema", "storage", "dispatcher", "intake", "webhooks", "attention", "worker"]
    assert [name for name, check in checks.items() if check["needed"]] == ["database", "schema", "storage"]


async def test_what_readiness_says_tells_strangers_neither_secrets_nor_addresses(client: httpx.AsyncClient) -> None:
    body = (await client.get("/readyz")).text
    assert PASSWORD not in body
    assert "127.0.0.1" not in body


async def test_requests_are_counted_by_route_and_unknown_paths_share_one_label() -> None:
    client = httpx.AsyncClient(transport=httpx.ASGITransport(create_app(OPEN_METRICS)), base_url="http://api")
    await client.get("/healthz")
    await client.get("/wp-login.php")
    await client.request("BREW", "/coffee")
    text = (await client.get("/metrics")).text
    assert 'zoomin_api_requests_total{method="GET",route="/healthz",status="200"} 1.0' in text
    assert 'zoomin_api_requests_total{method="any",route="unmatched",status="401"} 2.0' in text
    assert "wp-login" not in text


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
async def test_no_documentation_page_is_served(app: FastAPI, client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(path)).status_code == 401
    assert path not in {getattr(route, "path", "") for route in app.routes}


def test_an_api_without_a_database_says_which_setting_is_missing() -> None:
    with pytest.raises(SystemExit, match="ZOOMIN_DATABASE_URL"):
        create_app(Settings())
