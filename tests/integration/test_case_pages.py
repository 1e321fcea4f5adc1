"""The page of one image as the server makes it: who sees what, hostile words, and images that are gone. Chromium looks at the rest."""

from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Engine

from tests.integration.review_room import GENERATED, Person, Room, a_room
from tests.integration.review_world import judged_batch
from worker.moderation.identifiers import item_id
from worker.moderation.outcomes import Verdict
from worker.moderation.policy import Action
from worker.moderation.scopes import Scope
from worker.moderation.settings import Settings
from worker.store.erasures import Erasing, erase_item
from worker.store.overrides import Override, override
from worker.store.session import transaction

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\u202edesrever\u202c {{7*7}} " + "x" * 10_000
ALL_SCOPES = (Scope.READ, Scope.REVIEW, Scope.LEAD, Scope.SUBMIT)


@pytest.fixture
async def room(settings: Settings, engine: Engine) -> AsyncIterator[Room]:
    async with a_room(settings, engine) as room:
        yield room


def page_of(batch_id: UUID, ordinal: int = 0) -> str:
    return f"/review/items/{item_id(batch_id, ordinal)}"


async def shown(person: Person, path: str, **parameters: str) -> str:
    answer = await person.get(path, **parameters)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/html")
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    return answer.text


def decided(room: Room, batch_id: UUID, reason: str = "six fingers", action: Action = Action.LABEL) -> UUID:
    """A lead's decision."""
    with transaction(room.world.engine) as session:
        wanted = Override(verdict=Verdict.GENERATED, action=action, reason=reason, supersedes=None)
        return override(session, room.tenant, (batch_id, 0), wanted, lead="key:lead")


async def test_a_life_is_told_from_the_first_revision_to_the_statement(room: Room) -> None:
    batch = room.judged(0.6)
    lead = room.person(*ALL_SCOPES)
    reviewer = room.person()
    await reviewer.answer(await reviewer.claim(), {**GENERATED, "judgements": [{"kind": "accept", "position": 1}]})
    (decision,) = room.world.rows("SELECT id FROM decisions WHERE batch_id = :id", id=batch)
    appeal = await lead.api.post(
        "/v1/appeals",
        json={"decision_id": str(decision.id), "statement": "It is a photograph.", "region": 1},
        headers={**lead.headers, "Idempotency-Key": uuid4().hex},
    )
    drafted = await lead.post("/v1/statements-of-reasons", {"decision_id": str(decision.id), "reasons": {}})
    assert (appeal.status_code, drafted.status_code) == (201, 201), appeal.text + drafted.text
    page = await shown(lead, page_of(batch))
    for words in (
        "the model says generated, P(generated) 0.600",
        "routed revision 1 to <strong>review</strong>",
        "box 1 is right",
        "Reviewers agreed",
        "It is a photograph.",
        "Appeal against box 1",
        f'id="statement-{drafted.json()["id"]}"',
        "rules of the transparency database are not met",
        "trace?revision=1",
    ):
        assert words in page, words
    assert 'data-opens="override"' in page
    assert 'data-opens="appeal"' not in page  # a decision is contested once
    assert (await shown(lead, "/review/appeals")).count("#appeal-") == 1
    assert (await shown(lead, "/review/statements")).count("#statement-") == 1
    assert "No appeal is open" not in await shown(lead, "/review/appeals", state="open")
    assert "There is none" in await shown(lead, "/review/appeals", state="upheld")


async def test_each_revision_can_be_looked_at_and_citations_light_up_the_decided_one_alone(room: Room) -> None:
    batch = room.judged(0.95)
    decision = decided(room, batch)
    judged_batch(room.world, {0: 0.1}, tenant=room.tenant, revision=2, batch_id=batch)
    lead = room.person(*ALL_SCOPES)
    assert (await lead.post("/v1/statements-of-reasons", {"decision_id": str(decision), "reasons": {}})).status_code == 201
    newest, first = await shown(lead, page_of(batch)), await shown(lead, page_of(batch), revision="1")
    assert "P(generated) 0.100</strong>" in newest
    assert "P(generated) 0.950</strong>" in first
    assert ('class="cites" tabindex="0" data-positions="1"' in newest, 'class="cites" tabindex="0" data-positions="1"' in first) == (
        False,
        True,
    )
    assert "Trace of revision 2" in await shown(lead, f"{page_of(batch)}/trace")


