"""Keys: what opens the API and what does not, and the commands that make them."""

import json
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from fastapi.routing import APIRoute
from sqlalchemy import Engine, text

from api.app import create_app
from api.openapi import scopes_of
from api.security.authentication import OPEN_PATHS
from tests.integration.api_world import calling, new_key, problem
from tests.unit.cli.invoke import Ended, zoomin
from worker.local.addresses import environment
from worker.moderation.scopes import Scope
from worker.moderation.settings import Settings
from worker.store.api_keys import authenticate, revoke_key, rotate_key
from worker.store.session import transaction


@pytest.fixture
async def anybody(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    async with calling(settings, None) as client:
        yield client


@pytest.fixture
def run(settings: Settings, tmp_path: Path) -> Callable[..., Ended]:
    return lambda *arguments: zoomin(*arguments, home=tmp_path, settings=environment(settings))


def value(engine: Engine, query: str, **parameters: object) -> object:
    with engine.connect() as connection:
        return connection.execute(text(query), parameters).scalar_one()


async def test_every_route_but_health_refuses_without_a_key(settings: Settings, anybody: httpx.AsyncClient) -> None:
    routes = [route for route in create_app(settings).routes if isinstance(route, APIRoute)]
    closed = [route for route in routes if route.path not in OPEN_PATHS]
    assert len(closed) > 15
    for route in closed:
        for method in route.methods:
            answer = await anybody.request(method, route.path.replace("{", "").replace("}", ""))
            assert problem(answer) == (401, "unauthenticated"), route.path
            assert answer.headers["www-authenticate"].startswith("Bearer")


def test_every_route_names_its_scopes_but_those_that_are_open_or_about_oneself(settings: Settings) -> None:
    routes = [route for route in create_app(settings).routes if isinstance(route, APIRoute)]
    assert {route.path for route in routes if not scopes_of(route)} == OPEN_PATHS | {"/metrics", "/v1/me", "/v1/sign-out"}


async def test_health_and_the_document_need_no_key(anybody: httpx.AsyncClient) -> None:
    assert (await anybody.get("/healthz")).status_code == 200
    assert (await anybody.get("/readyz")).status_code == 200
    assert (await anybody.get("/openapi.json")).json()["openapi"] == "3.1.0"


async def test_bad_keys_of_every_kind_learn_the_very_same_nothing(settings: Settings, engine: Engine, anybody: httpx.AsyncClient) -> None:
    good, other = new_key(engine), new_key(engine)
    revoked, expired = new_key(engine), new_key(engine, lifetime=timedelta(seconds=-1))
    with transaction(engine) as session:
        revoke_key(session, revoked.row.prefix, actor="test")
    prefix, secret = good.row.prefix, other.text.rsplit("_", 1)[-1]
    forged = f"zk_{prefix}_{other.text.split('_', 2)[2]}"
    bad = [
        forged,
        f"zk_{'0' * 12}_{'A' * 43}",
        revoked.text,
        expired.text,
        good.text + "A",
        good.text[:-1],
        "zk_",
        secret,
        "'; DROP TABLE api_keys; --",
    ]
    told = set()
    for key in bad:
        answer = await anybody.get("/v1/batches", headers={"Authorization": f"Bearer {key}"})
        assert problem(answer) == (401, "unauthenticated"), key
        told.add(json.dumps({**answer.json(), "request_id": ""}))
    assert len(told) == 1
    for header in ("", "Bearer", f"Basic {good.text}", good.text):
        assert problem(await anybody.get("/v1/batches", headers={"Authorization": header})) == (401, "unauthenticated")
    assert (await anybody.get("/v1/batches", headers={"Authorization": f"bearer {good.text}"})).status_code == 200


async def test_a_body_is_not_read_for_a_bad_key(anybody: httpx.AsyncClient) -> None:
    read: list[bytes] = []

    async def body() -> AsyncIterator[bytes]:
        read.append(b"{}")
        yield b"{}"

    assert problem(await anybody.post("/v1/items", content=body())) == (401, "unauthenticated")
    assert read == []


def test_a_secret_is_kept_as_a_hash_alone(engine: Engine) -> None:
    made = new_key(engine)
    secret = made.text.split("_", 2)[2]
    assert len(secret) == 43
    assert secret not in str(value(engine, "SELECT to_jsonb(k)::text FROM api_keys AS k WHERE prefix = :prefix", prefix=made.row.prefix))


def test_the_last_use_is_noted_once_a_minute(engine: Engine) -> None:
    made = new_key(engine)

    def use() -> object:
        with transaction(engine) as session:
            assert authenticate(session, made.text) is not None
        return value(engine, "SELECT last_used_at FROM api_keys WHERE prefix = :prefix", prefix=made.row.prefix)

    first = use()
    assert first is not None
    assert use() == first
    with transaction(engine) as session:
        session.execute(text("UPDATE api_keys SET last_used_at = now() - interval '61 seconds'"))
    assert use() != first


def test_a_rotated_key_works_until_its_grace_ends(engine: Engine) -> None:
    old = new_key(engine, Scope.READ)
    with transaction(engine) as session:
        new = rotate_key(session, old.row.prefix, grace=timedelta(hours=1), actor="test")
    with transaction(engine) as session:
        holders = [authenticate(session, key.text) for key in (old, new)]
        assert [holder.scopes for holder in holders if holder] == [{Scope.READ}, {Scope.READ}]
        session.execute(
            text("UPDATE api_keys SET expires_at = now() - interval '1 second' WHERE prefix = :prefix"), {"prefix": old.row.prefix}
        )
        assert authenticate(session, old.text) is None
        assert authenticate(session, new.text) is not None


async def test_the_rate_of_a_key_is_its_own(settings: Settings, engine: Engine) -> None:
    slow = settings.model_copy(update={"api_rate_per_second": 0.01, "api_rate_burst": 2})
    async with calling(slow, new_key(engine).text) as client:
        answers = [await client.get("/v1/batches") for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert problem(answers[2]) == (429, "rate_limited")
        assert 90 <= int(answers[2].headers["retry-after"]) <= 100
        other = {"Authorization": f"Bearer {new_key(engine).text}"}
        assert (await client.get("/v1/batches", headers=other)).status_code == 200


def test_a_key_is_printed_once_and_every_step_is_audited(run: Callable[..., Ended], engine: Engine) -> None:
    made = run("keys", "create", "--name", "ci", "--scope", "submit", "--scope", "read", "--expires", "90d", "--json")
    assert made.code == 0, made.err
    key = json.loads(made.out)
    assert (key["scopes"], key["tenant"], key["key"].split("_")[1]) == (["read", "submit"], "default", key["prefix"])
    listed = run("keys", "list", "--json")
    assert key["prefix"] in listed.out
    assert key["key"] not in listed.out + run("keys", "list").out
    rotated = json.loads(run("keys", "rotate", key["prefix"], "--grace", "1h", "--json").out)
    assert run("keys", "rotate", key["prefix"]).code == 2
    assert run("keys", "revoke", rotated["prefix"]).code == 0
    assert run("keys", "revoke", "nothing").code == 2
    with engine.connect() as connection:
        query = "SELECT action FROM audit_events WHERE detail ->> 'key' = ANY(:keys) ORDER BY id"
        actions = list(connection.execute(text(query), {"keys": [key["prefix"], rotated["prefix"]]}).scalars())
    assert actions == ["key.created", "key.rotated", "key.revoked"]


@pytest.mark.parametrize("wrong", [("--scope", "everything"), ("--scope", "read", "--expires", "soon")])
def test_a_key_of_unknown_scope_or_lifetime_is_not_made(run: Callable[..., Ended], wrong: tuple[str, ...]) -> None:
    assert run("keys", "create", "--name", "x", *wrong).code == 2
