"""Letting answers take effect whose reviewers can no longer take them back."""

import structlog
from sqlalchemy import Engine

from worker.moderation.errors import OutageError
from worker.store.review_conclusion import conclude_due, due_tasks
from worker.store.session import transaction

MOST = 200  # tasks a turn, a transaction each: a second or so
log = structlog.get_logger(__name__)


def conclude_answers(engine: Engine, *, actor: str) -> None:
    """Concludes up to MOST tasks. One that cannot be concluded now holds up no other. Raises OutageError."""
    with transaction(engine) as session:
        due = due_tasks(session, limit=MOST)
    for task_id in due:
        try:
            with transaction(engine) as session:
                conclude_due(session, task_id, actor=actor)
        except OutageError:
            raise
        except Exception:
            log.exception("answers_not_concluded", task=task_id, next="trying again every turn; the answers are recorded")
