"""Duplicates of a task's image, and one answer to several of their tasks."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from api.schemas.base import WHOLE, Answer, RequestBody
from api.schemas.decisions import ClauseId
from api.schemas.review import Held, TaskDecision, UndoSeconds
from worker.moderation.duplicates import TogetherResult
from worker.moderation.outcomes import Verdict
from worker.moderation.review import TaskState

MOST_TOGETHER = 100  # as worker.store.reviews_together
Obstacle = Annotated[TogetherResult, Field(description="What keeps it from being decided together: never `decided`")]


class DuplicateTask(Answer):
    """An unfinished task of a duplicate."""

    id: int
    version: int
    state: TaskState
    obstacle: Obstacle | None = Field(description="Null: you may decide it together with yours")
    obstacle_meaning: str | None = Field(description="The same, for people")


class Duplicate(Answer):
    """Another item with this image, as its newest outcome has it."""

    item_id: str
    revision: int
    custom_id: str
    source: str = Field(description="Where it came from, as text")
    distance: int = Field(description="In how many of 64 bits the perceptual hashes differ; 0 for the same bytes")
    verdict: Verdict | None = Field(description="What the model said of it")
    p_generated: float | None
    image: str | None = Field(description="Path of the shrunken whole image, as the model was sent it")
    crops: list[str] = Field(description="Paths of its regions' crops")
    task: DuplicateTask | None = Field(description="Null when nobody is asked about it")
    decision: TaskDecision | None = Field(description="The one that stands")


class DuplicateList(Answer):
    """What waits for people comes first. Without any for tasks that must be answered by themselves, like appeals."""

    exact: list[Duplicate] = Field(description="The very same bytes, newest first")
    near: list[Duplicate] = Field(description="Images that merely look alike, likest first: a hint. An altered copy looks alike, too")
    more: bool = Field(description="Whether there are others than these")


class SeenTask(RequestBody):
    """A task that was ticked, and the version that was seen of it."""

    task_id: Annotated[int, Field(ge=1, le=2**53 - 1), WHOLE]  # what every reader of JSON holds exactly
    version: Annotated[int, Field(ge=1, le=2**31 - 1), WHOLE]


class DuplicatesDecided(Held):
    """An answer to tasks of duplicates. `lease_token` is that of your claim on the task in the path, answered or not.

    Taking back your answer to that task takes back these, too, for `undo_seconds`.
    """

    verdict: Literal["real", "generated"]
    action: Literal["none", "label", "restrict", "remove"] = "none"
    note: str = Field("", max_length=4_000, description="Why, in the reviewer's words")
    clause: ClauseId | None = None
    undo_seconds: UndoSeconds = 0
    tasks: list[SeenTask] = Field(min_length=1, max_length=MOST_TOGETHER, description="One that is named twice counts as it is named last")


class DecidedTogether(Answer):
    """What became of one of the tasks."""

    task_id: int
    result: TogetherResult
    meaning: str = Field(description="The same, for people")
    task_state: TaskState | None = Field(description="As it is now; null for one that was not answered")
    review_id: UUID | None
    decision_id: UUID | None
    final_at: datetime | None = Field(description="Until then it can be taken back, and has no effect yet")


class DecidedTogetherList(Answer):
    """In the order in which they were named."""

    results: list[DecidedTogether]
