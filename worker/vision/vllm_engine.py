"""vLLM's AsyncLLM as a VisionModel. The only module that knows vLLM; importing it loads none of it."""

import asyncio
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self
from uuid import uuid4

from PIL import Image

from worker.moderation.errors import EngineDiedError, MisconfiguredError, RejectedError, TransientError
from worker.moderation.outcomes import Verdict
from worker.moderation.settings import Settings
from worker.vision.checkpoint import Checkpoint, release_facts
from worker.vision.conversation import ChatFormat, first_line, images
from worker.vision.model import PROMPT_TOO_LONG, Answer, ImagePart, ModelCard, Question, Turn
from worker.vision.verdict import VerdictTokens, read_verdict_logprobs, verdict_tokens

if TYPE_CHECKING:
    from vllm import AsyncEngineArgs, RequestOutput, SamplingParams, TokensPrompt
    from vllm.v1.engine.async_llm import AsyncLLM

CPU_BLOCK_TOKENS = 32  # of KV cache; the CPU's default of 128 rounds away much of the reusable prefix, and 16 does not start
GIBIBYTE = 2**30
URGENT = -1  # vLLM serves lower numbers first
SHUTDOWN_SECONDS = 5.0  # nothing is in flight by then; vLLM kills what has not ended, children included
WARM_UP_SCHEMA = {
    "type": "object",
    "properties": {"verdict": {"type": "string", "enum": [verdict.value for verdict in Verdict]}},
    "required": ["verdict"],
    "additionalProperties": False,
}
WARM_UP_TOKENS = 24


class VllmEngine:
    """A running engine. EngineCore is a child process: its death does not take this process along."""

    def __init__(
        self, engine: "AsyncLLM", checkpoint: Checkpoint, chat: ChatFormat, tokens: VerdictTokens, facts: Mapping[str, Any]
    ) -> None:
        self._engine: AsyncLLM | None = engine
        self._chat = chat
        self._verdict_tokens = tokens
        self._card = _card(checkpoint, engine, facts)
        self._max_model_len: int = engine.model_config.max_model_len

    @classmethod
    async def start(cls, checkpoint: Checkpoint, settings: Settings) -> Self:
        """A warmed-up engine; blocks the event loop while it loads (20 s on a CPU). Raises MisconfiguredError."""
        chat = ChatFormat.load(checkpoint)
        tokens = verdict_tokens(chat.encode_text)
        facts = await asyncio.to_thread(release_facts, checkpoint)
        _prepare_environment()
        # No local name for the engine: vLLM keeps this frame alive, and a closed engine must be free to go.
        self = cls(_start_engine(checkpoint, settings), checkpoint, chat, tokens, facts)
        try:
            await self._warm_up()
        except BaseException:
            await self.close()
            raise
        return self

    @property
    def card(self) -> ModelCard:
        """The model's card."""
        return self._card

    async def answer(self, question: Question) -> Answer:
        """One reply. Cancelling it aborts the request. Raises RejectedError, TransientError, EngineDiedError."""
        sent = images(question.turns)
        prompt = self._chat.encode(question.turns)
        length = len(prompt) + sum(self._image_tokens(image) - 1 for image in sent)  # each stands as one placeholder in the prompt
        if length + question.max_tokens > self._max_model_len:
            raise RejectedError(
                PROMPT_TOO_LONG,
                f"A conversation of {length} tokens leaves no room for a reply of {question.max_tokens}: ZOOMIN_MAX_MODEL_LEN is "
                f"{self._max_model_len}.",
            )
        request: TokensPrompt = {"prompt_token_ids": prompt}
        if sent:  # turns without images, as translations are asked for, are plain text to vLLM
            request["multi_modal_data"] = {"image": [image.pixels for image in sent]}
            request["multi_modal_uuids"] = {"image": [image.uuid for image in sent]}
        return self._read(await self._generate(request, _sampling(question, self._verdict_tokens), urgent=question.urgent))

    async def close(self) -> None:
        """Stops EngineCore and waits for it; blocks the event loop for some seconds. Idempotent."""
        if self._engine is not None:
            engine, self._engine = self._engine, None
            engine.shutdown(timeout=SHUTDOWN_SECONDS)
            await asyncio.sleep(0)  # vLLM's cancelled tasks end now, while their loop still runs

    async def _warm_up(self) -> None:
        """The first structured call takes seconds: it loads the grammar compiler. No image should pay for it."""
        side = 4 * self._card.resize_factor
        pixels = Image.new("RGB", (side, side))
        turns = (Turn("user", (ImagePart(f"warm-up-{side}", pixels), "real or generated?")),)
        await self.answer(Question(turns=turns, reply_schema=WARM_UP_SCHEMA, max_tokens=WARM_UP_TOKENS))

    def _image_tokens(self, image: ImagePart) -> int:
        width, height = image.pixels.size
        return width * height // self._card.resize_factor**2

    async def _generate(self, request: "TokensPrompt", sampling: "SamplingParams", *, urgent: bool) -> "RequestOutput":
        if self._engine is None:
            raise EngineDiedError("engine_closed", "The engine was closed; this worker is stopping.")
        last: RequestOutput | None = None
        with _errors_translated():
            async for output in self._engine.generate(request, sampling, uuid4().hex, priority=URGENT if urgent else 0):
                last = output
        if last is None or last.outputs[0].finish_reason == "error":
            raise TransientError("engine_request_failed", "vLLM gave up on a request; it can be sent again.")
        return last

    def _read(self, output: "RequestOutput") -> Answer:
        reply = output.outputs[0]
        positions = [{token: entry.logprob for token, entry in position.items()} for position in reply.logprobs or ()]
        return Answer(
            text=self._chat.decode(reply.token_ids),
            finish_reason=reply.finish_reason or "unknown",
            verdict_logprobs=read_verdict_logprobs(positions, self._verdict_tokens),
            prompt_tokens=len(output.prompt_token_ids or ()),
            completion_tokens=len(reply.token_ids),
            cached_tokens=output.num_cached_tokens,
            prompt_token_ids=tuple(output.prompt_token_ids or ()),
            reply_token_ids=tuple(reply.token_ids),
        )


