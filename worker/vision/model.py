"""The protocol between the method and whoever answers its questions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from PIL.Image import Image

from worker.moderation.outcomes import Verdict
from worker.moderation.release import Training


@dataclass(frozen=True, slots=True)
class ImagePart:
    """Pixels the model is sent. `uuid` names exactly these pixels (engines trust it as a cache key)."""

    uuid: str
    pixels: Image  # RGB, already of the exact legal size: the engine's own resize is a no-op


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of the conversation, parts in order."""

    role: str  # "system" | "user" | "assistant"
    parts: tuple[str | ImagePart, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One request. The reply must match `reply_schema`, whose last field is the verdict."""

    turns: tuple[Turn, ...]
    reply_schema: Mapping[str, Any]
    max_tokens: int
    urgent: bool = False  # zooms are: an image finishes before its KV cache is evicted


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One reply. Token ids are empty where the engine does not tell them."""

    text: str
    finish_reason: str  # "stop" | "length" | …
    verdict_logprobs: Mapping[Verdict, float] | None  # at the verdict's first token, after grammar masking
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int | None = None
    prompt_token_ids: Sequence[int] = ()
    reply_token_ids: Sequence[int] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCard:
    """What the method must know of a model, and what names it in a release."""

    name: str
    training: Training
    coordinates: str  # "absolute" (Qwen2.5-VL) | "relative_1000" (Qwen3-VL)
    resize_factor: int  # sides are multiples of this: 28 (Qwen2.5-VL), 32 (Qwen3-VL)
    scan_min_pixels: int
    scan_max_pixels: int
    crop_min_pixels: int
    crop_max_pixels: int
    scan_max_tokens: int
    zoom_max_tokens: int
    cache_block_tokens: int | None  # tokens per KV block; None where unknown
    facts: Mapping[str, Any]  # digests, dtype, quantisation, engine and its version


class VisionModel(Protocol):
    """Answers questions about images. Safe to call concurrently from one event loop."""

    @property
    def card(self) -> ModelCard:
        """The model's card."""
        ...

    async def answer(self, question: Question) -> Answer:
        """One reply. Raises TransientError (worth a retry), RejectedError (never), EngineDiedError (restart)."""
        ...

    async def close(self) -> None:
        """Frees the engine. Idempotent."""
        ...
