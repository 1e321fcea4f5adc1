"""Search and saved filters over HTTP, on a real Postgres."""

import csv
import hashlib
import io
import json
from collections.abc import AsyncIterator
from urllib.parse import parse_qsl
from uuid import uuid4

import pytest
from sqlalchemy import Engine, create_engine, text

from api.routes import search as routes
from tests.integration.api_world import problem
from tests.integration.review_room import Person, Room, a_room
from tests.integration.search_world import SearchWorld, said
from worker.moderation.people import Role
from worker.moderation.scopes import Scope
from worker.moderation.search import Filter
from worker.moderation.settings import Settings
from worker.store import saved_filters, search
from worker.store.people import disable_person, invite_person
from worker.store.review_tasks import Claimant
from worker.store.session import transaction

PATH = "/v1/search"
FILTERS = "/v1/saved-filters"


@pytest.fixture
async def room(settings: Settings, engine: Engine) -> AsyncIterator[Room]:
    async with a_room(settings, engine) as room:
        yield room


def speaking(room: Room) -> SearchWorld:
    return SearchWorld(room.world, room.tenant)


async def save(person: Person, name: str, query: str, *, shared: bool = False) -> tuple[int, str]:
    answer = await person.api.put(f"{FILTERS}/{name}", json={"query": query, "shared": shared}, headers=person.headers)
    return (answer.status_code, answer.json()["query"]) if answer.is_success else problem(answer)


async def names(person: Person) -> list[str]:
    return [saved["name"] for saved in (await person.get(FILTERS)).json()["filters"]]


async def test_a_search_shows_all_that_is_known_and_where_its_words_are(room: Room) -> None:
    batch = speaking(room).judged(said("A hand with six fingers", p=0.95, regions={"hand": "six fingers"}))
    ann = room.person()
    await ann.answer(await ann.claim())
    page = (await ann.get(PATH, words="fingers", verdict="generated", score_from="0.50")).json()
    (item,) = page["items"]
    assert page["filter"] == "words=fingers&verdict=generated&score_from=0.5"
    assert page["next_cursor"] is None
    headline = item.pop("headline")
    assert headline["text"] == "A hand with six fingers · hand · six fingers"
    assert [headline["text"][start:end] for start, end in headline["matches"]] == ["fingers", "fingers"]
    decision, judged_at = item.pop("decision"), item.pop("judged_at")
    assert (decision["verdict"], decision["action"], decision["basis"]) == ("generated", "label", "review")
    assert judged_at.startswith("20")
    assert item == {
        "id": f"item_{batch.hex}_0",
        "batch_id": str(batch),
        "custom_id": "line:1",
        "source": "s3://b/k0",
        "revision": 1,
        "outcome": "verdict",
        "verdict": "generated",
        "p_generated": 0.95,
        "route": "flag",
        "release": item["release"],
        "training": "trained",
        "reviewers": [ann.name],
        "erased": False,
    }


async def test_pages_follow_their_cursor_and_no_other_filter_s(room: Room) -> None:
    speaking(room).judged(*[said("a hand")] * 5)
    reader = room.person(Scope.READ)
    first = (await reader.get(PATH, words="hand", limit="3")).json()
    rest = (await reader.get(PATH, words="hand", limit="3", cursor=first["next_cursor"])).json()
    assert [item["id"].rpartition("_")[2] for item in (*first["items"], *rest["items"])] == ["4", "3", "2", "1", "0"]
    assert rest["next_cursor"] is None
    assert problem(await reader.get(PATH, limit="3", cursor=first["next_cursor"])) == (400, "cursor_invalid")


async def test_reviewers_do_not_learn_of_one_another_through_search(room: Room) -> None:
    ann, bob, lead = room.person(), room.person(), room.person(Scope.LEAD)
    room.world.rows("UPDATE review_queues SET slots = 2 WHERE tenant_id = :t", t=room.tenant)
    room.judged(0.6)
    await ann.answer(await ann.claim())
    for path in (PATH, f"{PATH}/export"):
        assert ann.name not in (await bob.get(path)).text
        assert not (await bob.get(path, reviewer=ann.name)).text.count("item_")
        assert ann.name in (await lead.get(path, reviewer=ann.name)).text
        assert ann.name in (await ann.get(path)).text
    await bob.answer(await bob.claim())
    assert (await bob.get(PATH, reviewer=ann.name)).json()["items"][0]["reviewers"] == sorted([ann.name, bob.name])


