"""`zoomin dispatch`: the loop that hands chunks to workers and repairs what died."""
# ruff: noqa: PLC0415  imports wait for their command, so that `--help` answers at once

import signal
import threading

from worker.cli.services import located
from worker.moderation.settings import load_settings


def dispatch() -> None:
    """Run the dispatcher until SIGINT or SIGTERM. Several may run; one leads, the others stand by."""
    settings = located(load_settings())
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    from worker.queue.dispatcher import run_dispatcher
    from worker.queue.logs import configure_logs

    configure_logs(settings.log_level)
    run_dispatcher(settings, stop)
