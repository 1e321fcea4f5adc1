"""Golden tasks: now and then a reviewer who claims is given an image whose answer is known, without being told.

A golden task stands in for a genuine one that the reviewer would have been given, and is a copy of it in all that is seen: queue, route,
kind, priority, slots, times, the policy version, the neighbourhood of its id. So nothing is offered where nothing waits, and a queue that
has no samples of what passes is given none. Its image is routed anew by that version, and taken only if it would have come there.

Whether one is offered is drawn by chance each time: a rhythm could be learned. A reviewer has one at a time, is asked about an image once
in `AGAIN_AFTER`, and never about one that they added, answered or decided on. A golden task is its reviewer's alone; what is given back
comes back to them, as others do, and is withdrawn when it is skipped or a day has passed.
"""

import secrets
from datetime import timedelta
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from worker.moderation.calibration import measured_accuracies
from worker.moderation.opening import queue_of, reason_of
from worker.moderation.policy import PolicyVersion, Routing, route
from worker.moderation.release import Training
from worker.store.outcome_rows import judged
from worker.store.policy_reading import read_version
from worker.store.review_tasks import Claimant

AGAIN_AFTER = timedelta(days=30)
STALE_AFTER = timedelta(days=1)
CANDIDATES = 20  # looked at per offer: a set whose images are routed in all ways has a fitting one among so many
BESIDE = 1_000  # ids on either side, one in sixteen of which is a task's, by chance: see the migration `task_opening`
CHANCE = secrets.SystemRandom()

GENUINE = text(
    """
    -- genuine: the task that a golden one could stand in for; none where its queue has no golden tasks, it is for somebody, or this
    -- reviewer has a golden task already
    SELECT t.id, t.queue, t.route, r.policy_version, q.golden_share
      FROM review_tasks AS t
      JOIN review_queues AS q ON q.tenant_id = t.tenant_id AND q.name = t.queue AND q.golden_share > 0
      JOIN routings AS r ON (r.batch_id, r.ordinal, r.revision) = (t.batch_id, t.ordinal, t.revision) AND r.mode = 'live'
     WHERE t.id = :task_id AND t.kind IN ('routing', 'qa') AND t.state = 'open' AND NOT t.escalated AND t.assigned_to IS NULL
       AND NOT EXISTS (SELECT FROM review_tasks AS g
                        WHERE g.kind = 'golden' AND g.state IN ('open', 'held', 'escalated') AND g.tenant_id = t.tenant_id
                          AND g.assigned_to = :reviewer)
    """
)
KNOWN = text(
    """
    -- known: golden images that this reviewer may be asked about, by chance. Nobody is asked about at the same time.
    SELECT g.batch_id, g.ordinal, g.revision, o.kind, o.verdict, o.p_generated, o.scan_verdict, o.degradation_band, l.training,
           l.facts #> '{degradation,bands}' AS bands, f.score_drop, f.control_drop, f.error_code AS check_error
      FROM golden_items AS g
      JOIN outcomes AS o ON (o.batch_id, o.ordinal, o.revision) = (g.batch_id, g.ordinal, g.revision)
      LEFT JOIN releases AS l ON l.id = o.release_id
      LEFT JOIN faithfulness_checks AS f ON (f.batch_id, f.ordinal, f.revision) = (o.batch_id, o.ordinal, o.revision)
     WHERE g.tenant_id = :tenant_id AND g.retired_at IS NULL AND g.added_by <> :reviewer
       AND NOT EXISTS (SELECT FROM decisions AS d WHERE d.batch_id = g.batch_id AND d.ordinal = g.ordinal AND d.decided_by = :reviewer)
       AND NOT EXISTS (SELECT FROM review_tasks AS t LEFT JOIN golden_tasks AS m ON m.task_id = t.id
                        WHERE t.batch_id = g.batch_id AND t.ordinal = g.ordinal
                          AND CASE t.kind
                              WHEN 'golden' THEN m.reviewer = :reviewer AND m.made_at > now() - CAST(:again_after AS interval)
                              ELSE t.state IN ('open', 'held', 'escalated')
                                   OR EXISTS (SELECT FROM reviews AS v WHERE v.task_id = t.id AND v.reviewer = :reviewer) END)
     ORDER BY random() LIMIT :candidates
    """
)
MAKE = text(
    """
    -- make: a golden task like the genuine one, under an id that was left out among those made at the same time or beside them, so that
    -- ids and times grow together; none when no id is free there. Behind the newest task ids are yet to be drawn.
    WITH nearby AS (
        SELECT t.id, t.created_at = g.created_at AS alike
          FROM review_tasks AS g JOIN review_tasks AS t ON t.id BETWEEN g.id - :beside AND g.id + :beside
         WHERE g.id = :task_id
    ), free AS (
        SELECT n.id
          FROM generate_series(
                   greatest(1, coalesce((SELECT max(id) + 1 FROM nearby WHERE id < :task_id AND NOT alike), :task_id - :beside)),
                   coalesce((SELECT min(id) FROM nearby WHERE id > :task_id AND NOT alike), (SELECT max(id) FROM nearby)) - 1) AS n (id)
         WHERE NOT EXISTS (SELECT FROM nearby AS t WHERE t.id = n.id) ORDER BY random() LIMIT 1
    ), made AS (
        INSERT INTO review_tasks (id, tenant_id, queue, batch_id, ordinal, revision, kind, route, reason, priority, slots, assigned_to,
                                  due_at, created_at)
        SELECT free.id, t.tenant_id, t.queue, :batch_id, :ordinal, :revision, 'golden', t.route, :reason, t.priority, t.slots, :reviewer,
               t.due_at, t.created_at
          FROM free, review_tasks AS t WHERE t.id = :task_id
        ON CONFLICT (id) DO NOTHING
        RETURNING id
    )
    INSERT INTO golden_tasks (task_id, reviewer, policy_version) SELECT id, :reviewer, :policy_version FROM made RETURNING task_id
    """
)
WITHDRAW_STALE = text(
    """
    -- withdraw stale: golden tasks that nobody is at, and which their reviewer skipped, or has left for long
    UPDATE review_tasks SET state = 'withdrawn', state_reason = 'no longer asked', closed_at = now(), version = version + 1
     WHERE id IN (SELECT t.id FROM review_tasks AS t JOIN golden_tasks AS m ON m.task_id = t.id
                   WHERE t.kind = 'golden' AND t.state IN ('open', 'held', 'escalated')
                     AND NOT EXISTS (SELECT FROM review_claims AS c WHERE c.task_id = t.id AND c.state IN ('active', 'submitted'))
                     AND (m.made_at < now() - CAST(:stale_after AS interval)
                          OR EXISTS (SELECT FROM review_claims AS c WHERE c.task_id = t.id AND c.state = 'skipped'))
                   ORDER BY t.id FOR UPDATE OF t SKIP LOCKED)
    """
)


