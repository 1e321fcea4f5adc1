"""Agreement: what reviewers of one task said without seeing each other, in all and pair by pair. `unsure` is a value like the others."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.orm import Session

from worker.moderation.agreement import Agreement, cohens_kappa, krippendorffs_alpha
from worker.store.review_figures.scope import SETTLED, FigureScope

# Only answers that were given blind. Leads, who settle what the others differ on and have seen their answers, have the slots behind those:
# the last one, and any that was opened when the answers before it differed already.
BLIND = f"""
    SELECT r.task_id, r.reviewer, r.verdict
      FROM reviews AS r
      JOIN review_tasks AS t ON t.id = r.task_id
      JOIN review_queues AS q ON q.tenant_id = t.tenant_id AND q.name = t.queue
     WHERE r.created_at >= :since AND {SETTLED}
       AND t.tenant_id = :tenant_id AND (CAST(:queue AS text) IS NULL OR t.queue = :queue)
       AND t.slots > 1
       AND NOT (t.escalated AND (r.slot = t.slots OR r.slot > q.slots AND (
                SELECT count(DISTINCT (before.verdict, before.action)) > 1 OR coalesce(bool_or(before.verdict = 'unsure'), false)
                  FROM reviews AS before
                 WHERE before.task_id = r.task_id AND before.slot < r.slot AND before.taken_back_at IS NULL)))
"""  # noqa: S608  a constant of ours
SAID = text(
    f"""
    -- said: what was said of tasks with two answers or more, in any order, and of how many
    SELECT verdicts, count(*) AS tasks
      FROM (SELECT array_agg(verdict ORDER BY verdict) AS verdicts FROM ({BLIND}) AS b GROUP BY task_id HAVING count(*) > 1) AS t
     GROUP BY 1
    """  # noqa: S608  constants of this module
)
PAIRS = text(
    f"""
    -- pairs: what each two reviewers said of tasks that both answered
    WITH blind AS MATERIALIZED ({BLIND})
    SELECT a.reviewer AS one, b.reviewer AS other, a.verdict AS said, b.verdict AS said_other, count(*) AS tasks
      FROM blind AS a JOIN blind AS b ON b.task_id = a.task_id AND b.reviewer > a.reviewer
     GROUP BY 1, 2, 3, 4
    """  # noqa: S608  constants of this module
)
MOST_PAIRS = 200  # those with most tasks in common


@dataclass(frozen=True, slots=True)
class Pair:
    """Two reviewers, and Cohen's kappa of theirs."""

    one: str
    other: str
    kappa: Agreement


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewersAgreement:
    """Krippendorff's alpha of all, and each pair's, those first with most tasks in common."""

    alpha: Agreement
    pairs: Sequence[Pair]


def read_agreement(session: Session, scope: FigureScope) -> ReviewersAgreement:
    """Over answers of the window, to finished tasks."""
    said = {tuple(row.verdicts): row.tasks for row in session.execute(SAID, scope.parameters)}
    pairs: dict[tuple[str, str], dict[tuple[str, str], int]] = {}
    for row in session.execute(PAIRS, scope.parameters) if said else ():
        pairs.setdefault((row.one, row.other), {})[row.said, row.said_other] = row.tasks
    found = [Pair(*names, cohens_kappa(counts)) for names, counts in pairs.items()]
    ordered = sorted(found, key=lambda pair: (-pair.kappa.units, pair.one, pair.other))
    return ReviewersAgreement(alpha=krippendorffs_alpha(said), pairs=ordered[:MOST_PAIRS])
