"""Searching outcomes: the newest of each image, newest batches first, bounded by the tenant and by time.

Two ways lead to what is wanted. What few outcomes have (words, a reviewer, a decision) is looked up by its own index. Everything else is
found by walking the tenant's batches, which ends with the page: never is a batch sorted, nor another tenant's row looked at.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from uuid import UUID

from sqlalchemy import TextClause, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from worker.moderation.errors import RejectedError
from worker.moderation.search import Decided, Filter
from worker.store.review_answers import CONCEALED, VISIBLE
from worker.store.review_tasks import Claimant

MOST_MS = 5_000  # a person waits no longer, and the others' queries must go on
QUERY_CANCELED = "57014"

SETTINGS = text(
    """
    -- search settings: an end, and a plan for the very words; compiling it would take longer than running it
    SELECT set_config('statement_timeout', :most_ms, true), set_config('plan_cache_mode', 'force_custom_plan', true),
           set_config('jit', 'off', true)
    """
)
STEMS = text(
    """
    -- stems: how many of the words are searched for
    SELECT numnode(websearch_to_tsquery('english', search_text(:words)))
    """
)
NEWEST = """
    NOT EXISTS (SELECT FROM outcomes AS n WHERE n.batch_id = o.batch_id AND n.ordinal = o.ordinal AND n.revision > o.revision)
"""
CURRENT = "NOT EXISTS (SELECT FROM decisions AS later WHERE later.supersedes = d.id)"
DECIDED = f"""
    (o.batch_id, o.ordinal) IN (SELECT d.batch_id, d.ordinal FROM decisions AS d
                                 WHERE d.tenant_id = :tenant AND d.verdict = :decided AND {CURRENT})
    AND (o.batch_id, o.ordinal) NOT IN ({CONCEALED})
"""  # noqa: S608  constants of ours
UNDECIDED = f"""
    (NOT EXISTS (SELECT FROM decisions AS d WHERE d.batch_id = o.batch_id AND d.ordinal = o.ordinal)
     OR (o.batch_id, o.ordinal) IN ({CONCEALED}))
"""
ANSWERED = f"""
    (o.batch_id, o.ordinal) IN (SELECT t.batch_id, t.ordinal FROM reviews AS r JOIN review_tasks AS t ON t.id = r.task_id
                                 WHERE t.tenant_id = :tenant AND r.reviewer = :reviewer AND {VISIBLE})
    AND (o.batch_id, o.ordinal) NOT IN ({CONCEALED})
"""  # noqa: S608  constants of ours
CONDITIONS = {
    "words": "w.words @@ websearch_to_tsquery('english', search_text(:words))",
    "batch": "o.batch_id = :batch",
    "verdict": "o.verdict = :verdict",
    "route": """
        EXISTS (SELECT FROM routings AS g WHERE (g.batch_id, g.ordinal, g.revision) = (o.batch_id, o.ordinal, o.revision)
                                            AND g.mode = 'live' AND g.route = :route)
    """,
    "score_from": "o.p_generated >= :score_from",
    "score_to": "o.p_generated <= :score_to",
    "seen_half_to": """
        EXISTS (SELECT FROM coverage AS s WHERE (s.batch_id, s.ordinal, s.revision) = (o.batch_id, o.ordinal, o.revision)
                                            AND s.share_half <= :seen_half_to)
    """,
    "degradation": "o.degradation_band = :degradation",
    "reviewer": ANSWERED,
    "release": "o.release_id = :release",
    "day_from": "o.created_at >= CAST(:day_from AS date)::timestamp AT TIME ZONE 'UTC'",
    "day_to": "o.created_at < (CAST(:day_to AS date) + 1)::timestamp AT TIME ZONE 'UTC'",
}


@dataclass(frozen=True, slots=True)
class Place:
    """An item's place in the order of what is found: both descend."""

    batch_id: UUID
    ordinal: int


@dataclass(frozen=True, slots=True)
class Key:
    """What was found: an item, and its newest revision."""

    batch_id: UUID
    ordinal: int
    revision: int


