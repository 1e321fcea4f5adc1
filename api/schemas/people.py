"""People, and who one is."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from api.schemas.base import Answer, RequestBody
from worker.moderation.people import EMAIL, LONGEST_NAME

RoleName = Literal["viewer", "reviewer", "lead", "auditor", "admin"]
ScopeName = Literal["submit", "read", "review", "lead", "audit", "admin"]
Email = Annotated[str, Field(pattern=f"^{EMAIL.pattern}$", examples=["kim@example.com"])]
Name = Annotated[str, Field(min_length=1, max_length=LONGEST_NAME, pattern=r"\S", examples=["Kim"])]


class Invitation(RequestBody):
    """Somebody who may sign in from now on."""

    email: Email = Field(description="The address that their identity provider vouches for; kept in lower case")
    name: Name = Field(description="How they are called on pages")
    role: RoleName


class RoleChange(RequestBody):
    """Another role, for open sessions too."""

    role: RoleName


class Person(Answer):
    """Somebody who was invited."""

    id: str = Field(description="UUID; `person:<id>` in audit and reviews")
    email: str
    name: str
    role: RoleName
    invited_by: str = Field(description="Actor who invited them")
    created_at: datetime = Field(description="When they were invited")
    bound_at: datetime | None = Field(description="When they first signed in; their account counts since then, not the e-mail")
    disabled_at: datetime | None = Field(description="When their access ended, for good")


class PersonPage(Answer):
    """Newest first, disabled ones too."""

    people: list[Person]
    next_cursor: str | None


class Me(Answer):
    """Whom this request is made for."""

    actor: str = Field(description="As in audit and reviews: `person:<id>` or `key:<prefix>`")
    tenant: str
    scopes: list[ScopeName]
    person: Person | None = Field(description="Who is signed in; null for a key")
    csrf_token: str | None = Field(description="Send it as X-CSRF-Token with whatever changes something; null for a key, which needs none")
