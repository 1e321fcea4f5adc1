"""Nano from nothing: the tower on tokens, then the language part on composed and on real pictures."""

import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from worker.lab.layers import kept_layers
from worker.lab.training.curriculum import compose, read_sights, see_layers, write_sights
from worker.lab.training.language import Batch, LanguageWithHeads, collate
from worker.lab.training.lessons import Lesson, Subject, draw_lesson
from worker.lab.training.loop import Progress, Schedule, run_stage
from worker.lab.training.pictures import Eye, draw_picture
from worker.lab.training.student import Student
from worker.lab.training.tokens import Layers, sample_tokens
from worker.lab.training.tower import TowerWithHeads, band_energies, token_losses
from worker.lab.training.tower_start import start

POOL = 4  # batches whose lessons are sorted by length together, so that little is padding
INITIAL_CROPS = 512  # over which the patch embedding is scaled
AUXILIARY_WEIGHT = 0.3
WIDE = 2
LAYERS, SIGHTS = "layers", "sights"

StageReport = Callable[[str, Progress], None]  # name of the stage, or of what is done between two, and where it stands


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Every number of the training of nano."""

    seed: int = 20_510
    tower_windows: int = 96  # a batch: as many crops of one attention window, or fewer of several
    tower: Schedule = field(default_factory=lambda: Schedule(steps=1600, learning_rate=1e-3))
    wide_from: float = 0.6  # share of the tower's steps after which crops are WIDE windows a side: what a picture is like elsewhere tells
    degradations: int = 2  # of each photograph, in the composed pictures
    lessons: int = 12  # a batch
    composed: Schedule = field(default_factory=lambda: Schedule(steps=1400, learning_rate=1e-3))
    pictures: Schedule = field(default_factory=lambda: Schedule(steps=300, learning_rate=4e-4))


class Lessons:
    """Batches of lessons by step. A pool's lessons are drawn once for its POOL steps."""

    def __init__(self, draw: Callable[[np.random.Generator], Subject], student: Student, plan: Plan, stage: int) -> None:
        self._draw, self._student, self._plan, self._stage = draw, student, plan, stage
        self._weights = student.token_weights()
        self._pool: tuple[int, list[Lesson]] = (-1, [])

    def __call__(self, step: int) -> Batch:
        """One of the pool's batches of equally long lessons, in random order."""
        pool, place = divmod(step, POOL)
        chance = np.random.default_rng([self._plan.seed, self._stage, pool])
        start = int(chance.permutation(POOL)[place]) * self._plan.lessons
        if self._pool[0] != pool:
            drawn = [draw_lesson(self._draw(chance), self._student.speaker, chance) for _ in range(POOL * self._plan.lessons)]
            self._pool = (pool, sorted(drawn, key=lambda lesson: len(lesson.conversation.ids)))
        chosen = self._pool[1][start : start + self._plan.lessons]
        return collate(
            [lesson.conversation for lesson in chosen],
            torch.from_numpy(np.concatenate([lesson.features for lesson in chosen])).float(),
            torch.from_numpy(np.concatenate([lesson.drawn for lesson in chosen])),
            self._weights,
            self._student.padding,
        )


def train_nano(student: Student, photographs: Sequence[Path], folder: Path, plan: Plan, report: StageReport) -> None:
    """Runs what is not finished of the stages in `folder`; `student` ends trained. `photographs` are folders of layers."""
    layers = read_all(photographs, folder / LAYERS, partial(report, LAYERS))
    tower = train_tower(student, layers, folder / "tower", plan, report)
    eye = Eye(tower=tower, patch_format=student.patches, scan=student.scan_limits, crop=student.crop_limits)
    train_language(student, layers, eye, folder, plan, report)


def read_all(photographs: Sequence[Path], folder: Path, report: Callable[[Progress], None]) -> list[Layers]:
    """The layers of all photographs, decoded once into `folder`: thousands of them fit into no memory, and PNG is slow to read anew."""
    folder.mkdir(parents=True, exist_ok=True)
    begin, layers = time.monotonic(), list[Layers]()
    for path in photographs:
        layers.append(kept_layers(path, folder / f"{path.name}.npy"))
        report(_without_losses(len(layers), len(photographs), begin))
    return layers


