"""The local issuer's signing key: made once, kept in the home, readable by its owner only. Like its port, it outlives runs."""

import json
import random

from joserfc.jwk import RSAKey

from worker.local.layout import Layout, write_private
from worker.local.ports import LOOPBACK, is_free
from worker.moderation.errors import MisconfiguredError

KEY_BITS = 2048
LOWEST, HIGHEST = 18_000, 19_999  # apart from the ports that other services are given at each start
ATTEMPTS = 100


def signing_key(layout: Layout) -> RSAKey:
    """The home's key, made at the first call."""
    path = layout.home / "issuer.key"
    if not path.exists():
        write_private(path, json.dumps(RSAKey.generate_key(KEY_BITS, {"use": "sig", "alg": "RS256"}, auto_kid=True).as_dict(private=True)))
    return RSAKey.import_key(json.loads(path.read_text(encoding="ascii")))


def issuer_address(layout: Layout) -> str:
    """The home's issuer, chosen at the first call. It stays the same: people are bound to it. Raises MisconfiguredError."""
    path = layout.home / "issuer.address"
    if not path.exists():
        port = next((port for port in random.sample(range(LOWEST, HIGHEST), ATTEMPTS) if is_free(LOOPBACK, port)), None)
        if port is None:
            raise MisconfiguredError("ports_exhausted", f"No free port between {LOWEST} and {HIGHEST} on {LOOPBACK}. Stop something.")
        write_private(path, f"http://{LOOPBACK}:{port}")
    address = path.read_text(encoding="ascii")
    port = int(address.rpartition(":")[2])
    if not is_free(LOOPBACK, port):
        raise MisconfiguredError(
            "port_taken",
            f"Port {port}, which this home's sign-in has, is taken. Stop what uses it; or remove {path}, and invite people again.",
        )
    return address
