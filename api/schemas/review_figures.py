"""Figures of review."""

from datetime import datetime

from pydantic import Field

from api.schemas.base import Answer
from worker.moderation.artefacts import Artefact
from worker.moderation.review import TaskKind


class Rate(Answer):
    """`part` of `whole`. With nothing to rest on, the rate and its interval are null."""

    part: int
    whole: int
    value: float | None = Field(description="part / whole")
    low: float | None = Field(description="Lower end of Wilson's interval at 95 %")
    high: float | None = Field(description="Upper end")


class AgeBucket(Answer):
    """Tasks that have waited so long."""

    from_hours: float
    to_hours: float | None = Field(description="Null: or longer")
    tasks: int


class QueueDepth(Answer):
    """What waits in a queue at this moment. `held`, `escalated` and `overdue` are among `tasks`, and may overlap."""

    queue: str
    tasks: int
    held: int
    escalated: int = Field(description="Their reviewers differed: a lead settles them")
    overdue: int
    oldest: datetime | None = Field(description="When the one that has waited longest was made")
    ages: list[AgeBucket]


class FlowStep(Answer):
    """A step of the window."""

    at: datetime = Field(description="When it begins")
    opened: int = Field(description="Tasks made")
    closed: int = Field(description="Tasks done or withdrawn")
    waiting: int = Field(description="Tasks that waited at its end")


class Pace(Answer):
    """Answers, and how long they took."""

    answers: int
    settled: int = Field(description="Of those, answers to finished tasks: of others nothing is told that was said")
    unsure: int = Field(description="Of the settled, unsure")
    median_seconds: int | None = Field(description="From claim to answer; of the answer in the middle")
    slow_seconds: int | None = Field(description="Nine of ten answers took no longer")
    measured: int = Field(description="Answers of which it is known how long the picture was visible unblurred")
    exposed_seconds: float = Field(description="For how long it was, over those")


class PaceStep(Pace):
    """A step of the window."""

    at: datetime


class ReviewerPace(Pace):
    """One reviewer's."""

    reviewer: str


class Throughput(Answer):
    """Answers of the window."""

    total: Pace
    steps: list[PaceStep]
    reviewers: list[ReviewerPace] = Field(description="All for leads and admins; for others, their own at most")


class Overridden(Answer):
    """Decisions by people that stand, and those against the model. Not an error rate: what passed unseen is not among them."""

    to_real: int = Field(description="The model had said generated")
    to_generated: int = Field(description="The model had said real")
    rate: Rate


class OverriddenStep(Overridden):
    """A step of the window, by the time of the decision."""

    at: datetime


class OverriddenPolicy(Overridden):
    """Of images that one policy version had routed."""

    policy_version: str | None


class OverriddenRelease(Overridden):
    """Of images that one release had judged."""

    release: str | None


class OverriddenOccasion(Overridden):
    """Of images about which people were asked for one reason. Of `qa`, sampled from what had passed, the rate is the model's."""

    kind: TaskKind | None = Field(description="Null: a lead's own decision, without a task")


class Overrides(Answer):
    """Decisions of the window."""

    total: Overridden
    steps: list[OverriddenStep]
    policies: list[OverriddenPolicy]
    releases: list[OverriddenRelease]
    occasions: list[OverriddenOccasion]


class Coefficient(Answer):
    """1: all agree; 0: as chance would. Null where nothing could be disagreed about."""

    value: float | None
    observed: float | None = Field(description="Share of pairs of answers that were the same")
    units: int = Field(description="Tasks it rests on")


class PairAgreement(Answer):
    """Two reviewers, and Cohen's kappa of what both answered."""

    one: str
    other: str
    kappa: Coefficient


class ReviewersAgreement(Answer):
    """Over tasks with two blind answers or more. `unsure` is a value like the others; a lead's settling answer is none of them."""

    alpha: Coefficient = Field(description="Krippendorff's, nominal")
    pairs: list[PairAgreement] = Field(description="For leads and admins; empty for others")


class GoldenAnswers(Answer):
    """Answers about images whose answer is known: correct, unsure, missed and false alarms add up."""

    accuracy: Rate
    unsure: int
    missed: int = Field(description="Generated, and called real")
    false_alarms: int = Field(description="Real, and called generated")
    judged_boxes: int = Field(description="Answers that judged boxes of images whose boxes are known")
    box_iou: float | None = Field(description="Mean IoU over those")


class ReviewerGolden(GoldenAnswers):
    """One reviewer's."""

    reviewer: str


class Golden(Answer):
    """Golden-set accuracy, whatever the queue."""

    total: GoldenAnswers
    reviewers: list[ReviewerGolden]


class ArtefactPrecision(Answer):
    """Boxes about one artefact: by the finding's first words that name one, else the reason's."""

    artefact: Artefact
    accepted: int
    moved: int = Field(description="The right idea in the wrong place")
    rejected: int
    precision: Rate = Field(description="Accepted as they stood")


class Boxes(Answer):
    """What the window's newest 5,000 reviews with judgements made of the model's boxes."""

    precision: Rate
    artefacts: list[ArtefactPrecision]
    missed: int = Field(description="Boxes that reviewers added")


class StageStep(Rate):
    """A step of the window, by the time of the outcome."""

    at: datetime


class ReleaseStages(Answer):
    """A release: the rate of its verdicts on which scan and zoom differ. Of all outcomes, whatever the queue."""

    release: str
    differing: Rate
    steps: list[StageStep]


class ReviewFigures(Answer):
    """How review goes. Steps begin at whole hours or days (UTC); the last one is still running."""

    since: datetime
    until: datetime
    step_seconds: int
    queue: str | None = Field(description="Null: all queues")
    queues: list[QueueDepth]
    flow: list[FlowStep]
    throughput: Throughput
    overrides: Overrides
    agreement: ReviewersAgreement
    golden: Golden | None = Field(description="For leads and admins; null for others, to whom a number that moves would tell too much")
    boxes: Boxes
    stages: list[ReleaseStages]
