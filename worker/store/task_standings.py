"""How tasks stand to another task's image: whether theirs is it, or alike, and what keeps a reviewer from answering them together."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from worker.moderation.duplicates import Likeness, Standing, TogetherResult, obstacle
from worker.moderation.review import TaskKind, TaskState
from worker.store.models import ReviewTaskRow
from worker.store.review_tasks import Claimant
from worker.store.task_policies import asked_under

IMAGE = text(
    """
    -- image: what identifies the image of a task, and what the model said of it
    SELECT image_sha256, perceptual_hash, verdict FROM outcomes
     WHERE batch_id = :batch_id AND ordinal = :ordinal AND revision = :revision
    """
)
TASKS = text(
    """
    -- tasks: how alike the images of tasks are to another task's, and what the reviewer has to do with them
    SELECT t.id, t.version, t.kind, t.state, t.slots,
           coalesce(o.image_sha256 = :sha256, false) AS exact,
           bit_count(CAST(o.perceptual_hash # CAST(:hash AS bigint) AS bit(64))) AS distance,
           o.verdict IS NOT DISTINCT FROM :verdict AS same_verdict,
           (SELECT array_agg(p.clause ORDER BY p.clause COLLATE "C")
              FROM routings AS r
              JOIN policy_clauses AS p ON p.tenant_id = t.tenant_id AND p.policy = split_part(r.policy_version, '@', 1)
                                      AND p.version = split_part(r.policy_version, '@', 2)::integer
             WHERE r.batch_id = t.batch_id AND r.ordinal = t.ordinal AND r.revision = t.revision AND r.mode = 'live')
               IS NOT DISTINCT FROM CAST(:clauses AS text[]) AS same_clauses,
           EXISTS (SELECT FROM decisions AS d JOIN appeals AS a ON a.decision_id = d.id AND a.state = 'open'
                    WHERE d.batch_id = t.batch_id AND d.ordinal = t.ordinal) AS contested,
           EXISTS (SELECT FROM review_claims AS c
                    WHERE c.task_id = t.id AND c.reviewer = :reviewer AND c.state IN ('submitted', 'skipped')) AS barred,
           coalesce(t.assigned_to <> :reviewer, false)
               OR t.slots <= (SELECT count(*) FROM review_claims AS c
                               WHERE c.task_id = t.id AND c.reviewer <> :reviewer
                                 AND (c.state = 'submitted' OR (c.state = 'active' AND c.expires_at > now()))) AS taken
      FROM review_tasks AS t
      JOIN outcomes AS o ON o.batch_id = t.batch_id AND o.ordinal = t.ordinal AND o.revision = t.revision
     WHERE t.id = ANY(:ids) AND t.tenant_id = :tenant_id AND t.kind <> 'golden'
       AND (t.batch_id, t.ordinal) <> (:batch_id, :ordinal)
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskStanding:
    """A task of a duplicate; `obstacle` is what keeps the reviewer from answering it together, None when nothing does."""

    id: int
    version: int
    state: TaskState
    obstacle: TogetherResult | None


def task_image(session: Session, task: ReviewTaskRow) -> Row[Any] | None:
    """What identifies a task's image, and the model's verdict of it; None when that is no longer kept."""
    place = {"batch_id": task.batch_id, "ordinal": task.ordinal, "revision": task.revision}
    return session.execute(IMAGE, place).one_or_none()


def task_standings(session: Session, anchor: ReviewTaskRow, claimant: Claimant, seen: Mapping[int, int | None]) -> dict[int, TaskStanding]:
    """How each of these tasks, by the version that was seen of it, stands to the anchor's image.

    Left out are those that are of no other item of the tenant's, and all where the anchor must be answered by itself.
    """
    image = task_image(session, anchor)
    if image is None or anchor.kind != TaskKind.ROUTING:
        return {}
    parameters = {
        "ids": list(seen),
        "tenant_id": anchor.tenant_id,
        "batch_id": anchor.batch_id,
        "ordinal": anchor.ordinal,
        "reviewer": claimant.reviewer,
        "sha256": image.image_sha256,
        "hash": image.perceptual_hash,
        "verdict": image.verdict,
        "clauses": _clauses(session, anchor),
    }
    return {row.id: _standing(row, seen[row.id], claimant) for row in session.execute(TASKS, parameters)}


def _clauses(session: Session, task: ReviewTaskRow) -> list[str] | None:
    """Ids of what an answer to the task can rest on, as the query gathers them."""
    policy = asked_under(session, task)
    return sorted(clause.id for clause in policy.clauses) or None if policy else None


def _standing(row: Row[Any], seen: int | None, claimant: Claimant) -> TaskStanding:
    standing = Standing(
        likeness=Likeness(exact=row.exact, distance=row.distance),
        kind=TaskKind(row.kind),
        state=TaskState(row.state),
        slots=row.slots,
        changed=seen not in {None, row.version},
        contested=row.contested,
        same_verdict=row.same_verdict,
        same_clauses=row.same_clauses,
        barred=row.barred,
        taken=row.taken,
    )
    return TaskStanding(id=row.id, version=row.version, state=standing.state, obstacle=obstacle(standing, lead=claimant.lead))
