"""The second stage: teaches the language part on what the tower sees, with heads that are thrown away afterwards.

Two auxiliary heads on a lower layer's image tokens, where a token lies and whether a network drew it, since from next-token losses
alone a small model takes very long to find that places matter.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from worker.lab.training.conversations import Conversation

PLACES = 48  # rows or columns told apart by the auxiliary heads
AUXILIARY_LAYER = 1  # its output; later layers may forget
IGNORED = -100


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Conversations padded to one length. `features` of all image tokens in order; `drawn` their share drawn by a network."""

    ids: Tensor  # N × length
    positions: Tensor  # 3 × N × length
    attended: Tensor  # N × length
    targets: Tensor  # N × length; IGNORED where nothing is learnt
    weights: Tensor  # N × length, of each target in the loss
    features: Tensor  # image tokens × features
    rows: Tensor  # image tokens
    columns: Tensor
    drawn: Tensor


class LanguageWithHeads(nn.Module):
    """The language part, and the auxiliary heads."""

    def __init__(self, model: Any, image_token: int, meant: Tensor) -> None:
        """`meant` (vocabulary × vocabulary): the distribution that is learnt where a token is the target."""
        super().__init__()
        self.model = model  # Qwen2_5_VLForConditionalGeneration
        self._image_token, self._meant = image_token, meant
        hidden = model.config.text_config.hidden_size
        self.row, self.column, self.drawn = nn.Linear(hidden, PLACES), nn.Linear(hidden, PLACES), nn.Linear(hidden, 1)
        self._lower: Tensor | None = None
        model.model.language_model.layers[AUXILIARY_LAYER].register_forward_hook(self._keep)

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """(next-token loss, auxiliary loss)."""
        logits = self.logits(batch)
        learnt = batch.targets[:, 1:] != IGNORED
        each = functional.cross_entropy(logits, self._meant[batch.targets[:, 1:][learnt]], reduction="none")
        weights = batch.weights[:, 1:][learnt]
        return (each * weights).sum() / weights.sum(), self._auxiliary(batch.ids == self._image_token, batch)

    def logits(self, batch: Batch) -> Tensor:
        """Of the learnt tokens, in order: tokens × vocabulary."""
        embedded = self.model.model.language_model.embed_tokens(batch.ids)
        seen = batch.ids == self._image_token
        embedded = embedded.masked_scatter(seen[..., None], batch.features.to(embedded.dtype))
        hidden = self.model.model.language_model(
            inputs_embeds=embedded, position_ids=batch.positions, attention_mask=batch.attended, use_cache=False
        ).last_hidden_state
        logits: Tensor = self.model.lm_head(hidden[:, :-1][batch.targets[:, 1:] != IGNORED])
        return logits

    def _auxiliary(self, seen: Tensor, batch: Batch) -> Tensor:
        assert self._lower is not None  # noqa: S101  the hook ran in the forward pass above
        lower = self._lower[seen]
        places = functional.cross_entropy(self.row(lower), batch.rows) + functional.cross_entropy(self.column(lower), batch.columns)
        return places + functional.binary_cross_entropy_with_logits(self.drawn(lower).squeeze(-1), batch.drawn)

    def _keep(self, _module: nn.Module, _arguments: Any, output: Any) -> None:
        self._lower = output[0] if isinstance(output, tuple) else output


def collate(conversations: Sequence[Conversation], features: Tensor, drawn: Tensor, weigh: Tensor, padding: int) -> Batch:
    """One batch. `weigh` (vocabulary): each token's weight as a target, since a verdict matters more than a brace."""
    length = max(len(conversation.ids) for conversation in conversations)
    count = len(conversations)
    ids = np.full((count, length), padding)
    positions = np.zeros((3, count, length), int)
    attended = np.zeros((count, length), int)
    targets = np.full((count, length), IGNORED)
    rows, columns = [], []
    for index, conversation in enumerate(conversations):
        size = len(conversation.ids)
        ids[index, :size], positions[:, index, :size], attended[index, :size] = conversation.ids, conversation.positions, 1
        targets[index, :size] = np.where(conversation.learnt, conversation.ids, IGNORED)
        for grid in conversation.grids:
            row, column = np.indices(grid).reshape(2, -1)
            rows.append(row)
            columns.append(column)
    told = torch.from_numpy(targets)
    return Batch(
        ids=torch.from_numpy(ids),
        positions=torch.from_numpy(positions),
        attended=torch.from_numpy(attended),
        targets=told,
        weights=weigh[told.clamp(min=0)],
        features=features,
        rows=torch.from_numpy(np.concatenate(rows)).clamp(max=PLACES - 1),
        columns=torch.from_numpy(np.concatenate(columns)).clamp(max=PLACES - 1),
        drawn=drawn,
    )
