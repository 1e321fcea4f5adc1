"""Who a request is made for. Made from an API key today; a signed-in session makes the same value."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from api.problems import ProblemError
from worker.moderation.scopes import Scope
from worker.store.api_keys import KeyHolder


@dataclass(frozen=True, slots=True)
class Principal:
    """`tenant` bounds what is seen, `scopes` what is done; `actor` is for the audit trail, `quota` whose rate it uses up."""

    tenant: str
    actor: str
    scopes: frozenset[Scope]
    quota: str

    @classmethod
    def of_key(cls, holder: KeyHolder) -> "Principal":
        """The holder of an API key."""
        return cls(holder.tenant_id, f"key:{holder.prefix}", holder.scopes, holder.prefix)


@dataclass(frozen=True, slots=True)
class Requirement:
    """A dependency that hands out the principal, when it has one of these scopes. The OpenAPI document is made from it, too."""

    any_of: tuple[Scope, ...]

    async def __call__(self, request: Request) -> Principal:
        """The principal. Raises ProblemError `scope_missing`."""
        principal: Principal = request.scope["state"]["principal"]
        if principal.scopes.isdisjoint(self.any_of):
            raise ProblemError("scope_missing", f"This operation needs a key with the scope {' or '.join(self.any_of)}.")
        return principal


def require(*any_of: Scope) -> Callable[[Request], Awaitable[Principal]]:
    """What a route depends on: `principal: Annotated[Principal, Depends(require(Scope.READ))]`."""
    return Requirement(any_of)


Reader = Annotated[Principal, Depends(require(Scope.READ))]
Submitter = Annotated[Principal, Depends(require(Scope.SUBMIT))]
Administrator = Annotated[Principal, Depends(require(Scope.ADMIN))]
