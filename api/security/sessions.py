"""Sessions of people in a browser: the cookie, and what protects against other sites that make the browser send it.

A page of the same origin needs no more than this: links and GETs carry the cookie by themselves. Whatever changes something is sent by
`fetch` with `X-CSRF-Token`, whose value is `principal.session.csrf_token` where a page is rendered, and `csrf_token` of `GET /v1/me`
elsewhere. Who is not signed in is sent to `/v1/sign-in?next=` and the path they came for. In routes a person is a `Principal` like a key.
"""

import base64
import hmac
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.responses import Response

from api.problems import ProblemError
from worker.moderation.settings import Settings
from worker.store.people_sessions import LONGEST

SESSION, SIGN_IN = "zoomin_session", "zoomin_sign_in"
CSRF_HEADER = "X-CSRF-Token"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
CSRF_PURPOSE = b"zoomin csrf, version 1"


@dataclass(frozen=True, slots=True)
class Browsers:
    """How browsers know us: by the origin of ZOOMIN_PUBLIC_URL; without one nobody signs in, and no cookie counts."""

    origin: str | None

    @classmethod
    def of(cls, settings: Settings) -> "Browsers":
        """As the settings say."""
        return cls(settings.public_url)

    @property
    def secure(self) -> bool:
        """False on a loopback address without TLS, where browsers take no `__Host-` cookie."""
        return self.origin is None or urlsplit(self.origin).scheme == "https"

    def cookie(self, headers: Headers, name: str) -> str | None:
        """The value of a cookie of ours."""
        return cookie_parser(headers.get("cookie", "")).get(self._named(name)) if self.origin else None

    def set_cookie(self, response: Response, name: str, value: str, seconds: int) -> None:
        """Gives the browser a cookie that scripts cannot read and other sites cannot send along with what changes something."""
        response.set_cookie(self._named(name), value, max_age=seconds, path="/", secure=self.secure, httponly=True, samesite="lax")

    def set_session(self, response: Response, token: str) -> None:
        """Signs the browser in."""
        self.set_cookie(response, SESSION, token, int(LONGEST.total_seconds()))

    def forget(self, response: Response, name: str) -> None:
        """Takes a cookie back."""
        self.set_cookie(response, name, "", 0)

    def check_origin(self, method: str, headers: Headers, token: str) -> None:
        """Returns when the request is a page's of our own, or changes nothing. Raises ProblemError `csrf_refused`."""
        if method in SAFE_METHODS:
            return
        ours = headers.get("origin", self.origin) == self.origin and headers.get("sec-fetch-site", "same-origin") == "same-origin"
        given = headers.get(CSRF_HEADER, "")
        if not (ours and hmac.compare_digest(given.encode(), csrf_token(token).encode())):
            raise ProblemError("csrf_refused")

    def _named(self, name: str) -> str:
        return f"__Host-{name}" if self.secure else name


def csrf_token(session_token: str) -> str:
    """What a page of ours sends to show that it is one: it follows from the session's token, which no script sees."""
    return base64.urlsafe_b64encode(hmac.digest(session_token.encode(), CSRF_PURPOSE, "sha256")).decode().rstrip("=")
