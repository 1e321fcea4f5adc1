"""Sign-ins under way. What one must remember travels sealed in a cookie of its browser: strangers leave no rows behind."""

import base64
import hashlib
import hmac
import secrets
from dataclasses import asdict, dataclass
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwe import JWERegistry
from joserfc.jwk import KeySet, OctKey

PURPOSE = b"zoomin sign-ins, version 1"  # other uses of the setting derive other keys
SECONDS = 600  # to sign in at the provider; by this machine's clock, as the sealed text is its own
SECRET_BYTES = 32
REGISTRY = JWERegistry(algorithms=["dir", "A256GCM"])


@dataclass(frozen=True, slots=True)
class Attempt:
    """`state` binds callback and browser, `nonce` the id token, `verifier` the code; `next` is where to go afterwards."""

    state: str
    nonce: str
    verifier: str
    next: str
    tenant: str

    @classmethod
    def begin(cls, next_path: str, tenant: str) -> "Attempt":
        """With fresh secrets."""
        state, nonce, verifier = (secrets.token_urlsafe(SECRET_BYTES) for _ in range(3))
        return cls(state, nonce, verifier, next_path, tenant)

    @property
    def challenge(self) -> str:
        """PKCE's S256 of the verifier."""
        return base64.urlsafe_b64encode(hashlib.sha256(self.verifier.encode()).digest()).decode().rstrip("=")

    def answers(self, state: str) -> bool:
        """Whether a callback's state is this one's."""
        return hmac.compare_digest(self.state.encode(), state.encode())


class Attempts:
    """Seals with the first of its keys and opens with any, as `worker.store.sealing` does."""

    def __init__(self, keys: list[str]) -> None:
        self._keys = KeySet([_key(key) for key in keys])

    def seal(self, attempt: Attempt, now: float) -> str:
        """The attempt as a cookie's value."""
        header: dict[str, Any] = {"alg": "dir", "enc": "A256GCM", "kid": self._keys.keys[0].kid}
        return jwt.encode(header, {**asdict(attempt), "exp": int(now) + SECONDS}, self._keys, registry=REGISTRY)

    def open(self, sealed: str, now: float) -> Attempt | None:
        """The attempt again; None for what is expired or not ours."""
        try:
            claims = jwt.decode(sealed, self._keys, registry=REGISTRY).claims
            jwt.JWTClaimsRegistry(now=int(now), exp={"essential": True}).validate(claims)
        except (JoseError, ValueError):
            return None
        del claims["exp"]
        return Attempt(**claims)


def _key(text: str) -> OctKey:
    derived = hmac.digest(text.encode(), PURPOSE, "sha256")
    return OctKey.import_key(derived, {"kid": hashlib.sha256(derived).hexdigest()[:8]})
