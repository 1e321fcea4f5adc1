"""The three embedded services, or those of them that the settings do not name: started together, stopped together."""

import fcntl
import os
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import IO, Self

from pydantic import SecretStr

from worker.intake.storage import Storage
from worker.local import object_store, postgres, valkey
from worker.local.addresses import Addresses, apply
from worker.local.child import stop_orphan
from worker.local.credentials import credentials_of, secrets_key_of
from worker.local.layout import layout_of, make_directories, writing
from worker.local.ports import free_ports
from worker.local.supervisor import Supervisor, await_ready
from worker.moderation.errors import MisconfiguredError
from worker.moderation.settings import Settings
from worker.store import migrate

# In the order of stopping.
ORPHANS = ("worker", "attention", "webhooks", "intake", "dispatcher", "api", "issuer", "s3", "valkey", "postgres")
ORPHAN_SECONDS = 8.0  # they get their stop signal when their supervisor dies, so this is rarely waited for

Wait = Callable[[], None]


class Services:
    """Postgres, Valkey and SeaweedFS under `settings.home`, as a context manager. One at a time per home."""

    def __init__(self, settings: Settings) -> None:
        self.layout = layout_of(settings.home)
        self.named = settings
        self.supervisor = Supervisor(self.layout)
        self._addresses: Addresses | None = None
        self._lock: IO[str] | None = None

    def __enter__(self) -> Self:
        """Returns when all answer. Raises MisconfiguredError, with nothing left running."""
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Stops them."""
        self.stop()

    @property
    def addresses(self) -> Addresses:
        """Where they are."""
        if self._addresses is None:
            raise RuntimeError("the services are not running")
        return self._addresses

    @property
    def settings(self) -> Settings:
        """The given settings, with the embedded services filled in."""
        return apply(self.named, self.addresses).model_copy(update={"home": self.layout.home})

    def start(self) -> None:
        """Starts all, then waits for all. Raises MisconfiguredError, with nothing left running."""
        make_directories(self.layout)
        self._take_lock()
        try:
            with writing(self.layout):
                for name in ORPHANS:
                    stop_orphan(self.layout, name, ORPHAN_SECONDS)
                self._addresses = self._start()
            self.supervisor.watch()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stops them, the last started first, and lets go of the home."""
        self.supervisor.stop()
        self._addresses = None
        if self._lock:
            self._lock.close()
            self._lock = None

    def prepare(self) -> None:
        """Migrates the embedded database and creates the buckets; what the settings name is its owner's to prepare."""
        if self.named.database_url is None:
            migrate.upgrade(self.addresses.owner_url)
            postgres.admit_login(self.layout)
        if self.named.s3_endpoint is None:
            storage = Storage(self.settings)
            for bucket in sorted({*self.named.source_buckets, self.named.evidence_bucket}):
                storage.ensure_bucket(bucket)

    def _take_lock(self) -> None:
        with writing(self.layout):
            lock = (self.layout.run / "lock").open("a+")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            holder = lock.read().strip()
            lock.close()
            raise MisconfiguredError(
                "stack_running",
                f"A stack already runs on {self.layout.home} (pid {holder}). Stop it, or set ZOOMIN_HOME to another directory.",
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        self._lock = lock

    def _start(self) -> Addresses:
        named = self.named
        wait_for_postgres = self._start_postgres()  # first, since it is the last to stop
        broker_url, wait_for_valkey = self._start_valkey()
        s3_endpoint, s3_access_key, s3_secret_key, wait_for_s3 = self._start_object_store()
        for wait in (wait_for_postgres, wait_for_valkey, wait_for_s3):
            wait()
        return Addresses(
            database_url=_text(named.database_url) or postgres.url(self.layout, postgres.LOGIN),
            owner_url=_text(named.owner_url or named.database_url) or postgres.url(self.layout, postgres.OWNER),
            broker_url=broker_url,
            s3_endpoint=s3_endpoint,
            s3_access_key=s3_access_key,
            s3_secret_key=s3_secret_key,
            secrets_key=secrets_key_of(self.layout) if named.database_url is None else None,
        )

    def _start_object_store(self) -> tuple[str, str | None, str | None, Wait]:
        named = self.named
        if named.s3_endpoint:
            return named.s3_endpoint, _text(named.s3_access_key), _text(named.s3_secret_key), _nothing
        ports, credentials = object_store.choose_ports(), credentials_of(self.layout)
        child = self.supervisor.start(object_store.object_store_command(self.layout, ports, credentials))
        wait = partial(await_ready, child, partial(object_store.answers, ports), object_store.START_SECONDS)
        return object_store.endpoint(ports), credentials.s3_access_key, credentials.s3_secret_key, wait

    def _start_valkey(self) -> tuple[str, Wait]:
        if self.named.broker_url:
            return self.named.broker_url.get_secret_value(), _nothing
        (port,), credentials = free_ports(1), credentials_of(self.layout)
        child = self.supervisor.start(valkey.valkey_command(self.layout, port, credentials))
        wait = partial(await_ready, child, partial(valkey.answers, port, credentials), valkey.START_SECONDS)
        return valkey.broker_url(port, credentials), wait

    def _start_postgres(self) -> Wait:
        if self.named.database_url:
            return _nothing
        child = self.supervisor.start(postgres.postgres_command(self.layout))

        def wait() -> None:
            await_ready(child, partial(postgres.answers, self.layout), postgres.START_SECONDS)
            postgres.create_database(self.layout)

        return wait


def _nothing() -> None:
    """Waits for a service that the settings name: its readiness is not ours."""


def _text(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value() if secret else None
