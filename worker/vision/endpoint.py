"""Any OpenAI-compatible chat endpoint as a VisionModel: a `vllm serve` beside us, or a hosted model. Knows httpx, and no vLLM."""

import asyncio
import base64
import io
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import httpx

from worker.moderation.errors import MisconfiguredError, OutageError, RejectedError, TransientError, ZoomInError
from worker.moderation.outcomes import Verdict
from worker.moderation.release import Training
from worker.vision.checkpoint import CONVENTIONS, Convention, Limits, card_name
from worker.vision.conversation import printable
from worker.vision.model import Answer, ImagePart, ModelCard, Question

ADDRESS = re.compile(r"openai:(?P<model>[^@\s]+)@(?P<url>https?://[^@\s?#]+)")
CONNECT_SECONDS = 10.0
REPLY_SECONDS = 180.0  # a full engine may queue a request for minutes; past that, another attempt is better
TOP_LOGPROBS = 20  # the most that such endpoints give
VERDICT_FIELD = re.compile(rb'"verdict"\s*:\s*"')
KNOWN_NAMES = {  # how a family's name is written in model names
    "Qwen2_5_VLForConditionalGeneration": re.compile(r"qwen-?2[._]5-?vl", re.IGNORECASE),
    "Qwen3VLForConditionalGeneration": re.compile(r"qwen-?3-?vl", re.IGNORECASE),
}
OPERATOR_STATUSES = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND)


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
        self._client = httpx.AsyncClient(
            base_url=address.base_url,
            headers={"Authorization": f"Bearer {api_key}"} if api_key else {},
            timeout=httpx.Timeout(REPLY_SECONDS, connect=CONNECT_SECONDS),
            limits=httpx.Limits(max_connections=None),
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
        body = await asyncio.to_thread(self._body, question)
        try:
            response = await self._client.post("/chat/completions", json=body)
        except httpx.HTTPError as error:
            raise OutageError(
                "endpoint_unreachable", f"{self._address.base_url} does not answer ({type(error).__name__}); the request can be sent again."
            ) from error
        if not response.is_success:
            raise self._failure(response)
        try:
            return _read(response.json())
        except (ValueError, KeyError, IndexError, TypeError) as error:
            raise TransientError("endpoint_reply_malformed", f"{self._address.base_url} sent no chat completion.") from error

    async def close(self) -> None:
        """Closes the connections."""
        await self._client.aclose()

    def _body(self, question: Question) -> dict[str, Any]:
        return {
            "model": self._address.model,
            "messages": [{"role": turn.role, "content": [_content(part) for part in turn.parts]} for turn in question.turns],
            "max_tokens": question.max_tokens,
            "temperature": question.temperature,
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "reply", "schema": dict(question.reply_schema), "strict": True},
            },
            "logprobs": True,
            "top_logprobs": TOP_LOGPROBS,
        }

    def _failure(self, response: httpx.Response) -> ZoomInError:
        status, where = response.status_code, self._address.base_url
        if status in OPERATOR_STATUSES or response.is_redirect:
            return MisconfiguredError(
                "endpoint_refused", f"{where} answered {status}: check ZOOMIN_MODEL_API_KEY, and model and address in ZOOMIN_MODEL."
            )
        if status == HTTPStatus.TOO_MANY_REQUESTS or status == HTTPStatus.REQUEST_TIMEOUT or response.is_server_error:
            return OutageError("endpoint_busy", f"{where} answered {status}; the request can be sent again.")
        return RejectedError("endpoint_rejected", f"{where} refuses this conversation ({status}).")


def _content(part: str | ImagePart) -> dict[str, Any]:
    if isinstance(part, str):
        return {"type": "text", "text": part}
    buffer = io.BytesIO()
    part.pixels.save(buffer, "PNG", compress_level=1)  # lossless: a second JPEG would add its own traces
    return {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"}}


def _read(completion: Mapping[str, Any]) -> Answer:
    choice, usage = completion["choices"][0], completion.get("usage") or {}
    entries = (choice.get("logprobs") or {}).get("content") or ()
    return Answer(
        text=printable(choice["message"]["content"] or ""),
        finish_reason=str(choice.get("finish_reason") or "unknown"),
        verdict_logprobs=read_top_logprobs(entries),
        prompt_tokens=int(usage.get("prompt_tokens", 0)),
        completion_tokens=int(usage.get("completion_tokens", 0)),
        cached_tokens=(usage.get("prompt_tokens_details") or {}).get("cached_tokens"),
    )


def read_top_logprobs(entries: Sequence[Mapping[str, Any]]) -> dict[Verdict, float] | None:
    """Log-probabilities of the verdicts where the last verdict value begins; -inf for one outside the top. None without a verdict.

    `entries` are a chat completion's `logprobs.content`. Offsets are in bytes: a token may hold half a character.
    """
    pieces = [_bytes(entry) for entry in entries]
    fields = list(VERDICT_FIELD.finditer(b"".join(pieces)))
    if not fields:
        return None
    begins, offset = fields[-1].end(), 0
    for entry, piece in zip(entries, pieces, strict=True):
        if offset + len(piece) > begins:
            return _weigh(entry.get("top_logprobs") or (), before=piece[: begins - offset])
        offset += len(piece)
    return None


def _weigh(candidates: Sequence[Mapping[str, Any]], before: bytes) -> dict[Verdict, float] | None:
    """Sums what can begin each verdict; `before` is the part of the token that precedes the value."""
    shares = dict.fromkeys(Verdict, 0.0)
    for candidate in candidates:
        begins_value = _bytes(candidate).removeprefix(before) if _bytes(candidate).startswith(before) else b""
        for verdict in Verdict:
            word = verdict.value.encode()
            if begins_value and (word.startswith(begins_value) or begins_value.startswith(word)):
                shares[verdict] += math.exp(candidate["logprob"])
    if not any(shares.values()):
        return None
    return {verdict: math.log(share) if share > 0 else -math.inf for verdict, share in shares.items()}


def _bytes(entry: Mapping[str, Any]) -> bytes:
    return bytes(entry["bytes"]) if entry.get("bytes") is not None else str(entry["token"]).encode()
