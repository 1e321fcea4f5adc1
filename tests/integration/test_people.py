"""People: invited, given roles and disabled, over HTTP and at the command line; and who may read of them."""

import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import ProgrammingError

from tests.integration.api_world import calling, new_key, problem
from tests.unit.cli.invoke import Ended, zoomin
from worker.local import postgres
from worker.local.addresses import environment
from worker.local.services import Services
from worker.moderation.scopes import Scope
from worker.moderation.settings import Settings

MISSING = "0198c7a0-0000-7000-8000-000000000000"


@pytest.fixture
async def admin(settings: Settings, engine: Engine) -> AsyncIterator[httpx.AsyncClient]:
    async with calling(settings, new_key(engine, tenant=f"t-{uuid4().hex[:8]}").text) as client:
        yield client


@pytest.fixture
def run(settings: Settings, tmp_path: Path) -> Callable[..., Ended]:
    return lambda *arguments: zoomin(*arguments, home=tmp_path, settings=environment(settings))


def invitation(**more: Any) -> dict[str, Any]:
    return {"email": f"{uuid4().hex}@Example.com", "name": "Kim", "role": "reviewer", **more}


async def test_a_person_is_invited_given_a_role_and_disabled_for_good(engine: Engine, admin: httpx.AsyncClient) -> None:
    asked = invitation()
    made = await admin.post("/v1/people", json=asked)
    assert made.status_code == 201
    person = made.json()
    assert (person["email"], person["role"], person["bound_at"]) == (asked["email"].lower(), "reviewer", None)
    address = made.headers["location"]
    assert (await admin.get(address)).json() == person
    assert problem(await admin.post("/v1/people", json={**asked, "email": asked["email"].upper()})) == (409, "person_exists")
    for _ in range(2):
        assert (await admin.patch(address, json={"role": "lead"})).json()["role"] == "lead"
    disabled = (await admin.post(f"{address}:disable")).json()
    assert disabled["disabled_at"] is not None
    assert (await admin.post(f"{address}:disable")).json() == disabled
    assert problem(await admin.patch(address, json={"role": "admin"})) == (409, "person_disabled")
    again = (await admin.post("/v1/people", json=asked)).json()
    assert again["id"] != person["id"]
    with engine.connect() as connection:
        query = "SELECT action, detail FROM audit_events WHERE detail ->> 'person' = :person ORDER BY id"
        events = [tuple(row) for row in connection.execute(text(query), {"person": person["id"]})]
    detail = {"person": person["id"], "role": "lead"}
    assert events == [
        ("person.invited", {**detail, "role": "reviewer"}),
        ("person.role_changed", {**detail, "before": "reviewer"}),
        ("person.disabled", {**detail, "sessions": 0}),
    ]


async def test_people_are_listed_newest_first_page_by_page(admin: httpx.AsyncClient) -> None:
    made = [(await admin.post("/v1/people", json=invitation())).json()["id"] for _ in range(3)]
    first = (await admin.get("/v1/people", params={"limit": 2})).json()
    second = (await admin.get("/v1/people", params={"limit": 2, "cursor": first["next_cursor"]})).json()
    assert [person["id"] for person in first["people"] + second["people"]] == made[::-1]
    assert second["next_cursor"] is None
    assert problem(await admin.get("/v1/people", params={"cursor": "bm8"})) == (400, "cursor_invalid")


@pytest.mark.parametrize(
    "wrong",
    [
        {"email": "nobody"},
        {"email": "a b@example.com"},
        {"email": "a@b@c"},
        {"email": "kim@exämple.com"},
        {"email": "k" * 65 + "@example.com"},
        {"email": "kim@example.com\n"},
        {"name": ""},
        {"name": " "},
        {"name": "x" * 201},
        {"role": "owner"},
        {"scopes": ["admin"]},
        {"tenant": "default"},
    ],
    ids=str,
)
async def test_an_invitation_that_cannot_be_is_refused(admin: httpx.AsyncClient, wrong: dict[str, Any]) -> None:
    assert problem(await admin.post("/v1/people", json=invitation(**wrong))) == (422, "request_invalid")


async def test_sql_and_html_in_a_name_stay_a_name(admin: httpx.AsyncClient) -> None:
    name = "'); DROP TABLE people; -- <img src=x onerror=alert(1)>"
    made = (await admin.post("/v1/people", json=invitation(name=name))).json()
    assert (await admin.get(f"/v1/people/{made['id']}")).json()["name"] == name


