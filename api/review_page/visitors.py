"""Who looks at a page, and what they may do there."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from api.security.principal import Anybody, Principal, Requirement
from api.services import ApiServices, Services
from worker.moderation.scopes import Scope
from worker.store.models import PersonRow
from worker.store.session import transaction


@dataclass(frozen=True, slots=True)
class Visit:
    """A look at a page. `name` and `role` are for the person alone; an API key has neither."""

    principal: Principal
    name: str
    role: str
    path: str

    @property
    def csrf_token(self) -> str:
        """What the page's script sends with everything that changes something."""
        session = self.principal.session
        return session.csrf_token if session is not None else ""

    @property
    def judges(self) -> bool:
        """Whether they may claim tasks."""
        return not self.principal.scopes.isdisjoint({Scope.REVIEW, Scope.LEAD})

    def may(self, *any_of: str) -> bool:
        """Whether they have one of these scopes."""
        return not self.principal.scopes.isdisjoint(any_of)


def _visit(request: Request, principal: Anybody, services: Services) -> Visit:
    return visit_of(services, principal, request.url.path)


def visit_of(services: ApiServices, principal: Principal, path: str) -> Visit:
    """The visit of a principal to a path."""
    if principal.session is None:
        return Visit(principal, principal.actor, "key", path)
    with transaction(services.engine) as session:
        person = session.get_one(PersonRow, principal.session.person)
        return Visit(principal, person.name, person.role, path)


Visitor = Annotated[Visit, Depends(_visit)]
MayJudge = Depends(Requirement((Scope.REVIEW, Scope.LEAD)))
MayWatch = Depends(Requirement((Scope.READ, Scope.REVIEW, Scope.LEAD, Scope.ADMIN)))
MayRead = Depends(Requirement((Scope.READ, Scope.REVIEW, Scope.LEAD)))
