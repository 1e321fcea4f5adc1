"""Bodies of looks."""

from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import ConfigDict, Field, model_validator
from pydantic.config import JsonDict

from api.schemas.base import WHOLE, Answer, RequestBody
from api.schemas.items import ErrorBody
from api.schemas.review import Corners
from worker.moderation.looks import LONGEST_QUESTION, LookState
from worker.moderation.outcomes import Verdict
from worker.moderation.release import Training

_SMALL = Field(ge=1, le=32_767)


_SOMEWHERE: JsonDict = {
    "anyOf": [
        {"required": ["box"], "properties": {"box": {"type": "array"}}},
        {"required": ["region"], "properties": {"region": {"type": "integer"}}},
    ]
}


class LookWanted(RequestBody):
    """Where to look: a box, a region of the outcome, or a box that is about a region."""

    model_config = ConfigDict(**RequestBody.model_config, json_schema_extra=_SOMEWHERE)

    box: Corners | None = Field(None, description="[x0, y0, x1, y1] in pixels of the original after EXIF orientation, inside the image")
    region: Annotated[int, _SMALL, WHOLE] | None = Field(None, description="Position of a region of the outcome; its box, without one")
    question: str = Field("", max_length=LONGEST_QUESTION, description="What to say about it; a narrow model says what it finds, only")
    revision: Annotated[int, _SMALL, WHOLE] | None = Field(None, description="Which outcome is looked into; null: the newest")

    @model_validator(mode="after")
    def _somewhere(self) -> Self:
        if self.box is None and self.region is None:
            raise ValueError("must name a box, or the position of a region")
        return self


class LookSaid(Answer):
    """What the model said of one crop. It is no verdict on the image, and changes none."""

    finding: str | None = Field(description="Untrusted model text; null when no reply could be read")
    explanation: str | None = Field(description="Untrusted model text")
    verdict: Verdict | None = Field(description="Its word on this crop alone")
    p_generated: float | None = Field(description="Of that word: raw, not calibrated, not to be compared with the image's score")
    question_put: bool = Field(description="False: there was no question, or the model is too narrow to be asked one")
    release: str = Field(description="Which release looked")
    other_release: bool = Field(description="Whether another one judged the image")
    training: Training
    honesty: str = Field(description="How far the release can be trusted, in words: show it beside every score")
    crop_box: list[int] = Field(min_length=4, max_length=4, description="What was cut, in pixels of the original")
    scale: float = Field(description="Sent pixels per original pixel")
    crop: str = Field(description="Path of the crop, as the model was sent it")
    created_at: datetime


class Look(Answer):
    """A closer look that somebody asked the model for."""

    id: UUID
    item_id: str
    revision: int = Field(description="Which outcome was looked into")
    number: int = Field(description="1, 2… in its author's dialogue about the outcome")
    author: str
    box: list[int] = Field(min_length=4, max_length=4, description="[x0, y0, x1, y1] in pixels of the original after EXIF orientation")
    region: int | None = Field(description="Position of the region it is about")
    question: str = Field(description="Untrusted text of its author's")
    state: LookState
    error: ErrorBody | None = Field(description="Why it failed; asking the same again tries again")
    answer: LookSaid | None = Field(description="Null until the model has answered")
    created_at: datetime


class LookList(Answer):
    """Oldest first. Who still has to answer about the image sees their own alone."""

    looks: list[Look]


class LookTrace(Answer):
    """A request to the model for a look, and its reply. With the evidence it can be replayed."""

    attempt: int
    wording: str = Field(description="Version and sha256 of the text behind the crop")
    request: dict[str, Any]
    reply: str = Field(description="Untrusted model text")
    finish_reason: str
    prompt_tokens: int
    cached_tokens: int | None
    completion_tokens: int
    seconds: float


class WholeLook(Look):
    """A look with its traces, by attempt."""

    traces: list[LookTrace]
