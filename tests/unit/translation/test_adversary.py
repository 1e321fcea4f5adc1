"""Against an endpoint that alters what it translates, nothing that is altered comes out; and what is not, does."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.translation.adversary import ATTACKS, TURNS, Asked, Endpoint, Sentences, read_user, translated
from tests.unit.translation.phrasebook import LANGUAGES, Case, cases, full_case, verdict_case
from tests.unit.translation.reports import REPORTS
from worker.moderation.errors import RejectedError
from worker.moderation.translation.facts import find_facts
from worker.moderation.translation.languages import find_language
from worker.moderation.translation.protection import restore
from worker.moderation.translation.verification import verify
from worker.translation.detection import Detected
from worker.translation.endpoint_text import EndpointText
from worker.translation.serving_text import ServingText
from worker.translation.translate import ATTEMPTS, Translated, translate
from worker.vision.endpoint import EndpointAddress
from worker.vision.model import Question
from worker.vision.scripted import ScriptedVision

ITEMS = 200
REFUSED = {"translation_refused", "translation_unreadable", "translation_unverified"}
Attack = Callable[[Asked, Sentences], Any]


async def through(endpoint: Endpoint, case: Case) -> Translated:
    model = EndpointText(
        EndpointAddress("scripted", "https://translator.example/v1"), None, seconds=5, calls_per_minute=6000, transport=endpoint.transport
    )
    model._interval = 0  # noqa: SLF001  the pace is tested for itself
    return await translate(case.passages, find_language(case.language), model, billed=lambda _: None)


async def test_of_200_honest_translations_all_pass_with_their_facts_as_they_were() -> None:
    for case in cases(ITEMS):
        result = await through(Endpoint(), case)
        assert [(p.field, p.position) for p in result.passages] == [(p.field, p.position) for p in case.passages]
        for before, after in zip(case.passages, result.passages, strict=True):
            assert [f.value for f in find_facts(before.text, english=True)] == [f.value for f in find_facts(after.text)], after
            assert "⟦" not in after.text


async def test_of_200_altered_translations_none_comes_out() -> None:
    names, met = list(ATTACKS), dict.fromkeys(ATTACKS, 0)
    for number, case in enumerate(cases(ITEMS)):
        for name in names[number % len(names) :] + names:  # the next attack that finds its place in this item
            endpoint = Endpoint(ATTACKS[name])
            try:
                await through(endpoint, case)
            except RejectedError as error:
                assert error.code in REFUSED, (name, error.code)  # noqa: PT017
                assert len(endpoint.requests) == ATTEMPTS
                met[name] += 1
                break
            assert not endpoint.spoilt, f"{name} came through in {case.language}"
    assert sum(met.values()) == ITEMS


@pytest.mark.parametrize("name", ATTACKS)
async def test_no_attack_comes_through_in_any_script(name: str) -> None:
    for language in ("de", "he", "ja", "hi"):
        await refuses(name, full_case(language))


@pytest.mark.parametrize("name", TURNS)
async def test_no_verdict_is_turned_in_any_language(name: str) -> None:
    for language in LANGUAGES:
        await refuses(name, verdict_case(language))


async def refuses(name: str, case: Case) -> None:
    """That the attack finds its place, and brings nothing out."""
    endpoint = Endpoint(ATTACKS[name])
    with pytest.raises(RejectedError) as refused:
        await through(endpoint, case)
    assert endpoint.spoilt, f"{name} found no place in {case.language}"
    assert refused.value.code in REFUSED


@pytest.mark.parametrize("name", ATTACKS)
async def test_where_nothing_verifies_each_attack_comes_through(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """So it is the rules that refuse it, and each kind of corruption is one that would be stored without them."""
    monkeypatch.setattr("worker.translation.translate.verify", lambda *_: ())
    monkeypatch.setattr("worker.translation.translate.judge_language", lambda *_: Detected(None))
    monkeypatch.setattr("worker.translation.translate.restore", lambda piece, said: (restore(piece, said)[0], ()))
    case = full_case("de")
    honest = await through(Endpoint(), case)
    try:
        altered = await through(Endpoint(ATTACKS[name]), case)
    except RejectedError as error:
        assert error.code in {"translation_refused", "translation_unreadable"}  # noqa: PT017  no sentence of it could be read
    else:
        assert altered.passages != honest.passages


@pytest.mark.parametrize(
    ("rule", "name"),
    [
        ("_hidden", "a zero-width space"),
        ("_facts", "another digit"),
        ("_signs", "an emoji"),
        ("_letters", "letters that look alike"),
        ("_length", "many more words"),
        ("_length", "few words left"),
        ("_sentences", "asked"),
        ("_verdicts", "negated by a letter"),
    ],
)
async def test_each_rule_refuses_what_no_other_does(rule: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"worker.moderation.translation.verification.{rule}", lambda *_: ())
    endpoint = Endpoint(ATTACKS[name])
    await through(endpoint, full_case("uk"))
    assert endpoint.spoilt


@pytest.mark.parametrize("english", REPORTS)
def test_what_models_say_of_images_passes_where_it_is_translated_well(english: str) -> None:
    refused = {tag: verify(english, said, find_language(tag)) for tag, said in REPORTS[english].items()}
    assert {tag: problems for tag, problems in refused.items() if problems} == {}


@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_language_without_an_attack_comes_through(language: str) -> None:
    for case in (full_case(language), verdict_case(language)):
        await through(Endpoint(), case)


async def test_the_serving_model_is_asked_in_turns_without_images() -> None:
    def answer(question: Question) -> str:
        system, user = question.turns
        assert (system.role, user.role) == ("system", "user")
        assert isinstance(user.parts[0], str)
        asked = read_user(user.parts[0])
        return json.dumps(translated(asked))

    vision = ScriptedVision(answer)
    case = full_case("he")
    result = await translate(case.passages, find_language("he"), ServingText(vision), billed=lambda _: None)
    assert result.detected == "he"
    assert len(vision.questions) == 1


async def test_a_reply_that_comes_right_at_the_second_attempt_is_kept() -> None:
    endpoint = Endpoint()
    spoil = ATTACKS["another digit"]
    endpoint.attack = lambda asked, said: spoil(asked, said) if len(endpoint.requests) == 1 else said
    assert (await through(endpoint, full_case("de"))).sentences > 10
    assert len(endpoint.requests) == ATTEMPTS
