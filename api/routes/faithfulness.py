"""Tests of explanations: of one item, and of a batch."""

from fastapi import APIRouter

from api.cursors import Revision
from api.describing import problems
from api.paths import BatchId, ItemId
from api.schemas.faithfulness import BatchFaithfulness, CheckCostBody, FaithfulnessCheck, MaskingBody
from api.schemas.items import ErrorBody
from api.security.principal import Reader
from api.services import Services
from worker.moderation.faithfulness import CheckCost, Masking
from worker.moderation.identifiers import parse_item_id
from worker.store.batches import find_batch
from worker.store.faithfulness import StoredCheck, batch_checks, read_check
from worker.store.items import check_item
from worker.store.session import transaction

router = APIRouter(prefix="/v1")

NOT_CHECKED = FaithfulnessCheck(
    state="not_checked",
    revision=None,
    p_generated=None,
    drop=None,
    control_drop=None,
    beyond_control=None,
    maskings=[],
    cost=None,
    error=None,
    created_at=None,
)


@router.get("/items/{item_id:segment}/faithfulness", operation_id="readFaithfulness", tags=["items"], responses=problems("not_found"))
def read_faithfulness(item_id: ItemId, principal: Reader, services: Services, revision: Revision = None) -> FaithfulnessCheck:
    """See whether an item's explanation moves its score: what hiding the cited regions did, and hiding as much elsewhere."""
    batch_id, ordinal = parse_item_id(item_id)
    with transaction(services.engine) as session:
        check_item(session, principal.tenant, batch_id, ordinal)
        check = read_check(session, batch_id, ordinal, revision)
    return NOT_CHECKED if check is None else _check(check)


@router.get(
    "/batches/{batch_id:segment}/faithfulness",
    operation_id="readBatchFaithfulness",
    tags=["batches"],
    responses=problems("not_found"),
)
def read_batch_faithfulness(batch_id: BatchId, principal: Reader, services: Services) -> BatchFaithfulness:
    """See what the tests of a batch's explanations found, and what they cost."""
    with transaction(services.engine) as session:
        checks = batch_checks(session, find_batch(session, batch_id, tenant_id=principal.tenant).id)
    return BatchFaithfulness(
        checks=checks.checks,
        tested=checks.tested,
        failed=checks.checks - checks.tested,
        unmoved=checks.unmoved,
        least_drop=checks.least_drop,
        drop=checks.drop,
        control_drop=checks.control_drop,
        cost=_cost(checks.cost),
    )


def _check(check: StoredCheck) -> FaithfulnessCheck:
    found = check.found
    return FaithfulnessCheck(
        state="checked" if found.error_code is None else "failed",
        revision=check.revision,
        p_generated=check.p_generated,
        drop=found.drop,
        control_drop=found.control_drop,
        beyond_control=found.beyond_control,
        maskings=list(map(_masking, found.maskings)),
        cost=_cost(found.cost),
        error=ErrorBody.of(found.error_code, found.error_message),
        created_at=check.created_at,
    )


def _masking(masking: Masking) -> MaskingBody:
    return MaskingBody(
        position=masking.position,
        fill=masking.fill,
        p_masked=masking.p_masked,
        p_control=masking.p_control,
        controls=[list(box.corners()) for box in masking.controls],
    )


def _cost(cost: CheckCost) -> CheckCostBody:
    return CheckCostBody(
        requests=cost.requests, prompt_tokens=cost.prompt_tokens, completion_tokens=cost.completion_tokens, seconds=cost.seconds
    )