@contextmanager
def bounded(session: Session) -> Iterator[None]:
    """Ends what takes too long. Raises RejectedError `search_too_broad`; the transaction is of no more use then."""
    session.execute(SETTINGS, {"most_ms": str(MOST_MS)})
    try:
        yield
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) != QUERY_CANCELED:
            raise
        raise RejectedError(
            "search_too_broad",
            f"The search took longer than {MOST_MS // 1_000} seconds. Name a batch, a shorter span of days, or rarer words.",
        ) from None


def find(session: Session, claimant: Claimant, wanted: Filter, *, before: Place | None, limit: int) -> list[Key]:
    """What the filter finds behind a place, newest first; inside `bounded`. By reviewers, only what the claimant may see of them.

    Raises RejectedError `words_too_common`.
    """
    if wanted.words and not session.execute(STEMS, {"words": wanted.words}).scalar_one():
        raise RejectedError("words_too_common", "None of these words can be searched for: they are too common, or no words. Add others.")
    names = {name: value for name, value in asdict(wanted).items() if value not in (None, "")}
    place = {"before_batch": before.batch_id, "before_ordinal": before.ordinal} if before else {}
    bound = {**names, **place, "tenant": claimant.tenant_id, "viewer": claimant.reviewer, "lead": claimant.lead, "limit": limit}
    return [Key(*row) for row in session.execute(_query(wanted, before=before), bound)]


def _query(wanted: Filter, *, before: Place | None) -> TextClause:
    conditions = [NEWEST, *(CONDITIONS[name] for name in wanted.parts() if name in CONDITIONS)]
    if wanted.decided is not None:
        conditions.append(UNDECIDED if wanted.decided is Decided.NONE else DECIDED)
    if before is not None:
        conditions.append("(o.batch_id, o.ordinal) < (:before_batch, :before_ordinal)")
    seeded = wanted.words or wanted.reviewer or wanted.decided not in (None, Decided.NONE)
    return _seeded(wanted, conditions) if seeded else _walk(wanted, conditions, before)


def _seeded(wanted: Filter, conditions: Sequence[str]) -> TextClause:
    words = "JOIN outcome_words AS w ON (w.batch_id, w.ordinal, w.revision) = (o.batch_id, o.ordinal, o.revision) AND w.tenant_id = :tenant"
    return text(
        f"""
        -- search by what few outcomes have
        SELECT o.batch_id, o.ordinal, o.revision
          FROM outcomes AS o JOIN batches AS b ON b.id = o.batch_id AND b.tenant_id = :tenant {words if wanted.words else ""}
         WHERE {" AND ".join(conditions)}
         ORDER BY o.batch_id DESC, o.ordinal DESC LIMIT :limit
        """  # noqa: S608  constants of this module
    )


def _walk(wanted: Filter, conditions: Sequence[str], before: Place | None) -> TextClause:
    """A batch is made before its outcomes: those made after the last day need not be walked."""
    batches = ["tenant_id = :tenant"]
    batches += ["id = :batch"] if wanted.batch else []
    batches += ["id <= :before_batch"] if before else []
    batches += ["created_at < (CAST(:day_to AS date) + 1)::timestamp AT TIME ZONE 'UTC'"] if wanted.day_to else []
    return text(
        f"""
        -- search by walking the tenant's batches
        SELECT f.batch_id, f.ordinal, f.revision
          FROM (SELECT id FROM batches WHERE {" AND ".join(batches)} ORDER BY id DESC) AS b
         CROSS JOIN LATERAL (
               SELECT o.batch_id, o.ordinal, o.revision FROM outcomes AS o
                WHERE o.batch_id = b.id AND {" AND ".join(conditions)}
                ORDER BY o.ordinal DESC LIMIT :limit) AS f
         ORDER BY b.id DESC, f.ordinal DESC LIMIT :limit
        """  # noqa: S608  constants of this module
    )
