"""Explanations in other languages on real Postgres: offered by the policy, made by catalogue or machine, kept only when verified."""

import asyncio
import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import Engine

from tests.integration.api_world import calling, new_key, problem
from tests.integration.queue_world import RELEASE, World, verdict
from tests.integration.retention_world import ERASING
from tests.unit.translation.adversary import ATTACKS, Endpoint, completion
from tests.unit.translation.phrasebook import LANGUAGES, Case, cases
from worker.moderation.boxes import Box
from worker.moderation.explanation_jobs import JobKind
from worker.moderation.identifiers import item_id
from worker.moderation.outcomes import ItemReference, Outcome, Region
from worker.moderation.policy import DEFAULT_BANDS, Explaining
from worker.moderation.scopes import Scope
from worker.moderation.settings import Settings
from worker.moderation.translation.passages import Field, Passage
from worker.queue.explain_translation import run
from worker.queue.explaining import Bench, Ending, Explainers, explain
from worker.store.erasures import erase_item
from worker.store.explanation_queue import announce_jobs
from worker.store.models.policies import VersionState
from worker.store.outcome_rows import Place
from worker.store.outcomes import Judgement, insert_outcomes
from worker.store.policies import Draft, move_version, write_version
from worker.store.session import transaction
from worker.store.translations import tokens_today
from worker.translation.endpoint_text import EndpointText
from worker.vision.endpoint import EndpointAddress

ITEMS = 12  # of those that go through the store, honest and altered ones each; all 200 are in tests/unit/translation
NANO = (
    Passage(Field.EXPLANATION, None, "Region 2 shows strong traces of redrawing."),
    Passage(Field.SCAN_EXPLANATION, None, "At first sight clear traces of redrawing."),
    Passage(Field.REASON, 1, "faint traces"),
    Passage(Field.FINDING, 1, "no traces of redrawing"),
    Passage(Field.REASON, 2, "clear traces"),
    Passage(Field.FINDING, 2, "strong traces of redrawing"),
)
STATES = "SELECT ordinal, state, error_code FROM explanation_jobs WHERE batch_id = :id ORDER BY ordinal"
KEPT = "SELECT ordinal, language, machine, source, passages FROM translations WHERE batch_id = :id ORDER BY ordinal, language"


@pytest.fixture
def world(engine: Engine) -> World:
    return World(engine)


def outcome(batch_id: UUID, ordinal: int, passages: tuple[Passage, ...]) -> Outcome:
    """A verdict that says just this."""
    said = {(each.field, each.position): each.text for each in passages}
    positions = sorted({each.position for each in passages if each.position is not None})
    regions = [Region(box=Box(1, 2, 30, 40), reason=said[Field.REASON, at], finding=said.get((Field.FINDING, at))) for at in positions]
    return replace(
        verdict(ItemReference(batch_id, ordinal, "", "b", "k")),
        explanation=said[Field.EXPLANATION, None],
        scan_explanation=said[Field.SCAN_EXPLANATION, None],
        regions=tuple(regions),
        evidence=(),
    )


def judged(world: World, tenant: str, *texts: tuple[Passage, ...], languages: tuple[str, ...] = LANGUAGES) -> UUID:
    """A batch whose items say these texts, of a tenant whose policy lists the languages."""
    batch_id = world.batch(len(texts), tenant=tenant)
    chunk_id = world.value("SELECT id FROM chunks WHERE batch_id = :id LIMIT 1", id=batch_id)
    with transaction(world.engine) as session:
        draft = Draft(bands=DEFAULT_BANDS, queue="default", explaining=Explaining(languages=languages))
        version = write_version(session, tenant, "default", draft, actor="ann").version
        move_version(session, tenant, "default", version, VersionState.LIVE, actor="ann")
        outcomes = [outcome(batch_id, ordinal, passages) for ordinal, passages in enumerate(texts)]
        place = Place(batch_id=batch_id, revision=1, chunk_id=chunk_id)
        insert_outcomes(session, place, outcomes, Judgement(actor="worker", release=RELEASE, evidence_bucket="b"))
    return batch_id


