"""Which image tokens a part of the reply rests on: gradient-weighted attention.

Chefer, Gur & Wolf, "Generic Attention-model Explainability for Interpreting Bi-Modal and Encoder-Decoder Transformers", ICCV 2021
(arXiv 2103.15679), for a decoder, whose self-attention holds text and image alike: per layer Ā = mean over heads of (∇A ∘ A)⁺, and
R ← R + Ā · R from the first layer to the last; the answer's rows of R are read. All layers and all heads, as published: none is picked.
Rows are pushed from the last layer to the first instead, which gives those rows without ever holding R.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from worker.forensics.reader import Reading


def relevance(reading: Reading, target: Tensor, places: Sequence[int]) -> Tensor:
    """Relevance of every token of the conversation (length, ≥ 0, fp32) for `target`, a scalar of the reading's graph.

    `places` are the reply's tokens that `target` is made of; each was predicted by the token before it, whose row is read.
    """
    gradients = torch.autograd.grad(target, reading.attentions, retain_graph=True)
    rows = torch.zeros(reading.attentions[0].shape[-1], device=target.device)
    rows[[reading.begin + place - 1 for place in places]] = 1.0
    start = rows.clone()
    for attention, gradient in zip(reversed(reading.attentions), reversed(gradients), strict=True):
        layer = (gradient[0].float() * attention.detach()[0].float()).clamp(min=0).mean(0)
        rows = rows + rows @ layer
    return rows - start


def logprob(reading: Reading, places: Sequence[int]) -> Tensor:
    """Sum of the log-probabilities of the reply's tokens at `places`, as predicted without any grammar."""
    ids = torch.tensor([reading.reply.ids[place] for place in places], device=reading.logits.device)
    return reading.logits[list(places)].log_softmax(-1).gather(1, ids[:, None]).sum()
