"""A hostile endpoint: what it says, how it fails, what it asks to be paid, how long it wants to be left alone."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.unit.lab.annotating import HAND, Clock, a_picture, an_explainer, completion, in_turn, said
from worker.lab.annotation.clues import ReplyKind
from worker.lab.annotation.endpoint import MOST_REPLY_BYTES, explainer_endpoint
from worker.lab.annotation.pace import Pace
from worker.lab.annotation.recipe import Recipe
from worker.lab.annotation.responses import Responses, opened_responses
from worker.lab.annotation.spending import BudgetError
from worker.moderation.errors import MisconfiguredError, OutageError

GOOD = completion(said(HAND))
COST = 0.012  # 1,000 tokens at 10 and 100 at 20 a million


@pytest.fixture
def responses(tmp_path: Path) -> Iterator[Responses]:
    with opened_responses(tmp_path / "responses.jsonl") as opened:
        yield opened


async def test_a_picture_is_shown_losslessly_with_what_it_is_known_to_be(responses: Responses) -> None:
    seen: list[httpx.Request] = []

    def respond(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return GOOD

    explainer = an_explainer(respond, responses)
    assert (await explainer.explain(a_picture(), 1)).clues == (HAND,)
    (request,) = seen
    assert str(request.url) == "https://models.example/v1/chat/completions"
    assert request.headers["authorization"] == "Bearer secret"
    body = json.loads(request.content)
    image, task = body["messages"][1]["content"]
    assert image["image_url"]["url"].startswith("data:image/png;base64,")
    assert "known to be made" in task["text"]
    assert (body["max_tokens"], body["response_format"]["type"]) == (700, "json_schema")


async def test_an_explanation_is_paid_for_once_and_the_second_is_another(responses: Responses) -> None:
    explainer = an_explainer(in_turn(GOOD, completion(said())), responses)
    assert (await explainer.explain(a_picture(), 1)).kind is ReplyKind.READ
    assert (await explainer.explain(a_picture(), 2)).kind is ReplyKind.NO_CLUES
    again = an_explainer(in_turn(), responses)
    assert (await again.explain(a_picture(), 1)).kind is ReplyKind.READ
    assert (await again.explain(a_picture(), 2)).kind is ReplyKind.NO_CLUES
    assert again.counts["cached"] == 2
    assert responses.spent == pytest.approx(2 * COST)


async def test_another_model_or_another_picture_is_another_question(responses: Responses) -> None:
    explainer = an_explainer(in_turn(GOOD, GOOD, GOOD), responses)
    await explainer.explain(a_picture(), 1)
    await explainer.explain(a_picture("b.png"), 1)
    explainer.model = "gpt-5"
    await explainer.explain(a_picture(), 1)
    assert explainer.counts["asked"] == 3


@pytest.mark.parametrize(
    ("response", "kind"),
    [
        (completion("The hand is odd."), ReplyKind.PROSE),
        (completion(None, refusal="I can't help with that."), ReplyKind.REFUSED),
        (completion(said(HAND)[:40], finish_reason="length"), ReplyKind.CUT_OFF),
        (httpx.Response(400, json={"error": "content_policy_violation"}), ReplyKind.REJECTED),
        (httpx.Response(413), ReplyKind.REJECTED),
        (httpx.Response(200, content=b'{"choices": "' + b"x" * (MOST_REPLY_BYTES + 1)), ReplyKind.OVERSIZED),
    ],
)
async def test_what_is_wrong_with_one_reply_is_kept_and_not_asked_again(
    responses: Responses, response: httpx.Response, kind: ReplyKind
) -> None:
    explainer = an_explainer(in_turn(response), responses)
    assert (await explainer.explain(a_picture(), 1)).kind is kind
    assert (await explainer.explain(a_picture(), 1)).kind is kind


async def test_a_rate_limit_is_waited_out_as_long_as_it_says(responses: Responses) -> None:
    clock = Clock()
    explainer = an_explainer(in_turn(httpx.Response(429, headers={"retry-after": "37"}), httpx.Response(503), GOOD), responses, clock=clock)
    assert (await explainer.explain(a_picture(), 1)).clues == (HAND,)
    assert clock.now == 37 + 2
    assert explainer.counts["endpoint_busy"] == 2
    assert responses.spent == pytest.approx(COST)


async def test_a_limit_that_is_meant_for_one_holds_for_all(responses: Responses) -> None:
    clock = Clock()
    explainer = an_explainer(in_turn(httpx.Response(429, headers={"retry-after": "60"}), GOOD, GOOD), responses, clock=clock)
    await asyncio.gather(explainer.explain(a_picture(), 1), explainer.explain(a_picture("b.png"), 1))
    assert clock.now >= 60


@pytest.mark.parametrize("failure", [httpx.ConnectError("refused"), httpx.Response(500)])
async def test_an_endpoint_that_stays_away_ends_the_run_with_what_to_do(responses: Responses, failure: httpx.Response | Exception) -> None:
    explainer = an_explainer(in_turn(*[failure] * 6), responses)
    with pytest.raises(OutageError, match="Tried 6 times; the same command goes on later"):
        await explainer.explain(a_picture(), 1)
    assert responses.spent == 0


@pytest.mark.parametrize("failure", [httpx.ReadTimeout("slow"), httpx.ReadError("cut"), httpx.Response(200, text="<html>")])
async def test_what_comes_late_or_broken_is_reckoned_with_at_its_most(responses: Responses, failure: httpx.Response | Exception) -> None:
    explainer = an_explainer(in_turn(*[failure] * 6), responses)
    with pytest.raises(OutageError):
        await explainer.explain(a_picture(), 1)
    assert responses.spent == pytest.approx(6 * 0.054)


async def test_an_endpoint_that_asks_for_an_hour_is_left_alone(responses: Responses) -> None:
    clock = Clock()
    explainer = an_explainer(in_turn(httpx.Response(429, headers={"retry-after": "3600"})), responses, clock=clock)
    with pytest.raises(OutageError, match="asks to wait 3,600 s"):
        await explainer.explain(a_picture(), 1)
    assert clock.now == 0


@pytest.mark.parametrize("status", [401, 403, 404, 307, 402])
async def test_a_wrong_key_or_address_ends_the_run_and_keeps_its_secret(responses: Responses, status: int) -> None:
    explainer = an_explainer(in_turn(httpx.Response(status, headers={"location": "https://elsewhere.example"})), responses)
    with pytest.raises(MisconfiguredError) as error:
        await explainer.explain(a_picture(), 1)
    assert "secret" not in error.value.message
    assert responses.committed == 0


async def test_an_endpoint_that_turns_everything_down_ends_the_run(responses: Responses) -> None:
    explainer = an_explainer(in_turn(*[httpx.Response(400)] * 5), responses)
    for number in range(4):
        assert (await explainer.explain(a_picture(f"{number}.png"), 1)).kind is ReplyKind.REJECTED
    with pytest.raises(MisconfiguredError) as error:
        await explainer.explain(a_picture("4.png"), 1)
    assert error.value.code == "endpoint_rejects_all"


async def test_the_budget_ends_the_run_before_it_is_exceeded(responses: Responses) -> None:
    explainer = an_explainer(in_turn(*[GOOD] * 9), responses, budget=0.1)
    for number in range(4):
        await explainer.explain(a_picture(f"{number}.png"), 1)
    with pytest.raises(BudgetError):
        await explainer.explain(a_picture("fifth.png"), 1)
    assert responses.spent == pytest.approx(4 * COST)  # a fifth might have cost 0.054
    assert responses.spent <= 0.1


async def test_requests_at_once_do_not_break_the_budget_together(responses: Responses) -> None:
    explainer = an_explainer(
        lambda _: completion(said(HAND), usage={"prompt_tokens": 4000, "completion_tokens": 700}), responses, budget=0.2
    )
    asked = [explainer.explain(a_picture(f"{number}.png"), 1) for number in range(9)]
    ended = await asyncio.gather(*asked, return_exceptions=True)
    assert sum(isinstance(each, BudgetError) for each in ended) == 6
    assert responses.spent == pytest.approx(3 * 0.054)


async def test_an_endpoint_that_bills_too_much_is_asked_no_more(responses: Responses) -> None:
    bill = {"prompt_tokens": 90_000, "completion_tokens": 100}
    explainer = an_explainer(in_turn(completion(said(HAND), usage=bill)), responses)
    with pytest.raises(MisconfiguredError, match="90000 prompt") as error:
        await explainer.explain(a_picture(), 1)
    assert error.value.code == "endpoint_overbills"
    assert responses.spent == pytest.approx(0.902)  # what it bills is what was spent
    assert (await explainer.explain(a_picture(), 1)).clues == (HAND,)  # and the reply is kept


@pytest.mark.parametrize("usage", [{"prompt_tokens": -5, "completion_tokens": 1}, {"total_tokens": 7}])
async def test_a_bill_that_makes_no_sense_counts_at_its_most(responses: Responses, usage: dict[str, int]) -> None:
    explainer = an_explainer(in_turn(completion(said(HAND), usage=usage)), responses)
    await explainer.explain(a_picture(), 1)
    assert explainer.counts["uncounted"] == 1
    assert responses.spent == pytest.approx(0.054)


async def test_a_text_model_is_told_facts_and_shown_nothing(responses: Responses) -> None:
    seen: list[bytes] = []

    def respond(request: httpx.Request) -> httpx.Response:
        seen.append(request.content)
        return GOOD

    await an_explainer(respond, responses, recipe=Recipe(text_only=True)).explain(a_picture(), 1)
    assert b"image_url" not in seen[0]
    assert b"You cannot see the picture" in seen[0]


@pytest.mark.parametrize(
    "url", ["http://models.example/v1", "https://user:key@models.example/v1", "https://models.example/v1?key=1", "gpt-4o"]
)
def test_pictures_and_key_go_nowhere_unsafe(url: str) -> None:
    with pytest.raises(MisconfiguredError) as error:
        explainer_endpoint(url, None)
    assert error.value.code == "explainer_address"


async def test_pace_keeps_requests_and_tokens_of_any_minute_within_their_limits() -> None:
    clock = Clock()
    pace = Pace(requests_per_minute=3, tokens_per_minute=1000, clock=clock, sleep=clock.sleep)
    begun: list[tuple[float, int]] = []
    for tokens in (100, 100, 100, 100, 900, 100, 5000, 10):
        await pace.wait(tokens)
        begun.append((clock.now, tokens))
    for now, _ in begun:
        within = [tokens for at, tokens in begun if now - 60 < at <= now]
        assert len(within) <= 3
        assert sum(within) <= 1000 or len(within) == 1
    assert [round(at) for at, _ in begun] == [0, 0, 0, 60, 60, 120, 180, 240]
