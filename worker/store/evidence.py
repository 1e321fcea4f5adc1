"""Evidence: which objects of our own bucket hold what the model was sent, and how long they are kept.

An object is named by its bytes, so several images may share one; those that name it, as a region's crop or as what an outcome was sent,
hold it. A worker stores an object before it records the outcome that names it, and retention may remove the same object in between. So
a removal is a mark first (`removed_at`), and a time when the object is gone (`gone_at`). Whoever records asks for that time: what was
stored under a lease claimed after it is there; anything else is not recorded now, and judged and stored again under a later lease.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from worker.moderation.outcomes import EvidenceFacts, RetentionClass

LONGEST_LOOK_DAYS = 30  # retention looks at an object again after so long at the latest: a term that was changed counts from then on

KEEP = text(
    f"""
    -- keep: notes the objects, or keeps those that are known; a row that may not be kept is locked all the same, and stays as it is
    INSERT INTO evidence AS e (sha256, bucket, key, media_type, byte_count, retention_class, due_at)
    SELECT n.sha256, :bucket, n.key, n.media_type, n.byte_count, n.class, now() + make_interval(days => least(t.days, {LONGEST_LOOK_DAYS}))
      FROM unnest(CAST(:shas AS text[]), CAST(:keys AS text[]), CAST(:media_types AS text[]), CAST(:sizes AS integer[]),
                  CAST(:classes AS text[])) AS n (sha256, key, media_type, byte_count, class)
      JOIN retention_terms AS t ON t.kind = n.class
     ORDER BY n.sha256  -- so that two writers that keep the same pixels never wait for each other in a circle
    ON CONFLICT (sha256) DO UPDATE
       SET retention_class = CASE WHEN '{RetentionClass.CASE}' IN (e.retention_class, excluded.retention_class)
                                  THEN '{RetentionClass.CASE}' ELSE '{RetentionClass.ROUTINE}' END,
           bucket = excluded.bucket, key = excluded.key, due_at = greatest(e.due_at, excluded.due_at), removed_at = NULL, gone_at = NULL
     WHERE e.removed_at IS NULL OR e.gone_at < CAST(:stored_since AS timestamptz)
    """  # noqa: S608  constants
)
LEAVING = text(
    """
    -- leaving: those of the objects that were removed after they may have been stored
    SELECT sha256 FROM evidence WHERE sha256 = ANY(:shas) AND removed_at IS NOT NULL
    """
)
LET_GO = text(
    """
    -- let go: nobody may hold these any more; retention looks at once
    UPDATE evidence SET due_at = '-infinity' WHERE sha256 = ANY(:shas) AND removed_at IS NULL
    """
)
NOTE_UNHELD = text(
    f"""
    -- note unheld: objects that were stored and never recorded; retention looks at once, also where the same pixels were gone before
    INSERT INTO evidence AS e (sha256, bucket, key, media_type, byte_count, retention_class, due_at)
    SELECT n.sha256, :bucket, n.key, n.media_type, n.byte_count, '{RetentionClass.ROUTINE}', '-infinity'
      FROM unnest(CAST(:shas AS text[]), CAST(:keys AS text[]), CAST(:media_types AS text[]), CAST(:sizes AS integer[]))
           AS n (sha256, key, media_type, byte_count)
     ORDER BY n.sha256
    ON CONFLICT (sha256) DO UPDATE SET due_at = '-infinity', gone_at = NULL
    """  # noqa: S608  constants
)


def keep_evidence(
    session: Session, wanted: Sequence[tuple[EvidenceFacts, RetentionClass]], *, bucket: str, stored_since: datetime | None
) -> frozenset[str]:
    """Keeps the objects, whose retention class can only rise: the sha256 of those that were removed, and must be stored again.

    `stored_since` is when the lease was claimed under which they were stored; None trusts nothing that was ever removed.
    """
    classes: dict[EvidenceFacts, RetentionClass] = {}
    for facts, retention in wanted:
        classes[facts] = RetentionClass.CASE if RetentionClass.CASE in (retention, classes.get(facts)) else retention
    if not classes:
        return frozenset()
    named = [retention.value for retention in classes.values()]
    session.execute(KEEP, {**_columns(classes), "classes": named, "bucket": bucket, "stored_since": stored_since})
    return frozenset(session.execute(LEAVING, {"shas": [facts.sha256 for facts in classes]}).scalars())


def let_go(session: Session, evidence: Sequence[EvidenceFacts]) -> None:
    """Lets retention look at objects that were stored for nothing."""
    if evidence:
        session.execute(LET_GO, {"shas": sorted({facts.sha256 for facts in evidence})})


def note_unheld(session: Session, evidence: Collection[EvidenceFacts], *, bucket: str) -> None:
    """Notes objects that were stored for nothing, and whose names no row may have: retention looks at them at once."""
    if evidence:
        session.execute(NOTE_UNHELD, {**_columns(dict.fromkeys(evidence)), "bucket": bucket})


def _columns(evidence: Collection[EvidenceFacts]) -> dict[str, list[Any]]:
    return {
        "shas": [facts.sha256 for facts in evidence],
        "keys": [facts.key for facts in evidence],
        "media_types": [facts.media_type for facts in evidence],
        "sizes": [facts.byte_count for facts in evidence],
    }
