"""Review: queues, tasks, claims, answers. Texts of models, submitters, appellants and reviewers are data: show them escaped."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from api.schemas.base import WHOLE, Answer, Moment, RequestBody
from api.schemas.decisions import ClauseId
from api.schemas.items import ErrorBody, RegionBody
from worker.moderation.opening import ShownKind
from worker.moderation.outcomes import OutcomeKind, Verdict, ZoomPath
from worker.moderation.policy import NAME, Action, Route
from worker.moderation.release import Training
from worker.moderation.review import (
    LONGEST_UNDO_SECONDS,
    AppealState,
    DecisionBasis,
    JudgementKind,
    ReviewVerdict,
    TaskState,
)

MOST_JUDGEMENTS = 64  # as worker.store.review_checks
UNSEEN = "until your own answer has taken effect or the task is finished, unless you are a lead"
EXPOSURE = "How long the picture was visible unblurred, as the page measured it"
Slots = Annotated[int, Field(ge=1, le=5, description="Reviewers per task, who do not see each other's answers"), WHOLE]
LeaseSeconds = Annotated[int, Field(ge=30, le=86_400, description="A claim without a heartbeat expires after this"), WHOLE]
DueHours = Annotated[int, Field(ge=1, le=8_760, description="A task is due this long after it was made"), WHOLE]
GoldenShare = Annotated[
    float, Field(ge=0, le=0.5, description="Of claims, this share is of images whose answer is known (golden items), to measure reviewers")
]
Guidance = Annotated[str, Field(max_length=10_000, description="What reviewers of this queue are told")]
Reviewer = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^\S+$", examples=["person:0198c7a0000070008000000000000000"])]
Reason = Annotated[str, Field(min_length=1, max_length=1_000, pattern=r"\S", description="Why, for people")]
Token = Annotated[UUID, Field(strict=False, description="The claim's")]
Position = Annotated[int, Field(ge=1, le=32_767, description="Which of the outcome's regions"), WHOLE]
UndoSeconds = Annotated[
    int,
    Field(ge=0, le=LONGEST_UNDO_SECONDS, description="So long it can be taken back, and takes effect only then; 0: at once"),
    WHOLE,
]
Side = Annotated[int, Field(ge=0, le=100_000), WHOLE]
Corners = Annotated[
    list[Side], Field(min_length=4, max_length=4, description="[x0, y0, x1, y1] in pixels of the original after EXIF orientation")
]


class QueueSubmitted(RequestBody):
    """A new queue."""

    name: str = Field(pattern=f"^{NAME.pattern}$", examples=["default"])
    slots: Slots = 1
    lease_seconds: LeaseSeconds = 300
    due_hours: DueHours = 24
    guidance: Guidance = ""
    golden_share: GoldenShare = 0.0


class QueueChange(RequestBody):
    """What is left out, or null, stays as it is. `slots` and `due_hours` are for tasks made from then on."""

    slots: Slots | None = None
    lease_seconds: LeaseSeconds | None = None
    due_hours: DueHours | None = None
    guidance: Guidance | None = None
    golden_share: GoldenShare | None = None


class Waiting(Answer):
    """Unfinished tasks."""

    open: int
    held: int
    escalated: int
    overdue: int = Field(description="Of all of them")
    oldest: datetime | None = Field(description="When the one that has waited longest was made")


class Queue(Answer):
    """Where tasks wait. Its ETag is the version of its settings."""

    name: str
    slots: int
    lease_seconds: int
    due_hours: int
    guidance: str
    golden_share: float
    version: int
    created_at: datetime
    waiting: Waiting


class QueuePage(Answer):
    """By name."""

    queues: list[Queue]
    next_cursor: str | None = Field(description="Null on the last page")


class Task(Answer):
    """A question to people about an outcome. `version`, its ETag, counts changes of the question."""

    id: int
    queue: str
    item_id: str
    revision: int
    kind: ShownKind = Field(description="Why a person is asked: `qa` was drawn by chance from what passes")
    route: Route = Field(description="How the policy version routed the outcome")
    reason: str = Field(description="Why a person is asked")
    priority: int = Field(description="Higher is offered first")
    slots: int = Field(description=f"Answers it needs; what its queue asks for {UNSEEN}")
    answers: int = Field(description=f"Answers it has; your own alone {UNSEEN}")
    state: TaskState
    state_reason: str | None = Field(description="Why it is held, escalated or withdrawn")
    held_until: datetime | None
    assigned_to: str | None = Field(description="Only this reviewer may claim it")
    version: int
    due_at: datetime
    created_at: datetime
    closed_at: datetime | None


class TaskPage(Answer):
    """Unfinished ones as they are offered, finished ones newest first."""

    tasks: list[Task]
    next_cursor: str | None = Field(description="Null on the last page")


class TaskItem(Answer):
    """The image in question."""

    id: str
    batch_id: UUID
    custom_id: str
    source: str | None = Field(description="Where it came from, as text")
    version_id: str | None
    metadata: dict[str, Any] | None
    image: str | None = Field(description="Path of the shrunken whole image, as the model was sent it")


class TaskOutcome(Answer):
    """What the model said."""

    kind: OutcomeKind
    verdict: Verdict | None
    p_generated: float | None = Field(description="Calibrated when the release has a calibration")
    scan_verdict: Verdict | None
    scan_p_generated: float | None
    explanation: str | None = Field(description="Untrusted model text")
    scan_explanation: str | None = Field(description="Untrusted model text")
    path: ZoomPath | None
    release: str | None
    training: Training | None
    honesty: str | None = Field(description="How far the release can be trusted, in words: show it beside every score")
    width: int | None = Field(description="Pixels, after EXIF orientation")
    height: int | None
    error: ErrorBody | None


class TaskRegion(RegionBody):
    """A part worth a closer look, with the path of its crop."""

    crop: str | None


class TaskDecision(Answer):
    """What was decided of the image before."""

    id: UUID
    revision: int
    basis: DecisionBasis
    verdict: Verdict
    action: Action
    decided_by: str
    reason: str
    clause: str | None
    created_at: datetime


class TaskAppeal(Answer):
    """What is contested, and why."""

    id: UUID
    decision_id: UUID
    region_position: int | None = Field(description="The one box that is contested; null: the decision as a whole")
    statement: str = Field(description="Untrusted text")
    reference: str | None
    state: AppealState
    due_at: datetime


class TaskClause(Answer):
    """What an answer can rest on."""

    id: str
    title: str = Field(description="What it says, for people")
    reason: str = Field(description="What the reviewer's reason begins as")


class WholeTask(Task):
    """A task with everything that is needed to judge it, and nothing of what other reviewers have answered."""

    guidance: str = Field(description="What reviewers of its queue are told")
    policy_version: str | None = Field(description="Which version routed the outcome")
    clauses: list[TaskClause] = Field(description="Of that version: where there are any, `real` and `generated` name one")
    reason_required: bool = Field(description="Whether that version asks `real` and `generated` for a note")
    four_eyes: list[Action] = Field(description="What takes two people to decide under that version")
    item: TaskItem
    outcome: TaskOutcome | None = Field(description="Null when it is no longer kept")
    regions: list[TaskRegion]
    decisions: list[TaskDecision] = Field(description="Newest first")
    appeal: TaskAppeal | None


class Claim(Answer):
    """The right to answer a task until `expires_at`, which heartbeats put off. `lease_token` is named in every action."""

    lease_token: UUID
    slot: int = Field(description="Which of the task's, as far as you may know of them")
    expires_at: datetime
    task: WholeTask


class ClaimList(Answer):
    """What the caller holds, oldest first: three at most, and those that came back with an answer."""

    claims: list[Claim]


class Held(RequestBody):
    """Names the claim."""

    lease_token: Token


class Skip(Held):
    """The task is never offered to this reviewer again."""

    reason: Reason


class Hold(Held):
    """The task is set aside, until a time or until it is reopened."""

    reason: Reason
    until: Moment | None = None


class Reassign(RequestBody):
    """Only this reviewer may claim the task; null: anybody may."""

    to: Reviewer | None


class Prioritise(RequestBody):
    """What is left out, or null, stays as it is."""

    priority: Annotated[int, Field(ge=-1_000, le=1_000, description="Higher is offered first"), WHOLE] | None = None
    due_at: Moment | None = None


class Renewed(Answer):
    """Until when the claim holds now."""

    expires_at: datetime


class Accept(RequestBody):
    """The box is right."""

    kind: Literal["accept"]
    position: Position


class Reject(RequestBody):
    """There is nothing of the kind."""

    kind: Literal["reject"]
    position: Position


class Move(RequestBody):
    """Right idea, wrong place: `box` is the right one."""

    kind: Literal["move"]
    position: Position
    box: Corners


class Add(RequestBody):
    """Missed by the model: `box` is where."""

    kind: Literal["add"]
    box: Corners


Judgement = Annotated[Accept | Reject | Move | Add, Field(discriminator="kind")]


class ReviewSubmitted(Held):
    """An answer. `action` is what the platform is to do when it becomes the decision."""

    verdict: Literal["real", "generated", "unsure"]
    action: Literal["none", "label", "restrict", "remove"] = "none"
    note: str = Field("", max_length=4_000, description="Why, in the reviewer's words")
    clause: ClauseId | None = None
    judgements: list[Judgement] = Field([], max_length=MOST_JUDGEMENTS, description="Of single boxes; each is judged once")
    exposure_seconds: Annotated[float, Field(ge=0, le=86_400)] | None = Field(None, description=EXPOSURE)
    undo_seconds: UndoSeconds = 0


class Submitted(Answer):
    """What an answer brought about. `decision_id` is null while the task waits: for `final_at`, for other reviewers, or for a lead."""

    review_id: UUID
    task_id: int
    task_state: TaskState
    decision_id: UUID | None
    final_at: datetime | None = Field(description="Until then the answer can be taken back; null when it has taken effect")


class JudgementBody(Answer):
    """As it was submitted."""

    kind: JudgementKind
    position: int | None
    box: list[int] | None


class Review(Answer):
    """An answer that was given."""

    id: UUID
    reviewer: str
    verdict: ReviewVerdict
    action: Action
    note: str
    judgements: list[JudgementBody]
    clause: str | None = Field(description="Which clause of the policy version it rests on")
    seconds: float = Field(description="From the claim to the answer")
    exposure_seconds: float | None = Field(description=EXPOSURE)
    created_at: datetime
    final_at: datetime | None = Field(description="Until then its reviewer can take it back; null when it has taken effect")


class ReviewList(Answer):
    """Oldest first. Empty for a reviewer who has not answered yet, while the task is unfinished."""

    reviews: list[Review]
