"""What routes stand on: settings, database, object store."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, TypeVar

from anyio import CapacityLimiter, to_thread
from fastapi import Depends, Request
from sqlalchemy import Engine

from worker.intake.storage import Storage
from worker.moderation.settings import Settings

DATABASE_THREADS = 16  # as many as an engine's pool has connections
STORAGE_THREADS = 16  # of their own: an object store that stalls must not hold up what needs Postgres alone. They hold no connection then

SEARCH_THREADS = 4  # of their own: searches may take seconds, and must leave threads and connections to everything else
NAME_THREADS = 4  # of their own, too: a name server that stalls must hold up nothing else

Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class ApiServices:
    """One per application. Plain `def` routes run on the database's threads and use `engine` alone."""

    settings: Settings
    engine: Engine
    storage: Storage
    _storage_threads: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(STORAGE_THREADS))

    _name_threads: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(NAME_THREADS))

    _search_threads: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(SEARCH_THREADS))

    async def beside(self, work: Callable[[], Found]) -> Found:
        """Runs what waits for the object store, on threads of its own."""
        return await to_thread.run_sync(work, limiter=self._storage_threads)

    async def looking_up(self, work: Callable[[], Found]) -> Found:
        """Runs what waits for name servers, on threads of its own."""
        return await to_thread.run_sync(work, limiter=self._name_threads)

    async def searching(self, work: Callable[[], Found]) -> Found:
        """Runs what may keep Postgres busy for seconds, a few at a time."""
        return await to_thread.run_sync(work, limiter=self._search_threads)

    async def on_database(self, work: Callable[[], Found]) -> Found:
        """Runs what waits for Postgres, from a route that must wait for something else first."""
        return await to_thread.run_sync(work)


async def services_of(request: Request) -> ApiServices:
    """The application's."""
    services: ApiServices = request.app.state.services
    return services


Services = Annotated[ApiServices, Depends(services_of)]
