"""What all bodies share."""

from typing import Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

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
