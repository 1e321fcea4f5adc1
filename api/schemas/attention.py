"""Bodies of attention maps."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from api.schemas.base import WHOLE, Answer, RequestBody
from api.schemas.explanations import ExplanationJob
from worker.moderation.identifiers import MAX_SMALL
from worker.moderation.outcomes import Stage
from worker.moderation.release import Training


class AttentionAsked(RequestBody):
    """Of which outcome."""

    revision: Annotated[int, Field(ge=1, le=MAX_SMALL, description="Of the outcome; null: the newest"), WHOLE] | None = None


class AttentionTarget(Answer):
    """What one map explains."""

    name: str = Field(description="As its layer and overlay are asked for")
    stage: Stage
    kind: Literal["verdict", "sentence", "box"]
    number: int = Field(description="From 1, among those of its kind and stage")
    text: str = Field(description="Untrusted model text: the verdict, the sentence, or the box as it was written")
    on_images: float = Field(description="Share of the relevance that lay on images; the rest lay on words")


class AttentionMap(Answer):
    """Where an outcome's words have their roots in the pixels, as its own checkpoint shows when it is read again.

    Masses and peak are of the verdict's map over the whole image; null where no box was named. Of an untrained or zero-shot release, say so
    wherever a map is shown.
    """

    id: UUID
    item_id: str
    revision: int
    sampled: bool = Field(description="A policy drew it; else somebody asked")
    method: str
    release: str
    training: Training
    logprob_gap: float = Field(
        description="Nats between the verdict's log-probabilities as recorded and as read again; a map with more is not drawn"
    )
    mass_in_regions: float | None = Field(description="Share of the mass inside the named boxes")
    mass_in_random: float | None = Field(description="The same inside boxes of the same sides at random places: chance")
    ratio: float | None = Field(description="The one over the other: 1 is chance")
    pointing_game: bool | None = Field(description="Whether the peak lies in a named box")
    seconds: float
    targets: list[AttentionTarget]
    created_at: datetime


class AttentionAnswer(Answer):
    """The maps when they are there, else the job that draws them."""

    map: AttentionMap | None
    job: ExplanationJob | None


class AttentionList(Answer):
    """Of an item, the newest revision's first; and the jobs that are to draw some, or have failed to."""

    maps: list[AttentionMap]
    jobs: list[ExplanationJob]


class AttentionFigures(Answer):
    """Means over maps. Masses and peaks are of those whose verdict is "generated" and that name boxes: `named` of them."""

    maps: int
    named: int
    mass_in_regions: float | None
    mass_in_random: float | None
    ratio: float | None = Field(description="Mean mass inside the boxes over that inside random ones: 1 is chance")
    pointing_game: float | None = Field(description="Share of maps whose peak lies in a named box")
    logprob_gap: float | None = Field(description="The largest, nats")
    seconds: float | None


class BatchAttention(Answer):
    """Of a batch. What a policy sampled stands for the batch; what people asked for does not."""

    sampled: AttentionFigures
    asked_for: AttentionFigures
    waiting: int = Field(description="Maps that are still to be drawn")
    failed: int = Field(description="Maps that could not be drawn; each job says why")
