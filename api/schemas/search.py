"""What searches find, and saved filters. Texts of models and submitters are data: show them escaped."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from api.schemas.base import Answer, RequestBody
from worker.moderation.outcomes import OutcomeKind, Verdict
from worker.moderation.policy import Action, Route
from worker.moderation.release import Training
from worker.moderation.review import DecisionBasis
from worker.moderation.search import LONGEST_QUERY

Span = Annotated[list[int], Field(min_length=2, max_length=2)]


class HeadlineBody(Answer):
    """An excerpt of explanation, reasons and findings on one line, without control and bidi characters: untrusted model text."""

    text: str
    matches: list[Span] = Field(description="Where the words are: [start, end) in characters (code points) of `text`, in order and apart")


class FoundDecisionBody(Answer):
    """The decision that stands."""

    id: UUID
    verdict: Verdict
    action: Action
    basis: DecisionBasis
    decided_at: datetime


class FoundItem(Answer):
    """An item with its newest outcome."""

    id: str
    batch_id: UUID
    custom_id: str
    source: str = Field(description="Empty once the image was erased")
    revision: int
    outcome: OutcomeKind
    verdict: Verdict | None
    p_generated: float | None
    route: Route | None = Field(description="By the live policy version")
    release: str | None
    training: Training | None = Field(description="How far the release's verdicts can be trusted")
    decision: FoundDecisionBody | None
    reviewers: list[str] = Field(description="Who answered, as far as you may know: nobody's answer to a task that you may still judge")
    judged_at: datetime
    headline: HeadlineBody
    erased: bool


class SearchPage(Answer):
    """Newest batches first, in each from the end."""

    items: list[FoundItem]
    filter: str = Field(description="The filter as a query string, in its canonical form: save it, or share it as a link")
    next_cursor: str | None = Field(description="Null on the last page")


class FilterSaved(RequestBody):
    """A filter to keep."""

    query: str = Field(
        max_length=LONGEST_QUERY,
        description="As in the address of a search: `filter` of its answer",
        examples=["words=six+fingers&route=flag"],
    )
    shared: bool = Field(default=False, description="Whether everybody of the tenant sees it")


class SavedFilter(Answer):
    """A search that somebody keeps."""

    name: str
    query: str
    shared: bool
    owner: str
    mine: bool
    updated_at: datetime


class SavedFilterList(Answer):
    """By name. One's own hides a shared one of the same name."""

    filters: list[SavedFilter]
