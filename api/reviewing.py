"""What the routes of review share: who acts, and tasks as the API shows them."""

from typing import Annotated

from fastapi import Depends
from sqlalchemy.orm import Session

from api.describing import link
from api.routes.items import describe_region
from api.schemas import review as bodies
from api.schemas.items import ErrorBody
from api.security.principal import Principal, require
from worker.moderation.identifiers import item_id
from worker.moderation.opening import shown_kind
from worker.moderation.outcomes import OutcomeKind, Verdict, ZoomPath
from worker.moderation.policy import Action, Route
from worker.moderation.release import HONESTY
from worker.moderation.review import AppealState, DecisionBasis, TaskKind, TaskState
from worker.moderation.scopes import Scope
from worker.store.models import AppealRow, DecisionRow, OutcomeRow, RegionRow, ReviewTaskRow
from worker.store.review_cases import Case, read_case
from worker.store.review_claims import Claim
from worker.store.review_listing import Progress
from worker.store.review_tasks import Claimant

# Leads review, too: what is escalated is theirs alone. Readers watch; they see no answers before reviewers do.
Reviewer = Annotated[Principal, Depends(require(Scope.REVIEW, Scope.LEAD))]
Organiser = Annotated[Principal, Depends(require(Scope.LEAD, Scope.ADMIN))]
Watcher = Annotated[Principal, Depends(require(Scope.READ, Scope.REVIEW, Scope.LEAD, Scope.ADMIN))]

TASK_ETAG = {"ETag": "The version of the question"}
_ID, _CLAIMED_ID = "$response.body#/id", "$response.body#/task/id"
_TOKEN = {"lease_token": "$response.body#/lease_token"}
OF_TASK = {
    **{
        operation: link(operation, task_id=_ID)
        for operation in ("readTask", "claimThisTask", "listReviews", "listDuplicates", "prioritiseTask")
    },
    **{operation: link(operation, seen=True, task_id=_ID) for operation in ("reopenTask", "reassignTask")},
}
OF_CLAIM = {
    **{
        operation: link(operation, body=_TOKEN, task_id=_CLAIMED_ID)
        for operation in ("heartbeatTask", "releaseTask", "skipTask", "decideDuplicates")
    },
    **{operation: link(operation, body=_TOKEN, seen=True, task_id=_CLAIMED_ID) for operation in ("submitReview", "holdTask")},
}


def claimant_of(principal: Principal) -> Claimant:
    """By whose name tasks are claimed, and whether as a lead."""
    return Claimant(tenant_id=principal.tenant, reviewer=principal.actor, lead=Scope.LEAD in principal.scopes)


def describe_task(task: ReviewTaskRow, progress: Progress) -> bodies.Task:
    """A task without what it is about. A golden one is not told from what it stands in for."""
    return bodies.Task(
        id=task.id,
        queue=task.queue,
        item_id=item_id(task.batch_id, task.ordinal),
        revision=task.revision,
        kind=shown_kind(TaskKind(task.kind), Route(task.route)),
        route=Route(task.route),
        reason=task.reason,
        priority=task.priority,
        slots=progress.slots,
        answers=progress.answers,
        state=TaskState(task.state),
        state_reason=task.state_reason,
        held_until=task.held_until,
        assigned_to=task.assigned_to if task.kind != TaskKind.GOLDEN else None,
        version=task.version,
        due_at=task.due_at,
        created_at=task.created_at,
        closed_at=task.closed_at,
    )


def describe_claim(session: Session, claim: Claim, claimant: Claimant) -> bodies.Claim:
    """A claim with its whole task."""
    task = describe_case(read_case(session, claim.task_id, claimant))
    return bodies.Claim(lease_token=claim.token, slot=min(claim.slot, task.slots), expires_at=claim.expires_at, task=task)


def describe_case(case: Case) -> bodies.WholeTask:
    """A task with everything that is needed to judge it."""
    item, policy, place = case.item, case.policy, item_id(case.task.batch_id, case.task.ordinal)
    sent = case.outcome is not None and case.outcome.sent_sha256 is not None
    return bodies.WholeTask(
        **dict(describe_task(case.task, case.progress)),
        guidance=case.guidance,
        policy_version=policy.name if policy else None,
        clauses=[bodies.TaskClause(id=clause.id, title=clause.title, reason=clause.reason) for clause in policy.clauses] if policy else [],
        reason_required=policy.reason_required if policy else False,
        four_eyes=sorted(policy.four_eyes) if policy else [],
        item=bodies.TaskItem(
            id=place,
            batch_id=item.batch_id,
            custom_id=item.custom_id,
            source=item.source,
            version_id=item.version_id,
            metadata=item.metadata,
            image=f"/v1/items/{place}/image?revision={case.task.revision}" if sent else None,
        ),
        outcome=_outcome(case.outcome, case) if case.outcome is not None else None,
        regions=[_region(region) for region in case.regions],
        decisions=[describe_decision(decision) for decision in case.decisions],
        appeal=_appeal(case.appeal) if case.appeal is not None else None,
    )


def _outcome(row: OutcomeRow, case: Case) -> bodies.TaskOutcome:
    return bodies.TaskOutcome(
        kind=OutcomeKind(row.kind),
        verdict=Verdict(row.verdict) if row.verdict else None,
        p_generated=row.p_generated,
        scan_verdict=Verdict(row.scan_verdict) if row.scan_verdict else None,
        scan_p_generated=row.scan_p_generated,
        explanation=row.explanation,
        scan_explanation=row.scan_explanation,
        path=ZoomPath(row.path) if row.path else None,
        release=row.release_id,
        training=case.training,
        honesty=HONESTY[case.training] if case.training else None,
        width=row.width,
        height=row.height,
        error=ErrorBody.of(row.error_code, row.error_message),
    )


def _region(row: RegionRow) -> bodies.TaskRegion:
    region = describe_region(row)
    return bodies.TaskRegion(**dict(region), crop=f"/v1/regions/{region.id}/crop" if row.crop_sha256 else None)


def describe_decision(row: DecisionRow) -> bodies.TaskDecision:
    """A decision as it is shown beside a task."""
    return bodies.TaskDecision(
        id=row.id,
        revision=row.revision,
        basis=DecisionBasis(row.basis),
        verdict=Verdict(row.verdict),
        action=Action(row.action),
        decided_by=row.decided_by,
        reason=row.reason,
        clause=row.clause,
        created_at=row.created_at,
    )


def _appeal(row: AppealRow) -> bodies.TaskAppeal:
    return bodies.TaskAppeal(
        id=row.id,
        decision_id=row.decision_id,
        region_position=row.region_position,
        statement=row.statement,
        reference=row.reference,
        state=AppealState(row.state),
        due_at=row.due_at,
    )
