"""Where a running stack's services are: written for other commands on the same machine to find."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path

from pydantic import SecretStr

from worker.local.child import Identity, identify
from worker.local.layout import Layout, layout_of, write_private
from worker.moderation.settings import PREFIX, Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Of every service, embedded or named in the settings. Holds credentials: never log it."""

    database_url: str  # the least-privileged login
    owner_url: str  # for migrations
    broker_url: str
    s3_endpoint: str
    s3_access_key: str | None  # None: boto3's own chain, for an S3 that is not embedded
    s3_secret_key: str | None
    secrets_key: str | None = None  # of the embedded database; None for one that the settings name
    api_url: str | None = None  # None with the services alone
    review_url: str | None = None  # None where nobody can sign in
    metrics_url: str | None = None  # None without a worker

    def __repr__(self) -> str:
        """Without credentials."""
        return f"Addresses(s3_endpoint={self.s3_endpoint!r}, api_url={self.api_url!r}, metrics_url={self.metrics_url!r}, …)"


def publish(layout: Layout, addresses: Addresses) -> None:
    """Tells other commands that this process runs a stack, and where."""
    supervisor = identify(os.getpid())
    write_private(_path(layout), json.dumps({"supervisor": asdict(supervisor), "addresses": asdict(addresses)}))


def withdraw(layout: Layout) -> None:
    """The stack is no longer to be used."""
    _path(layout).unlink(missing_ok=True)


def running_addresses(home: Path) -> Addresses | None:
    """Addresses of the stack that runs on `home`; None when none does, even if a killed one left its file."""
    path = _path(layout_of(home))
    if not path.exists():
        return None
    stored = json.loads(path.read_text(encoding="utf-8"))
    if Identity(**stored["supervisor"]).find() is None:
        return None
    return Addresses(**stored["addresses"])


def apply(settings: Settings, addresses: Addresses) -> Settings:
    """The settings, with unset services taken from the stack. What is set stays."""
    update: dict[str, object] = {}
    if settings.database_url is None:
        update |= {"database_url": SecretStr(addresses.database_url), "owner_url": SecretStr(addresses.owner_url)}
        if settings.secrets_key is None and addresses.secrets_key is not None:
            update["secrets_key"] = SecretStr(addresses.secrets_key)
    if settings.broker_url is None:
        update["broker_url"] = SecretStr(addresses.broker_url)
    if settings.s3_endpoint is None:
        update["s3_endpoint"] = addresses.s3_endpoint
        if addresses.s3_access_key and addresses.s3_secret_key:
            update |= {"s3_access_key": SecretStr(addresses.s3_access_key), "s3_secret_key": SecretStr(addresses.s3_secret_key)}
    return settings.model_copy(update=update)


def environment(settings: Settings) -> dict[str, str]:
    """The variables that give a child process these settings."""
    return {PREFIX + name.upper(): text for name in type(settings).model_fields if (text := _text(getattr(settings, name))) is not None}


def inherited(environ: Mapping[str, str]) -> dict[str, str]:
    """What a child keeps of our environment: all but settings, which it gets from `environment`."""
    return {name: value for name, value in environ.items() if not name.startswith(PREFIX)}


def _text(value: object) -> str | None:
    if value is None or value == ():
        return None
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, tuple):
        return ",".join(value)
    if isinstance(value, Enum):
        return str(value.value)
    return os.path.abspath(value) if isinstance(value, Path) else str(value)  # noqa: PTH100


def _path(layout: Layout) -> Path:
    return layout.run / "stack.json"