def work(world: World, settings: Settings, attack: Callable[..., Any] | None = None) -> dict[Ending, int]:
    """Does all jobs that wait, by an endpoint that does this."""
    model = EndpointText(
        EndpointAddress("scripted", "https://translator.example/v1"),
        None,
        seconds=5,
        calls_per_minute=10**6,
        transport=Endpoint(attack).transport,
    )
    bench = Bench(settings=settings, engine=world.engine, owner="host:1:1:1")
    explainers = Explainers(bench, {JobKind.TRANSLATION: lambda job: run(bench, model, job)})
    with transaction(world.engine) as session:
        rung = announce_jobs(session, JobKind.TRANSLATION, 1000)
    endings = [explain(job_id, explainers, drained=False) for job_id in rung]
    return {ending: endings.count(ending) for ending in set(endings)}


async def ask(api: httpx.AsyncClient, batch_id: UUID, ordinal: int, language: str) -> httpx.Response:
    return await api.post(f"/v1/items/{item_id(batch_id, ordinal)}/translations", json={"language": language})


async def test_what_nano_says_is_answered_at_once_from_its_catalogue(world: World, settings: Settings) -> None:
    batch_id = judged(world, "nano", NANO, languages=("ar", "pt-BR"))
    async with calling(settings, new_key(world.engine, tenant="nano").text) as api:
        answer = await ask(api, batch_id, 0, "ar")
        assert (answer.status_code, answer.headers["content-language"]) == (200, "en, ar")
        translation = answer.json()["translation"]
        assert (translation["machine"], translation["source"], translation["language"]["direction"]) == (False, "catalogue", "rtl")
        first = translation["passages"][0]
        assert first["original"] == NANO[0].text
        assert first["text"] == "تُظهر المنطقة 2 آثارًا قوية لإعادة الرسم."
        assert translation["facts"] == {"region": 1}
        assert (await ask(api, batch_id, 0, "ar")).json() == answer.json()
        assert (await ask(api, batch_id, 0, "pt-BR")).status_code == 200  # by the catalogue of pt
        listed = (await api.get(f"/v1/items/{item_id(batch_id, 0)}/translations")).json()
    assert [each["language"]["tag"] for each in listed["translations"]] == ["ar", "pt-BR"]
    assert [each["tag"] for each in listed["offered"]] == ["ar", "pt-BR"]
    actions = "SELECT count(*) FROM audit_events WHERE batch_id = :id AND action = 'translation.kept'"
    assert world.value(actions, id=batch_id) == 2


async def test_only_languages_that_the_policy_lists_are_given(world: World, settings: Settings) -> None:
    batch_id = judged(world, "choosy", NANO, languages=("de", "en", "tlh"))
    async with calling(settings, new_key(world.engine, tenant="choosy").text) as api:
        refused = await ask(api, batch_id, 0, "fr")
        assert problem(refused) == (422, "language_not_offered")
        assert refused.json()["detail"] == "The policy does not list fr. It lists: de, en, tlh."
        assert problem(await ask(api, batch_id, 0, "en")) == (422, "language_not_offered")
        assert problem(await ask(api, batch_id, 0, "tlh")) == (422, "language_unsupported")
        assert problem(await ask(api, batch_id, 0, "German")) == (422, "request_invalid")
        assert problem(await ask(api, batch_id, 1, "de")) == (404, "not_found")
        assert [one["tag"] for one in (await api.get(f"/v1/items/{item_id(batch_id, 0)}/translations")).json()["offered"]] == ["de"]
    async with calling(settings, new_key(world.engine, tenant="another").text) as api:
        assert problem(await ask(api, batch_id, 0, "de")) == (404, "not_found")
        assert problem(await api.get(f"/v1/items/{item_id(batch_id, 0)}/translations")) == (404, "not_found")


async def test_a_key_that_may_only_read_sees_translations_and_orders_none(world: World, settings: Settings) -> None:
    batch_id = judged(world, "reader", NANO, languages=("de",))
    async with calling(settings, new_key(world.engine, Scope.READ, tenant="reader").text) as api:
        assert problem(await ask(api, batch_id, 0, "de")) == (403, "scope_missing")
        assert (await api.get(f"/v1/items/{item_id(batch_id, 0)}/translations")).status_code == 200
    assert world.rows(KEPT, id=batch_id) == []


