"""A trained checkpoint as a policy: what it sees, what it may say next, and what it would have said before this training began.

Image tokens enter as the vision tower's features, and the tower is left as it is: rewards are for what is said of an image, and its
features are computed once for a whole group of replies. So are the embeddings of tokens, and the head that shares them: what a prompt
looks like is the same before, during and after. Trained are the language part's layers, in float32; or, with LoRA, adapters on them.
"""

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from torch import Tensor, nn
from transformers import DynamicCache

from worker.lab.training.conversations import widen
from worker.lab.training.guide import Guide, masked
from worker.lab.training.weights import load_weights
from worker.vision.checkpoint import Checkpoint
from worker.vision.conversation import ChatFormat, images
from worker.vision.model import Turn
from worker.zoomin.replies import scan_schema, zoom_schema

ADAPTED = r".*language_model\..*\.(q|k|v|o|gate|up|down)_proj"


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapters:
    """LoRA's size: rank, and the scale of what the adapters add (`alpha` / `rank`)."""

    rank: int = 16
    alpha: int = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """A question as the model takes it: `embedded` 1 × length × features, `positions` 3 × 1 × length; and what may be replied."""

    embedded: Tensor
    positions: Tensor
    guide: Guide
    max_tokens: int

    @property
    def next_position(self) -> int:
        """Of the reply's first token."""
        return int(self.positions[0, 0, -1]) + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """`ids` (length), `masks` length × words: what the grammar allowed at each. Without an end where `max_tokens` cut it off."""

    ids: Tensor
    masks: Tensor
    text: str


