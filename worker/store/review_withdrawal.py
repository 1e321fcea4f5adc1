"""Questions that are no longer asked. What is answered in full is left: its answers take effect, and at once."""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

LOCK = text(
    """
    -- lock: unfinished routing tasks about these items, of revisions before this one. An answer under way is waited for
    SELECT id FROM review_tasks
     WHERE batch_id = :batch_id AND ordinal = ANY(:ordinals) AND revision < :before AND kind IN ('routing', 'qa')
       AND state IN ('open', 'held', 'escalated')
     ORDER BY id FOR UPDATE
    """
)
WITHDRAW = text(
    """
    -- withdraw: locked tasks, their answers known; claims on them end, and so does the time in which answers can be taken back
    WITH final AS (
        UPDATE reviews SET pending_until = now() WHERE task_id = ANY(:tasks) AND pending_until > now()
    ), withdrawn AS (
        UPDATE review_tasks AS t SET state = 'withdrawn', state_reason = :reason, closed_at = now(), version = version + 1
         WHERE t.id = ANY(:tasks) AND t.slots > (SELECT count(*) FROM reviews AS r WHERE r.task_id = t.id AND r.taken_back_at IS NULL)
        RETURNING id
    ), ended AS (
        UPDATE review_claims SET state = 'released', ended_at = now(), reason = :reason
         WHERE state = 'active' AND task_id IN (SELECT id FROM withdrawn)
    )
    SELECT count(*) FROM withdrawn
    """
)
ANY_REVISION = 2**15  # beyond the largest there can be


def withdraw_tasks(session: Session, batch_id: UUID, ordinals: Collection[int], *, before: int = ANY_REVISION, reason: str) -> int:
    """Withdraws what is asked about these items at revisions before this one: how many are left, since they are answered in full."""
    found = {"batch_id": batch_id, "ordinals": sorted(ordinals), "before": before}
    tasks = list(session.execute(LOCK, found).scalars())
    if not tasks:
        return 0
    withdrawn: int = session.execute(WITHDRAW, {"tasks": tasks, "reason": reason}).scalar_one()
    return len(tasks) - withdrawn
