"""What people say of an image, and what follows: closed sets, frozen values, and the one rule by which reviews become a decision."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from worker.moderation.boxes import Box
from worker.moderation.errors import RejectedError
from worker.moderation.outcomes import Verdict

DEFAULT_QUEUE, APPEALS_QUEUE = "default", "appeals"  # of every tenant


class TaskKind(StrEnum):
    """Why a person is asked."""

    ROUTING = "routing"  # a policy version routed the outcome to review or flag
    QA = "qa"  # it passed, and was sampled: decided on like any other
    APPEAL = "appeal"  # a decision is contested
    GOLDEN = "golden"  # the answer is known: measures the reviewer, decides nothing, and looks like one of the first two


class TaskState(StrEnum):
    """Where a review task stands."""

    OPEN = "open"  # waits for reviews, claimed or not
    HELD = "held"  # set aside by a reviewer, until a time or until somebody takes it up again; then it is what it was before
    ESCALATED = "escalated"  # its reviews disagree, or one is unsure: a lead settles it
    DONE = "done"  # decided
    WITHDRAWN = "withdrawn"  # a newer revision of the outcome, or an erased image: nobody needs to answer


UNFINISHED_TASKS = (TaskState.OPEN, TaskState.HELD, TaskState.ESCALATED)
LONGEST_UNDO_SECONDS = 60  # an answer that waits longer would be a decision that nobody hears of
ESCALATED_BECAUSE = "its reviewers differ, or one is unsure"


class ClaimState(StrEnum):
    """What became of a reviewer's claim on one of a task's slots."""

    ACTIVE = "active"
    SUBMITTED = "submitted"
    RELEASED = "released"  # given back, with or without an answer, or taken away by hold and reassign; the same reviewer may claim again
    SKIPPED = "skipped"  # not for this reviewer, who says why; never offered to them again
    EXPIRED = "expired"  # no heartbeat came in time


class ReviewVerdict(StrEnum):
    """What a reviewer may say."""

    REAL = "real"
    GENERATED = "generated"
    UNSURE = "unsure"


class JudgementKind(StrEnum):
    """What a reviewer says of one box."""

    ACCEPT = "accept"
    REJECT = "reject"
    MOVE = "move"  # right idea, wrong place: `box` is the right one
    ADD = "add"  # missed by the model: `box` is where


class DecisionBasis(StrEnum):
    """What a decision rests on."""

    REVIEW = "review"  # every reviewer of the task agreed
    LEAD = "lead"  # a lead settled it, or overrode an earlier decision
    APPEAL = "appeal"
    AUTOMATIC = "automatic"  # a policy version's recorded opt-in; no person looked


class AppealState(StrEnum):
    """Where an appeal stands."""

    OPEN = "open"
    UPHELD = "upheld"  # the decision stands
    REVERSED = "reversed"  # another decision supersedes it


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionJudgement:
    """What a reviewer says of a box. `position` is the model's region, None for an added one; `box` in original, oriented pixels."""

    kind: JudgementKind
    position: int | None = None
    box: Box | None = None

    def __post_init__(self) -> None:
        """Raises RejectedError `region_judgement_invalid`."""
        added = self.kind is JudgementKind.ADD
        placed = self.kind in (JudgementKind.ADD, JudgementKind.MOVE)
        if (self.position is None) != added or (self.box is not None) != placed:
            raise RejectedError(
                "region_judgement_invalid", "A box is accepted, rejected or moved by its position; moved and added ones bring their box."
            )


def agreed_verdict(verdicts: Sequence[ReviewVerdict]) -> Verdict | None:
    """The verdict that all reviewers of a task share; None when they differ or one is unsure: a lead settles it."""
    first, *rest = verdicts
    return None if first is ReviewVerdict.UNSURE or any(other is not first for other in rest) else Verdict(first.value)