async def test_another_tenants_people_are_missing(settings: Settings, engine: Engine, admin: httpx.AsyncClient) -> None:
    asked = invitation()
    mine = (await admin.post("/v1/people", json=asked)).json()["id"]
    async with calling(settings, new_key(engine, tenant="somewhere-else").text) as other:
        for person in (mine, MISSING, "x"):
            assert problem(await other.get(f"/v1/people/{person}")) == (404, "not_found")
            assert problem(await other.patch(f"/v1/people/{person}", json={"role": "admin"})) == (404, "not_found")
            assert problem(await other.post(f"/v1/people/{person}:disable")) == (404, "not_found")
        assert mine not in (await other.get("/v1/people")).text
        assert (await other.post("/v1/people", json=asked)).status_code == 201  # nor does their address tell of them


async def test_only_admins_see_and_change_people(settings: Settings, engine: Engine) -> None:
    async with calling(settings, new_key(engine, *(set(Scope) - {Scope.ADMIN})).text) as client:
        answers = [
            await client.get("/v1/people"),
            await client.get(f"/v1/people/{MISSING}"),
            await client.post("/v1/people", json=invitation()),
            await client.patch(f"/v1/people/{MISSING}", json={"role": "admin"}),
            await client.post(f"/v1/people/{MISSING}:disable"),
        ]
        assert {problem(answer) for answer in answers} == {(403, "scope_missing")}


async def test_nobody_gives_scopes_that_they_lack(settings: Settings, engine: Engine) -> None:
    tenant = f"t-{uuid4().hex[:8]}"
    async with calling(settings, new_key(engine, Scope.ADMIN, Scope.READ, tenant=tenant).text) as client:
        made = await client.post("/v1/people", json=invitation(role="viewer"))
        assert made.status_code == 201
        assert problem(await client.post("/v1/people", json=invitation(role="admin"))) == (403, "scope_missing")
        assert problem(await client.patch(made.headers["location"], json={"role": "reviewer"})) == (403, "scope_missing")


def test_the_commands_invite_list_change_and_disable(run: Callable[..., Ended]) -> None:
    email = f"{uuid4().hex[:8]}@example.com"
    made = run("people", "invite", email.upper(), "--role", "reviewer", "--name", "Kim [bold]\u202eB", "--json")
    assert made.code == 0, made.err
    person = json.loads(made.out)
    assert (person["email"], person["role"], person["tenant"]) == (email, "reviewer", "default")
    assert person["invited_by"].startswith("cli:")
    assert run("people", "invite", email, "--role", "admin", "--name", "Kim").code == 2
    assert run("people", "role", email, "lead").out == f"{email} is lead.\n"
    listed = run("people", "list").out
    assert all(part in listed for part in (person["id"], email, "Kim [bold]B", "lead"))
    assert json.loads(run("people", "disable", person["id"], "--json").out)["disabled_at"]
    assert [row["id"] for row in map(json.loads, run("people", "list", "--json").out.splitlines()) if row["email"] == email] == [
        person["id"]
    ]
    assert run("people", "disable", "nobody@example.com").code == 2


@pytest.mark.parametrize(
    "wrong",
    [
        ("nobody", "--role", "admin", "--name", "Kim"),
        ("a@b", "--role", "owner", "--name", "Kim"),
        ("a@b", "--role", "admin", "--name", " "),
    ],
)
def test_an_invitation_that_cannot_be_ends_with_its_reason(run: Callable[..., Ended], wrong: tuple[str, ...]) -> None:
    ended = run("people", "invite", *wrong)
    assert ended.code == 2
    assert "Traceback" not in ended.err


@pytest.mark.parametrize("table", ["people", "people_sessions"])
def test_analysts_do_not_see_people(services: Services, settings: Settings, table: str) -> None:
    database = str(settings.owner_url.get_secret_value() if settings.owner_url else "").partition("?")[0].rpartition("/")[2]
    engine = create_engine(postgres.url(services.layout, postgres.SUPERUSER, database))
    with engine.connect() as connection:
        connection.execute(text("SET ROLE zoomin_analyst"))
        with pytest.raises(ProgrammingError, match="permission denied"):
            connection.execute(text(f"SELECT * FROM {table}"))  # noqa: S608
    engine.dispose()


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM people",
        "DELETE FROM people_sessions",
        "UPDATE people SET email = 'a@b'",
        "UPDATE people_sessions SET expires_at = now()",
    ],
)
def test_the_application_may_not_rewrite_who_was_invited(engine: Engine, statement: str) -> None:
    with pytest.raises(ProgrammingError, match="permission denied"), engine.begin() as connection:
        connection.execute(text(statement))
