"""Where the tower's training starts: its first layers written by hand, so that its tokens tell the log-energies of DCT bands.

These are what traces of redrawing are in. From random weights the tower takes 160,000 crops to find what this start has in 11,000,
since neither a linear layer nor SwiGLU makes a logarithm easily, and norms drown weak high frequencies in strong low ones. So:

- the patch embedding is the luma DCT of a patch, each coefficient scaled by its median magnitude over photographs;
- block 0 adds a constant far larger than all else, which makes every RMS norm a fixed scale, and squares the coefficients into bands;
- block 1 makes logarithms of the bands' energies, piecewise linear over five decades.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from worker.lab.training.tower import LUMA, PatchFormat, cosines

BANDS = 16
LOWEST_RADIUS = 1.5  # DCT coefficients below only say what a picture shows
NORMAL_MEDIAN = 0.6745  # median magnitude of a standard normal variable
CONSTANT = 1000.0  # coefficients are about 1, a hundredth of them above 20
COEFFICIENTS_HEARD, ENERGIES_HEARD = 0.03, 3e-3  # their scale for later layers, which the strongest of them must not shake
LOWEST_ENERGY, RATIO, KNOTS = 0.08, 3.0, 10  # of the logarithm, in units of a band's median energy
SHARPNESS = 4.0  # of a step between two knots
LOGARITHM_SCALE = 0.5


@dataclass(frozen=True, slots=True)
class _Layout:
    """What the dimensions of the hidden state hold: coefficients, then the bands' energies, their logarithms, the constant."""

    hidden: int

    @property
    def coefficients(self) -> int:
        return self.hidden - 2 * BANDS - 1

    @property
    def energies(self) -> slice:
        return slice(self.coefficients, self.coefficients + BANDS)

    @property
    def logarithms(self) -> slice:
        return slice(self.coefficients + BANDS, self.coefficients + 2 * BANDS)

    @property
    def fixed_scale(self) -> float:
        """What every RMS norm divides by."""
        return CONSTANT / math.sqrt(self.hidden)


@torch.no_grad()
def start(tower: Any, crops: Tensor, patch_format: PatchFormat) -> None:
    """Writes the weights. `crops` (uint8, N × side × side × RGB) are photographs to scale by."""
    layout = _Layout(tower.patch_embed.proj.weight.shape[0])
    basis, radius = _basis(patch_format.patch, layout.coefficients)
    _embed_coefficients(tower.patch_embed.proj, basis, crops, patch_format)
    _fix_norms(tower, layout)
    for block in tower.blocks[:2]:  # they add nothing of their own, yet, to what is made here
        for layer in (block.attn.proj, block.mlp.down_proj):
            layer.weight[layout.coefficients :] = 0
            layer.bias[layout.coefficients :] = 0
    tower.blocks[0].attn.proj.bias[-1] = CONSTANT
    bands = torch.from_numpy(np.argsort(np.argsort(radius)) * BANDS // len(radius))
    _square_into_bands(tower.blocks[0].mlp, bands, layout)
    _take_logarithms(tower.blocks[1].mlp, layout)


def _basis(side: int, count: int) -> tuple[Tensor, np.ndarray]:
    """The `count` lowest DCT functions of a patch from LOWEST_RADIUS on (count × side × side), and their radii."""
    cosine = torch.from_numpy(cosines(side))
    radius = np.hypot(*np.meshgrid(np.arange(side), np.arange(side), indexing="ij")).ravel()
    order = np.argsort(radius, kind="stable")
    kept = order[radius[order] >= LOWEST_RADIUS][:count]
    return torch.einsum("ua,vb->uvab", cosine, cosine).reshape(-1, side, side)[kept], radius[kept]


def _embed_coefficients(projection: Any, basis: Tensor, crops: Tensor, patch_format: PatchFormat) -> None:
    shares = torch.tensor(LUMA) * torch.tensor(patch_format.deviation) / patch_format.temporal  # undoes the processor's scaling
    weight = (shares[:, None, None, None] * basis[:, None, None]).expand(-1, -1, patch_format.temporal, -1, -1)
    flat = weight.reshape(len(basis), -1)
    magnitude = (patch_format.patches(crops).flatten(0, 1) @ flat.T).abs().median(dim=0).values / NORMAL_MEDIAN
    projection.weight.zero_()
    projection.weight[: len(basis)] = weight / magnitude.clamp(min=1e-6)[:, None, None, None, None]


def _fix_norms(tower: Any, layout: _Layout) -> None:
    """Undoes what the constant does to norms, and sets how loudly each part of the hidden state is heard behind them."""
    heard = torch.zeros(layout.hidden)
    heard[: layout.coefficients] = COEFFICIENTS_HEARD
    heard[layout.logarithms] = 1
    norms = [norm for block in tower.blocks for norm in (block.norm1, block.norm2)][1:]  # the first comes before the constant
    for norm in (*norms, tower.merger.ln_q):
        norm.weight.copy_(layout.fixed_scale * heard)
    tower.blocks[0].norm2.weight[: layout.coefficients] = layout.fixed_scale
    tower.blocks[1].norm2.weight[layout.energies] = layout.fixed_scale * ENERGIES_HEARD


def _square_into_bands(mlp: Any, bands: Tensor, layout: _Layout) -> None:
    # silu(x)·x + silu(−x)·(−x) = x²: a pair of SwiGLU units squares a coefficient, the down projection pools a band's squares.
    for index, band in enumerate(bands.tolist()):
        for unit, sign in ((2 * index, 1.0), (2 * index + 1, -1.0)):
            for projection in (mlp.gate_proj, mlp.up_proj):
                _write_unit(projection, unit, index, sign, 0.0)
            mlp.down_proj.weight[:, unit] = 0
            mlp.down_proj.weight[layout.energies.start + band, unit] = 1 / float((bands == band).sum())


def _take_logarithms(mlp: Any, layout: _Layout) -> None:
    # silu(z + h) − silu(z − h) climbs from 0 to 2h around z = 0: steps a RATIO apart, each as wide as its place, sum up to a logarithm.
    unit = 0
    for band in range(BANDS):
        for knot in range(KNOTS):
            place = LOWEST_ENERGY * RATIO**knot
            steepness = SHARPNESS / place / ENERGIES_HEARD
            for sign in (1.0, -1.0):
                _write_unit(mlp.gate_proj, unit, layout.energies.start + band, steepness, SHARPNESS * (sign / 2 - 1))
                _write_unit(mlp.up_proj, unit, 0, 0.0, 1.0)
                mlp.down_proj.weight[:, unit] = 0
                mlp.down_proj.weight[layout.logarithms.start + band, unit] = sign * LOGARITHM_SCALE * math.log(RATIO) / SHARPNESS
                unit += 1
    mlp.down_proj.bias[layout.logarithms] = LOGARITHM_SCALE * math.log(LOWEST_ENERGY)  # a band of median energy is at 0
    for projection in (mlp.gate_proj, mlp.up_proj):
        projection.weight[unit:, layout.energies] = 0


def _write_unit(projection: Any, unit: int, source: int, weight: float, bias: float) -> None:
    """Makes `unit` hear `source` alone."""
    projection.weight[unit] = 0
    projection.weight[unit, source] = weight
    projection.bias[unit] = bias
