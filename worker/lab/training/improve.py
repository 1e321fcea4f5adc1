"""GRPO from a checkpoint and a data set to a checkpoint that an engine loads.

OUT/state.pt        what has been learnt so far, from which the same training goes on
OUT/rewards.jsonl   what each step's replies earned
OUT/rewards.png     the same, drawn
OUT/adapter/…       with LoRA: the adapters alone, as peft reads them
OUT/checkpoint/…    the result
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from worker.lab.labels import Label, check_labels, read_labels
from worker.lab.taught_on import read_past, seen_in
from worker.lab.training.export import export_checkpoint, name_beside
from worker.lab.training.grpo import LOG, GrpoPlan, GrpoProgress, read_log, train_policy
from worker.lab.training.photographs import LABELS, find_labels
from worker.lab.training.policy import Policy
from worker.lab.training.reward_plot import plot_rewards
from worker.lab.training.rollouts import Examiner
from worker.lab.training.state import STATE
from worker.moderation.errors import MisconfiguredError
from worker.moderation.release import Training
from worker.vision.checkpoint import Checkpoint, read_checkpoint, release_facts
from worker.zoomin.prompts import load_prompts

PLOT, ADAPTER, CHECKPOINT = "rewards.png", "adapter", "checkpoint"
SUFFIX = "grpo"  # of the result's name
OURS = frozenset({STATE, LOG, PLOT, ADAPTER, CHECKPOINT})


@dataclass(frozen=True, slots=True, kw_only=True)
class Improved:
    """What a training left behind."""

    checkpoint: Checkpoint
    plot: Path


def improve(
    source: Path, dataset: Path, out: Path, plan: GrpoPlan, device: torch.device, report: Callable[[GrpoProgress], None]
) -> Improved:
    """Trains the checkpoint in folder `source` on the pictures of `dataset`, in `out`; goes on where an earlier run of the same stopped.

    Raises MisconfiguredError for a checkpoint without weights, untrained or of another architecture, and for an `out` of other training;
    RejectedError for a data set that is missing, empty or damaged; OSError.
    """
    _refuse_foreign(out)
    labels = find_pictures(dataset)
    checkpoint = read_checkpoint(source)
    if checkpoint.training is Training.UNTRAINED:
        raise MisconfiguredError(
            "model_untrained",
            f"{source} is untrained: its replies are noise, and rewards can only choose among replies. Teach it first: `zoomin train sft`.",
        )
    torch.manual_seed(plan.seed)  # of the adapters' first values
    policy = Policy(checkpoint, plan.adapters, device)
    examiner = Examiner(policy=policy, prompts=load_prompts(), folder=(dataset / LABELS).parent, replies=plan.replies)
    train_policy(examiner, labels, plan, out, _origin(checkpoint, dataset), report)
    plot_rewards(read_log(out / LOG), out / PLOT)
    if plan.adapters is not None:
        policy.save_adapters(out / ADAPTER)
    model = policy.merged()
    stored = torch.bfloat16 if plan.adapters is None else model.dtype
    name, taught = name_beside(checkpoint.name, SUFFIX), [*read_past(source).taught, seen_in(dataset / LABELS)]
    exported = export_checkpoint(model, source, out / CHECKPOINT, name=name, taught=taught, dtype=stored)
    return Improved(checkpoint=exported, plot=out / PLOT)


def find_pictures(dataset: Path) -> tuple[Label, ...]:
    """The labelled pictures that `zoomin dataset build` keeps for training. Raises RejectedError; OSError."""
    file = find_labels(dataset)
    labels = read_labels(file)
    check_labels(labels, file.parent)
    return labels


def _origin(checkpoint: Checkpoint, dataset: Path) -> str:
    """What the training begins with, in a few words: another checkpoint, other prompts or other labels are another origin."""
    digest = hashlib.sha256(repr(sorted(release_facts(checkpoint)["files"].items())).encode())
    digest.update(load_prompts().sha256.encode())
    digest.update((dataset / LABELS).read_bytes())
    return f"{checkpoint.name} and {dataset.name} ({digest.hexdigest()[:12]})"


def _refuse_foreign(out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise MisconfiguredError("out_taken", f"{out} is a file. Name another folder.")
    foreign = sorted(path.name for path in out.iterdir() if path.name not in OURS and not path.name.startswith(".")) if out.exists() else []
    if foreign:
        raise MisconfiguredError("out_taken", f"{out} holds {foreign[0]}, which is not of this training. Name a new or empty folder.")