class Policy:
    """A checkpoint in this training. Raises MisconfiguredError when its weights do not load or are of another architecture."""

    def __init__(self, checkpoint: Checkpoint, adapters: Adapters | None, device: torch.device) -> None:
        self.checkpoint = checkpoint
        self.device = device
        model = load_weights(checkpoint)
        self.chat = ChatFormat.load(checkpoint)
        self.model = (model.float() if adapters is None else model).to(device).eval()
        vocabulary = self.model.config.text_config.vocab_size
        self.scan_guide = Guide.compiled(scan_schema(checkpoint.reply_limits), self.chat, vocabulary)
        self.zoom_guide = Guide.compiled(zoom_schema(checkpoint.reply_limits), self.chat, vocabulary)
        self._adapted: Any = None
        if adapters is None:
            self._before = copy.deepcopy(self.model.model.language_model).requires_grad_(requires_grad=False)
            self.model.requires_grad_(requires_grad=False)
            self.model.model.language_model.layers.requires_grad_(requires_grad=True)
        else:
            config = LoraConfig(r=adapters.rank, lora_alpha=adapters.alpha, target_modules=ADAPTED)
            self._adapted = get_peft_model(self.model, config)
            if device.type == "cuda":
                self.model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})

    @property
    def trained(self) -> dict[str, nn.Parameter]:
        """What learns, by name."""
        return {name: parameter for name, parameter in self.model.named_parameters() if parameter.requires_grad}

    @torch.no_grad()
    def prompt(self, turns: Sequence[Turn], guide: Guide, max_tokens: int) -> Prompt:
        """A question, to be replied to under `guide`."""
        pixels = [part.pixels for part in images(turns)]
        seen = self.chat.processor.image_processor(images=pixels, do_resize=False, return_tensors="pt").to(self.device)
        grids = [(int(rows) // self._merge, int(columns) // self._merge) for _, rows, columns in seen["image_grid_thw"]]
        conversation = widen(self.chat.encode(turns), [], grids, self.chat.image_token)
        ids = torch.from_numpy(conversation.ids).to(self.device)[None]
        embedded = self.model.get_input_embeddings()(ids)
        visual = self.model.model.visual
        features = visual(seen["pixel_values"].to(visual.dtype), grid_thw=seen["image_grid_thw"]).pooler_output
        embedded = embedded.masked_scatter((ids == self.chat.image_token)[..., None], features.to(embedded.dtype))
        positions = torch.from_numpy(conversation.positions).to(self.device)[:, None]
        return Prompt(embedded=embedded, positions=positions, guide=guide, max_tokens=max_tokens)

    @torch.no_grad()
    def sample(self, prompt: Prompt, count: int, generator: torch.Generator) -> list[Reply]:
        """`count` replies drawn at temperature 1 from what the guide allows."""
        cache = DynamicCache(config=self.model.config.text_config)
        logits = self._next(prompt.embedded, prompt.positions, cache).expand(count, -1)
        cache.batch_repeat_interleave(count)
        matchers = prompt.guide.matchers(count)
        ids: list[Tensor] = []
        masks: list[Tensor] = []
        while True:
            masks.append(matchers.masks())
            drawn = torch.multinomial(masked(logits, masks[-1]).float().softmax(-1), 1, generator=generator)
            ids.append(drawn.cpu())
            matchers.accept(drawn[:, 0].tolist())
            if all(matchers.ended()) or len(ids) == prompt.max_tokens:
                break
            places = torch.full((3, count, 1), prompt.next_position + len(ids) - 1, device=self.device)
            logits = self._next(self.model.get_input_embeddings()(drawn), places, cache)
        return self._replies(torch.cat(ids, dim=1), torch.stack(masks, dim=1))

    def logprobs(self, prompt: Prompt, replies: Sequence[Reply]) -> Tensor:
        """Log-probability of each reply's tokens among what the guide allowed: replies × longest; 0 after a reply's end."""
        return self._said(self.model.model.language_model, prompt, replies)

    @torch.no_grad()
    def logprobs_before(self, prompt: Prompt, replies: Sequence[Reply]) -> Tensor:
        """The same, of the checkpoint as it was."""
        if self._adapted is None:
            return self._said(self._before, prompt, replies)
        with self._adapted.disable_adapter():
            return self.logprobs(prompt, replies)

    @contextmanager
    def learning(self) -> Iterator[None]:
        """Gradient checkpointing, where it is on, works in training mode only; and sampling with a cache outside of it only."""
        self.model.train()
        try:
            yield
        finally:
            self.model.eval()

    def save_adapters(self, folder: Path) -> None:
        """Writes the adapters, as peft reads them. Raises OSError."""
        self._adapted.save_pretrained(folder)

    def merged(self) -> Any:
        """The model with its adapters merged into it: it cannot be trained on."""
        return self.model if self._adapted is None else self._adapted.merge_and_unload()

    @property
    def _merge(self) -> int:
        return int(self.chat.processor.image_processor.merge_size)

    def _next(self, embedded: Tensor, positions: Tensor, cache: DynamicCache) -> Tensor:
        language = self.model.model.language_model
        hidden = language(inputs_embeds=embedded, position_ids=positions, past_key_values=cache, use_cache=True).last_hidden_state
        logits: Tensor = self.model.lm_head(hidden[:, -1])
        return logits

    def _replies(self, ids: Tensor, masks: Tensor) -> list[Reply]:
        replies = []
        for row, allowed in zip(ids, masks, strict=True):
            ends = (row == self.chat.end_of_turn).nonzero()
            length = int(ends[0]) + 1 if len(ends) else len(row)
            replies.append(Reply(ids=row[:length], masks=allowed[:length], text=self.chat.decode(row[:length].tolist())))
        return replies

    def _said(self, language: nn.Module, prompt: Prompt, replies: Sequence[Reply]) -> Tensor:
        # Padded at the end only, and attention is causal: what follows a reply's end changes nothing before it.
        ids = nn.utils.rnn.pad_sequence([reply.ids for reply in replies], batch_first=True).to(self.device)
        masks = nn.utils.rnn.pad_sequence([reply.masks for reply in replies], batch_first=True, padding_value=-1)
        count, length = ids.shape
        embedded = self.model.get_input_embeddings()(ids[:, :-1])
        places = prompt.next_position + torch.arange(length - 1, device=self.device).expand(3, count, -1)
        hidden = language(
            inputs_embeds=torch.cat([prompt.embedded.expand(count, -1, -1), embedded], dim=1),
            position_ids=torch.cat([prompt.positions.expand(-1, count, -1), places], dim=2),
            use_cache=False,
        ).last_hidden_state
        logits = masked(self.model.lm_head(hidden[:, prompt.embedded.shape[1] - 1 :]), masks).float()
        chosen = logits.log_softmax(-1).gather(-1, ids[..., None]).squeeze(-1)
        lengths = torch.tensor([len(reply.ids) for reply in replies], device=self.device)
        return chosen.masked_fill(torch.arange(length, device=self.device) >= lengths[:, None], 0.0)
