"""The protocol between the method and whoever answers its questions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from PIL.Image import Image

from worker.moderation.calibration import BandCalibration, Calibration
from worker.moderation.degradation import DegradationBand
from worker.moderation.outcomes import Verdict
from worker.moderation.release import Training

PROMPT_TOO_LONG = "prompt_too_long"  # code of a RejectedError: less of the conversation may fit


class Coordinates(StrEnum):
    """What the numbers of `bbox_2d` mean. A wrong convention silently ruins every box."""

    ABSOLUTE = "absolute"  # pixels of the image as sent (Qwen2.5-VL)
    RELATIVE_1000 = "relative_1000"  # thousandths of its sides (Qwen3-VL)


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
    temperature: float = 0.0  # above 0 only when an unreadable reply is asked for again: greedy would repeat it


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
class ReplyLimits:
    """Caps that the reply schemas enforce, in characters and counts; max_tokens must leave room for them."""

    proposed_regions: int = 6  # the scan may name these many
    zoomed_regions: int = 4  # crops per image; bounds the prompt
    reason_chars: int = 60
    finding_chars: int = 120
    explanation_chars: int = 240


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCard:
    """What the method must know of a model, and what names it in a release."""

    name: str
    training: Training
    coordinates: Coordinates
    resize_factor: int  # sides are multiples of this: 28 (Qwen2.5-VL), 32 (Qwen3-VL)
    scan_min_pixels: int
    scan_max_pixels: int
    crop_min_pixels: int
    crop_max_pixels: int
    scan_max_tokens: int
    zoom_max_tokens: int
    cache_block_tokens: int | None  # tokens per KV block; None where unknown
    facts: Mapping[str, Any]  # digests, dtype, quantisation, engine and its version
    reply_limits: ReplyLimits = ReplyLimits()
    calibration: Calibration | None = None  # of the final verdict's score; None where none was fitted
    answers_questions: bool = True  # false: it was taught to say its findings and nothing else
    bands: Mapping[DegradationBand, BandCalibration] = field(default_factory=dict)  # what was measured per band of degradation


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
