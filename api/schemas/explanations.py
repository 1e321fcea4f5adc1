"""Bodies of explanation jobs."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import Field

from api.schemas.base import Answer


class JobError(Answer):
    """Why a job failed, or why its last attempt did. The verdict is what it was."""

    code: str
    message: str


class ExplanationJob(Answer):
    """Work about a recorded outcome that is done apart from judging. None changes a verdict."""

    id: UUID
    kind: Literal["attention", "look", "translation"]
    item_id: str
    revision: int = Field(description="Of the outcome")
    state: Literal["waiting", "running", "done", "failed"] = Field(description="`done`: what it made is to be read at the item")
    attempts: int = Field(description="Begun so far")
    error: JobError | None = Field(description="Asking again begins a failed job anew")
    asked_by: str
    created_at: datetime
    finished_at: datetime | None
