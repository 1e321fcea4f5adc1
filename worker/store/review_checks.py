"""What an answer must be before it is taken: by whom it may come, which boxes it may speak of, what it must rest on."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from worker.moderation.errors import RejectedError
from worker.moderation.grounds import check_grounds
from worker.moderation.review import RegionJudgement, ReviewVerdict
from worker.store.models import ErasureRow, OutcomeRow, RegionRow, ReviewTaskRow
from worker.store.review_answers import Answer
from worker.store.review_tasks import Claimant
from worker.store.task_policies import asked_under

MOST_JUDGEMENTS = 64  # boxes a review may speak of; the model is allowed far fewer


def check_answer(session: Session, task: ReviewTaskRow, claimant: Claimant, answer: Answer) -> None:
    """Returns when the claimant may give this answer to the task.

    The task is locked: whoever erases its image waits.
    Raises RejectedError: item_erased, scope_missing, lead_unsure, clause_unknown, clause_required, reason_required, region_unknown,
    region_judgement_invalid, judgements_too_many.
    """
    if session.get(ErasureRow, (task.batch_id, task.ordinal)) is not None:
        raise RejectedError("item_erased", f"The image of task {task.id} was erased: there is nothing to answer.")
    unsure = answer.verdict is ReviewVerdict.UNSURE
    if task.escalated and not claimant.lead:
        raise RejectedError("scope_missing", "An escalated task is settled by a lead, which you are no longer. Give it back.")
    if task.escalated and unsure:
        raise RejectedError("lead_unsure", "An escalated task is settled with real or generated. Hold it, or skip it, to leave it open.")
    place: dict[str, Any] = {"batch_id": task.batch_id, "ordinal": task.ordinal, "revision": task.revision}
    _check_judgements(session, task, place, answer.judgements)
    check_grounds(asked_under(session, task), clause=answer.clause, reason=answer.note, decides=not unsure)


def _check_judgements(session: Session, task: ReviewTaskRow, place: dict[str, Any], judgements: Sequence[RegionJudgement]) -> None:
    if len(judgements) > MOST_JUDGEMENTS:
        raise RejectedError("judgements_too_many", f"A review may judge {MOST_JUDGEMENTS} boxes; this one judges {len(judgements)}.")
    known = set(session.execute(select(RegionRow.position).filter_by(**place)).scalars())
    named = [judgement.position for judgement in judgements if judgement.position is not None]
    if unknown := sorted(set(named) - known):
        raise RejectedError("region_unknown", f"The outcome of task {task.id} has no region {unknown[0]}.")
    if len(set(named)) < len(named):
        raise RejectedError("region_judgement_invalid", "A box is judged once in a review.")
    width, height = session.execute(select(OutcomeRow.width, OutcomeRow.height).filter_by(**place)).one()
    for judgement in judgements:
        box = judgement.box
        if box is not None and not (0 <= box.x0 < box.x1 <= (width or 0) and 0 <= box.y0 < box.y1 <= (height or 0)):
            raise RejectedError("region_judgement_invalid", f"{judgement.kind}: the box {box.corners()} does not lie in the image.")
