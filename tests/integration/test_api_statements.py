"""Statements of reasons over HTTP: drafted, tried, signed, withdrawn; and what they say while nothing is sent."""

import hashlib
from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import Engine

from tests.integration.api_world import calling, new_key, problem
from tests.integration.statement_world import REASONS, Desk
from worker.moderation.policy import Action
from worker.moderation.scopes import Scope
from worker.moderation.settings import Settings
from worker.store.session import transaction
from worker.store.statements_of_reasons import sign_statement

PLACE = "/v1/statements-of-reasons"
SIGNED = {"signed_by": "Ann of trust and safety"}


@pytest.fixture
def desk(engine: Engine) -> Iterator[Desk]:
    desk = Desk(engine)
    yield desk
    desk.clear()


@pytest.fixture
async def api(settings: Settings, engine: Engine, desk: Desk) -> AsyncIterator[httpx.AsyncClient]:
    async with calling(settings, new_key(engine, tenant=desk.tenant).text) as client:
        yield client


async def drafted(api: httpx.AsyncClient, decision: UUID, **changes: Any) -> Any:
    answer = await api.post(PLACE, json={"decision_id": str(decision), "reasons": {**REASONS, **changes}})
    assert answer.status_code == 201, answer.text
    return answer.json()


async def test_a_draft_cites_the_evidence_and_is_signed_into_the_hold(api: httpx.AsyncClient, desk: Desk, settings: Settings) -> None:
    (decision,) = desk.decided()
    draft = await drafted(api, decision)
    payload = draft["payload"]
    assert (draft["state"], draft["waits_for"], draft["violations"], draft["signed_by"]) == ("draft", "signature", [], None)
    assert payload["puid"] == UUID(draft["id"]).hex
    assert (payload["automated_detection"], payload["automated_decision"]) == ("Yes", "AUTOMATED_DECISION_PARTIALLY")
    assert payload["decision_visibility"] == ["DECISION_VISIBILITY_CONTENT_LABELLED"]
    assert "Region 1 (1, 2, 30, 40): hand." in payload["decision_facts"].splitlines()
    assert draft["evidence"]["regions"][0]["crop_sha256"] is not None
    tried = await api.post(f"{PLACE}/{draft['id']}:submit", params={"dry_run": "true"})
    assert (tried.status_code, tried.json()) == (200, draft)
    signed = (await api.post(f"{PLACE}/{draft['id']}:submit", json=SIGNED)).json()
    assert (signed["state"], signed["waits_for"], signed["signed_by"], signed["payload"]) == ("held", "hold", SIGNED["signed_by"], payload)
    hold = datetime.fromisoformat(signed["hold_until"]) - datetime.fromisoformat(signed["signed_at"])
    assert hold == timedelta(hours=settings.dsa_hold_hours)
    assert desk.audited(UUID(draft["id"])) == ["statement.drafted", "statement.signed"]
    assert problem(await api.post(f"{PLACE}/{draft['id']}:submit", json=SIGNED)) == (409, "statement_state")


async def test_without_a_receiver_the_answer_says_that_nothing_is_sent(api: httpx.AsyncClient, desk: Desk, settings: Settings) -> None:
    (statement,) = desk.many(1)
    assert (await api.get(f"{PLACE}/{statement}")).json()["waits_for"] == "configuration"
    key = new_key(desk.engine, tenant=desk.tenant).text
    async with calling(settings.model_copy(update={"dsa_url": "https://dsa.example/api/v1"}), key) as configured:
        assert (await configured.get(f"{PLACE}/{statement}")).json()["waits_for"] == "receiver"


async def test_a_dry_run_tells_every_broken_rule_and_changes_nothing(api: httpx.AsyncClient, desk: Desk) -> None:
    (decision,) = desk.decided(action=Action.RESTRICT)
    draft = (await api.post(PLACE, json={"decision_id": str(decision)})).json()
    broken = {(rule["field"], rule["code"]) for rule in draft["violations"]}
    assert broken == {
        (field, "missing")
        for field in ("category", "content_date", "decision_ground", "decision_visibility", "source_type", "territorial_scope")
    }
    assert (await api.post(f"{PLACE}/{draft['id']}:submit", params={"dry_run": "true"})).json() == draft
    refused = await api.post(f"{PLACE}/{draft['id']}:submit", json=SIGNED)
    assert problem(refused) == (422, "statement_invalid")
    assert {(fault["pointer"], fault["code"]) for fault in refused.json()["errors"]} == {(f"#/reasons/{f}", code) for f, code in broken}
    assert desk.states() == ["draft"]


async def test_personal_data_is_not_signed(api: httpx.AsyncClient, desk: Desk) -> None:
    (decision,) = desk.decided()
    draft = await drafted(api, decision, decision_facts="Posted by ann@example.org")
    assert [(rule["field"], rule["code"]) for rule in draft["violations"]] == [("decision_facts", "personal_data")]


async def test_a_key_must_say_who_answers(api: httpx.AsyncClient, desk: Desk) -> None:
    (decision,) = desk.decided()
    draft = await drafted(api, decision)
    assert problem(await api.post(f"{PLACE}/{draft['id']}:submit")) == (422, "signature_missing")
    assert problem(await api.post(f"{PLACE}/{draft['id']}:submit", json={})) == (422, "signature_missing")


@pytest.mark.parametrize("name", ["person:0e6b5168-f38d-4fdb-a499-671c158c120d", "key:0123456789ab", "policy:default@1", " \tPerson:kim"])
async def test_a_key_cannot_sign_in_the_name_of_an_actor(api: httpx.AsyncClient, desk: Desk, name: str) -> None:
    (decision,) = desk.decided()
    draft = await drafted(api, decision)
    refused = await api.post(f"{PLACE}/{draft['id']}:submit", json={"signed_by": name})
    assert problem(refused) == (422, "request_invalid")
    assert refused.json()["errors"][0]["pointer"] == "#/signed_by"
    assert desk.states() == ["draft"]


