"""The Celery app: `python -m celery -A worker worker -P threads -Q scan,looks,translations`, or `-c 1 -Q attention`.

Importing it reads and connects nothing.
"""

from typing import Any

from celery import Celery

from worker.moderation.errors import MisconfiguredError
from worker.moderation.settings import load_settings
from worker.queue.configuration import celery_configuration


def configuration() -> dict[str, Any]:
    """From the environment, when first needed. A misconfigured worker says so in one line and leaves."""
    try:
        return celery_configuration(load_settings())
    except MisconfiguredError as error:
        raise SystemExit(f"The worker cannot start: {error.message}") from None


app = Celery("zoomin", include=["worker.queue.tasks"])
app.add_defaults(configuration)
