"""`zoomin up`: everything on this machine, in the foreground."""
# ruff: noqa: PLC0415  imports wait for their command, so that `--help` answers at once

import logging
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli.endings import interrupt_on_termination
from worker.cli.steps import step
from worker.cli.terminal import say
from worker.moderation.errors import TransientError
from worker.moderation.settings import load_settings

if TYPE_CHECKING:
    from worker.local.stack import Stack

READY_SECONDS = 600.0  # until the model is loaded; a large one takes minutes


def up(
    no_worker: Annotated[bool, typer.Option("--no-worker", help="Without a scan worker: start your own, or let batches wait.")] = False,
) -> None:
    """Run Postgres, Valkey, S3, dispatcher, webhook sender, API and a worker here, until Ctrl-C. Data stays under ZOOMIN_HOME."""
    interrupt_on_termination()
    settings = load_settings()
    from worker.local.stack import Stack

    stack = Stack(settings, worker=not no_worker)
    with suppress(KeyboardInterrupt), started(stack, "the worker loads its model meanwhile" if not no_worker else "no worker"):
        _tell(stack)
        _await_model(stack)
        while True:
            signal.pause()  # the stack watches its processes by itself; Ctrl-C and SIGTERM leave by KeyboardInterrupt
    say("Stopped. The data stays; `zoomin up` goes on with it.")


@contextmanager
def started(stack: "Stack", note: str) -> Iterator[None]:
    """The stack runs for the length of the block; both ends are told."""
    logging.basicConfig(format="%(message)s", level=logging.WARNING)  # the stack tells when a process had to be started again
    with step(f"Starting Postgres, Valkey, S3, API, dispatcher and webhooks ({note})"):
        stack.start()
    try:
        yield
    finally:
        with step("Stopping what was started"):
            stack.stop()


def _tell(stack: "Stack") -> None:
    say(f"  data, logs  {stack.settings.home}")
    say(f"  API         {stack.addresses.api_url}/readyz")
    if stack.addresses.review_url:
        say(f"  review      {stack.addresses.review_url} (sign in as admin@localhost: one click, no password on this machine)")
    say(f"  S3          {stack.addresses.s3_endpoint}")
    if stack.addresses.metrics_url:
        say(f"  metrics     {stack.addresses.metrics_url}, once the model is loaded")
    say("In another terminal, in this directory:\n  zoomin scan FOLDER --wait\n  zoomin batches")


def _await_model(stack: "Stack") -> None:
    try:
        with step("Waiting until everything is ready"):
            stack.wait_ready(READY_SECONDS)
    except TransientError as error:  # a large model may take longer; batches wait for it
        say(error.message)
    else:
        say("Ready. Ctrl-C stops everything.")
