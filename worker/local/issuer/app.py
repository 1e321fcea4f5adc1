"""The local issuer over HTTP."""

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from worker.local.issuer.codes import Codes, Grant
from worker.local.issuer.page import Invited, refusal_page, sign_in_page

TOKEN_SECONDS = 300
MOST_BYTES = 20_000  # of a form
FIELDS = ("response_type", "client_id", "redirect_uri", "scope", "state", "nonce", "code_challenge", "code_challenge_method")
UNFIT = "This request is not one of this machine's ZoomIn. Begin again at its address, as `zoomin up` printed it."


class Issuer:
    """One client, one redirect address. `invited` names who can be clicked, at this moment."""

    def __init__(self, issuer: str, *, client_id: str, redirect_uri: str, key: RSAKey, invited: Callable[[], Sequence[Invited]]) -> None:
        self._issuer = issuer
        self._client_id = client_id
        self._redirect_uri = redirect_uri
        self._key = key
        self._invited = invited
        self._codes = Codes()

    def app(self) -> Starlette:
        """As an ASGI application. Another Host than ours is refused: a page elsewhere may have rebound its name to this machine."""
        routes = [
            Route("/.well-known/openid-configuration", self.metadata),
            Route("/keys", self.keys),
            Route("/authorize", self.ask),
            Route("/authorize", self.choose, methods=["POST"]),
            Route("/token", self.token, methods=["POST"]),
        ]
        host = urlsplit(self._issuer).hostname or ""
        return Starlette(routes=routes, middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=[host])])

    async def metadata(self, _: Request) -> Response:
        """OpenID Connect Discovery 1.0."""
        document = {
            "issuer": self._issuer,
            "authorization_endpoint": f"{self._issuer}/authorize",
            "token_endpoint": f"{self._issuer}/token",
            "jwks_uri": f"{self._issuer}/keys",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "scopes_supported": ["openid", "email", "profile"],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["none"],
            "authorization_response_iss_parameter_supported": True,
        }
        return JSONResponse(document)

    async def keys(self, _: Request) -> Response:
        """The public half of the key."""
        return JSONResponse({"keys": [self._key.as_dict(private=False)]})

    async def ask(self, request: Request) -> Response:
        """The page, for a request that fits."""
        asked = dict(request.query_params)
        if not self._fits(asked):
            return self._html(refusal_page(UNFIT), 400)
        return self._html(sign_in_page(await run_in_threadpool(self._invited), _fields(asked)))

    async def choose(self, request: Request) -> Response:
        """Back to where the request came from, with a code for whoever was clicked on our own page."""
        asked = await _form(request)
        if not self._fits(asked) or not self._own_page(request.headers):
            return self._html(refusal_page(UNFIT), 400)
        invited = {person.email: person for person in await run_in_threadpool(self._invited)}
        if (chosen := invited.get(asked.get("email", ""))) is None:
            return self._html(refusal_page("Nobody of that address is invited."), 400)
        grant = Grant(email=chosen.email, name=chosen.name, nonce=asked["nonce"], challenge=asked["code_challenge"])
        brought = {"code": self._codes.issue(grant), "state": asked["state"], "iss": self._issuer}
        return RedirectResponse(f"{self._redirect_uri}?{urlencode(brought)}", 303)

    async def token(self, request: Request) -> Response:
        """An id token for a code."""
        asked = await _form(request)
        ours = asked.get("client_id") == self._client_id and asked.get("redirect_uri") == self._redirect_uri
        if not ours or asked.get("grant_type") != "authorization_code":
            return JSONResponse({"error": "invalid_request"}, 400)
        if (grant := self._codes.redeem(asked.get("code", ""), asked.get("code_verifier", ""))) is None:
            return JSONResponse({"error": "invalid_grant"}, 400)
        now = int(time.time())
        claims: dict[str, Any] = {
            "iss": self._issuer,
            "sub": hashlib.sha256(grant.email.encode()).hexdigest()[:32],
            "aud": self._client_id,
            "exp": now + TOKEN_SECONDS,
            "iat": now,
            "nonce": grant.nonce,
            "email": grant.email,
            "email_verified": True,
            "name": grant.name,
        }
        id_token = jwt.encode({"alg": "RS256", "kid": self._key.kid}, claims, self._key, algorithms=["RS256"])
        # There is nothing else to ask here, so the access token opens nothing.
        answer = {"token_type": "Bearer", "access_token": "none", "expires_in": TOKEN_SECONDS, "id_token": id_token}
        return JSONResponse(answer, headers={"Cache-Control": "no-store"})

    def _fits(self, asked: Mapping[str, str]) -> bool:
        """Whether a request is our client's, for a code, with state, nonce and PKCE."""
        exact = {
            "response_type": "code",
            "client_id": self._client_id,
            "redirect_uri": self._redirect_uri,
            "code_challenge_method": "S256",
        }
        scopes = asked.get("scope", "").split()
        return (
            all(asked.get(name) == value for name, value in exact.items())
            and all(asked.get(name) for name in ("state", "nonce", "code_challenge"))
            and "openid" in scopes
        )

    def _own_page(self, headers: Headers) -> bool:
        return headers.get("origin", self._issuer) == self._issuer and headers.get("sec-fetch-site", "same-origin") == "same-origin"

    def _html(self, text: str, status: int = 200) -> Response:
        where = "{0.scheme}://{0.netloc}".format(urlsplit(self._redirect_uri))
        policy = f"default-src 'none'; style-src 'unsafe-inline'; form-action 'self' {where}; frame-ancestors 'none'; base-uri 'none'"
        # `same-origin`, and not `no-referrer`, under which browsers send `Origin: null` with forms
        kept = {"Referrer-Policy": "same-origin", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
        return HTMLResponse(text, status, {"Content-Security-Policy": policy, **kept})


def _fields(asked: Mapping[str, str]) -> dict[str, str]:
    return {name: asked[name] for name in FIELDS if name in asked}


async def _form(request: Request) -> dict[str, str]:
    """The fields of a form, or none when it is too long."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MOST_BYTES:
            return {}
    return dict(parse_qsl(body.decode(errors="replace"), max_num_fields=50))
