"""GRPO's objective over one group of replies (Shao et al., DeepSeekMath, arXiv 2402.03300, section 4.1). Pure."""

from collections.abc import Sequence

import torch
from torch import Tensor

TINY = 1e-4  # beside a group's standard deviation: replies that all earned alike teach nothing


def advantages(earned: Sequence[float]) -> Tensor:
    """How much better each reply is than its group: rewards normalised to mean 0 and deviation 1; zeros where all earned alike."""
    rewards = torch.tensor(earned, dtype=torch.float32)
    return (rewards - rewards.mean()) / (rewards.std(correction=0) + TINY)


def clipped_loss(now: Tensor, drawn_with: Tensor, better: Tensor, said: Tensor, clip: float) -> Tensor:
    """What is minimised so that better replies become likelier.

    `now` and `drawn_with` are log-probabilities (replies × tokens), `better` the advantages (replies), `said` where tokens are (bool).
    A ratio outside 1 ± `clip` earns nothing more. Every reply counts alike, whatever its length.
    """
    ratio = (now - drawn_with).exp()
    gain = torch.minimum(ratio * better[:, None], ratio.clamp(1 - clip, 1 + clip) * better[:, None])
    return -mean_of_replies(gain, said)


def divergence(now: Tensor, before: Tensor, said: Tensor) -> Tensor:
    """Estimate of the KL divergence from the policy as it was, in nats a token: never negative, whatever was drawn."""
    difference = before - now
    return mean_of_replies(difference.exp() - difference - 1, said)


def mean_of_replies(values: Tensor, said: Tensor) -> Tensor:
    """Mean over replies of the means over their own tokens."""
    return ((values * said).sum(1) / said.sum(1)).mean()