def _prepare_environment() -> None:
    """What vLLM and its child processes can only be told through the environment, before vLLM is first imported."""
    os.environ["VLLM_WORKER_MULTIPROC_METHOD"] = "spawn"  # fork would copy a process with threads
    os.environ["HF_HUB_OFFLINE"] = "1"  # the checkpoint is a folder: nothing may be asked of a hub
    os.environ["VLLM_NO_USAGE_STATS"] = "1"  # no telemetry about our users
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "WARNING")
    os.environ.setdefault("VLLM_LOGGING_STREAM", "ext://sys.stderr")  # standard output belongs to results


def _start_engine(checkpoint: Checkpoint, settings: Settings) -> "AsyncLLM":
    """Raises MisconfiguredError."""
    from vllm.v1.engine.async_llm import AsyncLLM  # noqa: PLC0415  vLLM reads the environment as it is imported

    try:
        return AsyncLLM.from_engine_args(_engine_arguments(checkpoint, settings))
    except (ValueError, RuntimeError, OSError, ImportError) as error:
        raise MisconfiguredError(
            "engine_start_failed", f"vLLM does not start with {checkpoint.path}: {first_line(error)} (more in the log above)"
        ) from error


def _engine_arguments(checkpoint: Checkpoint, settings: Settings) -> "AsyncEngineArgs":
    from vllm import AsyncEngineArgs  # noqa: PLC0415
    from vllm.config import StructuredOutputsConfig  # noqa: PLC0415

    limits = checkpoint.limits
    pixels = {  # our own resize is the only one: whatever is legal for scan or crop passes unchanged
        "shortest_edge": min(limits.scan_min_pixels, limits.crop_min_pixels),
        "longest_edge": max(limits.scan_max_pixels, limits.crop_max_pixels),
    }
    return AsyncEngineArgs(
        model=str(checkpoint.path),
        served_model_name=checkpoint.name,
        max_model_len=settings.max_model_len,
        max_num_seqs=settings.max_num_seqs,  # AsyncLLM's own defaults are 128 sequences
        max_num_batched_tokens=settings.max_num_batched_tokens,  # and 2,048 tokens
        scheduling_policy="priority",
        enable_prefix_caching=True,
        limit_mm_per_prompt={"image": 1 + checkpoint.reply_limits.zoomed_regions, "video": 0},
        mm_processor_kwargs={"size": pixels},
        structured_outputs_config=StructuredOutputsConfig(
            backend="xgrammar",
            disable_any_whitespace=True,  # per request it is ignored, and whitespace could run to max_tokens
        ),
        generation_config="vllm",  # the checkpoint's own sampling defaults must not change a score
        **_device_arguments(checkpoint, settings),
    )


