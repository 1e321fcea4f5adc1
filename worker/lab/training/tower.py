"""The first stage: teaches the vision tower, densely, which tokens a network drew. Next-token training alone never finds out.

The tower is a checkpoint's own (`Qwen2_5_VisionTransformerPretrainedModel`); its heads are thrown away afterwards. It starts from what
is known of such traces (tower_start.py), and an auxiliary head keeps the bands' log-energies in sight.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from worker.lab.training.tokens import TOKEN, WINDOW

BANDS = 16
LUMA = (0.299, 0.587, 0.114)
AUXILIARY_WEIGHT = 0.2
ENERGY_FLOOR = 1e-4  # of squared DCT coefficients in 0..1 luma: below is rounding


@dataclass(frozen=True, slots=True)
class PatchFormat:
    """How a checkpoint's processor cuts and scales pixels."""

    patch: int
    merge: int
    temporal: int
    mean: tuple[float, float, float]
    deviation: tuple[float, float, float]

    def patches(self, images: Tensor) -> Tensor:
        """uint8 images of one size (N × H × W × 3) → float patches as the processor orders them (N × patches × values)."""
        count, height, width, _ = images.shape
        block = self.patch * self.merge
        scaled = (images.float() / 255 - torch.tensor(self.mean)) / torch.tensor(self.deviation)
        cut = scaled.view(count, height // block, self.merge, self.patch, width // block, self.merge, self.patch, 3)
        ordered = cut.permute(0, 1, 4, 2, 5, 7, 3, 6).reshape(count, -1, 3, 1, self.patch * self.patch)
        return ordered.expand(-1, -1, -1, self.temporal, -1).reshape(count, ordered.shape[1], -1)


class TowerWithHeads(nn.Module):
    """A vision tower, and on each of its merged tokens a logit of "drawn by a network" and the bands' log-energies."""

    def __init__(self, tower: Any, features: int) -> None:
        super().__init__()
        self.tower = tower
        self.drawn = nn.Linear(features, 1)
        self.energies = nn.Linear(features, BANDS)

    def forward(self, patches: Tensor) -> tuple[Tensor, Tensor]:
        """Patches of whole crops (N × patches × values) → logits (N × tokens), band log-energies (N × tokens × BANDS)."""
        features = crop_features(self.tower, patches)
        return self.drawn(features).squeeze(-1), self.energies(features)


def crop_features(tower: Any, patches: Tensor) -> Tensor:
    """The tower's merged tokens (N × tokens × features) of square crops of whole attention windows.

    The same arithmetic as the tower's own forward, which loops over windows and convolves where a matrix product does.
    """
    count, length, values = patches.shape
    merged = tower.spatial_merge_size**2
    order = _by_windows(math.isqrt(length // merged))
    hidden = functional.linear(patches, tower.patch_embed.proj.weight.view(-1, values))
    hidden = hidden.view(count, -1, merged, hidden.shape[-1])[:, order].flatten(1, 2)
    places = _positions(length, tower.spatial_merge_size).view(-1, merged, 2)[order].flatten(0, 1)
    rotations = _rotations(tower, places)
    for number, block in enumerate(tower.blocks):
        seen = length if number in tower.fullatt_block_indexes else WINDOW**2 * merged
        hidden = hidden + _attended(block.attn, block.norm1(hidden), rotations, seen)
        hidden = hidden + block.mlp(block.norm2(hidden))
    tokens: Tensor = tower.merger(hidden.flatten(0, 1)).view(count, length // merged, -1)
    return tokens[:, order.argsort()]


def band_energies(crops: np.ndarray) -> np.ndarray:
    """Log-energies of BANDS radial DCT bands of each token: crops N × side × side × 3 uint8 → N × tokens × BANDS, about unit scale."""
    luma = (crops.astype(np.float32) / 255) @ np.asarray(LUMA, np.float32)
    grid = crops.shape[1] // TOKEN
    tokens = luma.reshape(-1, grid, TOKEN, grid, TOKEN).transpose(0, 1, 3, 2, 4)
    cosine = cosines(TOKEN)
    energy = np.square(cosine @ tokens @ cosine.T).reshape(len(crops), grid * grid, -1)
    radius = np.hypot(*np.meshgrid(np.arange(TOKEN), np.arange(TOKEN), indexing="ij")).ravel()
    pooled = np.stack([energy[..., _bands(radius) == band].mean(-1) for band in range(BANDS)], axis=-1)
    logarithms: np.ndarray = np.log(pooled + ENERGY_FLOOR)
    return (logarithms + 6) / 3


def cosines(side: int) -> np.ndarray:
    """The orthonormal DCT-II of `side` values as a matrix."""
    positions = np.arange(side)
    matrix = np.cos(math.pi * (2 * positions[None] + 1) * positions[:, None] / (2 * side)) * math.sqrt(2 / side)
    matrix[0] /= math.sqrt(2)
    exact: np.ndarray = matrix.astype(np.float32)
    return exact


def token_losses(model: TowerWithHeads, batch: Mapping[str, Tensor], patch_format: PatchFormat) -> dict[str, Tensor]:
    """The losses of a batch of `TokenSample`s, which sum to what is minimised."""
    logits, energies = model(patch_format.patches(batch["pixels"]))
    drawn, counted = batch["drawn"].flatten(1), batch["counted"].flatten(1)
    found = functional.binary_cross_entropy_with_logits(logits, drawn, weight=counted, reduction="sum") / counted.sum()
    return {"drawn": found, "energies": AUXILIARY_WEIGHT * functional.smooth_l1_loss(energies, batch["energies"])}


def _bands(radius: np.ndarray) -> np.ndarray:
    band: np.ndarray = np.minimum((radius / radius.max() * BANDS).astype(int), BANDS - 1)
    return band


def _by_windows(side: int) -> Tensor:
    """Places of side × side tokens in rows, window by window."""
    cut = torch.arange(side * side).view(side // WINDOW, WINDOW, side // WINDOW, WINDOW)
    return cut.transpose(1, 2).flatten()


def _positions(length: int, merge: int) -> Tensor:
    """Row and column of each patch of a square crop, as the processor orders them: length × 2."""
    side = math.isqrt(length)
    places = torch.stack(torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij"), dim=-1)
    return places.view(side // merge, merge, side // merge, merge, 2).transpose(1, 2).reshape(length, 2)


def _rotations(tower: Any, places: Tensor) -> tuple[Tensor, Tensor]:
    angles = (places[:, :, None] * tower.rotary_pos_emb.inv_freq).flatten(1)
    angles = torch.cat([angles, angles], dim=-1)
    return angles.cos(), angles.sin()


def _attended(attention: Any, hidden: Tensor, rotations: tuple[Tensor, Tensor], seen: int) -> Tensor:
    """Attention among each `seen` patches that follow each other."""
    count, length, width = hidden.shape
    qkv = attention.qkv(hidden).view(count, length, 3, attention.num_heads, -1)
    query, key = (_rotated(qkv[:, :, part].transpose(1, 2), *rotations) for part in (0, 1))
    parts = (part.unflatten(2, (-1, seen)) for part in (query, key, qkv[:, :, 2].transpose(1, 2)))
    mixed = functional.scaled_dot_product_attention(*parts)
    result: Tensor = attention.proj(mixed.flatten(2, 3).transpose(1, 2).reshape(count, length, width))
    return result


def _rotated(part: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    first, second = part.chunk(2, dim=-1)
    return part * cosine + torch.cat([-second, first], dim=-1) * sine
