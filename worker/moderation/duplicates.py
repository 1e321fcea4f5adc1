"""When two images are one: the same bytes, or a likeness that is a hint only; and what may be answered of several at once."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from worker.moderation.review import TaskKind, TaskState

NEAR = 6  # bits of 64: re-encoded and rescaled photographs differ by 2 at most, different ones by 12 at least (measured on 400)
BANDS, BAND_BITS = 4, 16
BAND, WHOLE = (1 << BAND_BITS) - 1, (1 << BANDS * BAND_BITS) - 1


class TogetherResult(StrEnum):
    """What became of a task that was to be answered together with its duplicate, or what keeps it from that."""

    DECIDED = "decided"
    NOT_A_DUPLICATE = "not_a_duplicate"
    FINISHED = "finished"
    CHANGED = "changed"
    OTHER_KIND = "other_kind"
    CONTESTED = "contested"
    OTHER_VERDICT = "other_verdict"
    OTHER_POLICY = "other_policy"
    ESCALATED = "escalated"
    HELD = "held"
    NEEDS_SECOND_REVIEWER = "needs_second_reviewer"
    NEEDS_LEAD = "needs_lead"
    BARRED = "barred"
    CLAIMED_BY_OTHER = "claimed_by_other"


MEANING: Mapping[TogetherResult, str] = MappingProxyType(
    {
        TogetherResult.DECIDED: "Decided together with its duplicate.",
        TogetherResult.NOT_A_DUPLICATE: "No task of a duplicate: neither the same bytes nor alike.",
        TogetherResult.FINISHED: "Done or withdrawn: nothing is left to decide.",
        TogetherResult.CHANGED: "Not as you saw it. Look at it again.",
        TogetherResult.OTHER_KIND: "Asked for another reason than a policy's route: it is answered by itself.",
        TogetherResult.CONTESTED: "An appeal about this image is open.",
        TogetherResult.OTHER_VERDICT: "The model said something else of it: look at it by itself.",
        TogetherResult.OTHER_POLICY: "Its policy version asks for other grounds, a clause or a reason: answer it by itself.",
        TogetherResult.ESCALATED: "Its reviewers differ, or one is unsure: a lead settles it by itself.",
        TogetherResult.HELD: "Somebody has set it aside.",
        TogetherResult.NEEDS_SECOND_REVIEWER: "It needs another reviewer besides you.",
        TogetherResult.NEEDS_LEAD: "It merely looks alike: only a lead may decide it together with another.",
        TogetherResult.BARRED: "You have answered or skipped it.",
        TogetherResult.CLAIMED_BY_OTHER: "Somebody else has it, or it is reserved for them.",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Likeness:
    """How alike an image is to another one: `distance` in bits of their perceptual hashes, None where one has none."""

    exact: bool
    distance: int | None

    @property
    def near(self) -> bool:
        """Whether it is a duplicate at all."""
        return self.exact or (self.distance is not None and self.distance <= NEAR)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What decides whether a reviewer may answer a task together with its duplicate."""

    likeness: Likeness
    kind: TaskKind
    state: TaskState
    slots: int
    changed: bool
    contested: bool
    same_verdict: bool
    same_clauses: bool  # an answer to the other can rest on the same of its policy version
    barred: bool  # the reviewer has answered or skipped it
    taken: bool  # all its slots are others', or it is reserved for another


def obstacle(standing: Standing, *, lead: bool) -> TogetherResult | None:
    """The first thing that keeps a task from being answered together with its duplicate; None when nothing does."""
    of_a_lead = not standing.likeness.exact
    checks = (
        (not standing.likeness.near, TogetherResult.NOT_A_DUPLICATE),
        (standing.state in {TaskState.DONE, TaskState.WITHDRAWN}, TogetherResult.FINISHED),
        (standing.changed, TogetherResult.CHANGED),
        (standing.kind is not TaskKind.ROUTING, TogetherResult.OTHER_KIND),
        (standing.contested, TogetherResult.CONTESTED),
        (not standing.same_verdict, TogetherResult.OTHER_VERDICT),
        (not standing.same_clauses, TogetherResult.OTHER_POLICY),
        (standing.state is TaskState.ESCALATED, TogetherResult.ESCALATED),
        (standing.state is TaskState.HELD, TogetherResult.HELD),
        (standing.slots > 1, TogetherResult.NEEDS_SECOND_REVIEWER),
        (of_a_lead and not lead, TogetherResult.NEEDS_LEAD),
        (standing.barred, TogetherResult.BARRED),
        (standing.taken, TogetherResult.CLAIMED_BY_OTHER),
    )
    return next((result for holds, result in checks if holds), None)


def distance(one: int, other: int) -> int:
    """In how many bits two perceptual hashes differ."""
    return ((one ^ other) & WHOLE).bit_count()


def bands_nearby(perceptual_hash: int) -> Iterator[int]:
    """Every band, numbered as the database's `perceptual_bands` does, of which a hash NEAR bits away at most has one.

    Of four bands at least one differs by NEAR // 4 bits or fewer: the pigeonholes.
    """
    for band in range(BANDS):
        number, bits = band << BAND_BITS, (perceptual_hash >> (band * BAND_BITS)) & BAND
        yield number | bits
        yield from (number | (bits ^ (1 << place)) for place in range(BAND_BITS))
