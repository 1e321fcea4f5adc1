"""Decisions: what the platform is to do about images, how each came to be, and a lead's own."""

from collections.abc import Collection, Mapping, Sequence
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Response
from sqlalchemy.orm import Session

from api.answering import written
from api.cursors import DEFAULT_LIMIT, Cursor, Limit, read_id, write_cursor
from api.describing import answers, link, problems
from api.finding import found
from api.paths import ItemId
from api.schemas import decisions as bodies
from api.security.principal import Lead, Reader
from api.services import Services
from api.times import Since
from worker.moderation.identifiers import RegionPlace, first_uuid7, item_id, parse_item_id, region_id
from worker.moderation.outcomes import Verdict
from worker.moderation.policy import Action
from worker.moderation.review import DecisionBasis
from worker.store import decisions as store
from worker.store.items import check_item
from worker.store.lineage import decided_regions
from worker.store.models import DecisionRow, RegionRow
from worker.store.overrides import Override, override
from worker.store.session import transaction

router = APIRouter(prefix="/v1", tags=["decisions"])

LISTING = "decisions"
OF_POLICY = ("clause_unknown", "clause_required", "four_eyes_required")  # a lead's decision always has a reason
DecisionId = Annotated[UUID, Path(description="A decision's id.")]
FOLLOW: Mapping[str, Any] = {
    "decision": link("readDecision", decision_id="$response.body#/id"),
    "item": link("readItem", item_id="$response.body#/item_id"),
    "line": link("listItemDecisions", item_id="$response.body#/item_id"),
    "state": link("draftStatement", body={"decision_id": "$response.body#/id"}),
    "contest": link("submitAppeal", body={"decision_id": "$response.body#/id", "statement": "It is a photograph."}),
}
FIRST: Mapping[str, Any] = {"decision": link("readDecision", decision_id="$response.body#/decisions/0/id")}


@router.get(
    "/decisions",
    operation_id="listDecisions",
    response_model=bodies.DecisionPage,
    responses=answers(200, "A page of decisions", links=FIRST) | problems("cursor_invalid"),
)
def list_decisions(
    principal: Reader, services: Services, since: Since = None, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
) -> Response:
    """List decisions, oldest first. They come to light some seconds after their moment at most: begin a minute early, drop known ids."""
    listing = f"{LISTING}?{since.isoformat() if since else ''}"
    start = read_id(listing, cursor) if cursor else first_uuid7(since)
    with transaction(services.engine) as session:
        rows = store.list_decisions(session, principal.tenant, since=start, inclusive=cursor is None, limit=limit + 1)
        page = _described(session, rows[:limit])
    return written(bodies.DecisionPage(decisions=page, next_cursor=write_cursor(listing, str(page[-1].id)) if len(rows) > limit else None))


@router.get(
    "/decisions/{decision_id:segment}", operation_id="readDecision", responses=answers(200, "It", links=FOLLOW) | problems("not_found")
)
def read_decision(decision_id: DecisionId, principal: Reader, services: Services) -> bodies.Decision:
    """See a decision, and whether it stands."""
    with transaction(services.engine) as session:
        (decision,) = _described(session, [found(store.find_decision, session, decision_id, tenant_id=principal.tenant)])
    return decision


@router.get(
    "/items/{item_id:segment}/decisions",
    operation_id="listItemDecisions",
    responses=answers(200, "The line", links=FIRST) | problems("not_found"),
)
def list_item_decisions(item_id: ItemId, principal: Reader, services: Services) -> bodies.DecisionLine:
    """List an item's newest 100 decisions, each superseding the one before: the last one stands."""
    place = parse_item_id(item_id)
    with transaction(services.engine) as session:
        check_item(session, principal.tenant, *place)
        line = store.item_decisions(session, *place)
    return bodies.DecisionLine(decisions=[_body(row, current=row is line[-1]) for row in line])


@router.post(
    "/items/{item_id:segment}/decisions",
    operation_id="decideItem",
    status_code=201,
    responses=answers(201, "Decided", links=FOLLOW, headers={"Location": "The decision"})
    | problems("not_found", "decision_superseded", "decision_conflict", "appeal_open", "item_not_judged", "item_erased", *OF_POLICY),
)
def decide_item(item_id: ItemId, body: bodies.Overriding, principal: Lead, services: Services, response: Response) -> bodies.Decision:
    """Decide as a lead, over the decision that you saw. Open review tasks of the item are withdrawn."""
    place = parse_item_id(item_id)
    wanted = Override(
        verdict=Verdict(body.verdict), action=Action(body.action), reason=body.reason, clause=body.clause, supersedes=body.supersedes
    )
    with transaction(services.engine) as session:
        check_item(session, principal.tenant, *place)
        made = override(session, principal.tenant, place, wanted, lead=principal.actor)
        (decision,) = _described(session, [store.find_decision(session, made, tenant_id=principal.tenant)])
    response.headers["Location"] = f"/v1/decisions/{made}"
    return decision


def evidence_of(session: Session, ids: Collection[UUID]) -> Mapping[UUID, bodies.Evidence]:
    """What decisions rest on, as the API shows it."""
    decisions = store.find_decisions(session, ids)
    regions = decided_regions(session, decisions.values())
    return {key: _evidence(decision, regions[key]) for key, decision in decisions.items()}


def _evidence(decision: DecisionRow, regions: Sequence[RegionRow]) -> bodies.Evidence:
    shown = [
        bodies.EvidenceRegion(
            id=region_id(RegionPlace(row.batch_id, row.ordinal, row.revision, row.position)),
            position=row.position,
            box=[row.x0, row.y0, row.x1, row.y1],
            crop_sha256=row.crop_sha256,
        )
        for row in regions
    ]
    return bodies.Evidence(item_id=item_id(decision.batch_id, decision.ordinal), revision=decision.revision, regions=shown)


def _described(session: Session, rows: Sequence[DecisionRow]) -> list[bodies.Decision]:
    superseded = store.superseded_ids(session, [row.id for row in rows])
    return [_body(row, current=row.id not in superseded) for row in rows]


def _body(row: DecisionRow, *, current: bool) -> bodies.Decision:
    return bodies.Decision(
        id=row.id,
        item_id=item_id(row.batch_id, row.ordinal),
        revision=row.revision,
        basis=DecisionBasis(row.basis).value,
        verdict=Verdict(row.verdict).value,
        action=Action(row.action).value,
        reason=row.reason,
        decided_by=row.decided_by,
        policy_version=row.policy_version,
        clause=row.clause,
        supersedes=row.supersedes,
        current=current,
        created_at=row.created_at,
    )