async def test_the_audit_trail_binds_the_signature_without_the_name(api: httpx.AsyncClient, desk: Desk) -> None:
    (decision,) = desk.decided()
    draft = await drafted(api, decision)
    await api.post(f"{PLACE}/{draft['id']}:submit", json=SIGNED)
    assert desk.signatory(UUID(draft["id"])) == f"sha256:{hashlib.sha256(SIGNED['signed_by'].encode()).hexdigest()}"
    own = desk.draft(desk.decided()[0])
    with transaction(desk.engine) as session:
        sign_statement(session, own, tenant_id=desk.tenant, signed_by="person:7", hold=timedelta(), actor="person:7")
    assert desk.signatory(own) == "person:7"


async def test_a_withdrawn_statement_makes_room_for_another(api: httpx.AsyncClient, desk: Desk) -> None:
    (decision,) = desk.decided()
    first = await drafted(api, decision)
    again = await api.post(PLACE, json={"decision_id": str(decision), "reasons": REASONS})
    assert problem(again) == (409, "statement_exists")
    await api.post(f"{PLACE}/{first['id']}:submit", json=SIGNED)
    assert (await api.post(f"{PLACE}/{first['id']}:withdraw")).json()["state"] == "withdrawn"
    assert problem(await api.post(f"{PLACE}/{first['id']}:withdraw")) == (409, "statement_state")
    second = await drafted(api, decision)
    assert second["payload"]["puid"] != first["payload"]["puid"]
    assert desk.states() == ["withdrawn", "draft"]


async def test_statements_are_about_decisions_that_stand_and_restrict(api: httpx.AsyncClient, desk: Desk) -> None:
    free, old = desk.decided(action=Action.NONE)[0], desk.decided()[0]
    draft = await drafted(api, old)
    desk.supersede(old)
    assert (await api.get(f"{PLACE}/{draft['id']}")).json()["receiver"] == {"code": "superseded", "detail": None, "id": None}
    for decision, expected in (
        (free, (409, "decision_unrestricting")),
        (old, (409, "decision_superseded")),
        (uuid4(), (422, "decision_missing")),
    ):
        assert problem(await api.post(PLACE, json={"decision_id": str(decision), "reasons": REASONS})) == expected


FORBIDDEN: tuple[dict[str, Any], ...] = (
    {"puid": "mine"},
    {"automated_detection": "No"},
    {"automated_decision": "AUTOMATED_DECISION_NOT_AUTOMATED"},
    {"category": "SYNTHETIC_MEDIA"},
    {"territorial_scope": ["US"]},
    {"content_date": 1_700_000_000},
    {"content_date": "2026-02-30"},
    {"decision_facts": "x" * 5_001},
    {"decision_ground_reference_url": "javascript:alert(1)"},
    {"source_identity": 7},
    {"'; DROP TABLE statements_of_reasons; --": "x"},
)


async def test_what_is_not_the_platforms_to_say_or_no_word_of_the_schema_is_refused(api: httpx.AsyncClient, desk: Desk) -> None:
    (decision,) = desk.decided()
    for reasons in FORBIDDEN:
        refused = await api.post(PLACE, json={"decision_id": str(decision), "reasons": {**REASONS, **reasons}})
        assert problem(refused) == (422, "request_invalid"), reasons
        assert refused.json()["errors"][0]["pointer"].startswith("#/reasons/")


async def test_texts_stay_as_they_are(api: httpx.AsyncClient, desk: Desk) -> None:
    (decision,) = desk.decided()
    text = "<script>alert(1)</script>'; DROP TABLE decisions; -- \u202eright to left"
    assert (await drafted(api, decision, incompatible_content_ground=text))["payload"]["incompatible_content_ground"] == text


async def test_statements_are_listed_by_state_and_page(api: httpx.AsyncClient, desk: Desk) -> None:
    made = [str(statement) for statement in desk.many(3)][::-1]
    first = (await api.get(PLACE, params={"limit": "2", "state": "held"})).json()
    rest = (await api.get(PLACE, params={"limit": "2", "state": "held", "cursor": first["next_cursor"]})).json()
    assert [s["id"] for s in (*first["statements"], *rest["statements"])] == made
    assert (await api.get(PLACE, params={"state": "draft"})).json()["statements"] == []
    assert problem(await api.get(PLACE, params={"cursor": first["next_cursor"]})) == (400, "cursor_invalid")
    assert problem(await api.get(PLACE, params={"state": "lost"})) == (422, "request_invalid")


async def test_a_reader_signs_nothing_and_a_stranger_sees_nothing(settings: Settings, engine: Engine, desk: Desk) -> None:
    (statement,) = desk.many(1)
    async with calling(settings, new_key(engine, Scope.READ, tenant=desk.tenant).text) as reader:
        assert (await reader.get(f"{PLACE}/{statement}")).status_code == 200
        for action in ("submit", "withdraw"):
            assert problem(await reader.post(f"{PLACE}/{statement}:{action}")) == (403, "scope_missing")
    async with calling(settings, new_key(engine, tenant=f"{desk.tenant}-other").text) as stranger:
        assert problem(await stranger.get(f"{PLACE}/{statement}")) == (404, "not_found")
        for action in ("submit", "withdraw"):
            assert problem(await stranger.post(f"{PLACE}/{statement}:{action}")) == (404, "not_found")
        assert (await stranger.get(PLACE)).json()["statements"] == []
    assert desk.row(statement).state == "held"
