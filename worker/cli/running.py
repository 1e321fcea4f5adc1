"""A stack to work with: the one that is named or runs, else one for the length of a command; and the packaged samples."""
# ruff: noqa: PLC0415  imports wait for their command, so that `--help` answers at once

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from worker.cli.services import LOCATED, Services
from worker.cli.steps import step
from worker.cli.terminal import say
from worker.cli.up import started
from worker.moderation.settings import Mode, Settings

READY_SECONDS = 600.0  # until the model answers; the nano model takes half a minute on two cores
SAMPLES = Path(__file__).parent.parent / "local" / "samples"


@contextmanager
def running_services(settings: Settings) -> Iterator[Services]:
    """The named services, or the stack that runs already, or one for the length of the block."""
    from worker.local.addresses import apply, running_addresses
    from worker.local.stack import Stack

    if settings.mode is Mode.PRODUCTION or all(getattr(settings, name) for name in LOCATED):
        yield Services(settings.require())
    elif (addresses := running_addresses(settings.home)) is not None:
        say(f"Using the stack that runs under {settings.home}.")
        yield Services(apply(settings, addresses))
    else:
        stack = Stack(settings)
        with started(stack, "and a worker"):
            with step("Loading the model into vLLM"):
                stack.wait_ready(READY_SECONDS)
            yield Services(stack.settings)


@contextmanager
def sample_folder() -> Iterator[str]:
    """A folder with nothing but the sample images."""
    with tempfile.TemporaryDirectory(prefix="zoomin-samples-") as folder:
        for sample in SAMPLES.glob("*.jpg"):
            shutil.copy(sample, folder)
        yield folder