def train_tower(student: Student, layers: Sequence[Layers], folder: Path, plan: Plan, report: StageReport) -> TowerWithHeads:
    """The first stage."""
    tower = TowerWithHeads(student.model.model.visual, student.features)
    start(tower.tower, _tokens(layers, plan.seed, INITIAL_CROPS, 1, plan.tower.steps)["pixels"], student.patches)

    def losses(batch: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        return token_losses(tower, batch, student.patches)

    run_stage(tower, partial(_tower_batch, layers, plan), losses, plan.tower, folder, partial(report, "tower"))
    return tower.requires_grad_(requires_grad=False).eval()


def train_language(student: Student, layers: Sequence[Layers], eye: Eye, folder: Path, plan: Plan, report: StageReport) -> None:
    """The second stage: composed pictures, then real ones."""
    student.order_coordinates()
    language = LanguageWithHeads(student.model, student.speaker.chat.image_token, student.token_targets())
    student.model.model.visual.requires_grad_(requires_grad=False)

    def losses(batch: Batch) -> Mapping[str, Tensor]:
        said, auxiliary = language(batch)
        return {"words": said, "auxiliary": AUXILIARY_WEIGHT * auxiliary}

    sights = look_at(layers, eye, folder / SIGHTS, plan, partial(report, SIGHTS))
    stages = (
        ("composed", partial(_composed, sights, student), plan.composed),
        ("pictures", partial(_pictured, layers, eye), plan.pictures),
    )
    for number, (name, draw, schedule) in enumerate(stages, start=2):
        run_stage(language, Lessons(draw, student, plan, number), losses, schedule, folder / name, partial(report, name))


def look_at(layers: Sequence[Layers], eye: Eye, folder: Path, plan: Plan, report: Callable[[Progress], None]) -> list[Path]:
    """All layers of all photographs through the tower, under `plan.degradations` degradations each, as files; a resumed run finds them."""
    folder.mkdir(parents=True, exist_ok=True)
    begin, looks, files = time.monotonic(), len(layers) * plan.degradations, list[Path]()
    for number, degradation in itertools.product(range(len(layers)), range(plan.degradations)):
        files.append(folder / f"{number}-{degradation}.npz")
        if not files[-1].is_file():
            write_sights(files[-1], see_layers(eye.tower, layers[number], eye.scan, eye.patch_format, [plan.seed, number, degradation]))
        report(_without_losses(len(files), looks, begin))
    return files


def _without_losses(done: int, of: int, begin: float) -> Progress:
    return Progress(step=done, steps=of, losses={}, learning_rate=0.0, seconds=time.monotonic() - begin)


def _composed(sights: Sequence[Path], student: Student, chance: np.random.Generator) -> Subject:
    return compose(read_sights(sights[int(chance.integers(len(sights)))]), student.crop_limits, chance)


def _pictured(layers: Sequence[Layers], eye: Eye, chance: np.random.Generator) -> Subject:
    return draw_picture(layers[int(chance.integers(len(layers)))], eye, chance)


def _tower_batch(layers: Sequence[Layers], plan: Plan, step: int) -> dict[str, Tensor]:
    windows = WIDE if step >= plan.wide_from * plan.tower.steps else 1
    return _tokens(layers, plan.seed, plan.tower_windows // windows**2, windows, step)


def _tokens(layers: Sequence[Layers], seed: int, count: int, windows: int, step: int) -> dict[str, Tensor]:
    chance = np.random.default_rng([seed, 1, step])
    samples = [sample_tokens(layers[int(chance.integers(len(layers)))], windows, chance) for _ in range(count)]
    pixels = np.stack([sample.pixels for sample in samples])
    return {
        "pixels": torch.from_numpy(pixels),
        "drawn": torch.from_numpy(np.stack([sample.drawn for sample in samples])),
        "counted": torch.from_numpy(np.stack([sample.counted for sample in samples])),
        "energies": torch.from_numpy(band_energies(pixels)),
    }