@pytest.mark.parametrize(
    ("parameters", "refused"),
    [
        ({"verdict": "fake"}, "request_invalid"),
        ({"colour": "red"}, "request_invalid"),
        ({"score_from": "2"}, "request_invalid"),
        ({"words": "x" * 201}, "request_invalid"),
        ({"words": "a\x00b"}, "request_invalid"),
        ({"batch": "' OR 1=1 --"}, "request_invalid"),
        ({"score_from": "0.9", "score_to": "0.1"}, "filter_invalid"),
        ({"day_from": "2026-02-30"}, "filter_invalid"),
        ({"words": "the of"}, "words_too_common"),
    ],
)
async def test_what_cannot_be_searched_for_is_refused(room: Room, parameters: dict[str, str], refused: str) -> None:
    reader = room.person(Scope.READ)
    for path in (PATH, f"{PATH}/export"):
        assert problem(await reader.get(path, **parameters)) == (422, refused)


async def test_who_may_neither_read_nor_review_finds_nothing(room: Room) -> None:
    submitter = room.person(Scope.SUBMIT)
    for path in (PATH, f"{PATH}/export", FILTERS):
        assert problem(await submitter.get(path)) == (403, "scope_missing")
    speaking(room).judged(said("a hand"))
    stranger = room.person(Scope.READ, Scope.LEAD, tenant=f"other-{uuid4().hex[:8]}")
    assert (await stranger.get(PATH, words="hand")).json()["items"] == []
    assert (await stranger.get(f"{PATH}/export")).text == ""


async def test_an_export_is_what_the_search_shows_and_an_audit_event(room: Room) -> None:
    formula = "=1+1 a hand"
    speaking(room).judged(*[said(formula)] * 3, said("a face"))
    reader = room.person(Scope.READ)
    shown = (await reader.get(PATH, words="hand")).json()["items"]
    lines = await reader.get(f"{PATH}/export", words="hand")
    assert [json.loads(line) for line in lines.text.splitlines()] == shown
    assert lines.headers["content-disposition"] == 'attachment; filename="search.jsonl"'
    sheet = await reader.get(f"{PATH}/export", words="hand", format="csv", limit="2")
    rows = list(csv.DictReader(io.StringIO(sheet.text, newline="")))
    assert [row["id"] for row in rows] == [item["id"] for item in shown[:2]]
    assert rows[0]["text"] == f"'{formula}"
    events = room.world.rows(
        "SELECT actor, payload_digest, detail FROM audit_events WHERE action = 'search.exported' AND tenant_id = :t ORDER BY id",
        t=room.tenant,
    )
    digest = hashlib.sha256(b"words=hand").hexdigest()
    assert [tuple(event) for event in events] == [
        (reader.name, digest, {"format": "jsonl", "items": 3}),
        (reader.name, digest, {"format": "csv", "items": 2}),
    ]


async def test_an_export_that_would_be_cut_short_is_refused_and_one_that_wants_the_newest_is_not(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routes, "MOST_EXPORTED", 3)
    speaking(room).judged(*[said("a hand")] * 4)
    reader = room.person(Scope.READ)
    assert problem(await reader.get(f"{PATH}/export")) == (422, "export_too_large")
    assert len((await reader.get(f"{PATH}/export", limit="3")).text.splitlines()) == 3
    assert room.world.value("SELECT count(*) FROM audit_events WHERE action = 'search.exported' AND tenant_id = :t", t=room.tenant) == 1


async def test_a_search_that_takes_too_long_says_how_to_narrow_it(room: Room, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "MOST_MS", 200)
    reader = room.person(Scope.READ)
    assert settings.owner_url is not None
    owner = create_engine(settings.owner_url.get_secret_value())
    with owner.begin() as blocking:
        blocking.execute(text("LOCK TABLE outcomes IN ACCESS EXCLUSIVE MODE"))
        answer = await reader.get(PATH, words="hand")
    owner.dispose()
    assert problem(answer) == (422, "search_too_broad")
    assert "Name a batch" in answer.json()["detail"]
    assert (await reader.get(PATH, words="hand")).status_code == 200


async def test_a_filter_is_kept_in_its_canonical_form_replaced_and_removed(room: Room) -> None:
    ann = room.person()
    assert await save(ann, "six fingers", "words=fingers&route=&verdict=generated") == (201, "words=fingers&verdict=generated")
    assert await save(ann, "six fingers", "words=toes") == (200, "words=toes")
    saved = (await ann.get(f"{FILTERS}/six fingers")).json()
    assert (saved["query"], saved["mine"], saved["shared"], saved["owner"]) == ("words=toes", True, False, ann.name)
    assert (await ann.get(PATH, **dict(parse_qsl(saved["query"])))).status_code == 200
    removed = await ann.api.delete(f"{FILTERS}/six fingers", headers=ann.headers)
    assert (removed.status_code, removed.content) == (204, b"")
    assert problem(await ann.get(f"{FILTERS}/six fingers")) == (404, "not_found")
    assert problem(await ann.api.delete(f"{FILTERS}/six fingers", headers=ann.headers)) == (404, "not_found")
    kept = room.world.rows("SELECT name, query FROM saved_filters WHERE tenant_id = :t", t=room.tenant)
    assert [tuple(row) for row in kept] == [("", "")], "nothing is left of what it said"
    trail = room.world.rows("SELECT action, detail::text FROM audit_events WHERE tenant_id = :t AND action LIKE 'filter.%'", t=room.tenant)
    assert [row.action for row in trail] == ["filter.saved", "filter.saved", "filter.removed"]
    assert not any("finger" in row.detail or "toes" in row.detail for row in trail)


