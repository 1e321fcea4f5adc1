"""`zoomin intake`: reads the sources of batches that the API has accepted."""
# ruff: noqa: PLC0415  imports wait for their command, so that `--help` answers at once

import os
import signal
import threading

from worker.cli.services import located
from worker.moderation.settings import load_settings


def intake() -> None:
    """Run an intake worker until SIGINT or SIGTERM. Any number may run; each batch is read by one."""
    settings = located(load_settings())
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    from worker.queue.intake_worker import run_intake
    from worker.queue.logs import configure_logs

    configure_logs(settings.log_level)
    run_intake(settings, stop, pid=os.getpid())
