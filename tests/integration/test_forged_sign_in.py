"""What an issuer, or somebody who plays one, may not get away with: tokens that do not hold in one point each."""

import base64
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey
from sqlalchemy import Engine, text

from tests.integration.api_world import calling, problem
from tests.integration.sign_in_world import CLIENT, StagedIssuer, api_server, finish, invited, signing_in
from worker.local.ports import free_ports
from worker.moderation.people import Role
from worker.moderation.settings import Settings

Forge = Callable[[StagedIssuer, dict[str, Any]], str]
NOW = int(time.time())


@pytest.fixture(scope="module")
def staged_issuer() -> Iterator[StagedIssuer]:
    with StagedIssuer() as staged:
        yield staged


@pytest.fixture(scope="module")
def api(settings: Settings, staged_issuer: StagedIssuer) -> Iterator[str]:
    with api_server(signing_in(settings, staged_issuer.address, free_ports(1)[0])) as address:
        yield address


@pytest.fixture
def staged(staged_issuer: StagedIssuer) -> StagedIssuer:
    staged_issuer.sign, staged_issuer.userinfo, staged_issuer.broken = staged_issuer.signed, None, False
    return staged_issuer


@pytest.fixture
async def client(api: str, staged: StagedIssuer) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=api, trust_env=False, timeout=20) as client:
        yield client


@pytest.fixture
def email(engine: Engine) -> str:
    """Of somebody who is invited, and has not signed in yet."""
    return invited(engine, f"{uuid4().hex}@example.com", Role.REVIEWER).email


def bound(engine: Engine, email: str) -> bool:
    with engine.connect() as connection:
        query = "SELECT count(*) FROM people WHERE email = :email AND subject IS NOT NULL"
        return bool(connection.execute(text(query), {"email": email}).scalar_one())


def unsigned(_: StagedIssuer, claims: dict[str, Any]) -> str:
    parts = ({"alg": "none", "typ": "JWT"}, claims)
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts) + "."


def hmac_with_the_public_key(staged: StagedIssuer, claims: dict[str, Any]) -> str:
    key = OctKey.import_key(base64.urlsafe_b64encode(staged.key.as_pem(private=False)))
    return jwt.encode({"alg": "HS256", "kid": staged.key.kid}, claims, key, algorithms=["HS256"])


def signed_by_another_key_of_the_same_name(staged: StagedIssuer, claims: dict[str, Any]) -> str:
    other = RSAKey.generate_key(2048)
    return jwt.encode({"alg": "RS256", "kid": staged.key.kid}, claims, other, algorithms=["RS256"])


def carrying_its_own_key(_: StagedIssuer, claims: dict[str, Any]) -> str:
    own = RSAKey.generate_key(2048, auto_kid=True)
    return jwt.encode({"alg": "RS256", "jwk": own.as_dict(private=False)}, claims, own, algorithms=["RS256"])


def of_an_unknown_key(_: StagedIssuer, claims: dict[str, Any]) -> str:
    own = RSAKey.generate_key(2048, auto_kid=True)
    return jwt.encode({"alg": "RS256", "kid": own.kid}, claims, own, algorithms=["RS256"])


def changed_after_signing(staged: StagedIssuer, claims: dict[str, Any]) -> str:
    head, _, signature = staged.signed(claims).split(".")
    body = base64.urlsafe_b64encode(json.dumps({**claims, "sub": "somebody-else"}).encode()).decode().rstrip("=")
    return f"{head}.{body}.{signature}"


def no_token(_: StagedIssuer, __: dict[str, Any]) -> str:
    return "nothing"


@pytest.mark.parametrize(
    "forge",
    [
        unsigned,
        hmac_with_the_public_key,
        signed_by_another_key_of_the_same_name,
        carrying_its_own_key,
        of_an_unknown_key,
        changed_after_signing,
        no_token,
    ],
)
async def test_a_token_that_the_issuer_has_not_signed_lets_nobody_in(
    engine: Engine, client: httpx.AsyncClient, staged: StagedIssuer, email: str, forge: Forge
) -> None:
    staged.sign = lambda claims: forge(staged, claims)
    answer = await finish(client, staged, lambda nonce: staged.good("s", email, nonce))
    assert problem(answer) == (403, "sign_in_refused")
    assert not bound(engine, email)


