"""Fine-tuning a whole Qwen2.5-VL by LoRA (arXiv 2106.09685): real pictures through its own forward, adapters on the language part."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict
from torch import Tensor, nn
from torch.nn import functional

from worker.lab.layers import read_layers
from worker.lab.training.language import IGNORED
from worker.lab.training.lessons import Lesson
from worker.lab.training.loop import Schedule, run_stage
from worker.lab.training.nano_plan import StageReport
from worker.lab.training.policy import ADAPTED, Adapters
from worker.lab.training.student import Student
from worker.lab.training.true_sight import TrueSight, draw_true_lesson

STAGE = "adapters"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoraPlan:
    """Every number of the fine-tuning."""

    seed: int = 20_510
    adapters: Adapters = field(default_factory=Adapters)
    dropout: float = 0.05  # of what enters the adapters
    lessons: int = 16  # a step; one at a time goes through the model
    schedule: Schedule = field(default_factory=lambda: Schedule(steps=1000, learning_rate=1e-4, weight_decay=0.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A lesson as the model takes it: `ids` and `targets` 1 × length, `patches` × values, `grids` images × 3, in patches."""

    ids: Tensor
    targets: Tensor  # IGNORED where nothing is learnt
    patches: Tensor
    grids: Tensor


class AdaptedModel(nn.Module):
    """A model with adapters, whose state is the adapters alone."""

    def __init__(self, model: Any, plan: LoraPlan) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(plan.seed)
            config = LoraConfig(
                r=plan.adapters.rank, lora_alpha=plan.adapters.alpha, lora_dropout=plan.dropout, target_modules=ADAPTED, bias="none"
            )
            self.model = get_peft_model(model, config)

    def forward(self, example: Example) -> Tensor:
        """Mean loss of the reply's tokens."""
        seen = example.ids == self.model.config.image_token_id
        learnt = int((example.targets != IGNORED).sum())
        logits = self.model(
            input_ids=example.ids,
            attention_mask=torch.ones_like(example.ids),
            mm_token_type_ids=seen.int(),
            pixel_values=example.patches,
            image_grid_thw=example.grids,
            use_cache=False,
            logits_to_keep=learnt + 1,  # a reply ends its conversation, and each token is predicted from the one before
        ).logits[0, :-1]
        return functional.cross_entropy(logits.float(), example.targets[0, -learnt:])

    def state_dict(self, *_args: Any, **_kwargs: Any) -> Any:
        """Of the adapters."""
        return get_peft_model_state_dict(self.model)

    def load_state_dict(self, state_dict: Mapping[str, Any], *_args: Any, **_kwargs: Any) -> Any:
        """Raises RuntimeError when they are of another shape."""
        if {name: part.shape for name, part in state_dict.items()} != {name: part.shape for name, part in self.state_dict().items()}:
            raise RuntimeError("adapters on other layers or of another rank")
        return set_peft_model_state_dict(self.model, dict(state_dict))


def train_adapters(
    student: Student, photographs: Sequence[Path], folder: Path, plan: LoraPlan, device: torch.device, report: StageReport
) -> AdaptedModel:
    """Trains adapters on `student`'s model from where `folder` says it stopped; the student's own weights stay as they are.

    `photographs` are folders of layers, read as they are needed. Raises MisconfiguredError when the state in `folder` is of other
    training; OSError.
    """
    student.model.to(device)
    if device.type == "cuda":
        student.model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    adapted = AdaptedModel(student.model, plan)

    def losses(examples: Sequence[Example]) -> Mapping[str, Tensor]:
        # All but the last are differentiated here, one by one, to need the memory of one; their gradients add up until the loop's step.
        sums = torch.zeros((), device=device)
        for number, example in enumerate(examples, start=1):
            with _mixed_precision(device):
                loss = adapted(_on(example, device)) / len(examples)
            if number == len(examples):
                return {"words": loss + sums}
            loss.backward()
            sums += loss.detach()
        raise ValueError("a batch without lessons")

    batches = partial(_batch, photographs, student, plan)
    run_stage(adapted, batches, losses, plan.schedule, folder / STAGE, partial(report, STAGE))
    adapted.eval()
    return adapted


def example_of(lesson: Lesson, merge: int) -> Example:
    """`lesson` of plain pixels, for a model that merges `merge` × `merge` patches into a token."""
    conversation = lesson.conversation
    ids = torch.from_numpy(conversation.ids)[None]
    return Example(
        ids=ids,
        targets=ids.masked_fill(~torch.from_numpy(conversation.learnt)[None], IGNORED),
        patches=torch.from_numpy(lesson.features).reshape(len(lesson.features) * merge**2, -1),
        grids=torch.tensor([[1, rows * merge, columns * merge] for rows, columns in conversation.grids]),
    )


def _batch(photographs: Sequence[Path], student: Student, plan: LoraPlan, step: int) -> list[Example]:
    chance = np.random.default_rng([plan.seed, step])
    eye = TrueSight(patch_format=student.patches, scan=student.scan_limits, crop=student.crop_limits)
    chosen = [photographs[int(number)] for number in chance.integers(len(photographs), size=plan.lessons)]
    return [example_of(draw_true_lesson(read_layers(path), eye, student.speaker, chance), student.patches.merge) for path in chosen]


def _mixed_precision(device: torch.device) -> AbstractContextManager[Any]:
    return torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda")


def _on(example: Example, device: torch.device) -> Example:
    return Example(
        ids=example.ids.to(device), targets=example.targets.to(device), patches=example.patches.to(device), grids=example.grids.to(device)
    )
