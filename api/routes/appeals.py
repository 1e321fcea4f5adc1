"""Appeals: contest a decision, or one box of it, and hear what came of it."""

import hashlib
import json
from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response
from sqlalchemy.orm import Session

from api.answering import written
from api.cursors import DEFAULT_LIMIT, Cursor, Limit, read_id, write_cursor
from api.describing import answers, link, problems
from api.finding import found
from api.routes.batches import OF_A_KEY
from api.routes.decisions import evidence_of
from api.schemas import appeals as bodies
from api.schemas.decisions import Evidence
from api.security.principal import Principal, Reader, Submitter
from api.services import Services
from api.submitting import IdempotencyKey
from worker.moderation.review import AppealState
from worker.store import appeals as store
from worker.store.models import AppealRow
from worker.store.session import transaction
from worker.store.tenants import ensure_tenant

router = APIRouter(prefix="/v1/appeals", tags=["appeals"])

LISTING = "appeals"
AppealId = Annotated[UUID, Path(description="An appeal's id.")]
State = Annotated[bodies.State | None, Query(description="Only these.")]
FOLLOW = {
    "appeal": link("readAppeal", appeal_id="$response.body#/id"),
    "decision": link("readDecision", decision_id="$response.body#/decision_id"),
}


@router.post(
    "",
    operation_id="submitAppeal",
    status_code=201,
    responses=answers(
        201,
        "Open: somebody who had no part in the decision is asked",
        links=FOLLOW,
        headers={"Location": "The appeal", "Idempotency-Replayed": "`true`, when the key had been used for it before"},
    )
    | problems(
        *OF_A_KEY,
        "decision_missing",
        "decision_superseded",
        "region_unknown",
        "appeal_exists",
        "appeal_too_late",
        "appeal_conflict",
        "item_erased",
    ),
)
def submit_appeal(
    body: bodies.AppealSubmitted, idempotency_key: IdempotencyKey, principal: Submitter, services: Services, response: Response
) -> bodies.Appeal:
    """Contest a decision that stands, once, within 183 days. `appeal.decided` tells of the end, as a webhook."""
    new = store.NewAppeal(
        decision_id=body.decision_id,
        statement=body.statement,
        region_position=body.region,
        reference=body.reference,
        key=idempotency_key,
        digest=_digest(principal, body),
    )
    with transaction(services.engine) as session:
        ensure_tenant(session, principal.tenant)
        opened = store.submit_appeal(session, principal.tenant, new, actor=principal.actor)
        (appeal,) = _described(session, [opened.appeal])
    response.headers["Location"] = f"/v1/appeals/{appeal.id}"
    if not opened.created:
        response.headers["Idempotency-Replayed"] = "true"
    return appeal


@router.get(
    "",
    operation_id="listAppeals",
    response_model=bodies.AppealPage,
    responses=answers(200, "A page of appeals", links={"appeal": link("readAppeal", appeal_id="$response.body#/appeals/0/id")})
    | problems("cursor_invalid"),
)
def list_appeals(
    principal: Reader, services: Services, state: State = None, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
) -> Response:
    """List appeals, newest first."""
    listing = f"{LISTING}?{state or ''}"
    before = read_id(listing, cursor) if cursor else None
    with transaction(services.engine) as session:
        wanted = AppealState(state) if state else None
        rows = store.list_appeals(session, principal.tenant, state=wanted, before=before, limit=limit + 1)
        page = _described(session, rows[:limit])
    return written(bodies.AppealPage(appeals=page, next_cursor=write_cursor(listing, str(page[-1].id)) if len(rows) > limit else None))


@router.get("/{appeal_id:segment}", operation_id="readAppeal", responses=answers(200, "It", links=FOLLOW) | problems("not_found"))
def read_appeal(appeal_id: AppealId, principal: Reader, services: Services) -> bodies.Appeal:
    """See an appeal, its deadline, its outcome, and the evidence as it was decided on."""
    with transaction(services.engine) as session:
        (appeal,) = _described(session, [found(store.find_appeal, session, appeal_id, tenant_id=principal.tenant)])
    return appeal


def _digest(principal: Principal, body: bodies.AppealSubmitted) -> str:
    canonical = json.dumps([principal.tenant, body.model_dump(mode="json")], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def _described(session: Session, rows: Sequence[AppealRow]) -> list[bodies.Appeal]:
    evidence = evidence_of(session, {row.decision_id for row in rows})
    return [_body(row, evidence[row.decision_id]) for row in rows]


def _body(row: AppealRow, evidence: Evidence) -> bodies.Appeal:
    return bodies.Appeal(
        id=row.id,
        decision_id=row.decision_id,
        state=AppealState(row.state).value,
        statement=row.statement,
        region=row.region_position,
        reference=row.reference,
        due_at=row.due_at,
        created_at=row.created_at,
        decided_at=row.decided_at,
        settled_by=row.settled_by,
        evidence=evidence,
    )
