"""Passwords of the embedded services: random, one set per home, readable by its owner only."""

import json
import secrets
from dataclasses import asdict, dataclass

from worker.local.layout import Layout, write_private


@dataclass(frozen=True, slots=True)
class Credentials:
    """Never logged, never in a command line."""

    broker_password: str
    s3_access_key: str
    s3_secret_key: str


def secrets_key_of(layout: Layout) -> str:
    """The key that seals secrets in the home's database, made at the first call; it belongs to the data, not to a run."""
    path = layout.home / "secrets.key"
    if not path.exists():
        write_private(path, secrets.token_hex(32))
    return path.read_text(encoding="ascii")


def credentials_of(layout: Layout) -> Credentials:
    """The home's credentials, made at the first call."""
    path = layout.run / "credentials.json"
    if path.exists():
        return Credentials(**json.loads(path.read_text(encoding="utf-8")))
    fresh = Credentials(secrets.token_hex(32), secrets.token_hex(10).upper(), secrets.token_hex(32))
    write_private(path, json.dumps(asdict(fresh)))
    return fresh