@pytest.mark.parametrize(
    "wrong",
    [
        {"iss": "https://evil.example"},
        {"iss": None},
        {"aud": "another-client"},
        {"aud": [CLIENT, "another-client"]},
        {"aud": [CLIENT], "azp": "another-client"},
        {"aud": []},
        {"aud": None},
        {"nonce": "another"},
        {"nonce": None},
        {"exp": NOW - 120},
        {"exp": None},
        {"exp": "soon"},
        {"iat": NOW + 3600},
        {"iat": None},
        {"nbf": NOW + 3600},
        {"sub": None},
        {"sub": ""},
        {"sub": 7},
        {"sub": "x" * 256},
    ],
    ids=lambda wrong: str(wrong).replace(str(NOW - 120), "past").replace(str(NOW + 3600), "later"),  # alike in every process
)
async def test_a_token_for_something_else_lets_nobody_in(
    engine: Engine, client: httpx.AsyncClient, staged: StagedIssuer, email: str, wrong: dict[str, Any]
) -> None:
    answer = await finish(client, staged, lambda nonce: staged.good("s", email, nonce, **wrong))
    assert problem(answer) == (403, "sign_in_refused")
    assert not bound(engine, email)


async def test_strangers_of_every_kind_learn_the_very_same_nothing(
    engine: Engine, client: httpx.AsyncClient, staged: StagedIssuer, email: str
) -> None:
    known = uuid4().hex
    assert (await finish(client, staged, lambda nonce: staged.good(known, email, nonce))).status_code == 303
    fresh = invited(engine, f"{uuid4().hex}@example.com").email
    strangers: list[tuple[str, str, dict[str, Any]]] = [
        ("a", "nobody@example.com", {}),
        ("b", fresh, {"email_verified": False}),
        ("c", fresh, {"email_verified": None}),
        ("d", fresh, {"email_verified": "true"}),
        ("e", fresh, {"email": None}),
        ("f", fresh, {"email": [fresh]}),
        ("g", email, {}),  # another account with an address that was bound before
        (known.upper(), email, {}),
    ]
    told = set()
    for subject, address, more in strangers:
        answer = await finish(client, staged, lambda nonce, s=subject, a=address, m=more: staged.good(s, a, nonce, **m))  # type: ignore[misc]
        assert problem(answer) == (403, "not_invited"), subject
        assert "zoomin_session" not in answer.headers.get("set-cookie", "")
        told.add(json.dumps({**answer.json(), "request_id": ""}))
    assert len(told) == 1
    assert not bound(engine, fresh)


async def test_once_bound_the_account_counts_and_the_address_no_longer(client: httpx.AsyncClient, staged: StagedIssuer, email: str) -> None:
    subject = uuid4().hex
    assert (await finish(client, staged, lambda nonce: staged.good(subject, email, nonce))).status_code == 303
    moved = {"email": "new-name@example.com", "email_verified": False}
    assert (await finish(client, staged, lambda nonce: staged.good(subject, email, nonce, **moved))).status_code == 303
    assert (await client.get("/v1/me")).json()["person"]["email"] == email


async def test_an_account_that_is_known_takes_no_second_invitation(
    engine: Engine, client: httpx.AsyncClient, staged: StagedIssuer, email: str
) -> None:
    subject, second = uuid4().hex, invited(engine, f"{uuid4().hex}@example.com", Role.ADMIN).email
    for address in (email, second):
        assert (await finish(client, staged, lambda nonce, a=address: staged.good(subject, a, nonce))).status_code == 303  # type: ignore[misc]
    assert (await client.get("/v1/me")).json()["person"]["role"] == "reviewer"
    assert not bound(engine, second)


async def test_a_session_is_made_once_of_each_sign_in(client: httpx.AsyncClient, staged: StagedIssuer, email: str) -> None:
    begun = await client.get("/v1/sign-in")
    cookie = {"Cookie": f"zoomin_sign_in={client.cookies['zoomin_sign_in']}"}
    asked = httpx.URL(begun.headers["location"]).params
    staged.claims = staged.good(uuid4().hex, email, asked["nonce"])
    callback = f"/v1/sign-in/callback?code=c&state={asked['state']}"
    assert (await client.get(callback)).status_code == 303
    assert problem(await client.get(callback, headers=cookie)) == (400, "sign_in_expired")  # even though this issuer redeems a code twice


