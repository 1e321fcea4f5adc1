import asyncio
import base64
import io
import json
import math
from collections.abc import Callable, Coroutine
from typing import Any

import httpx
import msgspec
import pytest
from PIL import Image

from worker.moderation.errors import MisconfiguredError, OutageError, RejectedError
from worker.moderation.outcomes import Verdict
from worker.moderation.release import Training
from worker.moderation.settings import Settings
from worker.vision.chat_endpoint import Token
from worker.vision.checkpoint import Limits
from worker.vision.endpoint import MOST_REPLY_BYTES, EndpointAddress, EndpointVision, read_top_logprobs
from worker.vision.load import load_vision_model
from worker.vision.model import Coordinates, ImagePart, Question, Turn

ADDRESS = EndpointAddress.parse("openai:Qwen/Qwen2.5-VL-7B-Instruct@https://models.example/v1/")
PIXELS = Image.effect_noise((56, 28), 40).convert("RGB")
QUESTION = Question(
    turns=(Turn("system", ("examine",)), Turn("user", (ImagePart("sha", PIXELS), "look"))),
    reply_schema={"type": "object"},
    max_tokens=64,
)


def token(text: str, **top: float) -> dict[str, Any]:
    candidates = [{"token": word, "logprob": math.log(p), "bytes": list(word.encode())} for word, p in top.items()]
    return {"token": text, "logprob": -0.1, "bytes": list(text.encode()), "top_logprobs": candidates}


