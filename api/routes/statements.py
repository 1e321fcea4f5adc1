"""Statements of reasons: drafted from a decision and its evidence, signed by a person, held, and sent by `zoomin statements run`."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Response
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from api.answering import written
from api.cursors import DEFAULT_LIMIT, Cursor, Limit, read_id, write_cursor
from api.describing import answers, link, problems
from api.finding import found
from api.problems import Fault, ProblemError
from api.routes.decisions import evidence_of
from api.schemas import statements as bodies
from api.schemas.decisions import Evidence
from api.security.principal import Lead, Principal, require
from api.services import ApiServices, Services
from worker.moderation.scopes import Scope
from worker.store import statements_of_reasons as store
from worker.store.models import StatementRow
from worker.store.models.decisions import StatementState
from worker.store.session import transaction

router = APIRouter(prefix="/v1/statements-of-reasons", tags=["statements of reasons"])

LISTING = "statements"
Viewer = Annotated[Principal, Depends(require(Scope.READ, Scope.LEAD))]
StatementId = Annotated[UUID, Path(description="A statement's id; its hex is the puid.")]
State = Annotated[bodies.State | None, Query(description="Only these.")]
DryRun = Annotated[Literal["true", "false"], Query(description="`true`: only tell what would be sent, and every rule it breaks.")]
FOLLOW = {
    **{
        operation: link(operation, statement_id="$response.body#/id")
        for operation in ("readStatement", "submitStatement", "withdrawStatement")
    },
    "decision": link("readDecision", decision_id="$response.body#/decision_id"),
}
NEWEST = {"statement": link("readStatement", statement_id="$response.body#/statements/0/id")}


@router.post(
    "",
    operation_id="draftStatement",
    status_code=201,
    responses=answers(201, "Drafted", links=FOLLOW, headers={"Location": "The statement"})
    | problems("decision_missing", "decision_superseded", "decision_unrestricting", "statement_exists", "item_erased"),
)
def draft_statement(body: bodies.StatementDrafted, principal: Lead, services: Services, response: Response) -> bodies.Statement:
    """Draft a statement about a decision. Facts come out of the evidence, each sentence naming its region; say what they cannot."""
    with transaction(services.engine) as session:
        row = store.draft_statement(session, principal.tenant, body.decision_id, body.reasons, actor=principal.actor)
        statement = _described(session, [row], services)[0]
    response.headers["Location"] = f"/v1/statements-of-reasons/{statement.id}"
    return statement


@router.get(
    "",
    operation_id="listStatements",
    response_model=bodies.StatementPage,
    responses=answers(200, "A page of statements", links=NEWEST) | problems("cursor_invalid"),
)
def list_statements(
    principal: Viewer, services: Services, state: State = None, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
) -> Response:
    """List statements, newest first."""
    listing = f"{LISTING}?{state or ''}"
    before = read_id(listing, cursor) if cursor else None
    with transaction(services.engine) as session:
        wanted = StatementState(state) if state else None
        rows = store.list_statements(session, principal.tenant, state=wanted, before=before, limit=limit + 1)
        page = _described(session, rows[:limit], services)
    return written(
        bodies.StatementPage(statements=page, next_cursor=write_cursor(listing, str(page[-1].id)) if len(rows) > limit else None)
    )


@router.get("/{statement_id:segment}", operation_id="readStatement", responses=answers(200, "It", links=FOLLOW) | problems("not_found"))
def read_statement(statement_id: StatementId, principal: Viewer, services: Services) -> bodies.Statement:
    """See a statement, exactly as it is sent, and where it stands."""
    with transaction(services.engine) as session:
        row = found(store.find_statement, session, statement_id, tenant_id=principal.tenant)
        return _described(session, [row], services)[0]


@router.post(
    "/{statement_id:segment}:submit",
    operation_id="submitStatement",
    responses=answers(200, "Signed; or, of a dry run, as it is", links=FOLLOW)
    | problems("not_found", "statement_state", "statement_invalid", "signature_missing", "decision_superseded"),
)
def submit_statement(
    statement_id: StatementId, principal: Lead, services: Services, body: bodies.Signature | None = None, dry_run: DryRun = "false"
) -> bodies.Statement:
    """Sign a draft: it is sent when the hold is over, unless it is withdrawn or its decision superseded before."""
    with transaction(services.engine) as session:
        row = found(store.find_statement, session, statement_id, tenant_id=principal.tenant)
        if dry_run == "true":
            return _described(session, [row], services)[0]
        if row.state == StatementState.DRAFT and (broken := store.broken_rules(row)):
            raise ProblemError("statement_invalid", errors=[Fault(f"#/reasons/{rule.field}", rule.code, rule.message) for rule in broken])
        signed = store.sign_statement(
            session,
            statement_id,
            tenant_id=principal.tenant,
            signed_by=_signatory(principal, body),
            hold=timedelta(hours=services.settings.dsa_hold_hours),
            actor=principal.actor,
        )
        return _described(session, [signed], services)[0]


@router.post(
    "/{statement_id:segment}:withdraw",
    operation_id="withdrawStatement",
    responses=answers(200, "Withdrawn", links=FOLLOW) | problems("not_found", "statement_state", "statement_uncertain"),
)
def withdraw_statement(statement_id: StatementId, principal: Lead, services: Services) -> bodies.Statement:
    """Take an unsent statement back. Another may be drafted about the same decision."""
    with transaction(services.engine) as session:
        row = found(store.withdraw_statement, session, statement_id, tenant_id=principal.tenant, actor=principal.actor)
        return _described(session, [row], services)[0]


def _signatory(principal: Principal, body: bodies.Signature | None) -> str:
    """A person answers for a statement; a key is none, and must say who does."""
    named = body.signed_by if body else None
    if principal.actor.startswith("key:"):
        if named is None:
            raise ProblemError("signature_missing")
        return named
    return principal.actor


def _described(session: Session, rows: Sequence[StatementRow], services: ApiServices) -> list[bodies.Statement]:
    evidence = evidence_of(session, {row.decision_id for row in rows})
    now = session.execute(select(func.now())).scalar_one()
    configured = services.settings.dsa_url is not None
    return [_body(row, evidence[row.decision_id], store.waits_for(row, now=now, configured=configured)) for row in rows]


def _body(row: StatementRow, evidence: Evidence, waits: store.WaitsFor | None) -> bodies.Statement:
    receiver = {"code": row.receiver_code, "detail": row.receiver_detail, "id": row.receiver_id}
    broken = store.broken_rules(row) if row.state == StatementState.DRAFT else ()
    return bodies.Statement(
        id=row.id,
        decision_id=row.decision_id,
        state=StatementState(row.state).value,
        waits_for=waits.value if waits else None,
        payload=row.payload,
        violations=[bodies.RuleBroken.model_validate({"field": v.field, "code": v.code, "message": v.message}) for v in broken],
        evidence=evidence,
        drafted_by=row.drafted_by,
        signed_by=row.signed_by,
        signed_at=row.signed_at,
        hold_until=row.hold_until,
        receiver=bodies.Receiver.model_validate(receiver) if row.receiver_code else None,
        created_at=row.created_at,
        submitted_at=row.submitted_at,
    )
