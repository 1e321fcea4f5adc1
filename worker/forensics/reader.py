"""The checkpoint in PyTorch, reading a recorded conversation through: the same tokens and pixels as the engine's, with attention kept.

Attention is computed the plain way ("eager"), since fused kernels give no weights. Images pass the vision tower without gradients: what is
asked is which image tokens the language part looked at. Teacher forcing: the recorded reply stands behind the prompt, nothing is sampled.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import torch
from PIL import Image
from torch import Tensor
from transformers import Qwen2_5_VLForConditionalGeneration

from worker.forensics.recorded import RecordedStage
from worker.forensics.tokens import ReplyTokens
from worker.moderation.errors import MisconfiguredError, RejectedError
from worker.moderation.outcomes import Verdict
from worker.vision.checkpoint import CONVENTIONS, Checkpoint
from worker.vision.conversation import ChatFormat, first_line
from worker.vision.verdict import VerdictTokens, verdict_tokens

ARCHITECTURE = "Qwen2_5_VLForConditionalGeneration"  # the one whose layers and positions are known here
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
BYTES_PER_WEIGHT = (
    8  # of attention, kept until the maps are drawn. float32: the weight, its gradient; halves: the same, and float32's softmax
)
GIB = 1 << 30
MEMORY_GIB = 16.0


@dataclass(frozen=True, slots=True)
class ImageTokens:
    """Where an image's tokens stand in the conversation, [start, start + rows · columns), row by row."""

    start: int
    rows: int
    columns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A conversation read through. `attentions`: per layer, heads × length × length, part of the graph of `logits`."""

    logits: Tensor  # reply's length × vocabulary: what each token of the reply was predicted from
    attentions: tuple[Tensor, ...]
    images: tuple[ImageTokens, ...]
    reply: ReplyTokens
    begin: int  # place of the reply's first token
    verdict_logit: Tensor  # ln P(generated) − ln P(real) at the verdict's token


class Reader:
    """A checkpoint's weights and its chat format. For one thread at a time."""

    def __init__(self, model: Any, chat: ChatFormat, tokens: VerdictTokens, memory_gib: float = MEMORY_GIB) -> None:
        self.model = model  # Qwen2_5_VLForConditionalGeneration
        self.chat = chat
        self._memory_gib = memory_gib
        self._beginnings = {verdict: sorted(tokens[verdict]) for verdict in Verdict}

    @classmethod
    def load(cls, checkpoint: Checkpoint, *, dtype: str | None = None, device: str | None = None, memory_gib: float = MEMORY_GIB) -> Self:
        """The weights in `dtype`, by default the checkpoint's own, on `device`, by default `fastest_device`'s. Raises MisconfiguredError.

        Conversations whose attention would take more than `memory_gib` are refused.
        """
        if checkpoint.convention != CONVENTIONS[ARCHITECTURE]:
            raise MisconfiguredError(
                "attention_architecture", f"{checkpoint.path} is not a {ARCHITECTURE}, the architecture that maps are drawn for."
            )
        chat = ChatFormat.load(checkpoint)
        model = _weights(checkpoint, dtype or checkpoint.dtype).to(device or fastest_device())
        return cls(model, chat, verdict_tokens(chat.encode_text), memory_gib)

    @property
    def dtype(self) -> str:
        """Of the weights."""
        return str(self.model.dtype).removeprefix("torch.")

    def read(self, stage: RecordedStage, pixels: Sequence[Image.Image] | None = None) -> Reading:
        """The stage's conversation and reply, over its own images or over `pixels` of the same sizes. Raises RejectedError."""
        reply = ReplyTokens.of(stage.reply, self.chat)
        seen = [image.pixels for image in stage.images] if pixels is None else pixels
        patches = self.chat.processor.image_processor(images=list(seen), return_tensors="pt", do_resize=False).to(self.model.device)
        asked, images = self._widened(self.chat.encode(stage.turns), patches["image_grid_thw"].tolist())
        self._refuse_long(len(asked) + len(reply.ids))
        ids = torch.tensor([[*asked, *reply.ids]], device=self.model.device)
        is_image = ids == self.chat.image_token
        positions, _ = self.model.model.get_rope_index(ids, mm_token_type_ids=is_image.int(), image_grid_thw=patches["image_grid_thw"])
        found = self.model(
            inputs_embeds=self._embedded(ids, is_image, patches), position_ids=positions, use_cache=False, output_attentions=True
        )
        begin = len(asked)
        logits = found.logits[0, begin - 1 : -1].float()
        return Reading(
            logits=logits,
            attentions=tuple(found.attentions),
            images=images,
            reply=reply,
            begin=begin,
            verdict_logit=self._verdict_logit(logits[reply.verdict]),
        )

    def verdict_logit(self, stage: RecordedStage, pixels: Sequence[Image.Image] | None = None) -> float:
        """The reading's verdict logit alone, without a graph. Raises RejectedError."""
        with torch.no_grad():
            return float(self.read(stage, pixels).verdict_logit)

    def _refuse_long(self, length: int) -> None:
        config = self.model.config.text_config
        needed = attention_bytes(config.num_hidden_layers, config.num_attention_heads, length) / GIB
        if needed > self._memory_gib:
            raise RejectedError(
                "attention_too_long",
                f"The conversation has {length:,} tokens, whose attention takes {needed:.1f} GiB; allowed are {self._memory_gib:g}. "
                "Where there is more memory, raise ZOOMIN_ATTENTION_MEMORY_GIB; else send smaller images.",
            )

    def _embedded(self, ids: Tensor, is_image: Tensor, patches: Any) -> Tensor:
        with torch.no_grad():
            seen = self.model.model.visual(patches["pixel_values"].to(self.model.dtype), grid_thw=patches["image_grid_thw"]).pooler_output
            words = self.model.get_input_embeddings()(ids)
            embedded: Tensor = words.masked_scatter(is_image[..., None].expand_as(words), seen.to(words.dtype))
        return embedded.requires_grad_(torch.is_grad_enabled())  # weights need none, and the graph has to begin somewhere

    def _widened(self, asked: Sequence[int], grids: Sequence[Sequence[int]]) -> tuple[list[int], tuple[ImageTokens, ...]]:
        merge = self.chat.processor.image_processor.merge_size
        ids: list[int] = []
        images: list[ImageTokens] = []
        for token in asked:
            if token != self.chat.image_token:
                ids.append(token)
                continue
            _, rows, columns = grids[len(images)]
            images.append(ImageTokens(len(ids), rows // merge, columns // merge))
            ids += [token] * (images[-1].rows * images[-1].columns)
        return ids, tuple(images)

    def _verdict_logit(self, logits: Tensor) -> Tensor:
        generated, real = (logits[self._beginnings[verdict]].logsumexp(0) for verdict in (Verdict.GENERATED, Verdict.REAL))
        return generated - real


def fastest_device() -> str:
    """The GPU where PyTorch has one, else the CPU."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def attention_bytes(layers: int, heads: int, length: int) -> int:
    """What the attention of a conversation of `length` tokens takes while maps are drawn; weights and activations come on top."""
    return BYTES_PER_WEIGHT * layers * heads * length**2


def _weights(checkpoint: Checkpoint, dtype: str) -> Any:
    load: Any = Qwen2_5_VLForConditionalGeneration.from_pretrained
    implementation = {"text_config": "eager", "vision_config": "sdpa"}
    try:
        model, found = load(
            checkpoint.path, dtype=DTYPES[dtype], attn_implementation=implementation, local_files_only=True, output_loading_info=True
        )
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise MisconfiguredError("model_weights", f"{checkpoint.path}: PyTorch does not load it as {dtype}: {first_line(error)}") from error
    absent = [*found["missing_keys"], *found["mismatched_keys"]]
    if absent:
        raise MisconfiguredError("model_weights", f"{checkpoint.path}: the weights lack {len(absent)} tensors, say {absent[0]}.")
    return model.eval().requires_grad_(requires_grad=False)
