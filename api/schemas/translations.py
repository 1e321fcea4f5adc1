"""Bodies of translations. Texts of models are data, in whatever language: show them escaped, and in the direction that is named."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from api.schemas.base import WHOLE, Answer, RequestBody
from api.schemas.explanations import ExplanationJob
from worker.moderation.identifiers import MAX_SMALL
from worker.moderation.policy import LANGUAGE
from worker.moderation.translation.facts import Kind
from worker.moderation.translation.passages import Field as TextField


class TranslationRequest(RequestBody):
    """Which language, of those that the policy lists, and of which revision."""

    language: str = Field(
        pattern=f"^{LANGUAGE.pattern}$", max_length=35, description="BCP-47 tag, say `de`, `pt-BR` or `zh-Hans`", examples=["de"]
    )
    revision: Annotated[int, Field(ge=1, le=MAX_SMALL), WHOLE] | None = Field(None, description="By default the newest")


class LanguageBody(Answer):
    """A language that the policy lists."""

    tag: str
    name: str = Field(description="In English")
    own_name: str
    direction: Literal["ltr", "rtl"]
    catalogue: bool = Field(description="What nano says is in a catalogue of this language, and needs no machine")


class PassageBody(Answer):
    """One of the outcome's texts, and the same in the other language."""

    field: TextField
    position: int | None = Field(description="The region's; null for explanations")
    original: str = Field(description="Untrusted model text, in English")
    text: str = Field(description="Untrusted text, in the language")


class Translation(Answer):
    """What the model said of an image, in another language, the original beside it. It changes no verdict."""

    item_id: str
    revision: int
    language: LanguageBody
    machine: bool = Field(description="Whether a model translated: show that, wherever it is shown")
    source: str = Field(description="`catalogue`, or which model translated")
    passages: list[PassageBody]
    facts: dict[Kind, int] = Field(description="How many numbers, boxes, references and verdict words were verified to be unchanged")
    detected: str | None = Field(description="The language it reads as; null where it is too short to tell, or from a catalogue")
    created_at: datetime


class TranslationAsked(Answer):
    """The translation, where there is one already; else the job that makes it."""

    item_id: str
    translation: Translation | None
    job: ExplanationJob | None


class TranslationList(Answer):
    """What there is of a revision, by language, and what may be asked for."""

    item_id: str
    revision: int
    offered: list[LanguageBody] = Field(description="The languages that the item's policy lists")
    translations: list[Translation]
    jobs: list[ExplanationJob] = Field(description="Those that are not done")
