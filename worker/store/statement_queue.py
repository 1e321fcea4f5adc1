"""The way of signed statements to the receiver: leases, and how attempts end. All times are the database's.

An attempt marks its statement *uncertain* before anything is sent, and only an answer takes that back: who dies in between leaves a
statement that the receiver may have. Such a one is sent again under the same puid, which the receiver takes once, and is never withdrawn
unasked.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from worker.moderation.identifiers import new_uuid7
from worker.store import audit
from worker.store.statements import rows_changed

SENDER = "statements"  # the sender, in the audit trail
# Why a statement about decision `d` is not to be sent any more; null: it is.
MOOT = """
    CASE WHEN EXISTS (SELECT FROM erasures AS e WHERE (e.batch_id, e.ordinal) = (d.batch_id, d.ordinal)) THEN 'item_erased'
         WHEN EXISTS (SELECT FROM decisions AS later WHERE later.supersedes = d.id) THEN 'superseded' END
"""

WITHDRAW = text(
    f"""
    -- withdraw moot: unsent statements that are not to be sent any more; about one decision, or wherever there are some
    UPDATE statements_of_reasons AS s SET state = 'withdrawn', lease_token = NULL, receiver_code = {MOOT}
      FROM decisions AS d
     WHERE d.id = s.decision_id AND s.state IN ('draft', 'held') AND NOT s.uncertain
       AND (CAST(:decision_id AS uuid) IS NULL OR s.decision_id = :decision_id) AND {MOOT} IS NOT NULL
    RETURNING s.id, s.decision_id, s.tenant_id, s.receiver_code, d.batch_id, d.ordinal, d.revision
    """  # noqa: S608  a constant of ours
)
LEASE = text(
    f"""
    -- lease: signed statements whose time has come, the longest waiting first
    WITH due AS (
        SELECT id, uncertain FROM statements_of_reasons WHERE state = 'held' AND next_attempt_at <= now()
         ORDER BY next_attempt_at, id LIMIT :limit FOR UPDATE SKIP LOCKED
    )
    UPDATE statements_of_reasons AS s
       SET lease_token = :token, next_attempt_at = now() + make_interval(secs => :seconds), attempts = least(attempts + 1, 32767),
           uncertain = true
      FROM due, decisions AS d
     WHERE s.id = due.id AND d.id = s.decision_id
    RETURNING s.id, s.lease_token AS token, s.decision_id, s.tenant_id, s.payload, s.attempts,
              due.uncertain AS was_uncertain, d.batch_id, d.ordinal, d.revision, {MOOT} AS moot
    """  # noqa: S608  a constant of ours
)
END = text(
    """
    -- end: an attempt was answered for good
    UPDATE statements_of_reasons
       SET state = :state, lease_token = NULL, uncertain = false, receiver_code = :code, receiver_detail = CAST(:detail AS jsonb),
           receiver_id = :receiver_id, submitted_at = CASE WHEN :state = 'submitted' THEN now() END
     WHERE id = :id AND lease_token = :token
    """
)
PUT_OFF = text(
    """
    -- put off: an attempt ended without success; it is tried again after a pause
    UPDATE statements_of_reasons
       SET lease_token = NULL, uncertain = :uncertain, receiver_code = :code, next_attempt_at = now() + make_interval(secs => :seconds)
     WHERE id = :id AND lease_token = :token
    """
)
WAITING = text(
    """
    -- waiting: how many statements are signed and not sent, and how many of them could go now
    SELECT count(*) AS held, count(*) FILTER (WHERE next_attempt_at <= now()) AS due FROM statements_of_reasons WHERE state = 'held'
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Leased:
    """A statement to send now, or only to ask about when it is `moot`: superseded, or item_erased."""

    id: UUID
    token: UUID
    decision_id: UUID
    tenant_id: str
    payload: Mapping[str, Any]
    attempts: int
    batch_id: UUID
    ordinal: int
    revision: int
    moot: str | None
    was_uncertain: bool  # an earlier attempt was never answered; only finding it there, or not, settles that

    @property
    def puid(self) -> str:
        """Its name at the receiver, the same at every attempt."""
        return self.id.hex


@dataclass(frozen=True, slots=True)
class Waiting:
    """Signed statements that are not sent; `due` of them could be."""

    held: int
    due: int


def withdraw_moot(session: Session, *, decision_id: UUID | None = None, actor: str = SENDER) -> int:
    """Withdraws what was not sent of one decision or any, and is not to be any more: how many. Uncertain ones are asked about first."""
    rows = session.execute(WITHDRAW, {"decision_id": decision_id}).all()
    for row in rows:
        _note(session, row, "statement.withdrawn", actor, {"code": row.receiver_code})
    return len(rows)


def lease_due(session: Session, *, limit: int, seconds: float) -> list[Leased]:
    """At most `limit` statements, for `seconds`. No other sender gets them meanwhile."""
    rows = session.execute(LEASE, {"limit": limit, "seconds": seconds, "token": new_uuid7()}).all()
    return [Leased(**row._asdict()) for row in rows]


def record_submitted(session: Session, leased: Leased, *, code: str, receiver_id: str | None = None) -> bool:
    """The receiver has it. False: the lease was lost, and another sender finds out by itself."""
    return _end(session, leased, "submitted", code, receiver_id=receiver_id)


def record_refused(session: Session, leased: Leased, *, code: str, detail: str) -> bool:
    """The receiver will not have it; `detail`: what it said of its fields, as JSON."""
    return _end(session, leased, "refused", code, detail=detail)


def record_withdrawn(session: Session, leased: Leased) -> bool:
    """It is not there, and it is moot."""
    return _end(session, leased, "withdrawn", leased.moot)


def put_off(session: Session, leased: Leased, *, code: str, seconds: float, uncertain: bool) -> None:
    """It is tried again after a pause. `uncertain`: no answer told whether this attempt took it there."""
    may_be_there = uncertain or leased.was_uncertain
    session.execute(PUT_OFF, {"id": leased.id, "token": leased.token, "code": code, "seconds": seconds, "uncertain": may_be_there})


def waiting(session: Session) -> Waiting:
    """What is signed and not sent."""
    return Waiting(*session.execute(WAITING).one())


def _end(
    session: Session, leased: Leased, state: str, code: str | None, *, detail: str | None = None, receiver_id: str | None = None
) -> bool:
    parameters = {"id": leased.id, "token": leased.token, "state": state, "code": code, "detail": detail, "receiver_id": receiver_id}
    kept = rows_changed(session, END, **parameters) == 1
    if kept:
        _note(session, leased, f"statement.{state}", SENDER, {"code": code, "attempts": leased.attempts})
    return kept


def _note(session: Session, about: Any, action: str, actor: str, detail: Mapping[str, Any]) -> None:
    audit.record(
        session,
        actor=actor,
        action=action,
        batch_id=about.batch_id,
        ordinal=about.ordinal,
        revision=about.revision,
        detail={"statement": str(about.id), "decision": str(about.decision_id), **detail},
    )
