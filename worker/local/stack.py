"""The whole system on one machine: the embedded services, then issuer, API, dispatcher, intake, senders and workers, all supervised."""

import logging
import os
import sys
import time
from dataclasses import replace
from enum import StrEnum
from types import TracebackType
from typing import Self

import httpx

from worker.local import first_policy
from worker.local.addresses import Addresses, environment, inherited, publish, withdraw
from worker.local.child import Command
from worker.local.issuer import first_person
from worker.local.issuer.keys import issuer_address
from worker.local.layout import Layout
from worker.local.ports import LOOPBACK, claim_port
from worker.local.services import Services
from worker.moderation.errors import MisconfiguredError, TransientError
from worker.moderation.explanation_jobs import JobQueue
from worker.moderation.settings import Mode, Settings
from worker.queue.configuration import SCAN_WORKER_QUEUES

__all__ = ["Role", "Services", "Stack"]

log = logging.getLogger(__name__)

ISSUER_STOP_SECONDS = 2.0
API_STOP_SECONDS = 5.0
DISPATCHER_STOP_SECONDS = 10.0
INTAKE_STOP_SECONDS = 5.0  # a killed one loses nothing: the next goes on at the last slice
WEBHOOKS_STOP_SECONDS = 20.0  # it finishes the attempts in flight, of 15 s at most
STATEMENTS_STOP_SECONDS = 40.0  # it finishes the call in flight, of 30 s at most
ATTENTION_STOP_SECONDS = 15.0  # it finishes the map in flight; a killed one loses nothing, the job is done again
WORKER_STOP_SECONDS = 60.0  # it finishes the images in flight, then frees the engine
POLL_SECONDS = 0.1
HOPELESS_ENDS = 3  # a process that ended that often is not becoming ready


class Role(StrEnum):
    """A process of ours, in the order of starting; stopping goes the other way. The value is its name in logs."""

    ISSUER = "issuer"
    API = "api"
    DISPATCHER = "dispatcher"
    INTAKE = "intake"
    WEBHOOKS = "webhooks"
    STATEMENTS = "statements"
    ATTENTION = "attention"
    WORKER = "worker"


# Who is told what others need not know, least of all those who read strangers' images.
TOLD = {
    "secrets_key": frozenset({Role.API, Role.WEBHOOKS}),
    "oidc_client_secret": frozenset({Role.API}),
    "dsa_token": frozenset({Role.STATEMENTS}),
    "api_key": frozenset[Role](),  # for commands alone
}
LOCAL_CLIENT = "zoomin"  # our client id at the local issuer


class Stack:
    """Everything, as a context manager. Entering takes seconds: the worker may still be loading its model, see `wait_ready`."""

    def __init__(self, settings: Settings, *, worker: bool = True) -> None:
        self._services = Services(settings)
        self._embedded = embedded = settings.database_url is None
        sealable = settings.secrets_key is not None or embedded  # the embedded database has a key of its own
        sending = settings.dsa_url is not None and settings.dsa_token is not None
        # An issuer that asks for no password is for the people of this machine's own database.
        issuing = embedded and settings.oidc_issuer is None and settings.mode is Mode.LOCAL
        wanted = {Role.WORKER: worker, Role.ATTENTION: worker, Role.WEBHOOKS: sealable, Role.STATEMENTS: sending, Role.ISSUER: issuing}
        self._roles = tuple(role for role in Role if wanted.get(role, True))
        self._addresses: Addresses | None = None

    def __enter__(self) -> Self:
        """Returns when the services answer, the database is migrated and the processes are started. Raises MisconfiguredError."""
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Stops everything."""
        self.stop()

    @property
    def layout(self) -> Layout:
        """Where data and logs are."""
        return self._services.layout

    @property
    def addresses(self) -> Addresses:
        """Where everything is."""
        if self._addresses is None:
            raise RuntimeError("the stack is not running")
        return self._addresses

    @property
    def settings(self) -> Settings:
        """The given settings, with the services filled in."""
        return self._services.settings

    def start(self) -> None:
        """Starts services, then processes. Raises MisconfiguredError, with nothing left running."""
        named = self._services.named
        self._services.start()
        try:
            ports = {  # with the home's lock held, so that an orphan of ours has given its port back
                "api_port": claim_port(named.api_host, named.api_port, "ZOOMIN_API_PORT"),
                "metrics_port": claim_port(named.api_host, named.metrics_port, "ZOOMIN_METRICS_PORT"),
            }
            self._services.prepare()
            if self._embedded:
                first_policy.provide(self.settings)
            settings = self._signing_in(self.settings.model_copy(update=ports))
            for role in self._roles:
                self._services.supervisor.start(_command(role, settings))
            self._addresses = self._locate(settings)
            publish(self.layout, self._addresses)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stops our processes, then S3, Valkey, Postgres, the last started first, and kills what does not stop in time."""
        if self._addresses:  # else the file may be that of the stack which refused us
            withdraw(self.layout)
        self._addresses = None
        self._services.stop()

    def wait_ready(self, timeout: float) -> None:
        """Returns when every part is ready. Raises TransientError after `timeout` seconds, MisconfiguredError when one keeps ending."""
        deadline = time.monotonic() + timeout
        while failing := self._failing():
            for role in self._roles:
                self._refuse_hopeless(role)
            if time.monotonic() > deadline:
                raise TransientError(
                    "stack_not_ready",
                    f"Not ready after {timeout:.0f} s: {', '.join(failing)}. Its logs are in {self.layout.logs}.",
                )
            time.sleep(POLL_SECONDS)

    def _failing(self) -> list[str]:
        """Names of the checks that fail, of those that matter with the roles started."""
        try:
            checks = httpx.get(f"{self.addresses.api_url}/readyz", timeout=10.0, trust_env=False).json()["checks"]
        except (httpx.HTTPError, ValueError, KeyError):
            return ["api"]
        absent = {role.value for role in Role} - {role.value for role in self._roles}
        return [name for name, check in checks.items() if not check["ok"] and name not in absent]

    def _refuse_hopeless(self, role: Role) -> None:
        supervisor = self._services.supervisor
        if supervisor.ends(role.value) >= HOPELESS_ENDS:
            child = supervisor.child(role.value)
            raise MisconfiguredError("process_keeps_ending", f"The {role} keeps ending. The end of {child.log}:\n{child.last_words()}")

    def _signing_in(self, settings: Settings) -> Settings:
        """The settings with our own address, and with the local issuer and somebody to sign in as, where no issuer is named."""
        settings = settings.model_copy(update={"public_url": settings.public_url or _api_url(settings)})
        if Role.ISSUER not in self._roles:
            return settings
        first_person.invite(settings)
        return settings.model_copy(update={"oidc_issuer": issuer_address(self.layout), "oidc_client_id": LOCAL_CLIENT})

    def _locate(self, settings: Settings) -> Addresses:
        return replace(
            self._services.addresses,
            api_url=_api_url(settings),
            review_url=f"{settings.public_url}/review" if settings.oidc_issuer else None,
            metrics_url=f"http://{_host(settings)}:{settings.metrics_port}/metrics" if Role.WORKER in self._roles else None,
        )