def _device_arguments(checkpoint: Checkpoint, settings: Settings) -> dict[str, Any]:
    from vllm.platforms import current_platform  # noqa: PLC0415

    if not current_platform.is_cpu():
        return {"gpu_memory_utilization": settings.gpu_memory_utilization}
    os.environ["TORCH_COMPILE_DISABLE"] = "1"  # the sampler's one compiled function needs a C++ compiler and 25 s of the first call
    return {
        "enforce_eager": True,
        "block_size": CPU_BLOCK_TOKENS,
        "kv_cache_memory_bytes": settings.cpu_kv_cache_gib * GIBIBYTE,
        "dtype": checkpoint.dtype,  # `auto` would round float32 weights to bfloat16
    }


def _card(checkpoint: Checkpoint, engine: "AsyncLLM", facts: Mapping[str, Any]) -> ModelCard:
    import vllm  # noqa: PLC0415

    return ModelCard(
        name=checkpoint.name,
        training=checkpoint.training,
        coordinates=checkpoint.convention.coordinates,
        resize_factor=checkpoint.convention.resize_factor,
        **checkpoint.limits.model_dump(),
        cache_block_tokens=engine.vllm_config.cache_config.block_size,
        reply_limits=checkpoint.reply_limits,
        calibration=checkpoint.calibration,
        answers_questions=checkpoint.answers_questions,
        bands=checkpoint.bands,
        facts={
            **facts,
            "engine": f"vllm {vllm.__version__}",
            "device": engine.vllm_config.device_config.device_type,
            "dtype": str(engine.model_config.dtype).removeprefix("torch."),
        },
    )


def _sampling(question: Question, tokens: VerdictTokens) -> "SamplingParams":
    from vllm import SamplingParams  # noqa: PLC0415
    from vllm.sampling_params import RequestOutputKind, StructuredOutputsParams  # noqa: PLC0415

    return SamplingParams(
        temperature=question.temperature,
        max_tokens=question.max_tokens,
        structured_outputs=StructuredOutputsParams(json=dict(question.reply_schema)),
        logprob_token_ids=sorted(frozenset().union(*tokens.values())),
        output_kind=RequestOutputKind.FINAL_ONLY,
        detokenize=False,  # decoded once, at the end; vLLM would also decode every scored token at every position
    )


@contextmanager
def _errors_translated() -> Iterator[None]:
    from vllm.exceptions import VLLMClientError, VLLMError  # noqa: PLC0415
    from vllm.v1.engine.exceptions import EngineDeadError  # noqa: PLC0415

    try:
        yield
    except EngineDeadError as error:
        raise EngineDiedError("engine_died", "vLLM's EngineCore is gone; this worker must be restarted.") from error
    except (VLLMClientError, ValueError) as error:
        raise RejectedError("prompt_refused", f"vLLM refuses this conversation: {first_line(error)}") from error
    except VLLMError as error:
        raise TransientError("engine_request_failed", f"vLLM failed on a request; it can be sent again: {first_line(error)}") from error
