"""The piece of the judging page that shows duplicates: what a browser is sent of them."""

import re
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from sqlalchemy import Engine

from tests.integration.api_world import problem
from tests.integration.duplicate_world import Picture, judged_pictures
from tests.integration.review_room import Room, a_room
from worker.moderation.scopes import Scope
from worker.moderation.settings import Settings

HOSTILE = "<script>alert(1)</script>\u202eevil"


@pytest.fixture
async def room(settings: Settings, engine: Engine) -> AsyncIterator[Room]:
    async with a_room(settings, engine) as room:
        yield room


def ticks(html: str) -> dict[int, bool]:
    """Each checkbox's task, and whether it is ticked."""
    boxes = re.findall(r'<input type="checkbox" name="duplicate" value="(\d+)" data-version="1"( checked)?>', html)
    return {int(task): bool(ticked) for task, ticked in boxes}


async def test_the_same_is_ticked_what_looks_alike_is_not_and_neither_is_offered_to_who_may_not(room: Room) -> None:
    one = Picture(uuid4().hex * 2, uuid4().int % 2**63)
    alike, elsewhere = one.altered(3, uuid4().hex * 2), Picture(one.sha256, one.likeness, p=0.1)
    batch_id = judged_pictures(room.world, room.tenant, [one, one, alike, elsewhere])
    anchor, same, near = (
        row.id for row in room.world.rows("SELECT id FROM review_tasks WHERE batch_id = :id ORDER BY ordinal", id=batch_id)
    )
    place = f"/review/tasks/{anchor}/duplicates"
    ann, lead = room.person(), room.person(Scope.LEAD)
    piece = await ann.get(place)
    assert (piece.status_code, ticks(piece.text)) == (200, {same: True})
    assert "only a lead may decide it" in piece.text
    assert "nobody was asked; the model says real" in piece.text
    assert "3 of 64 bits differ" in piece.text
    assert ticks((await lead.get(place)).text) == {same: True, near: False}
    assert piece.text.count("<img") == 1  # the same file need not be loaded, and looked at, again


async def test_a_submitter_s_words_are_shown_and_not_run(room: Room) -> None:
    one = Picture(uuid4().hex * 2)
    batch_id = room.world.batch(2, tenant=room.tenant, names={1: HOSTILE})
    judged_pictures(room.world, room.tenant, [one, one], batch_id=batch_id)
    anchor = room.world.value("SELECT id FROM review_tasks WHERE batch_id = :id AND ordinal = 0", id=batch_id)
    piece = await room.person().get(f"/review/tasks/{anchor}/duplicates")
    assert "&lt;script&gt;alert(1)&lt;/script&gt;evil" in piece.text
    assert "<script" not in piece.text
    assert "\u202e" not in piece.text


async def test_without_duplicates_there_is_no_content_and_strangers_find_nothing(room: Room) -> None:
    batch_id = judged_pictures(room.world, room.tenant, [Picture(uuid4().hex * 2, uuid4().int % 2**63)])
    task = room.world.value("SELECT id FROM review_tasks WHERE batch_id = :id", id=batch_id)
    place = f"/review/tasks/{task}/duplicates"
    assert (await room.person().get(place)).status_code == 204
    assert problem(await room.person(Scope.READ).get(place)) == (403, "scope_missing")
    assert problem(await room.person(tenant=f"other-{uuid4().hex[:8]}").get(place)) == (404, "not_found")
