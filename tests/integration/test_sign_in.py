"""Signing in as people do: a browser, the local issuer's process, an API's process, Postgres."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from sqlalchemy import Engine, text

from tests.integration.api_world import new_key, problem
from tests.integration.sign_in_world import api_server, browser, choose, invited, local_issuer, sign_in, signing_in
from worker.local.addresses import environment
from worker.local.issuer.keys import issuer_address, signing_key
from worker.local.layout import layout_of, make_directories
from worker.local.ports import free_ports
from worker.moderation.errors import MisconfiguredError
from worker.moderation.people import SCOPES, Role
from worker.moderation.settings import Mode, Settings
from worker.store.people import disable_person
from worker.store.session import transaction

HOSTILE = "Kim <script>alert(1)</script>\u202e'\""


@pytest.fixture(scope="module")
def people_settings(settings: Settings) -> Settings:
    issuer_port, api_port = free_ports(2)
    return signing_in(settings, f"http://127.0.0.1:{issuer_port}", api_port)


@pytest.fixture(scope="module")
def api(people_settings: Settings) -> Iterator[str]:
    with local_issuer(people_settings), api_server(people_settings) as address:
        yield address


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    with browser() as client:
        yield client


def actions(engine: Engine, actor: str) -> list[str]:
    with engine.connect() as connection:
        query = "SELECT action FROM audit_events WHERE actor = :actor ORDER BY id"
        return list(connection.execute(text(query), {"actor": actor}).scalars())


def test_an_invited_person_signs_in_acts_under_their_id_and_signs_out(engine: Engine, api: str, client: httpx.Client) -> None:
    person = invited(engine, "Admin@Localhost", name=HOSTILE)
    me = sign_in(client, api, "admin@localhost")
    assert me["person"] == {**me["person"], "id": str(person.id), "email": "admin@localhost", "name": HOSTILE, "role": "admin"}
    assert (me["actor"], me["tenant"], set(me["scopes"])) == (f"person:{person.id}", "default", set(SCOPES[Role.ADMIN]))
    made = client.post(f"{api}/v1/policies", json={"name": "people-write-policies"})
    assert made.status_code == 201, made.text
    assert client.post(f"{api}/v1/sign-out").status_code == 204
    assert "zoomin_session" not in client.cookies
    assert actions(engine, f"person:{person.id}") == ["person.signed_in", "policy.created", "person.signed_out"]
    with engine.connect() as connection:
        told = connection.execute(text("SELECT string_agg(e::text, '') FROM audit_events AS e")).scalar_one()
    assert "localhost" not in told
    assert "Kim" not in told


def test_the_session_is_a_cookie_that_scripts_and_other_sites_cannot_use(engine: Engine, api: str, client: httpx.Client) -> None:
    invited(engine, "cookie@localhost")
    finished = client.get(choose(client, api, "cookie@localhost"))
    cookies = {cookie.partition("=")[0]: cookie for cookie in finished.headers.get_list("set-cookie")}
    assert {"HttpOnly", "SameSite=lax", "Path=/"} <= set(cookies["zoomin_session"].split("; "))
    assert "Domain" not in cookies["zoomin_session"]
    assert "Max-Age=0" in cookies["zoomin_sign_in"]
    token = client.cookies["zoomin_session"]
    with engine.connect() as connection:
        assert token not in connection.execute(text("SELECT string_agg(s::text, '') FROM people_sessions AS s")).scalar_one()


def test_a_signed_out_session_is_over_even_for_who_kept_its_cookie(engine: Engine, api: str, client: httpx.Client) -> None:
    invited(engine, "over@localhost")
    sign_in(client, api, "over@localhost")
    kept = {"Cookie": f"zoomin_session={client.cookies['zoomin_session']}"}
    assert client.post(f"{api}/v1/sign-out").status_code == 204
    time.sleep(1.1)
    assert problem(httpx.get(f"{api}/v1/me", headers=kept, trust_env=False)) == (401, "unauthenticated")


def test_a_callback_works_once_and_only_in_the_browser_that_began(engine: Engine, api: str, client: httpx.Client) -> None:
    invited(engine, "once@localhost")
    callback = choose(client, api, "once@localhost")
    begun = dict(client.cookies)
    with browser() as other:
        assert problem(other.get(callback)) == (400, "sign_in_expired")
        choose(other, api, "once@localhost")
        assert problem(other.get(callback)) == (400, "sign_in_expired")  # the state is another's
    assert client.get(callback).status_code == 303
    assert problem(client.get(callback)) == (400, "sign_in_expired")
    replayed = httpx.get(callback, headers={"Cookie": f"zoomin_sign_in={begun['zoomin_sign_in']}"}, trust_env=False)
    assert problem(replayed) == (403, "sign_in_refused")  # the code is used up


@pytest.mark.parametrize(
    "target",
    [
        "//evil.example",
        "https://evil.example",
        "/\\evil.example",
        "\\/evil.example",
        "/\t/evil.example",
        "javascript:alert(1)",
        "",
        "/a\r\nb",
    ],
)
def test_nobody_is_sent_anywhere_else_afterwards(api: str, client: httpx.Client, target: str) -> None:
    assert problem(client.get(f"{api}/v1/sign-in", params={"next": target})) == (422, "request_invalid")


def test_the_path_that_was_asked_for_is_where_one_arrives(engine: Engine, api: str, client: httpx.Client) -> None:
    invited(engine, "path@localhost")
    finished = client.get(choose(client, api, "path@localhost", "?next=/v1/batches?limit=5"))
    assert finished.headers["location"] == f"{api}/v1/batches?limit=5"


def test_the_provider_may_refuse(api: str, client: httpx.Client) -> None:
    state = dict(httpx.QueryParams(urlsplit(client.get(f"{api}/v1/sign-in").headers["location"]).query))["state"]
    refused = client.get(f"{api}/v1/sign-in/callback", params={"error": "access_denied", "state": state})
    assert problem(refused) == (403, "sign_in_refused")


def test_what_changes_something_needs_the_sessions_own_token_and_origin(engine: Engine, api: str, client: httpx.Client) -> None:
    invited(engine, "csrf@localhost")
    invited(engine, "foreign@localhost")
    sign_in(client, api, "csrf@localhost")
    own = client.headers.pop("X-CSRF-Token")
    with browser() as other:
        foreign = sign_in(other, api, "foreign@localhost")["csrf_token"]
    attempts: list[dict[str, str]] = [
        {},
        {"X-CSRF-Token": foreign},
        {"X-CSRF-Token": own[:-1]},
        {"X-CSRF-Token": own, "Origin": "https://evil.example"},
        {"X-CSRF-Token": own, "Origin": "null"},
        {"X-CSRF-Token": own, "Sec-Fetch-Site": "cross-site"},
        {"X-CSRF-Token": own, "Sec-Fetch-Site": "same-site"},
    ]
    for headers in attempts:
        for method, path in (("POST", "/v1/sign-out"), ("PATCH", "/v1/people/x"), ("POST", "/v1/people")):
            assert problem(client.request(method, api + path, headers=headers)) == (403, "csrf_refused"), headers
    ours = {"X-CSRF-Token": own, "Origin": api, "Sec-Fetch-Site": "same-origin"}
    assert client.post(f"{api}/v1/sign-out", headers=ours).status_code == 204


def test_a_key_wins_over_a_cookie_and_a_bad_one_is_not_helped_by_it(engine: Engine, api: str, client: httpx.Client) -> None:
    invited(engine, "both@localhost")
    sign_in(client, api, "both@localhost")
    key = new_key(engine)
    del client.headers["X-CSRF-Token"]
    with_key = client.get(f"{api}/v1/me", headers={"Authorization": f"Bearer {key.text}"}).json()
    assert (with_key["actor"], with_key["person"], with_key["csrf_token"]) == (f"key:{key.row.prefix}", None, None)
    assert client.post(f"{api}/v1/sign-out", headers={"Authorization": f"Bearer {key.text}"}).status_code == 204
    for header in ("Bearer zk_bad", "Basic x", ""):
        assert problem(client.get(f"{api}/v1/me", headers={"Authorization": header})) == (401, "unauthenticated")
    token = client.cookies["zoomin_session"]
    assert problem(client.get(f"{api}/v1/me", headers={"Authorization": f"Bearer {token}"})) == (401, "unauthenticated")


def test_a_disabled_person_is_out_within_a_second_and_does_not_come_back(engine: Engine, api: str, client: httpx.Client) -> None:
    person = invited(engine, "leaver@localhost")
    sign_in(client, api, "leaver@localhost")
    callback = None
    with browser() as other:
        callback = choose(other, api, "leaver@localhost")
        with transaction(engine) as session:
            disable_person(session, "default", person.id, actor="test")
        assert problem(other.get(callback)) == (403, "not_invited")
    time.sleep(1.1)
    assert problem(client.get(f"{api}/v1/me")) == (401, "unauthenticated")
    again = invited(engine, "leaver@localhost", Role.VIEWER)
    with browser() as other:
        assert sign_in(other, api, "leaver@localhost")["person"]["id"] == str(again.id)


@pytest.mark.parametrize("column", ["expires_at", "idle_expires_at"])
def test_an_expired_session_is_over(
    engine: Engine, services: object, people_settings: Settings, api: str, client: httpx.Client, column: str
) -> None:
    person = invited(engine, f"{column}@localhost")
    sign_in(client, api, f"{column}@localhost")
    assert client.get(f"{api}/v1/me").status_code == 200
    from worker.store.session import connect  # noqa: PLC0415  as the owner: the application may not move the end

    owner = connect(people_settings.model_copy(update={"database_url": people_settings.owner_url}), application="test")
    with owner.begin() as connection:
        statement = text(f"UPDATE people_sessions SET {column} = now() WHERE person_id = :person")  # noqa: S608
        connection.execute(statement, {"person": person.id})
    owner.dispose()
    time.sleep(1.1)
    assert problem(client.get(f"{api}/v1/me")) == (401, "unauthenticated")


def test_a_role_does_what_its_scopes_allow_and_another_role_counts_at_once(engine: Engine, api: str, client: httpx.Client) -> None:
    person = invited(engine, "viewer@localhost", Role.VIEWER)
    sign_in(client, api, "viewer@localhost")
    assert client.get(f"{api}/v1/batches").status_code == 200
    assert problem(client.get(f"{api}/v1/people")) == (403, "scope_missing")
    assert problem(client.post(f"{api}/v1/storage-checks", json={"targets": ["s3://b/"]})) == (403, "scope_missing")
    headers = {"Authorization": f"Bearer {new_key(engine).text}"}
    changed = httpx.patch(f"{api}/v1/people/{person.id}", json={"role": "admin"}, headers=headers, trust_env=False)
    assert changed.json()["role"] == "admin"
    time.sleep(1.1)
    assert client.get(f"{api}/v1/people").status_code == 200


def test_a_person_of_another_tenant_sees_nothing_of_this_one(engine: Engine, api: str, client: httpx.Client) -> None:
    mine = invited(engine, "mine@localhost")
    invited(engine, "theirs@localhost", tenant="elsewhere")
    with browser() as other:
        assert problem(other.get(choose(other, api, "theirs@localhost"))) == (403, "not_invited")
    client.get(choose(client, api, "theirs@localhost", "?tenant=elsewhere"))
    assert [person["email"] for person in client.get(f"{api}/v1/people").json()["people"]] == ["theirs@localhost"]
    assert problem(client.get(f"{api}/v1/people/{mine.id}")) == (404, "not_found")


def test_the_issuers_page_keeps_hostile_names_as_text_and_asks_only_for_our_api(engine: Engine, api: str, client: httpx.Client) -> None:
    invited(engine, "hostile@localhost", name=HOSTILE)
    address = client.get(f"{api}/v1/sign-in").headers["location"]
    page = client.get(address)
    assert "hostile@localhost" in page.text
    assert "<script" not in page.text
    assert "\u202e" not in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    asked = httpx.URL(address)
    for name, value in {
        "redirect_uri": "https://evil.example/",
        "client_id": "other",
        "code_challenge_method": "plain",
        "nonce": "",
    }.items():
        assert client.get(asked.copy_set_param(name, value)).status_code == 400, name
    form = dict(asked.params) | {"email": "hostile@localhost"}
    where = str(asked).partition("?")[0]
    assert client.post(where, data=form, headers={"Origin": "https://evil.example"}).status_code == 400
    assert client.post(where, data=form | {"email": "nobody@localhost"}).status_code == 400
    assert client.get(asked, headers={"Host": "evil.example"}).status_code == 400


def test_a_code_is_worth_nothing_without_its_verifier(engine: Engine, people_settings: Settings, api: str, client: httpx.Client) -> None:
    invited(engine, "pkce@localhost")
    code = httpx.URL(choose(client, api, "pkce@localhost")).params["code"]
    form = {"grant_type": "authorization_code", "code": code, "client_id": str(people_settings.oidc_client_id), "code_verifier": "guess"}
    form |= {"redirect_uri": f"{api}/v1/sign-in/callback"}
    answer = client.post(f"{people_settings.oidc_issuer}/token", data=form)
    assert (answer.status_code, answer.json()) == (400, {"error": "invalid_grant"})


def test_the_local_issuer_refuses_to_run_in_production(people_settings: Settings) -> None:
    production = people_settings.model_copy(update={"mode": Mode.PRODUCTION, "model": "nano", "buckets": ("b",)})
    command = [sys.executable, "-m", "worker.local.issuer"]
    ended = subprocess.run(command, env=environment(production), capture_output=True, text=True, check=False, timeout=60)
    assert ended.returncode == 1
    assert "real identity provider" in ended.stderr


def test_the_local_issuer_keeps_its_key_and_its_address_to_itself_and_for_good(tmp_path: Path) -> None:
    layout = layout_of(tmp_path / "home")
    make_directories(layout)
    first = signing_key(layout)
    assert signing_key(layout).thumbprint() == first.thumbprint()
    assert (layout.home / "issuer.key").stat().st_mode & 0o077 == 0
    assert "d" not in first.as_dict(private=False)
    address = issuer_address(layout)
    assert issuer_address(layout) == address
    with socket.create_server(("127.0.0.1", urlsplit(address).port or 0)), pytest.raises(MisconfiguredError, match="is taken"):
        issuer_address(layout)
