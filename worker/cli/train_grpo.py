"""`zoomin train grpo`: rewards instead of answers."""
# ruff: noqa: PLC0415  imports wait for their command, so that `--help` answers at once

import sys
from pathlib import Path
from typing import Annotated

import typer

from worker.cli.batches import JsonOption
from worker.cli.endings import interrupt_on_termination
from worker.cli.lab import require_lab
from worker.cli.terminal import report, say

MODULES = ("torch", "transformers", "numpy", "matplotlib", "peft", "xgrammar", "jsonschema")
NANO = "nano"
STEPS = 200
LEARNING_RATE, LORA_LEARNING_RATE = 1e-5, 1e-4  # the published one; adapters take ten times as much


def grpo(
    checkpoint: Annotated[str, typer.Argument(metavar="nano|FOLDER", help="A checkpoint that has been taught already: see `sft`.")],
    dataset: Annotated[Path, typer.Argument(metavar="DATASET", help="What `zoomin dataset build` wrote.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A new folder, or one that the same command began: then it goes on.")],
    lora: Annotated[bool, typer.Option("--lora", help="Train adapters (LoRA) instead of the language part's layers themselves.")] = False,
    steps: Annotated[int, typer.Option(min=1, help="How often pictures are drawn, replied to, and learnt from.")] = STEPS,
    pictures: Annotated[int, typer.Option(min=1, help="Pictures a step: both questions of each are replied to four times.")] = 2,
    learning_rate: Annotated[
        float | None,
        typer.Option(min=0, help=f"At its highest. (default: {LEARNING_RATE:g}, with --lora {LORA_LEARNING_RATE:g})", show_default=False),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Another seed draws other pictures and replies.")] = 20_510,
    as_json: JsonOption = False,
) -> None:
    """Teach a checkpoint by what its own replies are worth: form and boxes of the scan, verdict and words of the zoom. Goes on, too."""
    require_lab(*MODULES)
    interrupt_on_termination()
    import torch
    from transformers.utils import logging as transformers_logging

    from worker.cli.lab.reward_progress import shown_rewards
    from worker.exports.jsonl import json_line
    from worker.lab.training.grpo import GrpoPlan
    from worker.lab.training.improve import improve
    from worker.lab.training.loop import Schedule
    from worker.lab.training.policy import Adapters
    from worker.vision.nano import CHECKPOINT as NANO_CHECKPOINT

    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    rate = learning_rate if learning_rate is not None else LORA_LEARNING_RATE if lora else LEARNING_RATE
    plan = GrpoPlan(
        schedule=Schedule(steps=steps, learning_rate=rate, warmup_steps=max(1, steps // 20), weight_decay=0.0),
        seed=seed,
        pictures=pictures,
        adapters=Adapters() if lora else None,
    )
    source = NANO_CHECKPOINT if checkpoint == NANO else Path(checkpoint).expanduser()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    with shown_rewards(steps, str(device)) as show:
        improved = improve(source, dataset.expanduser(), out.expanduser(), plan, device, show)
    if as_json:
        sys.stdout.write(json_line({"checkpoint": str(improved.checkpoint.path), "rewards": str(improved.plot)}))
        return
    report(f"Trained: {improved.checkpoint.path}; its rewards: {improved.plot}")
    say("Whether it judges better, only pictures that it never saw can tell: calibrate and evaluate both checkpoints.")
