"""Who a request is made for: the holder of an API key or a person who is signed in. Routes need not know which."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request

from api.problems import ProblemError
from worker.moderation.scopes import Scope
from worker.store.api_keys import KeyHolder
from worker.store.people_sessions import SessionHolder


@dataclass(frozen=True, slots=True)
class BrowserSession:
    """A person's session. Pages send `csrf_token` with whatever changes something, see `api.security.sessions`."""

    id: UUID
    person: UUID
    csrf_token: str


@dataclass(frozen=True, slots=True)
class Principal:
    """`tenant` bounds what is seen, `scopes` what is done; `actor` is for the audit trail, `quota` whose rate it uses up.

    `session` is a person's; keys have none.
    """

    tenant: str
    actor: str
    scopes: frozenset[Scope]
    quota: str
    session: BrowserSession | None = None

    @classmethod
    def of_key(cls, holder: KeyHolder) -> "Principal":
        """The holder of an API key."""
        return cls(holder.tenant_id, f"key:{holder.prefix}", holder.scopes, holder.prefix)

    @classmethod
    def of_person(cls, holder: SessionHolder, csrf_token: str) -> "Principal":
        """A person who is signed in. In the audit trail they are an id, never a name."""
        actor = f"person:{holder.person_id}"
        return cls(holder.tenant_id, actor, holder.scopes, actor, BrowserSession(holder.session_id, holder.person_id, csrf_token))


@dataclass(frozen=True, slots=True)
class Requirement:
    """A dependency that hands out the principal, when it has one of these scopes. The OpenAPI document is made from it, too."""

    any_of: tuple[Scope, ...]

    async def __call__(self, request: Request) -> Principal:
        """The principal. Raises ProblemError `scope_missing`."""
        principal = await principal_of(request)
        if principal.scopes.isdisjoint(self.any_of):
            raise ProblemError("scope_missing", f"This operation needs the scope {' or '.join(self.any_of)}.")
        return principal


async def principal_of(request: Request) -> Principal:
    """Whoever is let in at all, for routes that need no scope."""
    principal: Principal = request.scope["state"]["principal"]
    return principal


def require(*any_of: Scope) -> Callable[[Request], Awaitable[Principal]]:
    """What a route depends on: `principal: Annotated[Principal, Depends(require(Scope.READ))]`."""
    return Requirement(any_of)


Reader = Annotated[Principal, Depends(require(Scope.READ))]
Anybody = Annotated[Principal, Depends(principal_of)]
Submitter = Annotated[Principal, Depends(require(Scope.SUBMIT))]
Auditor = Annotated[Principal, Depends(require(Scope.AUDIT))]
Admin = Annotated[Principal, Depends(require(Scope.ADMIN))]
Lead = Annotated[Principal, Depends(require(Scope.LEAD))]