async def test_shared_filters_are_seen_by_all_and_removed_by_their_owner_or_a_lead(room: Room) -> None:
    ann, bob, lead = room.person(), room.person(), room.person(Scope.LEAD)
    stranger = room.person(tenant=f"other-{uuid4().hex[:8]}")
    await save(ann, "hands", "words=hand", shared=True)
    await save(ann, "mine", "words=face")
    assert (await names(ann), await names(bob), await names(stranger)) == (["hands", "mine"], ["hands"], [])
    assert problem(await bob.get(f"{FILTERS}/mine")) == (404, "not_found")
    assert problem(await stranger.get(f"{FILTERS}/hands")) == (404, "not_found")
    assert await save(bob, "hands", "words=thumb", shared=True) == (409, "filter_name_taken")
    assert await save(bob, "hands", "words=thumb") == (201, "words=thumb"), "one's own may have the name of another's"
    assert (await bob.get(f"{FILTERS}/hands")).json()["query"] == "words=thumb"
    assert await save(bob, "hands", "words=thumb", shared=True) == (409, "filter_name_taken")
    assert (await bob.api.delete(f"{FILTERS}/hands", headers=bob.headers)).status_code == 204
    assert problem(await bob.api.delete(f"{FILTERS}/hands", headers=bob.headers)) == (403, "filter_not_yours")
    assert (await lead.api.delete(f"{FILTERS}/hands", headers=lead.headers)).status_code == 204
    assert await names(ann) == ["mine"]
    reader = room.person(Scope.READ)
    assert await save(reader, "loud", "", shared=True) == (403, "scope_missing")


async def test_a_shared_filter_is_removed_by_its_owner_s_name_and_one_s_own_of_the_same_name_stays(room: Room) -> None:
    ann, lead = room.person(), room.person(Scope.LEAD)
    await save(ann, "hands", "words=hand", shared=True)
    await save(lead, "hands", "words=thumb")
    path = f"{FILTERS}/hands"
    assert problem(await ann.api.delete(path, params={"owner": lead.name}, headers=ann.headers)) == (404, "not_found")
    assert problem(await lead.api.delete(path, params={"owner": "nobody"}, headers=lead.headers)) == (404, "not_found")
    assert (await lead.api.delete(path, params={"owner": ann.name}, headers=lead.headers)).status_code == 204
    assert (await names(ann), (await lead.get(path)).json()["query"]) == ([], "words=thumb")


async def test_what_is_kept_is_bounded_and_must_be_a_filter(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saved_filters, "MOST_OWN", 2)
    monkeypatch.setattr(saved_filters, "MOST_SHARED", 1)
    ann = room.person()
    assert await save(ann, "a", "colour=red") == (422, "filter_invalid")
    assert await save(ann, "a", "words=" + "x" * 1_995) == (422, "request_invalid")
    for name in ("..", "a/b", "a:b", " a", "x" * 61, "<script>", "a\u202eb"):
        answer = await ann.api.put(f"{FILTERS}/{name}", json={"query": ""}, headers=ann.headers)
        assert answer.status_code in (404, 405), name
    assert await save(ann, "a", "", shared=True) == (201, "")
    assert await save(ann, "b", "", shared=True) == (409, "filters_full")
    assert await save(ann, "b", "") == (201, "")
    assert await save(ann, "c", "") == (409, "filters_full")
    assert await save(ann, "b", "words=x") == (200, "words=x")


async def test_who_leaves_takes_along_what_nobody_else_has_seen(room: Room, engine: Engine) -> None:
    with transaction(engine) as session:
        kim = invite_person(session, room.tenant, email=f"{uuid4().hex}@example.com", name="Kim", role=Role.REVIEWER, actor="test")
        claimant = Claimant(tenant_id=room.tenant, reviewer=f"person:{kim.id}")
        for name, shared in (("private", False), ("common", True)):
            saved_filters.save_filter(session, claimant, name, Filter(words=name), shared=shared)
        disable_person(session, room.tenant, kim.id, actor="test")
        assert [row.name for row in saved_filters.list_filters(session, claimant)] == ["common"]