async def test_nobody_sees_an_answer_before_giving_one(room: Room) -> None:
    room.world.rows("UPDATE review_queues SET slots = 2 WHERE tenant_id = :tenant", tenant=room.tenant)
    batch = room.judged(0.6)
    first, second = room.person(Scope.READ, Scope.REVIEW), room.person(Scope.READ, Scope.REVIEW)
    await first.answer(await first.claim(), {**GENERATED, "note": "seen by nobody yet"})
    assert "seen by nobody yet" not in await shown(second, page_of(batch))
    assert "seen by nobody yet" not in await shown(room.person(Scope.READ), page_of(batch))
    assert "seen by nobody yet" in await shown(first, page_of(batch))
    assert "seen by nobody yet" in await shown(room.person(Scope.READ, Scope.LEAD), page_of(batch))
    await second.answer(await second.claim())
    assert "seen by nobody yet" in await shown(second, page_of(batch))


async def test_what_may_be_done_follows_the_scopes(room: Room) -> None:
    batch = room.judged(0.95)
    decided(room, batch)
    offers = {
        'data-opens="appeal"': Scope.SUBMIT,
        'data-opens="override"': Scope.LEAD,
        "data-draft": Scope.LEAD,
        "data-rescan": Scope.SUBMIT,
    }
    for offer, scope in offers.items():
        assert offer in await shown(room.person(Scope.READ, scope), page_of(batch))
        others = {Scope.READ, *offers.values()} - {scope}
        assert offer not in await shown(room.person(*others), page_of(batch))
    assert "/trail" in await shown(room.person(Scope.READ, Scope.AUDIT), page_of(batch))
    assert "/trail" not in await shown(room.person(Scope.READ), page_of(batch))


async def test_another_tenants_image_is_none_and_pages_want_their_scopes(room: Room) -> None:
    batch = room.judged(0.6)
    stranger = room.person(*ALL_SCOPES, Scope.AUDIT, tenant=f"other-{uuid4().hex[:8]}")
    for path in (page_of(batch), f"{page_of(batch)}/trace", f"{page_of(batch)}/trail"):
        assert (await stranger.get(path)).status_code == 404
    assert (await room.person(Scope.SUBMIT).get(page_of(batch))).status_code == 403
    assert (await room.person(Scope.READ).get(f"{page_of(batch)}/trail")).status_code == 403
    assert (await room.person(Scope.REVIEW).get("/review/appeals")).status_code == 403
    assert (await room.person(Scope.READ).get("/review/items/none")).status_code == 404
    assert (await room.person(Scope.READ).get(page_of(batch), revision="9")).status_code == 200
    assert (await room.person(Scope.READ).get(f"{page_of(batch)}/trace", revision="9")).status_code == 404


async def test_strangers_words_neither_run_nor_turn_nor_break_the_page(room: Room) -> None:
    batch = room.judged(0.6)
    decision = decided(room, batch, HOSTILE[:2_000])
    lead = room.person(*ALL_SCOPES)
    body = {"decision_id": str(decision), "statement": HOSTILE[:5_000], "reference": HOSTILE[:200]}
    opened = await lead.api.post("/v1/appeals", json=body, headers={**lead.headers, "Idempotency-Key": uuid4().hex})
    assert opened.status_code == 201, opened.text
    facts = {"decision_id": str(decision), "reasons": {"decision_facts": HOSTILE[:5_000]}}
    assert (await lead.post("/v1/statements-of-reasons", facts)).status_code == 201
    for path in (page_of(batch), "/review/appeals", f"{page_of(batch)}/trace"):
        page = await shown(lead, path)
        assert "<script>alert" not in page
        assert "<img src=x" not in page
        assert "\u202e" not in page
    assert "{{7*7}}" in await shown(lead, page_of(batch))


