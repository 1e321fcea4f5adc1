"""A tenant with judged images, reviewers and leads with keys of their own, and one API that all of them call."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import httpx
from sqlalchemy import Engine

from tests.integration.api_world import calling, new_key
from tests.integration.queue_world import World
from tests.integration.review_world import judged_batch
from worker.moderation.scopes import Scope
from worker.moderation.settings import Settings

GENERATED = {"verdict": "generated", "action": "label", "note": "six fingers"}
CLAIM = "/v1/queues/default:claim"


@dataclass(frozen=True)
class Room:
    """A tenant of its own, and people with keys: reviewers, a lead, and somebody who only reads."""

    api: httpx.AsyncClient
    world: World
    tenant: str

    def person(self, *scopes: Scope, tenant: str | None = None) -> "Person":
        key = new_key(self.world.engine, *(scopes or (Scope.REVIEW,)), tenant=tenant or self.tenant)
        return Person(self.api, {"Authorization": f"Bearer {key.text}"}, f"key:{key.row.prefix}")

    def judged(self, *scores: float) -> UUID:
        """Judged images; 0.6 goes to review, 0.95 is flagged."""
        return judged_batch(self.world, dict(enumerate(scores)), tenant=self.tenant)


@dataclass(frozen=True)
class Person:
    """Somebody with a key."""

    api: httpx.AsyncClient
    headers: dict[str, str]
    name: str

    async def get(self, path: str, **parameters: str) -> httpx.Response:
        return await self.api.get(path, headers=self.headers, params=parameters)

    async def post(self, path: str, body: Any = None, *, seen: str | None = None) -> httpx.Response:
        return await self.api.post(path, json=body, headers={**self.headers, **({"If-Match": seen} if seen else {})})

    async def patch(self, path: str, body: Any, *, seen: str | None = None) -> httpx.Response:
        return await self.api.patch(path, json=body, headers={**self.headers, **({"If-Match": seen} if seen else {})})

    async def claim(self, path: str = CLAIM) -> "Claimed":
        answer = await self.post(path)
        assert answer.status_code == 200, answer.text
        body = answer.json()
        return Claimed(body["task"]["id"], {"lease_token": body["lease_token"]}, answer.headers["etag"], body)

    async def answer(self, claim: "Claimed", body: Any = GENERATED) -> httpx.Response:
        return await self.post(f"{claim.path}/reviews", {**claim.token, **body}, seen=claim.etag)


@dataclass(frozen=True)
class Claimed:
    """A claim as it was answered."""

    task: int
    token: dict[str, str]
    etag: str
    body: Any

    @property
    def path(self) -> str:
        return f"/v1/tasks/{self.task}"


@asynccontextmanager
async def a_room(settings: Settings, engine: Engine) -> AsyncIterator[Room]:
    """A fresh tenant, with its queues."""
    world, tenant = World(engine), f"room-{uuid4().hex[:8]}"
    world.batch(1, tenant=tenant)
    async with calling(settings.model_copy(update={"api_rate_per_second": 0.0}), None) as api:
        yield Room(api, world, tenant)
    world.retire()
