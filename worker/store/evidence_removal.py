"""Removing evidence: marking what no item keeps any more, and letting go of its rows once the objects are gone. See `store.evidence`."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.orm import Session

from worker.store.evidence import LONGEST_LOOK_DAYS
from worker.store.retention_lock import join_purges

LOCK_DUE = text(
    """
    -- lock due: a page of objects that retention is to look at
    SELECT sha256 FROM evidence WHERE removed_at IS NULL AND due_at <= CASE WHEN :let_go THEN timestamptz '-infinity' ELSE now() END
     ORDER BY due_at, sha256 LIMIT :page FOR UPDATE SKIP LOCKED
    """
)
LOCK_MARKED = text(
    """
    -- lock marked: a page of objects that are to be removed
    SELECT sha256 FROM evidence WHERE removed_at IS NOT NULL AND gone_at IS NULL AND sha256 > :after
     ORDER BY sha256 LIMIT :page FOR UPDATE SKIP LOCKED
    """
)
MOST_HOLDERS = 2_000  # asked one by one; what more images share, such as a black square, shows nothing of any of them, and is kept
HOLDERS = """
           (SELECT batch_id, ordinal FROM regions WHERE crop_sha256 = e.sha256
             UNION ALL SELECT batch_id, ordinal FROM outcomes WHERE sent_sha256 = e.sha256
             UNION ALL SELECT l.batch_id, l.ordinal FROM look_answers AS a JOIN looks AS l ON l.id = a.look_id
                        WHERE a.crop_sha256 = e.sha256
             UNION ALL SELECT batch_id, ordinal FROM attention_maps WHERE values_sha256 = e.sha256
             UNION ALL SELECT batch_id, ordinal FROM attention_targets WHERE layer_sha256 = e.sha256
             UNION ALL SELECT batch_id, ordinal FROM attention_targets WHERE overlay_sha256 = e.sha256) AS h
"""
KEPT_UNTIL = f"""
    -- of the items that hold an object, one that still keeps it says until when; 'infinity' under a hold
    (SELECT now() + interval '{LONGEST_LOOK_DAYS} days' AS until FROM {HOLDERS} OFFSET {MOST_HOLDERS} LIMIT 1)
    UNION ALL
    (SELECT item_kept_until(h.batch_id, h.ordinal) FROM {HOLDERS} WHERE item_kept_until(h.batch_id, h.ordinal) > now() LIMIT 1)
    LIMIT 1
"""  # noqa: S608  constants of this module
# A statement of its own: whoever recorded an outcome before our lock is seen now, and whoever comes later waits for it.
MARK = text(
    f"""
    -- mark: what nobody keeps is to be removed; the rest, also what was marked and is held since, is looked at again
    UPDATE evidence AS e
       SET removed_at = CASE WHEN looked.until IS NULL THEN coalesce(e.removed_at, now()) END,
           due_at = CASE WHEN looked.until IS NULL THEN e.due_at WHEN looked.until = 'infinity' THEN now() + interval '1 day'
                                      ELSE least(looked.until, now() + interval '{LONGEST_LOOK_DAYS} days') END
      FROM (SELECT e.sha256, k.until FROM evidence AS e LEFT JOIN LATERAL ({KEPT_UNTIL}) AS k ON true WHERE e.sha256 = ANY(:shas)) AS looked
     WHERE e.sha256 = looked.sha256
    RETURNING e.sha256, e.bucket, e.key, e.byte_count, e.removed_at IS NOT NULL AS marked
    """  # noqa: S608  constants of this module
)
COUNT_DUE = text(
    f"""
    -- count due: as `mark`, changing nothing
    SELECT e.sha256, e.due_at::text AS due, k.until IS NULL AS marked
      FROM evidence AS e LEFT JOIN LATERAL ({KEPT_UNTIL}) AS k ON true
     WHERE e.removed_at IS NULL AND e.due_at <= now()
       AND (e.due_at, e.sha256) > (CAST(:due_at AS timestamptz), CAST(:sha256 AS text))
     ORDER BY e.due_at, e.sha256 LIMIT :page
    """  # noqa: S608  constants of this module
)
GONE = text(
    """
    -- gone: the objects are no longer in the bucket; clock_timestamp(), since they were still there when the transaction began
    UPDATE evidence SET gone_at = clock_timestamp() WHERE sha256 = ANY(:shas)
    """
)
UNKNOWN = text(
    """
    -- unknown: which of these keys no row knows
    SELECT k.key FROM unnest(CAST(:keys AS text[])) AS k (key)
     WHERE NOT EXISTS (SELECT FROM evidence AS e WHERE e.sha256 = split_part(k.key, '/', 2))
    """
)
MARK_UNKNOWN = text(
    """
    -- mark unknown: objects that were stored, and never recorded
    INSERT INTO evidence (sha256, bucket, key, media_type, byte_count, retention_class, removed_at)
    SELECT split_part(k.key, '/', 2), :bucket, k.key, '', 0, 'routine', now() FROM unnest(CAST(:keys AS text[])) AS k (key)
    ON CONFLICT DO NOTHING
    RETURNING sha256
    """
)


@dataclass(frozen=True, slots=True)
class Looked:
    """A page of objects that were looked at. `marked` ones are to be removed."""

    looked_at: int
    marked: int


@dataclass(frozen=True, slots=True)
class Doomed:
    """An object to remove."""

    sha256: str
    bucket: str
    key: str


def mark_due(session: Session, *, page: int, let_go: bool = False) -> Looked:
    """Looks at up to `page` objects that are due; with `let_go`, only at those that somebody just let go of."""
    join_purges(session)
    shas = list(session.execute(LOCK_DUE, {"page": page, "let_go": let_go}).scalars())
    found = session.execute(MARK, {"shas": shas}).all() if shas else []
    return Looked(len(found), sum(row.marked for row in found))


def count_due(session: Session, *, after: tuple[str, str], page: int) -> tuple[int, tuple[str, str] | None]:
    """How many of a page behind `after` (when due, sha256) `mark_due` would mark, and where the next begins; None at the end."""
    rows = session.execute(COUNT_DUE, {"due_at": after[0], "sha256": after[1], "page": page}).all()
    return sum(row.marked for row in rows), (rows[-1].due, rows[-1].sha256) if rows else None


def lock_doomed(session: Session, *, after: str, page: int) -> tuple[Sequence[Doomed], str | None]:
    """Up to `page` objects to remove, their rows locked until the commit, and where the next page begins; None at the end."""
    join_purges(session)
    shas = list(session.execute(LOCK_MARKED, {"after": after, "page": page}).scalars())
    if not shas:
        return [], None
    rows = session.execute(MARK, {"shas": shas}).all()  # a hold may have come since
    return [Doomed(row.sha256, row.bucket, row.key) for row in rows if row.marked], shas[-1]


def note_gone(session: Session, shas: Collection[str]) -> None:
    """The objects are removed."""
    session.execute(GONE, {"shas": list(shas)})


def mark_unknown(session: Session, bucket: str, keys: Sequence[str]) -> int:
    """Marks those of the bucket's keys that no row knows: how many."""
    return len(session.execute(MARK_UNKNOWN, {"bucket": bucket, "keys": sorted(keys)}).all()) if keys else 0


def unknown_keys(session: Session, keys: Sequence[str]) -> list[str]:
    """Those of the bucket's keys that no row knows."""
    return list(session.execute(UNKNOWN, {"keys": list(keys)}).scalars()) if keys else []
