"""What all bodies share."""

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from api.times import MOMENT

FORM = "form:"  # begins the tags of bodies that may have several forms; no field begins like this, so pointers can leave them out


def _whole(value: Any) -> Any:
    """JSON Schema's integers are whole numbers, however they are written: 60.0 is one."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


WHOLE = BeforeValidator(_whole)  # behind the bounds, or the document loses them


class RequestBody(BaseModel):
    """A request's body: strict types, no unknown fields."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, populate_by_name=False)


class Answer(BaseModel):
    """An answer's body."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class FaultBody(Answer):
    """One thing that is wrong with a request."""

    pointer: str = Field(description="`#/…` into the body, `?name` of the query, or a header's name")
    code: str = Field(description="Stable code")
    detail: str = Field(description="For people")
    line: int | None = Field(None, description="Line of a manifest, where there is one")


class ProblemBody(Answer):
    """RFC 9457: every error is one of these, as application/problem+json."""

    type: str = Field(description="URN of the kind of problem")
    title: str
    status: int = Field(ge=400, le=599)
    detail: str = Field(description="What happened and what to do, for people")
    code: str = Field(description="Stable code, for programs: see api/PROBLEMS.md")
    request_id: str
    retryable: bool = Field(description="Whether the same request may succeed later")
    errors: list[FaultBody] = Field(description="What is wrong, where there is more than one place to look")


Example = dict[str, Any]

ACTORS = ("person:", "key:", "policy:")  # begin the names by which records tell who was authenticated


def _no_actor(text: str) -> str:
    """What a caller merely says must not read as what was proved."""
    if text.strip().casefold().startswith(ACTORS):
        raise ValueError(f"must be a name of yours, which begins with none of {', '.join(ACTORS)}")
    return text


PersonsName = Annotated[str, Field(min_length=1, max_length=200, pattern=r"\S"), AfterValidator(_no_actor)]

EARLIEST, LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)  # what a time in a request can mean


def _moment(value: Any) -> Any:
    """Texts are times as RFC 3339 writes them; numbers are none."""
    moment = datetime.fromisoformat(value) if isinstance(value, str) and MOMENT.fullmatch(value) else None
    if moment is None or not EARLIEST <= moment < LATEST:
        raise ValueError("must be a time between 2000 and 2100 with its offset, like 2026-11-25T12:00:00Z")
    return moment


Moment = Annotated[AwareDatetime, BeforeValidator(_moment)]
