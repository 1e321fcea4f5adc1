"""Whether an explanation holds: what becomes of P(generated) when the regions that it cites are hidden, and when others are.

A drop is P(generated) of the verdict less that of the same image judged anew with something hidden; both are calibrated alike. A verdict
that rests on its regions drops when they are hidden, and does not when as much is hidden elsewhere.
"""

from dataclasses import dataclass
from enum import StrEnum

from worker.moderation.boxes import Box

TOGETHER = 0  # the position of all cited regions hidden at once; a region's own are 1, 2…
NOTHING_CITED, NO_ROOM = "nothing_cited", "no_room_for_control"  # codes of checks that came to nothing by what the verdict cites


class Fill(StrEnum):
    """What stands where something is hidden."""

    BLUR = "blur"  # the same pixels, blurred: shape and colour stay, texture goes
    MEAN = "mean"  # one colour, the mean of what was there


@dataclass(frozen=True, slots=True, kw_only=True)
class Masking:
    """P(generated) with cited regions hidden, and with as much hidden elsewhere. `controls` are in original, oriented pixels.

    Of the cited boxes' sides, or pieces of them where these overlap or there is no room: the area that the cited ones cover either way.
    """

    position: int
    fill: Fill
    p_masked: float
    p_control: float
    controls: tuple[Box, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckCost:
    """What a check took beside the verdict: requests to the model, their tokens, wall-clock seconds."""

    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0

    def __add__(self, other: "CheckCost") -> "CheckCost":
        """Both together."""
        return CheckCost(
            requests=self.requests + other.requests,
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            completion_tokens=self.completion_tokens + other.completion_tokens,
            seconds=self.seconds + other.seconds,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Faithfulness:
    """What a check found. `drop` and `control_drop` are with all cited regions hidden, mean over the fills; None where it came to nothing.

    The error says why, if so; it never touches the verdict, but see `untested` for its route.
    """

    drop: float | None = None
    control_drop: float | None = None
    maskings: tuple[Masking, ...] = ()
    cost: CheckCost = CheckCost()
    error_code: str | None = None
    error_message: str | None = None

    @property
    def beyond_control(self) -> float | None:
        """How much more the score drops for the cited regions than for others."""
        return None if self.drop is None or self.control_drop is None else self.drop - self.control_drop

    def moves_score(self, least_drop: float) -> bool:
        """False where the check found that hiding what is cited lowers the score by less than `least_drop` beyond the control."""
        return self.beyond_control is None or self.beyond_control >= least_drop

    @property
    def untested(self) -> str | None:
        """Why nobody knows whether the explanation holds, for people; None where it was tested.

        None, too, where it cites so much that there is no room for a control: nothing is amiss then, and it is too common to ask people.
        """
        if self.error_code in {None, NO_ROOM}:
            return None
        if self.error_code == NOTHING_CITED:
            return "it cites nothing that could be tested"
        return f"its explanation could not be tested: {self.error_code}"


def found(p_generated: float, maskings: tuple[Masking, ...], cost: CheckCost) -> Faithfulness:
    """The result of a check of a verdict with that score. At least one of the maskings is of all regions TOGETHER."""
    whole = [masking for masking in maskings if masking.position == TOGETHER]
    return Faithfulness(
        drop=p_generated - sum(masking.p_masked for masking in whole) / len(whole),
        control_drop=p_generated - sum(masking.p_control for masking in whole) / len(whole),
        maskings=maskings,
        cost=cost,
    )
