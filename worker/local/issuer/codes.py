"""Authorization codes: each is redeemed once, by whoever has the verifier of its challenge, within a minute."""

import base64
import hashlib
import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

SECONDS = 60.0
MOST = 1_000  # waiting at once; the oldest are forgotten


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """Who was chosen, and for which request."""

    email: str
    name: str
    nonce: str
    challenge: str


class Codes:
    """In memory: a restart forgets those who are half-way through."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._waiting: dict[str, tuple[float, Grant]] = {}

    def issue(self, grant: Grant) -> str:
        """A fresh code."""
        while len(self._waiting) >= MOST:
            self._waiting.pop(next(iter(self._waiting)))
        code = secrets.token_urlsafe(32)
        self._waiting[code] = self._clock() + SECONDS, grant
        return code

    def redeem(self, code: str, verifier: str) -> Grant | None:
        """Its grant; None for a code that is unknown, used or old, and for another verifier, which uses it up."""
        ends, grant = self._waiting.pop(code, (0.0, None))
        if grant is None or self._clock() > ends:
            return None
        digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
        return grant if hmac.compare_digest(digest, grant.challenge) else None
