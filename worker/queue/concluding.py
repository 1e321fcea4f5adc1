"""Letting answers take effect whose reviewers can no longer take them back."""

import structlog
from sqlalchemy import Engine

from worker.moderation.errors import BusyError, OutageError
from worker.store.review_conclusion import conclude_due, due_tasks
from worker.store.session import transaction

MOST = 200  # tasks a turn, a transaction each: a second or so
MOST_BUSY = 3  # of those, tasks that waited for locks as long as anything may: everything else waits meanwhile
log = structlog.get_logger(__name__)


def conclude_answers(engine: Engine, *, actor: str, after: int = 0, most: int = MOST) -> int:
    """Concludes up to `most` tasks behind this one: behind which to go on, 0 when none is left. Raises OutageError.

    One that cannot be concluded now holds up no other, however many there are: it is tried again when all have had their turn.
    """
    busy = 0
    with transaction(engine) as session:
        due = due_tasks(session, after=after, limit=most)
    for task_id in due:
        busy += int(not _conclude(engine, task_id, actor))
        if busy == MOST_BUSY:
            return task_id
    return due[-1] if len(due) == most else 0


def _conclude(engine: Engine, task_id: int, actor: str) -> bool:
    """False when others were in the way."""
    try:
        with transaction(engine) as session:
            conclude_due(session, task_id, actor=actor)
    except BusyError as error:
        log.warning("answers_not_concluded", task=task_id, error=error.message, next="trying again; the answers are recorded")
        return False
    except OutageError:
        raise
    except Exception:
        log.exception("answers_not_concluded", task=task_id, next="trying again every turn; the answers are recorded")
    return True