def completion(content: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    return {
        "choices": [
            {"message": {"content": '{"verdict":"real"}'}, "finish_reason": "stop", "logprobs": {"content": content} if content else None}
        ],
        "usage": {"prompt_tokens": 90, "completion_tokens": 7, "prompt_tokens_details": {"cached_tokens": 64}},
    }


def tokens(*entries: dict[str, Any]) -> tuple[Token, ...]:
    return msgspec.convert(entries, tuple[Token, ...])


Respond = Callable[[httpx.Request], httpx.Response] | Callable[[httpx.Request], Coroutine[None, None, httpx.Response]]


def endpoint(respond: Respond, key: str | None = None) -> EndpointVision:
    return EndpointVision(ADDRESS, key, httpx.MockTransport(respond))


async def test_conversation_goes_out_with_lossless_images_in_place_and_the_schema() -> None:
    seen: list[httpx.Request] = []

    def respond(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json=completion())

    answer = await endpoint(respond, key="secret").answer(QUESTION)
    assert (answer.text, answer.finish_reason, answer.cached_tokens, answer.prompt_tokens) == ('{"verdict":"real"}', "stop", 64, 90)
    [request] = seen
    assert str(request.url) == "https://models.example/v1/chat/completions"
    assert request.headers["authorization"] == "Bearer secret"
    body = json.loads(request.content)
    assert body["response_format"]["json_schema"]["schema"] == {"type": "object"}
    assert [message["role"] for message in body["messages"]] == ["system", "user"]
    image, text = body["messages"][1]["content"]
    assert text == {"type": "text", "text": "look"}
    sent = Image.open(io.BytesIO(base64.b64decode(image["image_url"]["url"].removeprefix("data:image/png;base64,"))))
    assert sent.tobytes() == PIXELS.tobytes()


async def test_errors_name_the_host_and_the_settings_and_no_more() -> None:
    with pytest.raises(MisconfiguredError) as error:
        await endpoint(lambda _: httpx.Response(401), key="secret").answer(QUESTION)
    assert error.value.message == "models.example answered 401: check ZOOMIN_MODEL_API_KEY, and model and address in ZOOMIN_MODEL."


async def test_the_longest_reply_with_all_its_candidates_stays_well_within_the_bound() -> None:
    content = [token("字", **{f"字{number:02}": 0.05 for number in range(20)})] * Limits().zoom_max_tokens
    response = httpx.Response(200, json=completion(content))
    assert 4 * len(response.content) < MOST_REPLY_BYTES
    assert (await endpoint(lambda _: response).answer(QUESTION)).text == '{"verdict":"real"}'


async def test_a_reply_without_an_end_is_given_up_by_its_size() -> None:
    with pytest.raises(RejectedError) as error:
        await endpoint(lambda _: httpx.Response(200, content=b" " * (MOST_REPLY_BYTES + 1))).answer(QUESTION)
    assert error.value.code == "endpoint_reply_too_large"


async def test_a_reply_that_takes_too_long_as_a_whole_is_an_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    async def dawdle(_: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr("worker.vision.endpoint.REPLY_SECONDS", 0.05)
    with pytest.raises(OutageError) as error:
        await endpoint(dawdle).answer(QUESTION)
    assert error.value.code == "endpoint_unreachable"


async def test_missing_logprobs_mean_no_score() -> None:
    answer = await endpoint(lambda _: httpx.Response(200, json=completion())).answer(QUESTION)
    assert answer.verdict_logprobs is None


def test_score_is_read_where_the_verdict_value_begins() -> None:
    entries = tokens(
        token('{"explanation":"'),
        token("real", real=0.99, generated=0.01),
        token('","verdict'),
        token('":"'),
        token("gen", generated=0.5, gen=0.25, real=0.2, other=0.05),
        token("erated", erated=1.0),
        token('"}'),
    )
    logprobs = read_top_logprobs(entries)
    assert logprobs is not None
    assert math.exp(logprobs[Verdict.GENERATED]) == pytest.approx(0.75)
    assert math.exp(logprobs[Verdict.REAL]) == pytest.approx(0.2)


def test_token_that_holds_the_quote_and_the_word_is_read() -> None:
    logprobs = read_top_logprobs(tokens(token('{"verdict":'), token(' "real', **{' "real': 0.6, ' "generated': 0.4, "real": 0.1})))
    assert logprobs is not None
    assert math.exp(logprobs[Verdict.REAL]) == pytest.approx(0.6)
    assert math.exp(logprobs[Verdict.GENERATED]) == pytest.approx(0.4)


def test_verdict_outside_the_top_is_impossible_not_missing() -> None:
    assert read_top_logprobs(tokens(token('{"verdict":"'), token("real", real=1.0))) == {Verdict.REAL: 0.0, Verdict.GENERATED: -math.inf}


def test_a_probability_beyond_one_is_certainty() -> None:
    entry = token('{"verdict":"real', **{'{"verdict":"real': 1.0})
    entry["top_logprobs"][0]["logprob"] = 1e6
    assert read_top_logprobs(tokens(entry)) == {Verdict.REAL: 0.0, Verdict.GENERATED: -math.inf}


def test_truncated_reply_has_no_score() -> None:
    assert read_top_logprobs(tokens(token('{"explanation":"'), token("real", real=1.0))) is None


@pytest.mark.parametrize(
    ("model", "coordinates", "factor"),
    [("Qwen/Qwen2.5-VL-7B-Instruct", Coordinates.ABSOLUTE, 28), ("qwen3-vl-8b", Coordinates.RELATIVE_1000, 32)],
)
async def test_endpoint_setting_gives_a_zero_shot_card(model: str, coordinates: Coordinates, factor: int) -> None:
    vision = await load_vision_model(Settings(model=f"openai:{model}@https://models.example/v1"))
    assert (vision.card.coordinates, vision.card.resize_factor, vision.card.training) == (coordinates, factor, Training.ZERO_SHOT)
    await vision.close()


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("openai:qwen2.5-vl", "model_address"),
        ("openai:qwen2.5-vl@https://user:secret@models.example/v1", "model_address"),
        ("openai:qwen2.5-vl@https://models.example/v1?key=secret", "model_address"),
        ("openai:llava@https://models.example/v1", "model_architecture"),
    ],
)
async def test_unusable_address_is_refused_without_repeating_its_secret(address: str, code: str) -> None:
    with pytest.raises(MisconfiguredError) as error:
        await load_vision_model(Settings(model=address))
    assert error.value.code == code
    assert "secret" not in error.value.message


async def test_missing_model_folder_is_refused_before_anything_is_loaded() -> None:
    with pytest.raises(MisconfiguredError) as error:
        await load_vision_model(Settings(model="/nowhere/checkpoint"))
    assert "/nowhere/checkpoint is not a folder" in error.value.message
