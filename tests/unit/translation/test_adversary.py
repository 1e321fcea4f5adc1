"""Against an endpoint that alters what it translates, nothing that is altered comes out; and what is not, does."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.translation.adversary import ATTACKS, Asked, Endpoint, Sentences
from tests.unit.translation.phrasebook import Case, cases, full_case
from worker.moderation.errors import RejectedError
from worker.moderation.translation.facts import find_facts
from worker.moderation.translation.languages import find_language
from worker.translation.endpoint_text import EndpointText
from worker.translation.translate import ATTEMPTS, Translated, translate
from worker.vision.endpoint import EndpointAddress

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
        translated = await through(Endpoint(), case)
        assert [(p.field, p.position) for p in translated.passages] == [(p.field, p.position) for p in case.passages]
        for before, after in zip(case.passages, translated.passages, strict=True):
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
        endpoint = Endpoint(ATTACKS[name])
        with pytest.raises(RejectedError) as refused:
            await through(endpoint, full_case(language))
        assert endpoint.spoilt, f"{name} found no place in {language}"
        assert refused.value.code in REFUSED


async def test_a_reply_that_comes_right_at_the_second_attempt_is_kept() -> None:
    endpoint = Endpoint()
    spoil = ATTACKS["another digit"]
    endpoint.attack = lambda asked, said: spoil(asked, said) if len(endpoint.requests) == 1 else said
    assert (await through(endpoint, full_case("de"))).sentences > 10
    assert len(endpoint.requests) == ATTEMPTS
