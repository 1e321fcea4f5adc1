"""The search page's HTML, as a browser asks for it; what its script does is tested in `tests/browser`."""

from collections.abc import AsyncIterator
from urllib.parse import quote

import httpx
import pytest
from sqlalchemy import Engine

from tests.integration.review_room import Person, Room, a_room
from tests.integration.search_world import SearchWorld, said
from worker.moderation.scopes import Scope
from worker.moderation.settings import Settings

PATH = "/review/search"
HTML = {"Accept": "text/html"}


@pytest.fixture
async def room(settings: Settings, engine: Engine) -> AsyncIterator[Room]:
    async with a_room(settings, engine) as room:
        yield room


async def look(person: Person, path: str) -> httpx.Response:
    return await person.api.get(path, headers={**person.headers, **HTML})


async def test_a_form_without_anything_shows_what_was_judged_last(room: Room) -> None:
    reader = room.person(Scope.READ)
    assert "No image has been judged yet." in (await look(reader, PATH)).text
    batch = SearchWorld(room.world, room.tenant).judged(*[said("a hand")] * 30)
    first = (await look(reader, f"{PATH}?words=&verdict=&batch=&score_from=")).text
    assert f'href="/review/items/item_{batch.hex}_29"' in first
    assert "25 images, and there are more" in first
    following = first.partition('rel="next" href="')[2].partition('"')[0].replace("&amp;", "&")
    second = (await look(reader, following)).text
    assert "5 more images<" in second
    assert f'href="/review/items/item_{batch.hex}_4"' in second


async def test_words_are_marked_and_nothing_of_a_model_s_is_markup(room: Room) -> None:
    SearchWorld(room.world, room.tenant).judged(said("<script>alert(1)</script>\u202e six <b>fingers</b> & more"))
    shown = (await look(room.person(), f"{PATH}?words=fingers")).text
    assert "&lt;script&gt;alert(1)&lt;/script&gt; six &lt;b&gt;<mark>fingers</mark>&lt;/b&gt; &amp; more" in shown
    assert "\u202e" not in shown


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("score_from=0.9&score_to=0.1", "Score from: it is above score_to."),
        ("words=the", "they are too common"),
        ("colour=red", "colour: there is no such filter."),
        ("verdict=real&verdict=real", "The model said: it is there twice."),
        ("batch=%3Cscript%3E", "Batch: it must be a batch&#39;s id."),
        ("reviewer=" + "x" * 3_000, "Answered by: it must be one word of 200 characters at most."),
    ],
)
async def test_what_cannot_be_searched_for_is_said_on_the_form(room: Room, query: str, said: str) -> None:
    answer = await look(room.person(), f"{PATH}?{query}")
    assert answer.status_code == 422
    assert said in answer.text
    assert "<script>" not in answer.text
    assert 'name="score_from"' in answer.text


async def test_a_bad_cursor_and_an_export_that_is_refused_are_pages(room: Room) -> None:
    for path, code in ((f"{PATH}?cursor=abc", "cursor_invalid"), (f"{PATH}/export?words=the&format=csv", "words_too_common")):
        answer = await look(room.person(), path)
        assert answer.headers["content-type"].startswith("text/html")
        assert code in answer.text


async def test_who_may_not_read_does_not_search_and_strangers_sign_in_first(room: Room) -> None:
    assert (await look(room.person(Scope.SUBMIT), PATH)).status_code == 403
    answer = await room.api.get(f"{PATH}?words=a", headers=HTML)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/v1/sign-in?next={quote(f'{PATH}?words=a', safe='')}")


async def test_filters_that_are_kept_are_links_and_those_of_others_cannot_be_removed(room: Room) -> None:
    ann, bob, lead = room.person(), room.person(), room.person(Scope.LEAD)
    body = {"query": "words=%22%3E%3Cscript%3E", "shared": True}
    assert (await ann.api.put("/v1/saved-filters/hands", json=body, headers=ann.headers)).status_code == 201
    for person, may in ((ann, True), (bob, False), (lead, True)):
        shown = (await look(person, f"{PATH}/filters")).text
        assert 'href="/review/search?words=%22%3E%3Cscript%3E"' in shown
        assert (f'data-remove="hands" data-owner="{ann.name}"' in shown) is may