def stand_in(session: Session, claimant: Claimant, task_id: int) -> int | None:
    """The golden task that the claimant gets instead of this one, which is locked; mostly None."""
    genuine = session.execute(GENUINE, {"task_id": task_id, "reviewer": claimant.reviewer}).one_or_none()
    if genuine is None or CHANCE.random() >= genuine.golden_share:
        return None
    policy, _, number = genuine.policy_version.partition("@")
    version = read_version(session, claimant.tenant_id, policy, int(number)).version
    who = {"tenant_id": claimant.tenant_id, "reviewer": claimant.reviewer}
    for known in session.execute(KNOWN, {**who, "again_after": AGAIN_AFTER, "candidates": CANDIDATES}).all():
        if (routing := _as(genuine, known, version)) is not None:
            return _make(session, claimant, genuine, known, routing)
    return None


def withdraw_stale(session: Session) -> None:
    """Ends golden tasks, of all tenants, that were skipped or left for long."""
    session.execute(WITHDRAW_STALE, {"stale_after": STALE_AFTER})


def _as(genuine: Row[Any], known: Row[Any], version: PolicyVersion) -> Routing | None:
    """How the version routes the known image, if as it did the genuine one, and to the same queue."""
    outcome = judged(known)
    means, accuracies = known.training == Training.TRAINED, measured_accuracies(known.bands)
    routing = route(outcome, version, scores_mean_something=means, accuracies=accuracies)
    if routing is None or routing.route != genuine.route or queue_of(outcome, routing, version) != genuine.queue:
        return None
    return routing


def _make(session: Session, claimant: Claimant, genuine: Row[Any], known: Row[Any], routing: Routing) -> int | None:
    made: int | None = session.execute(
        MAKE,
        {
            "task_id": genuine.id,
            "beside": BESIDE,
            "batch_id": known.batch_id,
            "ordinal": known.ordinal,
            "revision": known.revision,
            "reason": reason_of(routing),
            "reviewer": claimant.reviewer,
            "policy_version": genuine.policy_version,
        },
    ).scalar_one_or_none()
    return made
