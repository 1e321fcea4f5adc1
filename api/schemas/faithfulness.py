"""Tests of explanations: what hiding the cited regions does to a verdict's score."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from api.schemas.base import Answer
from api.schemas.items import ErrorBody
from worker.moderation.faithfulness import Fill

CheckState = Literal["not_checked", "checked", "failed"]


class CheckCostBody(Answer):
    """What a check took beside the verdict."""

    requests: int = Field(description="Requests to the model")
    prompt_tokens: int
    completion_tokens: int
    seconds: float = Field(description="From the verdict to the check's end; of several checks, their sum")


class MaskingBody(Answer):
    """Something hidden in one way, the image judged anew; and as a control, as much area hidden elsewhere."""

    position: int = Field(description="The region's, as in listRegions; 0: all of them at once")
    fill: Fill = Field(description="What stood where something was hidden: the same pixels blurred, or their mean colour")
    p_masked: float = Field(description="P(generated) with the cited hidden")
    p_control: float = Field(description="P(generated) with as much hidden elsewhere")
    controls: list[list[int]] = Field(description="Where: [x0, y0, x1, y1] each, in pixels of the original after EXIF orientation")


class FaithfulnessCheck(Answer):
    """Whether a verdict's explanation moves its score. Checks are made as the policy says: of a share of what is called generated."""

    state: CheckState = Field(description="failed: the check came to nothing, and `error` says why; the verdict stands either way")
    revision: int | None
    p_generated: float | None = Field(description="The verdict's: what the drops are taken from")
    drop: float | None = Field(description="P(generated) less that with all cited regions hidden, mean over the fills")
    control_drop: float | None = Field(description="The same with as much hidden elsewhere")
    beyond_control: float | None = Field(description="The difference: under the policy's `least_drop`, a person decides")
    maskings: list[MaskingBody] = Field(description="All that was asked; empty once the image was erased")
    cost: CheckCostBody | None
    error: ErrorBody | None
    created_at: datetime | None


class BatchFaithfulness(Answer):
    """The checks of a batch's current outcomes, the newest of each item, and what they cost."""

    checks: int = Field(description="How many current outcomes have a check")
    tested: int = Field(description="Of the checks, how many came to something: the denominator of `unmoved`, `drop` and `control_drop`")
    failed: int = Field(description="Of the checks, how many came to nothing: the others")
    unmoved: int | None = Field(
        description="Of the tested, how many drop by less than `least_drop` beyond the control; null without a live version of the policy"
    )
    least_drop: float | None = Field(description="By what `unmoved` counts: the policy's live version's")
    drop: float | None = Field(description="Mean over the tested")
    control_drop: float | None = Field(description="Mean over the tested")
    cost: CheckCostBody
