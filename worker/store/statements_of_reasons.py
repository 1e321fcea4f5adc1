"""Statements of reasons: drafted from a decision, signed by a person, held for a while, withdrawn. Sending is `statement_queue`'s."""

import hashlib
import json
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Session

from worker.moderation.errors import RejectedError
from worker.moderation.identifiers import new_uuid7
from worker.moderation.policy import Action
from worker.moderation.statement_drafts import draft_payload
from worker.moderation.statement_of_reasons import Payload, Reasons, Violation, violations
from worker.store import audit
from worker.store.decisions import current_decision, find_decision
from worker.store.erasures import check_not_erased
from worker.store.lineage import read_lineage
from worker.store.models import DecisionRow, StatementRow
from worker.store.models.decisions import StatementState


class WaitsFor(StrEnum):
    """What an unsent statement waits for."""

    SIGNATURE = "signature"
    HOLD = "hold"
    CONFIGURATION = "configuration"  # ZOOMIN_DSA_URL is not set: nothing is sent
    RECEIVER = "receiver"


def draft_statement(session: Session, tenant_id: str, decision_id: UUID, reasons: Reasons, *, actor: str) -> StatementRow:
    """A draft about a decision that stands and restricts something. One that was withdrawn or refused makes room for another.

    Raises RejectedError: decision_missing, decision_superseded, decision_unrestricting, statement_exists, item_erased.
    """
    decision = find_decision(session, decision_id, tenant_id=tenant_id)
    check_not_erased(session, decision.batch_id, decision.ordinal)
    if decision.action == Action.NONE:
        raise RejectedError("decision_unrestricting", f"Decision {decision.id} leaves the image as it is: there is nothing to state.")
    _check_stands(session, decision)
    statement_id = new_uuid7()
    payload = draft_payload(reasons, read_lineage(session, decision), puid=statement_id.hex).as_sent()
    new = {"id": statement_id, "tenant_id": tenant_id, "decision_id": decision_id, "payload": payload, "drafted_by": actor}
    made = session.execute(
        postgresql.insert(StatementRow).values(**new, state=StatementState.DRAFT).on_conflict_do_nothing().returning(StatementRow.id)
    ).one_or_none()
    if made is None:
        raise RejectedError("statement_exists", f"Decision {decision_id} has a statement. Withdraw it, or wait until it is refused.")
    row = find_statement(session, statement_id, tenant_id=tenant_id)
    _note(session, row, decision, "statement.drafted", actor)
    return row


def find_statement(session: Session, statement_id: UUID, *, tenant_id: str, lock: bool = False) -> StatementRow:
    """A statement of the tenant's. Raises RejectedError `statement_missing`."""
    row = session.get(StatementRow, statement_id, populate_existing=True, with_for_update=lock or None)
    if row is None or row.tenant_id != tenant_id:
        raise RejectedError("statement_missing", f"There is no statement {statement_id}.")
    return row


def list_statements(
    session: Session, tenant_id: str, *, state: StatementState | None = None, before: UUID | None = None, limit: int
) -> list[StatementRow]:
    """Newest first."""
    query = select(StatementRow).filter_by(tenant_id=tenant_id).order_by(StatementRow.id.desc()).limit(limit)
    query = query.where(StatementRow.state == state) if state else query
    query = query.where(StatementRow.id < before) if before else query
    return list(session.execute(query).scalars())


def broken_rules(row: StatementRow) -> tuple[Violation, ...]:
    """Every rule that its payload breaks."""
    return violations(Payload.model_validate(row.payload))


def waits_for(row: StatementRow, *, now: datetime, configured: bool) -> WaitsFor | None:
    """What has to happen before it goes on; None at its end. `now` by the database; `configured`: whether there is anywhere to send it."""
    match StatementState(row.state):
        case StatementState.DRAFT:
            return WaitsFor.SIGNATURE
        case StatementState.HELD:
            if row.hold_until is not None and now < row.hold_until:
                return WaitsFor.HOLD
            return WaitsFor.RECEIVER if configured else WaitsFor.CONFIGURATION
        case _:
            return None


def sign_statement(session: Session, statement_id: UUID, *, tenant_id: str, signed_by: str, hold: timedelta, actor: str) -> StatementRow:
    """Ends the drafting: `signed_by` answers for it, and it is sent when the hold is over.

    Raises RejectedError: statement_missing, statement_state, statement_invalid, decision_superseded.
    """
    row = find_statement(session, statement_id, tenant_id=tenant_id, lock=True)
    if row.state != StatementState.DRAFT:
        raise RejectedError("statement_state", f"Statement {row.id} is {row.state}: only a draft is signed.")
    decision = find_decision(session, row.decision_id, tenant_id=tenant_id)
    _check_stands(session, decision)
    if broken := broken_rules(row):
        said = "; ".join(f"{violation.field}: {violation.message}" for violation in broken[:5])
        raise RejectedError("statement_invalid", f"Statement {row.id} breaks {len(broken)} of the database's rules: {said}")
    row.state, row.signed_by, row.signed_at = StatementState.HELD, signed_by, func.now()
    row.hold_until = row.next_attempt_at = func.now() + hold
    session.flush()
    signatory = signed_by if signed_by == actor else f"sha256:{hashlib.sha256(signed_by.encode()).hexdigest()}"  # names stay out of it
    _note(session, row, decision, "statement.signed", actor, signed_by=signatory)
    return find_statement(session, statement_id, tenant_id=tenant_id)


def withdraw_statement(session: Session, statement_id: UUID, *, tenant_id: str, actor: str) -> StatementRow:
    """Takes it back unsent; another may be drafted. Raises RejectedError: statement_missing, statement_state, statement_uncertain."""
    row = find_statement(session, statement_id, tenant_id=tenant_id, lock=True)
    if row.state not in {StatementState.DRAFT, StatementState.HELD}:
        raise RejectedError("statement_state", f"Statement {row.id} is {row.state}: what was sent cannot be withdrawn here.")
    if row.uncertain:
        raise RejectedError("statement_uncertain", f"Statement {row.id} is being sent, or may have arrived: the next attempt tells.")
    row.state = StatementState.WITHDRAWN
    session.flush()
    _note(session, row, find_decision(session, row.decision_id, tenant_id=tenant_id), "statement.withdrawn", actor)
    return row


def _check_stands(session: Session, decision: DecisionRow) -> None:
    current = current_decision(session, decision.batch_id, decision.ordinal)
    if current is None or current.id != decision.id:
        raise RejectedError("decision_superseded", f"Decision {decision.id} was superseded. State the reasons of the one that stands.")


def _note(session: Session, row: StatementRow, decision: DecisionRow, action: str, actor: str, **more: str) -> None:
    digest = hashlib.sha256(json.dumps(row.payload, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
    detail: dict[str, Any] = {"statement": str(row.id), "decision": str(decision.id), **more}
    place: dict[str, Any] = {"batch_id": decision.batch_id, "ordinal": decision.ordinal, "revision": decision.revision}
    audit.record(session, actor=actor, action=action, **place, payload_digest=digest, detail=detail)
