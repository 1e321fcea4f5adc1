"""People and how they sign in: a browser by hand, the local issuer as a process, and an issuer that says what a test wants it to."""

import asyncio
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from html import unescape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from json import dumps
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import httpx
from joserfc import jwt
from joserfc.jwk import RSAKey
from pydantic import SecretStr
from sqlalchemy import Engine

from tests.integration.server_process import server
from worker.local.ports import free_ports
from worker.moderation.people import Role
from worker.moderation.settings import Settings
from worker.store.models import PersonRow
from worker.store.people import invite_person
from worker.store.session import transaction

CLIENT = "zoomin-test"
SECRETS_KEY = SecretStr("0123456789abcdef0123456789abcdef")


def invited(engine: Engine, email: str, role: Role = Role.ADMIN, tenant: str = "default", name: str = "Kim") -> PersonRow:
    """Somebody who may sign in."""
    with transaction(engine) as session:
        return invite_person(session, tenant, email=email, name=name, role=role, actor="test")


def signing_in(settings: Settings, issuer: str, port: int) -> Settings:
    """The settings of an API on that port, with sign-in."""
    named = {"oidc_issuer": issuer, "oidc_client_id": CLIENT, "public_url": f"http://127.0.0.1:{port}", "secrets_key": SECRETS_KEY}
    return settings.model_copy(update={**named, "api_port": port})


@contextmanager
def local_issuer(settings: Settings) -> Iterator[None]:
    """The local issuer of these settings."""
    with server(settings, "worker.local.issuer", port=urlsplit(settings.oidc_issuer or "").port or 0):
        yield


@contextmanager
def api_server(settings: Settings, *, workers: int = 1) -> Iterator[str]:
    """The API of these settings."""
    arguments = (
        "uvicorn",
        "--factory",
        "api.app:create_app",
        "--port",
        str(settings.api_port),
        "--workers",
        str(workers),
        "--no-access-log",
        "--log-level",
        "warning",
    )
    with server(settings, *arguments, port=settings.api_port) as address:
        yield address


def browser() -> httpx.Client:
    """Keeps cookies, and follows redirects only when told to."""
    return httpx.Client(trust_env=False, timeout=20)


def choose(client: httpx.Client, api: str, email: str, query: str = "") -> str:
    """Begins to sign in and clicks on somebody: the callback's address, not yet visited."""
    begun = client.get(f"{api}/v1/sign-in{query}")
    assert begun.status_code == 303, begun.text
    page = client.get(begun.headers["location"])
    assert page.status_code == 200, page.text
    fields = {name: unescape(value) for name, value in re.findall(r'type="hidden" name="([^"]*)" value="([^"]*)"', page.text)}
    chosen = client.post(begun.headers["location"].partition("?")[0], data={**fields, "email": email})
    assert chosen.status_code == 303, chosen.text
    return chosen.headers["location"]


def sign_in(client: httpx.Client, api: str, email: str) -> dict[str, Any]:
    """Signs in at the local issuer and gives `/v1/me`; the client sends the CSRF token from now on."""
    finished = client.get(choose(client, api, email))
    assert (finished.status_code, finished.headers["location"]) == (303, f"{api}/review"), finished.text
    me: dict[str, Any] = client.get(f"{api}/v1/me").json()
    client.headers["X-CSRF-Token"] = me["csrf_token"]
    return me


class StagedIssuer:
    """An issuer on a real socket whose tokens are what the test makes them: `claims` for the next token, and `sign` for its signature."""

    def __init__(self) -> None:
        self.key = RSAKey.generate_key(2048, {"use": "sig"}, private=True, auto_kid=True)
        self.claims: dict[str, Any] = {}
        self.userinfo: dict[str, Any] | None = None
        self.sign: Callable[[dict[str, Any]], str] = self.signed
        self.broken = False
        self.keys_asked = 0
        self._server = ThreadingHTTPServer(("127.0.0.1", free_ports(1)[0]), self._handler())
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    def __enter__(self) -> "StagedIssuer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def signed(self, claims: dict[str, Any]) -> str:
        """As a good issuer signs."""
        return jwt.encode({"alg": "RS256", "kid": self.key.kid}, claims, self.key, algorithms=["RS256"])

    def good(self, subject: str, email: str, nonce: str, /, **more: Any) -> dict[str, Any]:
        """Claims that hold; `None` leaves one out."""
        now = int(time.time())
        claims = {"iss": self.address, "sub": subject, "aud": CLIENT, "exp": now + 60, "iat": now, "nonce": nonce}
        claims |= {"email": email, "email_verified": True, **more}
        return {name: value for name, value in claims.items() if value is not None}

    def _answer(self, path: str, form: Mapping[str, list[str]]) -> tuple[int, dict[str, Any]]:
        if self.broken:
            return 500, {}
        if path == "/.well-known/openid-configuration":
            endpoints = {"authorization_endpoint": "authorize?fixed=1", "token_endpoint": "token", "jwks_uri": "keys"}
            endpoints |= {"userinfo_endpoint": "userinfo"} if self.userinfo is not None else {}
            return 200, {"issuer": self.address, **{name: f"{self.address}/{where}" for name, where in endpoints.items()}}
        if path == "/keys":
            self.keys_asked += 1
            return 200, {"keys": [self.key.as_dict(private=False)]}
        if path == "/userinfo":
            return 200, self.userinfo or {}
        if form.get("code") == ["used"]:
            return 400, {"error": "invalid_grant"}
        return 200, {"access_token": "a", "token_type": "Bearer", "id_token": self.sign(self.claims)}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        staged = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._reply({})

            def do_POST(self) -> None:
                self._reply(parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode()))

            def _reply(self, form: Mapping[str, list[str]]) -> None:
                status, answer = staged._answer(urlsplit(self.path).path, form)
                body = dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Says nothing."""

        return Handler


async def finish(
    client: httpx.AsyncClient, staged: StagedIssuer, claims: Callable[[str], dict[str, Any]], code: str = "c"
) -> httpx.Response:
    """A whole sign-in at a staged issuer, whose claims are made from the nonce: the callback's answer."""
    begun = await client.get("/v1/sign-in")
    assert begun.status_code == 303, begun.text
    asked = dict(parse_qsl(urlsplit(begun.headers["location"]).query))
    staged.claims = claims(asked["nonce"])
    return await client.get("/v1/sign-in/callback", params={"code": code, "state": asked["state"], "scope": "openid", "session_state": "x"})


async def a_second() -> None:
    """Until what was looked up before is looked up again."""
    await asyncio.sleep(1.1)
