"""The real Celery app with a scripted moderator: `python -m celery -A tests.integration.scripted_app worker …`."""

from tests.integration.queue_world import RELEASE, verdict
from worker.celery import app
from worker.moderation.errors import EngineDiedError
from worker.moderation.outcomes import ItemReference, Outcome
from worker.moderation.settings import Settings
from worker.queue.moderator import ScriptedModerator

SECONDS_PER_IMAGE = 0.02
DEADLY = "deadly"  # an item of this custom_id kills the engine


def build(_settings: Settings) -> ScriptedModerator:
    """A moderator without a model."""
    return ScriptedModerator(RELEASE, _answer, SECONDS_PER_IMAGE)


def _answer(item: ItemReference) -> Outcome:
    if item.custom_id == DEADLY:
        raise EngineDiedError("engine_died", "The engine is gone.")
    return verdict(item)


app.conf.zoomin_moderator = f"{__name__}:build"
