"""Finding the services: those the settings name, else those of the stack that runs on this machine."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from worker.moderation.errors import MisconfiguredError
from worker.moderation.settings import Mode, Settings, load_settings

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from worker.intake.storage import Storage

LOCATED = ("database_url", "broker_url", "s3_endpoint")


@dataclass(frozen=True)
class Services:
    """Connections, each opened when first used."""

    settings: Settings

    @cached_property
    def engine(self) -> "Engine":
        """The queue of record. Raises MisconfiguredError."""
        from worker.store.session import connect  # noqa: PLC0415  `--help` does without

        return connect(self.settings, application="zoomin-cli")

    @cached_property
    def storage(self) -> "Storage":
        """The object store. Raises MisconfiguredError."""
        from worker.intake.storage import Storage  # noqa: PLC0415

        return Storage(self.settings.require("s3_endpoint"))


def locate_services() -> Services:
    """The services to use. Raises MisconfiguredError when none are named and no stack runs."""
    return Services(located(load_settings()))


def located(settings: Settings) -> Settings:
    """`settings` with the running stack's services where none are named. Raises MisconfiguredError."""
    if settings.mode is Mode.PRODUCTION or all(getattr(settings, name) for name in LOCATED):
        return settings.require()
    from worker.local.addresses import apply, running_addresses  # noqa: PLC0415

    addresses = running_addresses(settings.home)
    if addresses is not None:
        return apply(settings, addresses)
    if settings.database_url is None:
        raise MisconfiguredError(
            "stack_not_running",
            f"No stack is running under {settings.home.absolute()}: start one with `zoomin up`, or name the services with "
            "ZOOMIN_DATABASE_URL, ZOOMIN_BROKER_URL and ZOOMIN_S3_ENDPOINT.",
        )
    return settings
