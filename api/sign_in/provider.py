"""The identity provider: discovered, sent browsers to, and asked for the identity behind a code. Knows httpx, and no database."""

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote_plus

import httpx
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet

from api.problems import ProblemError
from api.sign_in.attempts import Attempt
from api.sign_in.discovery import WELL_KNOWN, Metadata, metadata_of
from api.sign_in.id_tokens import Expected, IdTokenError, claims_of, verified_email
from worker.store.people import Identity

CALLBACK = "/v1/sign-in/callback"
SCOPE = "openid email profile"
TIMEOUT_SECONDS = 10.0
FRESH_SECONDS = 3600.0  # metadata and keys are asked for again after that
KEYS_PAUSE_SECONDS = 10.0  # an unknown key's name has them asked for again, at most that often: forged tokens name what they like

log = logging.getLogger(__name__)


class Provider:
    """One per application."""

    def __init__(
        self,
        *,
        issuer: str,
        client_id: str,
        client_secret: str | None,
        redirect_uri: str,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._issuer = issuer
        self._client_id = client_id
        self._secret = client_secret
        self._redirect_uri = redirect_uri
        self._clock = clock
        self._wall_clock = wall_clock
        # Proxies of the environment are for what is outside.
        self._client = httpx.AsyncClient(timeout=TIMEOUT_SECONDS, follow_redirects=False, trust_env=issuer.startswith("https:"))
        self._metadata: tuple[float, Metadata] | None = None
        self._keys: tuple[float, KeySet] | None = None

    async def close(self) -> None:
        """Lets go of its connections."""
        await self._client.aclose()

    async def authorization_url(self, attempt: Attempt) -> str:
        """Where the browser goes to sign in. Raises ProblemError `sign_in_unavailable`."""
        metadata = await self._discovered()
        parameters = {
            "response_type": "code",
            "client_id": self._client_id,
            "redirect_uri": self._redirect_uri,
            "scope": SCOPE,
            "state": attempt.state,
            "nonce": attempt.nonce,
            "code_challenge": attempt.challenge,
            "code_challenge_method": "S256",
        }
        return str(httpx.URL(metadata.authorization_endpoint).copy_merge_params(parameters))

    async def identity(self, attempt: Attempt, code: str, named_issuer: str | None) -> Identity:
        """Who signed in. Raises ProblemError: sign_in_refused, sign_in_unavailable."""
        metadata = await self._discovered()
        if named_issuer != self._issuer and (named_issuer is not None or metadata.authorization_response_iss_parameter_supported):
            raise refused("the callback is another issuer's")  # RFC 9207
        tokens = await self._redeem(metadata, code, attempt.verifier)
        try:
            claims = await self._claims(metadata, str(tokens.get("id_token")), attempt.nonce)
        except (IdTokenError, JoseError) as error:
            raise refused(f"id token: {error}") from None
        email = verified_email(claims)
        if email is None and "email" not in claims and metadata.userinfo_endpoint:
            email = await self._asked_email(metadata.userinfo_endpoint, str(tokens.get("access_token")), claims["sub"])
        return Identity(issuer=self._issuer, subject=claims["sub"], email=email)

    async def _discovered(self) -> Metadata:
        if self._metadata is None or self._clock() - self._metadata[0] > FRESH_SECONDS:
            document = await self._get(self._issuer.rstrip("/") + WELL_KNOWN)
            try:
                self._metadata = self._clock(), metadata_of(self._issuer, document)
            except ValueError as error:
                log.warning("the issuer's metadata cannot be used: %s", error)
                raise ProblemError("sign_in_unavailable") from None
        return self._metadata[1]

    async def _redeem(self, metadata: Metadata, code: str, verifier: str) -> Mapping[str, Any]:
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": self._redirect_uri, "code_verifier": verifier}
        basic = None
        if self._secret is None or metadata.secret_in_body:
            form |= {"client_id": self._client_id} | ({"client_secret": self._secret} if self._secret else {})
        else:
            basic = httpx.BasicAuth(quote_plus(self._client_id), quote_plus(self._secret))  # RFC 6749, 2.3.1
        answer = await self._send(self._client.build_request("POST", metadata.token_endpoint, data=form), basic)
        if answer.status_code in {400, 403}:  # the code is old, used or forged
            raise refused(f"the token endpoint answered {answer.status_code}")
        return self._object(answer)

    async def _claims(self, metadata: Metadata, token: str, nonce: str) -> dict[str, Any]:
        expected = Expected(issuer=self._issuer, client_id=self._client_id, nonce=nonce)
        try:
            return claims_of(token, await self._key_set(metadata, FRESH_SECONDS), expected, self._wall_clock())
        except InvalidKeyIdError:  # rotated since
            return claims_of(token, await self._key_set(metadata, KEYS_PAUSE_SECONDS), expected, self._wall_clock())

    async def _key_set(self, metadata: Metadata, most_seconds: float) -> KeySet:
        if self._keys is None or self._clock() - self._keys[0] > most_seconds:
            document = await self._get(metadata.jwks_uri)
            try:
                self._keys = self._clock(), KeySet.import_key_set({"keys": list(document["keys"])})
            except (JoseError, ValueError, KeyError, TypeError) as error:
                log.warning("the issuer's keys cannot be read: %s", type(error).__name__)
                raise ProblemError("sign_in_unavailable") from None
        return self._keys[1]

    async def _asked_email(self, endpoint: str, access_token: str, subject: str) -> str | None:
        """For issuers that keep the address out of the token. The answer must be about the very same subject."""
        request = self._client.build_request("GET", endpoint, headers={"Authorization": f"Bearer {access_token}"})
        claims = self._object(await self._send(request))
        return verified_email(dict(claims)) if claims.get("sub") == subject else None

    async def _get(self, url: str) -> Mapping[str, Any]:
        return self._object(await self._send(self._client.build_request("GET", url)))

    async def _send(self, request: httpx.Request, auth: httpx.Auth | None = None) -> httpx.Response:
        request.headers["Accept"] = "application/json"
        try:
            return await self._client.send(request, auth=auth)
        except httpx.HTTPError as error:
            log.warning("the issuer does not answer at %s: %s", request.url.copy_with(query=None), type(error).__name__)
            raise ProblemError("sign_in_unavailable") from None

    def _object(self, answer: httpx.Response) -> Mapping[str, Any]:
        try:
            found = answer.raise_for_status().json()
        except (httpx.HTTPError, ValueError):
            found = None
        if not isinstance(found, dict):
            log.warning("the issuer answered %s with %d, and no object", answer.request.url.copy_with(query=None), answer.status_code)
            raise ProblemError("sign_in_unavailable")
        return found


def refused(reason: str) -> ProblemError:
    """The problem for a sign-in that does not hold. The reason is for operators: strangers are told nothing."""
    log.warning("a sign-in was refused: %s", reason)
    return ProblemError("sign_in_refused")
