"""Secrets at rest: AES-256-GCM under a key from the settings, bound to the row they belong to."""

import base64
import hashlib
import hmac
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from worker.moderation.errors import MisconfiguredError
from worker.moderation.settings import Settings

PURPOSE = b"zoomin webhook secrets, version 1"  # other uses of the setting derive other keys
NONCE_BYTES = 12


class Sealer:
    """Seals with the first of its keys and opens with any: a key is changed by putting a new one before it."""

    def __init__(self, keys: list[str]) -> None:
        self._ciphers = [(_name(key), AESGCM(hmac.digest(key.encode(), PURPOSE, "sha256"))) for key in keys]

    def seal(self, secret: str, owner: str) -> str:
        """The secret as it is stored. Only a row of the same `owner` can open it."""
        name, cipher = self._ciphers[0]
        nonce = os.urandom(NONCE_BYTES)
        return f"{name}:{base64.b64encode(nonce + cipher.encrypt(nonce, secret.encode(), owner.encode())).decode()}"

    def open(self, sealed: str, owner: str) -> str:
        """The secret again. Raises MisconfiguredError when its key is not among ours."""
        name, _, text = sealed.partition(":")
        for known, cipher in self._ciphers:
            if known == name:
                data = base64.b64decode(text)
                try:
                    return cipher.decrypt(data[:NONCE_BYTES], data[NONCE_BYTES:], owner.encode()).decode()
                except InvalidTag:
                    break
        raise MisconfiguredError(
            "secrets_key_wrong",
            "A webhook's secret was sealed with a key that ZOOMIN_SECRETS_KEY does not have. Add the old key after the new one, "
            "separated by a comma, or rotate the endpoint's secret.",
        )


def sealer(settings: Settings) -> Sealer:
    """The sealer of these settings. Raises MisconfiguredError when they have no key."""
    key = settings.require("secrets_key").secrets_key
    if key is None:
        raise MisconfiguredError("setting_missing", "Set ZOOMIN_SECRETS_KEY.")
    return Sealer(key.get_secret_value().split(","))


def _name(key: str) -> str:
    return hashlib.sha256(PURPOSE + b" name " + key.encode()).hexdigest()[:8]
