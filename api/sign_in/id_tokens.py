"""ID tokens, judged as OpenID Connect Core 3.1.3.7 says. What does not hold in every point is refused, and nobody is told in which."""

import hmac
from dataclasses import dataclass
from typing import Any

from joserfc import jwt
from joserfc.errors import InvalidClaimError, InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry

# Signatures only: `none` is nobody's, and an HMAC would make of a public key a secret.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
REGISTRY = JWSRegistry(algorithms=ALGORITHMS, strict_check_header=False)  # providers add headers of their own; none of them is used
LEEWAY_SECONDS = 60  # between the provider's clock and ours
LONGEST_SUBJECT = 255  # characters, as the specification says


class IdTokenError(Exception):
    """The token does not hold. The text is for operators' logs: it quotes no claim."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What a token must have been made for."""

    issuer: str
    client_id: str
    nonce: str


def claims_of(token: str, keys: KeySet, expected: Expected, now: float) -> dict[str, Any]:
    """The claims of a good token. Raises IdTokenError; joserfc's InvalidKeyIdError passes when its key is not among ours."""
    try:
        claims = jwt.decode(token, keys, registry=REGISTRY).claims
        jwt.JWTClaimsRegistry(
            now=int(now),
            leeway=LEEWAY_SECONDS,
            iss={"essential": True, "value": expected.issuer},
            aud={"essential": True, "value": expected.client_id},
            sub={"essential": True},
            exp={"essential": True},
            iat={"essential": True},
        ).validate(claims)
        _check_party(claims, expected.client_id)
        _check_texts(claims, expected.nonce)
    except InvalidKeyIdError:
        raise
    except JoseError as error:  # its text names claims, and quotes none
        raise IdTokenError(str(error)) from None
    except ValueError as error:
        raise IdTokenError(type(error).__name__) from None
    return claims


def verified_email(claims: dict[str, Any]) -> str | None:
    """The address that the provider has verified, if it says so in so many words."""
    email = claims.get("email")
    return email if isinstance(email, str) and claims.get("email_verified") is True else None


def _check_party(claims: dict[str, Any], client_id: str) -> None:
    """A token for several audiences, or with an authorized party, must name us as that party."""
    several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
    if (several or "azp" in claims) and claims.get("azp") != client_id:
        raise InvalidClaimError("azp")


def _check_texts(claims: dict[str, Any], nonce: str) -> None:
    if not hmac.compare_digest(str(claims.get("nonce")).encode(), nonce.encode()):
        raise InvalidClaimError("nonce")
    if not 0 < len(claims["sub"]) <= LONGEST_SUBJECT:
        raise InvalidClaimError("sub")
