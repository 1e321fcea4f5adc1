"""Health."""

from pydantic import Field

from api.schemas.base import Answer


class Alive(Answer):
    """The process answers."""

    alive: bool


class CheckBody(Answer):
    """What was found."""

    ok: bool
    detail: str
    needed: bool = Field(description="Without it the API itself cannot answer")


class ReadinessReport(Answer):
    """Every check by name."""

    ready: bool
    checks: dict[str, CheckBody]