def _host(settings: Settings) -> str:
    return LOOPBACK if settings.api_host in {"0.0.0.0", "::"} else settings.api_host  # noqa: S104  compared, not bound


def _api_url(settings: Settings) -> str:
    return f"http://{_host(settings)}:{settings.api_port}"


def _command(role: Role, settings: Settings) -> Command:
    """How a process of ours is started: as an operator would, with the settings in its environment."""
    seconds, arguments = {
        Role.ISSUER: (ISSUER_STOP_SECONDS, ("worker.local.issuer",)),
        Role.API: (API_STOP_SECONDS, _api_arguments(settings)),
        Role.DISPATCHER: (DISPATCHER_STOP_SECONDS, ("worker.cli", "dispatch")),
        Role.INTAKE: (INTAKE_STOP_SECONDS, ("worker.cli", "intake")),
        Role.WEBHOOKS: (WEBHOOKS_STOP_SECONDS, ("worker.cli", "webhooks", "run")),
        Role.STATEMENTS: (STATEMENTS_STOP_SECONDS, ("worker.cli", "statements", "run")),
        Role.ATTENTION: (ATTENTION_STOP_SECONDS, _celery_arguments(settings, "attention", JobQueue.ATTENTION, "-c", "1")),
        Role.WORKER: (WORKER_STOP_SECONDS, _celery_arguments(settings, "worker", ",".join(SCAN_WORKER_QUEUES))),
    }[role]
    settings = settings.model_copy(update={secret: None for secret, roles in TOLD.items() if role not in roles})
    beside_engine = {"CUDA_VISIBLE_DEVICES": ""} if role is Role.ATTENTION else {}  # one machine: the engine has its GPU
    variables = {**inherited(os.environ), **environment(settings), **beside_engine, "PYTHONUNBUFFERED": "1"}  # noqa: TID251  passed on, not read
    return Command(name=role.value, argv=(sys.executable, "-m", *arguments), environment=variables, stop_seconds=seconds)


def _api_arguments(settings: Settings) -> tuple[str, ...]:
    where = ("--host", settings.api_host, "--port", str(settings.api_port))
    quiet = ("--no-access-log", "--no-server-header", "--log-level", settings.log_level.lower())
    return ("uvicorn", "--factory", "api.app:create_app", *where, *quiet)


def _celery_arguments(settings: Settings, role: str, queues: str, *more: str) -> tuple[str, ...]:
    name = f"{role}-{os.getpid()}@%h"  # two stacks of one machine may share a broker
    pool = ("-P", "threads", "--prefetch-multiplier", "1", "--without-mingle", "--without-gossip", *more)
    return ("celery", "-A", "worker", "worker", *pool, "-Q", queues, "-n", name, "-l", settings.log_level)
