"""The review page's HTML, as a browser asks for it; what its scripts do is tested in `tests/browser`."""

from collections.abc import AsyncIterator
from urllib.parse import quote

import httpx
import pytest
from sqlalchemy import Engine

from tests.integration.api_world import problem
from tests.integration.review_room import Person, Room, a_room
from worker.moderation.scopes import Scope
from worker.moderation.settings import Settings

HTML = {"Accept": "text/html,application/xhtml+xml"}
NEXT = "/review/queues/default/claims"


@pytest.fixture
async def room(settings: Settings, engine: Engine) -> AsyncIterator[Room]:
    async with a_room(settings, engine) as room:
        yield room


async def look(person: Person, path: str) -> httpx.Response:
    return await person.api.get(path, headers={**person.headers, **HTML})


@pytest.mark.parametrize("path", ["/review", "/review/queues/default", "/review/queues/default?x=1&y=2"])
async def test_a_browser_that_is_not_signed_in_is_sent_to_sign_in_and_comes_back(room: Room, path: str) -> None:
    answer = await room.api.get(path, headers=HTML)
    assert answer.status_code == 303
    assert answer.headers["location"] == f"/v1/sign-in?next={quote(path, safe='')}"


async def test_a_script_that_is_not_signed_in_gets_a_problem(room: Room) -> None:
    assert problem(await room.api.post(NEXT)) == (401, "unauthenticated")


async def test_a_page_runs_its_own_scripts_alone_and_nobody_frames_it(room: Room) -> None:
    answer = await look(room.person(), "/review")
    assert answer.status_code == 200
    policy = answer.headers["content-security-policy"]
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-frame-options"] == "DENY"


async def test_a_role_that_does_not_judge_is_told_so_in_words(room: Room) -> None:
    viewer = room.person(Scope.READ)
    refused = await look(viewer, "/review/queues/default")
    assert refused.status_code == 403
    assert refused.headers["content-type"].startswith("text/html")
    assert "scope_missing" in refused.text
    assert problem(await viewer.post(NEXT)) == (403, "scope_missing")


async def test_a_key_that_only_submits_sees_no_queues(room: Room) -> None:
    assert problem(await room.person(Scope.SUBMIT).get("/review")) == (403, "scope_missing")


async def test_what_is_not_there_is_a_page_too(room: Room) -> None:
    for path in ("/review/queues/nowhere", "/review/queues/Nowhere", "/review/unheard-of"):
        answer = await look(room.person(), path)
        assert (answer.status_code, "not_found" in answer.text) == (404, True), path


async def test_a_claim_comes_as_html_and_a_page_that_is_loaded_again_has_it(room: Room) -> None:
    batch = room.judged(0.6)
    person = room.person()
    piece = await person.post(NEXT)
    assert piece.status_code == 200
    (claim,) = (await person.get("/v1/claims")).json()["claims"]
    for part in (f'data-token="{claim["lease_token"]}"', f"item_{batch.hex}_0", 'name="note"', "P(generated) 0.600"):
        assert part in piece.text
    again = await look(person, "/review/queues/default")
    assert f'data-token="{claim["lease_token"]}"' in again.text


async def test_nothing_to_claim_is_no_content(room: Room) -> None:
    assert (await room.person().post(NEXT)).status_code == 204


async def test_a_task_is_claimed_again_by_its_number_unless_somebody_else_has_it(room: Room) -> None:
    room.judged(0.6)
    mine, theirs = room.person(), room.person()
    claim = await mine.claim()
    held = await mine.post(f"/review/tasks/{claim.task}/claims")
    assert f'data-token="{claim.token["lease_token"]}"' in held.text
    assert (await theirs.post(f"/review/tasks/{claim.task}/claims")).status_code == 204
    assert problem(await theirs.post(f"/v1/tasks/{claim.task}:claim")) == (409, "task_unavailable")
    await mine.post(f"{claim.path}:release", claim.token)
    taken = await theirs.post(f"/v1/tasks/{claim.task}:claim")
    assert (taken.status_code, taken.json()["task"]["id"]) == (200, claim.task)
    assert problem(await theirs.post("/v1/tasks/999999:claim")) == (404, "not_found")


async def test_a_stranger_to_the_tenant_claims_nothing_of_it(room: Room) -> None:
    room.judged(0.6)
    claim = await room.person().claim()
    stranger = room.person(Scope.REVIEW, tenant="elsewhere")
    assert (await stranger.post(f"/review/tasks/{claim.task}/claims")).status_code == 404


async def test_scripts_and_styles_are_open_and_asked_after_each_time(room: Room) -> None:
    answer = await room.api.get("/review/static/base.css")
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-cache")
    assert (await room.api.get("/review/static/../rendering.py")).status_code in {401, 404}
    assert (await room.api.get("/review/static/%2e%2e/rendering.py")).status_code == 404
