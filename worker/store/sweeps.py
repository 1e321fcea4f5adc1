"""Repairs after death: leases that ran out, and chunks that keep dying, which are halved until one image fails alone.

An image that kills its worker is claimed at most ⌈log2 n⌉ + cap times: its chunk of n items has `cap` attempts, or two deaths as
a suspect, and each smaller chunk after it has one.
"""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from worker.moderation.outcomes import Outcome, OutcomeKind
from worker.store.outcome_rows import Place
from worker.store.outcomes import Judgement, insert_outcomes
from worker.store.statements import rows_changed

PAGE = 200  # chunks per page of the scan; every page is read
DEATHS = frozenset({"", "engine_died", "lease_expired"})  # codes in `last_error` that say nothing of the image itself
SUSPECT_FROM_ATTEMPTS = 2  # a first expired lease is bad luck (a node went away); a second without progress is suspicious

EXPIRE_LEASES = text(
    """
    -- expire leases: whoever held them is gone or frozen; its token is void from here on. One statement over all, no pages.
    -- A chunk that was suspect before has used up its attempts, a single image excepted, as after an engine's death.
    UPDATE chunks
       SET state = 'ready', next_attempt_at = now(), lease_owner = NULL, lease_token = NULL, lease_expires_at = NULL,
           attempts = CASE WHEN suspect AND hi - lo > 1 THEN greatest(attempts, :max_attempts) ELSE attempts END,
           suspect = suspect OR attempts >= :suspect_from, last_error = 'lease_expired: worker ' || lease_owner || ' went silent'
     WHERE id IN (SELECT id FROM chunks WHERE state = 'leased' AND lease_expires_at < now() ORDER BY id FOR UPDATE SKIP LOCKED)
    """
)
LEASEHOLDERS = text(
    """
    -- leaseholders: every worker that holds a lease
    SELECT DISTINCT lease_owner FROM chunks WHERE state = 'leased'
    """
)
VOID_LEASES = text(
    """
    -- void leases: those of workers known to be dead need not run out; the next sweep finds them expired
    UPDATE chunks SET lease_expires_at = now() WHERE state = 'leased' AND lease_owner = ANY(:owners)
    """
)
EXHAUSTED = text(
    """
    -- exhausted chunks: out of attempts, a page by id
    SELECT id, batch_id, revision, lo, hi, suspect, last_error FROM chunks
     WHERE state = 'ready' AND attempts >= :max_attempts AND id > :after
     ORDER BY id LIMIT :page FOR UPDATE SKIP LOCKED
    """
)
UNSETTLED = text(
    """
    -- unsettled ordinals of a range at a revision
    SELECT i.ordinal FROM items AS i
     WHERE i.batch_id = :batch_id AND i.ordinal >= :lo AND i.ordinal < :hi
       AND NOT EXISTS (SELECT FROM outcomes AS o WHERE o.batch_id = i.batch_id AND o.ordinal = i.ordinal AND o.revision = :revision)
     ORDER BY i.ordinal
    """
)
SPLIT = text(
    """
    -- split: the parent keeps its counters and is never announced again
    UPDATE chunks SET state = 'split', finished_at = now() WHERE id = :id
    """
)
INSERT_PART = text(
    """
    -- insert part: a smaller chunk with one attempt left before it is split in turn
    INSERT INTO chunks (batch_id, revision, lo, hi, attempts, suspect, last_error)
    VALUES (:batch_id, :revision, :lo, :hi, :attempts, :suspect, :last_error)
    """
)
FINISH = text(
    """
    -- finish: nothing unsettled is left
    UPDATE chunks SET state = 'done', finished_at = now(), suspect = false, failed = failed + :failed WHERE id = :id
    """
)


@dataclass(frozen=True, slots=True)
class Bisection:
    """What became of exhausted chunks: split in parts, or failed as a single image."""

    split: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class _Exhausted:
    id: int
    batch_id: UUID
    revision: int
    lo: int
    hi: int
    suspect: bool
    last_error: str | None


def expire_leases(session: Session, *, max_attempts: int) -> int:
    """Voids every lease that was not renewed in time: how many."""
    return rows_changed(session, EXPIRE_LEASES, max_attempts=max_attempts, suspect_from=SUSPECT_FROM_ATTEMPTS)


def leaseholders(session: Session) -> list[str]:
    """Names of all workers that hold a lease."""
    return list(session.execute(LEASEHOLDERS).scalars())


def void_leases(session: Session, owners: list[str]) -> int:
    """Ends the leases of dead workers now: the number of chunks."""
    return rows_changed(session, VOID_LEASES, owners=owners) if owners else 0


def split_or_fail(session: Session, *, max_attempts: int, actor: str) -> Bisection:
    """Chunks out of attempts: several unsettled images → two halves; one in company → alone; one alone → its outcome is `failed`."""
    split = failed = after = 0
    while page := session.execute(EXHAUSTED, {"max_attempts": max_attempts, "after": after, "page": PAGE}).all():
        for row in page:
            chunk = _Exhausted(*row)
            ordinals = list(session.execute(UNSETTLED, _range(chunk)).scalars())
            if len(ordinals) > 1 or (ordinals and chunk.hi - chunk.lo > 1):
                _split(session, chunk, ordinals, attempts=max_attempts - 1)
                split += 1
            else:
                failed += _fail(session, chunk, ordinals, actor)
        after = page[-1].id
    return Bisection(split, failed)


def _split(session: Session, chunk: _Exhausted, ordinals: list[int], *, attempts: int) -> None:
    middle = len(ordinals) // 2
    session.execute(SPLIT, {"id": chunk.id})
    for part in filter(None, (ordinals[:middle], ordinals[middle:])):
        bounds = {"lo": part[0], "hi": part[-1] + 1}
        inherited = {"attempts": attempts, "suspect": chunk.suspect, "last_error": chunk.last_error}
        session.execute(INSERT_PART, {"batch_id": chunk.batch_id, "revision": chunk.revision, **bounds, **inherited})


def _fail(session: Session, chunk: _Exhausted, ordinals: list[int], actor: str) -> int:
    outcomes = [_failure(chunk, ordinal) for ordinal in ordinals]
    place = Place(batch_id=chunk.batch_id, revision=chunk.revision, chunk_id=chunk.id)
    recorded = insert_outcomes(session, place, outcomes, Judgement(actor=actor)).tally
    session.execute(FINISH, {"id": chunk.id, "failed": recorded.failed})
    return recorded.failed


def _failure(chunk: _Exhausted, ordinal: int) -> Outcome:
    code, _, message = (chunk.last_error or "").partition(": ")
    if code in DEATHS:
        code = "image_kills_worker"
        message = f"Whatever judged this image died each time, last: {message}. Its siblings were judged without it."
    return Outcome(ordinal=ordinal, kind=OutcomeKind.FAILED, error_code=code, error_message=message)


def _range(chunk: _Exhausted) -> dict[str, object]:
    return {"batch_id": chunk.batch_id, "lo": chunk.lo, "hi": chunk.hi, "revision": chunk.revision}
