"""The real Celery app with a scripted moderator and scripted runners: `python -m celery -A tests.integration.scripted_app worker …`."""

import threading

from tests.integration.queue_world import RELEASE, verdict
from worker.celery import app
from worker.moderation.errors import EngineDiedError, RejectedError
from worker.moderation.explanation_jobs import Job, JobKind
from worker.moderation.outcomes import ItemReference, Outcome
from worker.moderation.settings import Settings
from worker.queue.explaining import Bench, Runner, Write
from worker.queue.moderator import ScriptedModerator

SECONDS_PER_IMAGE = 0.02
REFUSED = "refused"  # a job of this key fails
HANGING = "hanging"  # a job whose key begins so never ends
DEADLY = "deadly"  # an item of this custom_id kills the engine


def build(_settings: Settings) -> ScriptedModerator:
    """A moderator without a model."""
    return ScriptedModerator(RELEASE, _answer, SECONDS_PER_IMAGE)


def _answer(item: ItemReference) -> Outcome:
    if item.custom_id == DEADLY:
        raise EngineDiedError("engine_died", "The engine is gone.")
    return verdict(item)


def build_runner(_bench: Bench) -> Runner:
    """A runner that writes nothing, and fails or hangs where the key says so."""

    def run(job: Job) -> Write:
        if job.key == REFUSED:
            raise RejectedError("refused", "This key is refused.")
        if job.key.startswith(HANGING):
            threading.Event().wait()
        return lambda _: None

    return run


app.conf.zoomin_explainers = dict.fromkeys(JobKind, f"{__name__}:build_runner")
app.conf.zoomin_moderator = f"{__name__}:build"
