"""Signatures of Standard Webhooks 1.0 (standardwebhooks.com): HMAC-SHA256 over `id.timestamp.body`, one per live secret."""

import base64
import binascii
import hmac
import re
import secrets
from collections.abc import Mapping, Sequence

from worker.moderation.errors import RejectedError

PREFIX = "whsec_"
SECRET_BYTES = 32  # what we make; the standard asks for 24 to 64
SHORTEST_SECRET, LONGEST_SECRET = 24, 64
TOLERANCE_SECONDS = 300  # an older or newer timestamp may be a replay
ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"


def new_secret() -> str:
    """A random secret, as it is shown to the endpoint's owner."""
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def key_of(secret: str) -> bytes:
    """The key in `whsec_<base64>`. Raises RejectedError `webhook_secret_malformed`."""
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith(PREFIX) or not SHORTEST_SECRET <= len(key) <= LONGEST_SECRET:
        raise RejectedError(
            "webhook_secret_malformed", f"A secret is {PREFIX} and the base64 of {SHORTEST_SECRET} to {LONGEST_SECRET} random bytes."
        )
    return key


def sign(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """One signature, `v1,<base64>`. An id with a full stop would make the signed text ambiguous: ours have none."""
    signed = hmac.digest(key_of(secret), f"{message_id}.{timestamp}.".encode() + body, "sha256")
    return "v1," + base64.b64encode(signed).decode()


def signed_headers(live_secrets: Sequence[str], message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The three headers; during a rotation with a signature by each secret, so that either verifies."""
    signatures = " ".join(sign(secret, message_id, timestamp, body) for secret in live_secrets)
    return {ID: message_id, TIMESTAMP: str(timestamp), SIGNATURE: signatures}


def verify(secret: str, headers: Mapping[str, str], body: bytes, *, now: float, tolerance_seconds: float = TOLERANCE_SECONDS) -> str:
    """The message's id, when one of its signatures is by `secret`. Header names are lower case. Raises RejectedError."""
    message_id, timestamp, signatures = (headers.get(name, "") for name in (ID, TIMESTAMP, SIGNATURE))
    if not (message_id and signatures and re.fullmatch(r"[0-9]{1,12}", timestamp)):
        raise RejectedError("webhook_unsigned", f"The headers {ID}, {TIMESTAMP} and {SIGNATURE} are needed.")
    if abs(now - int(timestamp)) > tolerance_seconds:
        raise RejectedError("webhook_stale", "The timestamp is too far from now: this may be a replay.")
    expected = sign(secret, message_id, int(timestamp), body).encode()
    if not any(hmac.compare_digest(expected, given.encode("utf-8", "replace")) for given in signatures.split(" ")):
        raise RejectedError("webhook_forged", "No signature is by this secret.")
    return message_id