async def test_an_address_that_only_userinfo_tells_counts_for_its_own_subject(
    engine: Engine, settings: Settings, staged: StagedIssuer, email: str
) -> None:
    subject = uuid4().hex
    for named, status in ((subject + "x", 403), (subject, 303)):
        staged.userinfo = {"sub": named, "email": email, "email_verified": True}
        async with calling(signing_in(settings, staged.address, 80), None) as client:
            client.base_url = httpx.URL("http://127.0.0.1")
            answer = await finish(client, staged, lambda nonce: staged.good(subject, email, nonce, email=None, email_verified=None))
            assert answer.status_code == status
    assert bound(engine, email)


async def test_a_rotated_key_is_asked_for_but_not_by_every_forged_token(
    settings: Settings, staged: StagedIssuer, email: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject = uuid4().hex
    monkeypatch.setattr(staged, "key", staged.key)  # put back at the end
    async with calling(signing_in(settings, staged.address, 80), None) as client:
        client.base_url = httpx.URL("http://127.0.0.1")
        assert (await finish(client, staged, lambda nonce: staged.good(subject, email, nonce))).status_code == 303
        asked = staged.keys_asked
        staged.sign = lambda claims: of_an_unknown_key(staged, claims)
        for _ in range(3):
            assert problem(await finish(client, staged, lambda nonce: staged.good(subject, email, nonce))) == (403, "sign_in_refused")
        assert staged.keys_asked == asked
        staged.sign = staged.signed
        staged.key = RSAKey.generate_key(2048, {"use": "sig"}, auto_kid=True)
        monkeypatch.setattr("api.sign_in.provider.KEYS_PAUSE_SECONDS", 0.0)
        assert (await finish(client, staged, lambda nonce: staged.good(subject, email, nonce))).status_code == 303


async def test_a_used_code_is_refused_and_another_issuers_callback_too(client: httpx.AsyncClient, staged: StagedIssuer, email: str) -> None:
    assert problem(await finish(client, staged, lambda nonce: staged.good("s", email, nonce), code="used")) == (403, "sign_in_refused")
    state = httpx.URL((await client.get("/v1/sign-in")).headers["location"]).params["state"]
    mixed_up = await client.get("/v1/sign-in/callback", params={"code": "c", "state": state, "iss": "https://evil.example"})
    assert problem(mixed_up) == (403, "sign_in_refused")


async def test_an_issuer_that_is_away_is_an_outage_and_nobodys_fault(settings: Settings, staged: StagedIssuer) -> None:
    staged.broken = True
    for issuer in (staged.address, "http://127.0.0.1:9"):
        async with calling(signing_in(settings, issuer, 80), None) as client:
            answer = await client.get("/v1/sign-in")
            assert problem(answer) == (503, "sign_in_unavailable")
            assert answer.json()["retryable"]


async def test_without_an_issuer_there_is_no_sign_in_and_no_cookie_counts(settings: Settings) -> None:
    async with calling(settings, None) as client:
        assert problem(await client.get("/v1/sign-in")) == (404, "sign_in_off")
        for name in ("zoomin_session", "__Host-zoomin_session"):
            assert problem(await client.get("/v1/me", headers={"Cookie": f"{name}=x"})) == (401, "unauthenticated")


async def test_behind_tls_the_cookies_are_the_hosts_alone(settings: Settings, staged: StagedIssuer, email: str) -> None:
    secure = signing_in(settings, staged.address, 80).model_copy(update={"public_url": "https://zoomin.example.com"})
    async with calling(secure, None) as client:
        client.base_url = httpx.URL("https://zoomin.example.com")
        begun = await client.get("/v1/sign-in")
        assert begun.headers["set-cookie"].startswith("__Host-zoomin_sign_in=")
        asked = httpx.URL(begun.headers["location"]).params
        assert asked["redirect_uri"] == "https://zoomin.example.com/v1/sign-in/callback"
        staged.claims = staged.good(uuid4().hex, email, asked["nonce"])
        finished = await client.get("/v1/sign-in/callback", params={"code": "c", "state": asked["state"]})
        session = next(cookie for cookie in finished.headers.get_list("set-cookie") if cookie.startswith("__Host-zoomin_session="))
        assert {"Secure", "HttpOnly", "SameSite=lax", "Path=/"} <= set(session.split("; "))
        token = session.partition("=")[2].partition(";")[0]
        client.cookies.clear()
        assert problem(await client.get("/v1/me", headers={"Cookie": f"zoomin_session={token}"})) == (401, "unauthenticated")
