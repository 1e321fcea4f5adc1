"""`zoomin up`: everything on this machine, in the foreground."""
# ruff: noqa: PLC0415  imports wait for their command, so that `--help` answers at once

import signal
import threading
import time
from typing import Annotated

import typer

from worker.cli.terminal import say
from worker.moderation.settings import load_settings

READY_SECONDS = 600.0  # until the model is loaded; a large one takes minutes


def up(
    no_worker: Annotated[bool, typer.Option("--no-worker", help="Without a scan worker: start your own, or let batches wait.")] = False,
) -> None:
    """Run Postgres, Valkey, S3, the dispatcher, the API and a worker here, until Ctrl-C. Data stays under ZOOMIN_HOME."""
    settings = load_settings()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    from worker.local.stack import Stack
    from worker.queue.logs import configure_logs

    configure_logs(settings.log_level)
    started = time.monotonic()
    with Stack(settings, worker=not no_worker) as stack:
        say(f"Services are up after {time.monotonic() - started:.1f} s. Data and logs: {stack.layout.home}")
        say(f"  API      {stack.addresses.api_url}/readyz")
        say(f"  S3       {stack.addresses.s3_endpoint}")
        say("In another terminal, in this directory:\n  zoomin scan FOLDER --wait\n  zoomin batches")
        stop.wait()
        say("Stopping …")
    say("Stopped. `zoomin up` starts it again with the same data.")