async def test_a_tenant_has_so_many_translations_waiting_and_no_more(
    world: World, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.translating.MOST_WAITING", 2)
    said = cases(3)
    batch_id = judged(world, "greedy", *(case.passages for case in said))
    async with calling(settings, new_key(world.engine, tenant="greedy").text) as api:
        answers = [await ask(api, batch_id, ordinal, case.language) for ordinal, case in enumerate(said)]
        assert [answer.status_code for answer in answers] == [202, 202, 409]
        assert problem(answers[2]) == (409, "translations_waiting")
        assert (await ask(api, batch_id, 0, said[0].language)).status_code == 202  # what waits already may be asked for again
        assert [row.ordinal for row in world.rows(STATES, id=batch_id)] == [0, 1]
        await asyncio.to_thread(work, world, settings)
        assert (await ask(api, batch_id, 2, said[2].language)).status_code == 202
        await asyncio.to_thread(work, world, settings)


async def asked_for(world: World, settings: Settings, tenant: str, said: list[Case]) -> UUID:
    batch_id = judged(world, tenant, *(case.passages for case in said))
    async with calling(settings, new_key(world.engine, tenant=tenant).text) as api:
        for ordinal, case in enumerate(said):
            assert (await ask(api, batch_id, ordinal, case.language)).status_code == 202
    return batch_id


async def test_a_language_that_is_offered_is_given_whichever_way_its_tag_is_written(world: World, settings: Settings) -> None:
    batch_id = judged(world, "taiwan", NANO, languages=("zh-TW", "zh-CN"))
    async with calling(settings, new_key(world.engine, tenant="taiwan").text) as api:
        offered = (await api.get(f"/v1/items/{item_id(batch_id, 0)}/translations")).json()["offered"]
        assert [each["tag"] for each in offered] == ["zh-Hant-TW", "zh-Hans-CN"]
        for tag in ("zh-Hans-CN", "zh-CN"):  # which a catalogue answers at once: no job is left behind
            assert (await ask(api, batch_id, 0, tag)).status_code == 200
        assert problem(await ask(api, batch_id, 0, "zh-HK")) == (422, "language_not_offered")


async def test_altered_translations_are_never_stored_and_honest_ones_are(world: World, settings: Settings) -> None:
    said = cases(ITEMS)
    batch_id = await asked_for(world, settings, "machine", said)
    spoil = itertools.cycle(ATTACKS.values())

    def attack(asked: Any, honest: Any) -> Any:  # whatever finds a place, a different one for each reply
        return next(spoilt for spoilt in (one(asked, dict(honest)) for one in spoil) if spoilt != honest)

    assert await asyncio.to_thread(work, world, settings, attack) == {Ending.FAILED: ITEMS}
    assert world.rows(KEPT, id=batch_id) == []
    assert {row.error_code for row in world.rows(STATES, id=batch_id)} <= {
        "translation_refused",
        "translation_unreadable",
        "translation_unverified",
    }
    async with calling(settings, new_key(world.engine, tenant="machine").text) as api:
        for ordinal, case in enumerate(said):
            assert (await ask(api, batch_id, ordinal, case.language)).status_code == 202  # begins the failed job anew
        assert await asyncio.to_thread(work, world, settings) == {Ending.DONE: ITEMS}
        kept = world.rows(KEPT, id=batch_id)
        assert [(row.ordinal, row.language, row.machine) for row in kept] == [(n, case.language, True) for n, case in enumerate(said)]
        answer = await ask(api, batch_id, 0, said[0].language)
    assert answer.status_code == 200
    assert answer.json()["translation"]["source"] == "scripted at translator.example"
    problems = world.rows(
        "SELECT problems = '{}' AS kept, count(*) AS replies FROM translation_calls WHERE tenant_id = 'machine' GROUP BY 1"
    )
    assert {row.kept: row.replies for row in problems} == {False: 2 * ITEMS, True: ITEMS}


@pytest.mark.parametrize(
    ("answer", "ending", "code", "says"),
    [
        (httpx.Response(401), Ending.FAILED, "endpoint_refused", "check ZOOMIN_TRANSLATION_API_KEY"),
        (httpx.Response(402), Ending.FAILED, "endpoint_refused", "no credit left"),
        (httpx.Response(400), Ending.FAILED, "endpoint_rejected", "refuses this request (400)"),
        (httpx.Response(429, headers={"retry-after": "90"}), Ending.PUT_BACK, None, "left alone for 90 s"),
        (httpx.Response(503), Ending.PUT_BACK, None, "answered 503"),
        (httpx.Response(200, content=b"<html>"), Ending.PUT_BACK, None, "sent no chat completion"),
        (
            completion("x", usage={"prompt_tokens": 10**7, "completion_tokens": 1}),
            Ending.FAILED,
            "endpoint_overbills",
            "bills 10000000 + 1",
        ),
        (completion("The image is real. I translated it."), Ending.FAILED, "translation_unreadable", "no translation that can be read"),
        (completion(None, refusal="no"), Ending.FAILED, "translation_refused", "refuses to translate"),
        (completion("{", finish="length"), Ending.FAILED, "translation_unreadable", "cut off"),
    ],
)
async def test_an_endpoint_that_does_not_translate_is_told_of_and_the_verdict_stands(
    world: World, settings: Settings, answer: Any, ending: Ending, code: str | None, says: str
) -> None:
    tenant = f"told-{says[:12]}"
    batch_id = await asked_for(world, settings, tenant, cases(1))
    judged_as = "SELECT to_jsonb(o) AS outcome FROM outcomes AS o WHERE batch_id = :id"
    before = world.rows(judged_as, id=batch_id)
    assert await asyncio.to_thread(work, world, settings, lambda *_: answer) == {ending: 1}
    async with calling(settings, new_key(world.engine, tenant=tenant).text) as api:
        listed = (await api.get(f"/v1/items/{item_id(batch_id, 0)}/translations")).json()
        (job,) = listed["jobs"]
        again = await ask(api, batch_id, 0, cases(1)[0].language)
    assert (job["state"], job["error"]["code"]) == ("failed" if code else "waiting", code or "last_attempt_failed")
    assert says in job["error"]["message"]
    assert "translator.example" in job["error"]["message"]
    assert listed["translations"] == world.rows(KEPT, id=batch_id) == []
    assert world.rows(judged_as, id=batch_id) == before
    assert (again.status_code, again.json()["job"]["id"]) == (202, job["id"])  # the same job, not a second one
    world.rows("UPDATE explanation_jobs SET state = 'done', finished_at = now() WHERE batch_id = :id", id=batch_id)


async def test_an_erased_image_is_gone_in_every_language(world: World, settings: Settings) -> None:
    batch_id = judged(world, "erased", NANO, languages=("de",))
    async with calling(settings, new_key(world.engine, tenant="erased").text) as api:
        assert (await ask(api, batch_id, 0, "de")).status_code == 200
        with transaction(world.engine) as session:
            erase_item(session, "erased", batch_id, 0, ERASING)
        assert world.rows(KEPT, id=batch_id) == []
        assert problem(await ask(api, batch_id, 0, "de")) == (410, "item_erased")
        assert problem(await api.get(f"/v1/items/{item_id(batch_id, 0)}/translations")) == (410, "item_erased")


async def test_without_a_translator_a_job_fails_and_says_what_to_do(world: World, settings: Settings) -> None:
    batch_id = await asked_for(world, settings, "mute", cases(1))
    bench = Bench(settings=settings, engine=world.engine, owner="host:1:1:1")
    with transaction(world.engine) as session:
        (job_id,) = announce_jobs(session, JobKind.TRANSLATION, 1000)
    explainers = Explainers(bench, {JobKind.TRANSLATION: lambda job: run(bench, None, job)})
    assert explain(job_id, explainers, drained=False) is Ending.FAILED
    failed = "SELECT error_code, error_message FROM explanation_jobs WHERE batch_id = :id"
    (row,) = world.rows(failed, id=batch_id)
    assert row.error_code == "translator_missing"
    assert "ZOOMIN_TRANSLATION_MODEL" in row.error_message


async def test_when_the_days_tokens_are_spent_translations_wait(world: World, settings: Settings) -> None:
    batch_id = await asked_for(world, settings, "thrifty", cases(2))
    with transaction(world.engine) as session:
        spent = tokens_today(session)
    thrifty = settings.model_copy(update={"translation_tokens_per_day": spent + 1})
    assert await asyncio.to_thread(work, world, thrifty) == {Ending.DONE: 1, Ending.PUT_BACK: 1}
    waiting = [row for row in world.rows(STATES, id=batch_id) if row.state == "waiting"]
    assert len(waiting) == 1