async def test_an_erased_image_leaves_its_numbers_and_says_so(room: Room) -> None:
    batch = room.judged(0.95)
    decided(room, batch)
    with transaction(room.world.engine) as session:
        erase_item(session, room.tenant, batch, 0, Erasing("key:admin", "gdpr-17", "uploads"))
    lead = room.person(*ALL_SCOPES)
    page = await shown(lead, page_of(batch))
    assert "The image was erased on" in page
    assert "gdpr-17" in page
    assert "P(generated) 0.950" in page
    assert "<zoom-image" not in page
    assert "/image?" not in page
    for offer in ("data-opens", "data-draft", "data-rescan"):
        assert offer not in page
    assert "no longer kept" in await shown(lead, f"{page_of(batch)}/trace")


async def test_an_image_that_waits_to_be_judged_has_a_page(room: Room) -> None:
    batch = room.world.batch(1, tenant=room.tenant)
    page = await shown(room.person(*ALL_SCOPES), page_of(batch))
    assert "The image waits to be judged" in page
    assert 'data-opens="override"' not in page


async def test_the_trace_shows_requests_replies_and_facts(room: Room) -> None:
    batch = room.judged(0.6)
    page = await shown(room.person(Scope.REVIEW), f"{page_of(batch)}/trace")
    for words in ("Scan", "Zoom", "look", "&#34;verdict&#34;", "&#34;weights&#34;: &#34;none&#34;"):
        assert words in page, words


async def test_auditors_read_the_trail_and_reading_is_an_event(room: Room) -> None:
    batch = room.judged(0.6)
    decided(room, batch)
    auditor = room.person(Scope.READ, Scope.AUDIT)
    page = await shown(auditor, f"{page_of(batch)}/trail")
    assert "decision.created" in page
    assert "audit_events.read" in await shown(auditor, f"{page_of(batch)}/trail")
    assert "Nothing more." in await shown(auditor, f"{page_of(batch)}/trail", after=str(2**62))


async def test_whoever_is_asked_is_not_told_when_it_was_routed_be_it_golden_or_not(room: Room) -> None:
    batch = room.judged(0.6)
    asked = room.person(Scope.READ, Scope.REVIEW)
    assert 'data-kind="routed"' in await shown(asked, page_of(batch))
    claim = await asked.claim()
    page = await shown(asked, page_of(batch))
    assert ['data-kind="judged"' in page, 'data-kind="routed"' in page, 'data-kind="asked"' in page] == [True, False, False]
    await asked.answer(claim)
    assert 'data-kind="asked"' in await shown(asked, page_of(batch))


async def test_each_look_at_a_case_and_at_a_trace_is_audited(room: Room) -> None:
    batch, person = room.judged(0.6), room.person(Scope.READ, Scope.REVIEW)
    await shown(person, page_of(batch))
    await shown(person, f"{page_of(batch)}/trace")
    trail = room.world.rows(
        "SELECT action, tenant_id, ordinal, revision FROM audit_events WHERE batch_id = :id AND actor = :who ORDER BY id",
        id=batch,
        who=person.name,
    )
    assert [tuple(event) for event in trail] == [("item.read", room.tenant, 0, None), ("trace.read", room.tenant, 0, 1)]


async def test_who_is_asked_about_a_golden_image_sees_nothing_of_what_was_said_of_it(room: Room) -> None:
    batch = room.judged(0.95)
    decided(room, batch, "the truth of it")
    asked, other = room.person(Scope.READ, Scope.REVIEW), room.person(Scope.READ, Scope.REVIEW)
    task = room.world.value(
        "INSERT INTO review_tasks (tenant_id, queue, batch_id, ordinal, revision, kind, route, reason, slots, due_at)"
        " VALUES (:tenant, 'default', :id, 0, 1, 'golden', 'flag', 'P(generated) ≥ 0.8', 1, now()) RETURNING id",
        tenant=room.tenant,
        id=batch,
    )
    room.world.rows(
        "INSERT INTO golden_tasks (task_id, reviewer, policy_version) VALUES (:task, :who, 'default@1')", task=task, who=asked.name
    )
    page = await shown(asked, page_of(batch))
    assert "the truth of it" not in page
    assert "golden" not in page
    assert f"Task {task}" not in page
    assert "routed revision" not in page
    assert "the truth of it" in await shown(other, page_of(batch))
    assert "golden" not in await shown(other, page_of(batch))
    assert "golden" in await shown(room.person(Scope.READ, Scope.LEAD), page_of(batch))
