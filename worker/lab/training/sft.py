"""Supervised training from a data set to a checkpoint that an engine loads.

OUT/training.json      what is trained here: other training is refused
OUT/stages/<stage>/…   states and losses, from which the same training goes on
OUT/stages/layers/…    of nano's: the photographs decoded, 5 MB each; OUT/stages/sights/…, as its tower sees them
OUT/losses.png         how the losses went
OUT/adapter/…          with LoRA: the adapters alone, as peft loads them
OUT/checkpoint/…       the result
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, TypeVar

import torch
from transformers import AutoConfig

from worker.lab.taught_on import Seen, read_past, seen_in
from worker.lab.training.export import WEIGHTS, copy_files, export_checkpoint, name_beside
from worker.lab.training.loop import LOG, Schedule
from worker.lab.training.lora import STAGE, LoraPlan, train_adapters
from worker.lab.training.nano_plan import Plan, StageReport, train_nano
from worker.lab.training.photographs import find_labels, find_layers
from worker.lab.training.plots import plot_losses
from worker.lab.training.record import claim, record_of
from worker.lab.training.student import Student
from worker.lab.training.weights import require_architecture
from worker.moderation.errors import MisconfiguredError
from worker.moderation.release import Training
from worker.vision.checkpoint import Checkpoint, read_checkpoint
from worker.vision.conversation import ChatFormat
from worker.vision.nano.wording import LARGEST_MULTIPLE

STAGES, PLOT, ADAPTER, CHECKPOINT = "stages", "losses.png", "adapter", "checkpoint"
INITIAL_SEED = 3  # of nano's weights before training
TRAINED_SHAPE = (14, 2, 112)  # patch, merge, attention window: what the tower's training is made for
LORA_SUFFIX = "zoomin"  # of the card's name; taught from nothing, it is the folder's: `nano-trained`

AnyPlan = TypeVar("AnyPlan", Plan, LoraPlan)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """What a training left behind."""

    checkpoint: Checkpoint
    plot: Path


def stages(plan: Plan | LoraPlan) -> dict[str, Schedule]:
    """The stages of a plan, in their order, by the names under which they report."""
    if isinstance(plan, LoraPlan):
        return {STAGE: plan.schedule}
    return {"tower": plan.tower, "composed": plan.composed, "pictures": plan.pictures}


def scaled(plan: AnyPlan, effort: float) -> AnyPlan:
    """`plan` with `effort` times the steps in every stage."""
    schedules = {part.name: getattr(plan, part.name) for part in fields(plan)}
    longer: dict[str, Any] = {
        name: replace(schedule, steps=max(1, round(schedule.steps * effort)))
        for name, schedule in schedules.items()
        if isinstance(schedule, Schedule)
    }
    return replace(plan, **longer)


def earned_by(plan: Plan | LoraPlan) -> Training:
    """What the card says after it. With fewer steps than the whole plan's, untrained: no policy may flag by such scores."""
    whole = stages(type(plan)())
    return Training.TRAINED if all(stage.steps >= whole[name].steps for name, stage in stages(plan).items()) else Training.UNTRAINED


def train_sft(dataset: Path, out: Path, source: Path, plan: Plan | LoraPlan, report: StageReport) -> Trained:
    """Trains what is not yet trained in `out`, and exports it.

    A `Plan` teaches the architecture and tokenizer in the folder `source` from nothing; a `LoraPlan` adapts its weights. Raises
    RejectedError for a data set without layers or labels; MisconfiguredError `training_other` when `out` holds other training,
    `training_architecture` for a checkpoint of another shape; OSError.
    """
    photographs = find_layers(dataset)
    seen = seen_in(find_labels(dataset))
    if isinstance(plan, LoraPlan):
        checkpoint = _adapt(source, photographs, seen, out, plan, report)
    else:
        checkpoint = _teach(source, photographs, seen, out, plan, report)
    plot_losses({name: out / STAGES / name / LOG for name in stages(plan)}, out / PLOT)
    return Trained(checkpoint=checkpoint, plot=out / PLOT)


def _teach(source: Path, photographs: Sequence[Path], seen: Seen, out: Path, plan: Plan, report: StageReport) -> Checkpoint:
    student = _untrained(source)
    claim(out, record_of(student.checkpoint, source, photographs, plan, with_weights=False))
    train_nano(student, photographs, out / STAGES, plan, report)
    name = name_beside(student.checkpoint.name, out.resolve().name)
    return export_checkpoint(student.model, source, out / CHECKPOINT, name=name, training=earned_by(plan), taught=[seen])


def _adapt(source: Path, photographs: Sequence[Path], seen: Seen, out: Path, plan: LoraPlan, report: StageReport) -> Checkpoint:
    checkpoint = read_checkpoint(source)
    require_architecture(checkpoint)
    claim(out, record_of(checkpoint, source, photographs, plan, with_weights=True))
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    adapted = train_adapters(Student.pretrained(source), photographs, out / STAGES, plan, device, report)
    adapted.model.save_pretrained(str(out / ADAPTER))
    merged: Any = adapted.model.merge_and_unload()
    name, taught = name_beside(checkpoint.name, LORA_SUFFIX), [*read_past(source).taught, seen]
    return export_checkpoint(merged, source, out / CHECKPOINT, name=name, training=earned_by(plan), taught=taught, dtype=merged.dtype)


def _untrained(source: Path) -> Student:
    """The student of a folder that may lack weights: they are not used."""
    if not source.is_dir() or any(source.glob(f"*{WEIGHTS}")):
        return _shaped_like_nano(source, source)
    with tempfile.TemporaryDirectory() as copied:
        folder = Path(copied)
        copy_files(source, folder)
        (folder / f"none{WEIGHTS}").touch()
        return _shaped_like_nano(folder, source)


def _shaped_like_nano(folder: Path, source: Path) -> Student:
    """Looks before it makes the model, which may be of any size."""
    checkpoint = read_checkpoint(folder)
    require_architecture(checkpoint)
    chat, factor = ChatFormat.load(checkpoint), checkpoint.convention.resize_factor
    vision = AutoConfig.from_pretrained(folder).vision_config
    split = [str(factor * multiple) for multiple in range(LARGEST_MULTIPLE + 1) if len(chat.encode_text(str(factor * multiple))) != 1]
    if split or (vision.patch_size, vision.spatial_merge_size, vision.window_size) != TRAINED_SHAPE:
        why = f"its tokenizer has no token for {split[0]}" if split else "its vision tower has other patches or windows"
        raise MisconfiguredError(
            "training_architecture", f"{source} is not shaped like nano: {why}. With --lora, its own weights are adapted instead."
        )
    return Student.untrained(folder, INITIAL_SEED)
