"""`zoomin up`: everything on this machine, in the foreground."""
# ruff: noqa: PLC0415  imports wait for their command, so that `--help` answers at once

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
    """Run Postgres, Valkey, S3, the dispatcher, the API and a worker here, until Ctrl-C. Data stays under ZOOMIN_HOME."""
    interrupt_on_termination()
    settings = load_settings()
    from worker.local.stack import ALL_ROLES, Role, Stack
    from worker.queue.logs import configure_logs

    configure_logs(settings.log_level)
    stack = Stack(settings, ALL_ROLES - {Role.WORKER} if no_worker else ALL_ROLES)
    with suppress(KeyboardInterrupt), started(stack, "the worker loads its model meanwhile" if not no_worker else "no worker"):
        _tell(stack)
        _await_model(stack)
        stack.run()
    say("Stopped. The data stays; `zoomin up` goes on with it.")


@contextmanager
def started(stack: "Stack", note: str) -> Iterator[None]:
    """The stack runs for the length of the block; both ends are told."""
    with step(f"Starting Postgres, Valkey, S3, API and dispatcher ({note})"):
        stack.start()
    try:
        yield
    finally:
        with step("Stopping what was started"):
            stack.stop()


def _tell(stack: "Stack") -> None:
    say(f"  data, logs  {stack.settings.home}")
    say(f"  API         {stack.addresses.api_url}/readyz")
    say(f"  S3          {stack.addresses.s3_endpoint}")
    say("In another terminal, in this directory:\n  zoomin scan FOLDER --wait\n  zoomin batches")


def _await_model(stack: "Stack") -> None:
    try:
        with step("Waiting until everything is ready"):
            stack.wait_ready(READY_SECONDS)
    except TransientError as error:  # a large model may take longer; batches wait for it
        say(error.message)
    else:
        say("Ready. Ctrl-C stops everything.")
