"""Any OpenAI-compatible chat endpoint as a VisionModel: a `vllm serve` beside us, or a hosted model. Knows no vLLM."""

import asyncio
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from worker.moderation.errors import MisconfiguredError
from worker.moderation.outcomes import Verdict
from worker.moderation.release import Training
from worker.vision.chat_endpoint import REPLY_SECONDS, ChatEndpoint, Completion, Token, image_part, reply_format
from worker.vision.checkpoint import CONVENTIONS, Convention, Limits, card_name
from worker.vision.conversation import printable
from worker.vision.model import Answer, ImagePart, ModelCard, Question

ADDRESS = re.compile(r"openai:(?P<model>[^@\s]+)@(?P<url>https?://[^@\s?#]+)")
TOP_LOGPROBS = 20  # the most that such endpoints give
MOST_REPLY_BYTES = 8 << 20  # of a response: with that many candidates, each of some hundred tokens takes 2 kB
VERDICT_FIELD = re.compile(rb'"verdict"\s*:\s*"')
KNOWN_NAMES = {  # how a family's name is written in model names
    "Qwen2_5_VLForConditionalGeneration": re.compile(r"qwen-?2[._]5-?vl", re.IGNORECASE),
    "Qwen3VLForConditionalGeneration": re.compile(r"qwen-?3-?vl", re.IGNORECASE),
}


@dataclass(frozen=True, slots=True)
class EndpointAddress:
    """Which model, where."""

    model: str
    base_url: str

    @classmethod
    def parse(cls, text: str, *, setting: str = "ZOOMIN_MODEL", key: str = "ZOOMIN_MODEL_API_KEY") -> "EndpointAddress":
        """From `openai:<model>@<base url>`. Raises MisconfiguredError, in the names of the `setting` and of its `key`."""
        match = ADDRESS.fullmatch(text)
        if match is None:
            raise MisconfiguredError(
                "model_address", f"{setting} must look like openai:<model>@https://host/v1, without a key in it: the key is {key}."
            )
        return cls(match["model"], match["url"].rstrip("/"))

    @property
    def convention(self) -> Convention:
        """How the model measures boxes, by its name. Raises MisconfiguredError for an unknown family."""
        for architecture, name in KNOWN_NAMES.items():
            if name.search(self.model):
                return CONVENTIONS[architecture]
        raise MisconfiguredError(
            "model_architecture", f"{self.model} is of no known family (Qwen2.5-VL, Qwen3-VL): how it measures boxes is not known here."
        )


class EndpointVision:
    """A chat endpoint. Token ids stay unknown, so attainable prefix reuse does too."""

    def __init__(self, address: EndpointAddress, api_key: str | None, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._address = address
        self._endpoint = ChatEndpoint(
            address.base_url,
            api_key,
            seconds=REPLY_SECONDS,
            most_bytes=MOST_REPLY_BYTES,
            check="check ZOOMIN_MODEL_API_KEY, and model and address in ZOOMIN_MODEL.",
            transport=transport,
        )
        self._card = ModelCard(
            name=card_name(address.model),
            training=Training.ZERO_SHOT,
            coordinates=address.convention.coordinates,
            resize_factor=address.convention.resize_factor,
            **Limits().model_dump(),
            cache_block_tokens=None,
            facts={"engine": "openai-compatible endpoint", "base_url": address.base_url, "model": address.model},
        )

    @property
    def card(self) -> ModelCard:
        """The model's card. Which weights an endpoint serves is its own word."""
        return self._card

    async def answer(self, question: Question) -> Answer:
        """One reply. Raises TransientError, RejectedError, and MisconfiguredError when key, model or address are wrong."""
        return _answer(await self._endpoint.complete(await asyncio.to_thread(self._body, question)))

    async def close(self) -> None:
        """Closes the connections."""
        await self._endpoint.aclose()

    def _body(self, question: Question) -> dict[str, Any]:
        return {
            "model": self._address.model,
            "messages": [{"role": turn.role, "content": [_content(part) for part in turn.parts]} for turn in question.turns],
            "max_tokens": question.max_tokens,
            "temperature": question.temperature,
            "response_format": reply_format("reply", question.reply_schema),
            "logprobs": True,
            "top_logprobs": TOP_LOGPROBS,
        }


def _content(part: str | ImagePart) -> dict[str, Any]:
    return {"type": "text", "text": part} if isinstance(part, str) else image_part(part.pixels)


def _answer(completion: Completion) -> Answer:
    return Answer(
        text=printable(completion.text),
        finish_reason=completion.finish_reason,
        verdict_logprobs=read_top_logprobs(completion.tokens),
        prompt_tokens=completion.prompt_tokens or 0,
        completion_tokens=completion.completion_tokens or 0,
        cached_tokens=completion.cached_tokens,
    )


def read_top_logprobs(tokens: Sequence[Token]) -> dict[Verdict, float] | None:
    """Log-probabilities of the verdicts where the last verdict value begins; -inf for one outside the top. None without a verdict.

    Offsets are in bytes: a token may hold half a character.
    """
    pieces = [_bytes(token) for token in tokens]
    fields = list(VERDICT_FIELD.finditer(b"".join(pieces)))
    if not fields:
        return None
    begins, offset = fields[-1].end(), 0
    for token, piece in zip(tokens, pieces, strict=True):
        if offset + len(piece) > begins:
            return _weigh(token.top_logprobs or (), before=piece[: begins - offset])
        offset += len(piece)
    return None


def _weigh(candidates: Sequence[Token], before: bytes) -> dict[Verdict, float] | None:
    """Sums what can begin each verdict; `before` is the part of the token that precedes the value."""
    shares = dict.fromkeys(Verdict, 0.0)
    for candidate in candidates:
        begins_value = _bytes(candidate).removeprefix(before) if _bytes(candidate).startswith(before) else b""
        for verdict in Verdict:
            word = verdict.value.encode()
            if begins_value and (word.startswith(begins_value) or begins_value.startswith(word)):
                shares[verdict] += math.exp(min(candidate.logprob, 0.0))
    if not any(shares.values()):
        return None
    return {verdict: math.log(share) if share > 0 else -math.inf for verdict, share in shares.items()}


def _bytes(token: Token) -> bytes:
    return token.token.encode() if token.raw is None else bytes(token.raw)
