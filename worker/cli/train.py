"""`zoomin train …`: teach a checkpoint. `sft` from a data set's answers, `grpo` from rewards."""
# ruff: noqa: PLC0415  imports wait for their command, so that `--help` answers at once

import sys
from pathlib import Path
from shlex import quote
from typing import Annotated

import typer

from worker.cli.batches import JsonOption
from worker.cli.endings import Commands, interrupt_on_termination
from worker.cli.lab import require_lab
from worker.cli.terminal import report, say
from worker.cli.train_grpo import grpo

MODULES = ("torch", "transformers", "numpy", "matplotlib", "peft")
NANO = "nano"

train = typer.Typer(cls=Commands, no_args_is_help=True, help="Teach a checkpoint to find what networks drew.")


@train.command()
def sft(
    dataset: Annotated[Path, typer.Argument(metavar="DATASET", help="What `zoomin dataset build` wrote.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A new folder, or one that the same command began: then it goes on.")],
    checkpoint: Annotated[
        str,
        typer.Option(metavar="nano|FOLDER", help="What to teach: nano's shape from nothing, or, with --lora, a Qwen2.5-VL's own weights."),
    ] = NANO,
    lora: Annotated[
        bool, typer.Option("--lora", help="Adapt the checkpoint's weights by LoRA. Wants a GPU, unless they are tiny.")
    ] = False,
    effort: Annotated[
        float,
        typer.Option(
            min=0.0001, max=100, help="Take so many times the steps. 0.01 tries out whether everything works; below 1 counts as untrained."
        ),
    ] = 1.0,
    as_json: JsonOption = False,
) -> None:
    """Teach a checkpoint what the scan and the zoom should say, on a data set's photographs. Goes on where it stopped."""
    require_lab(*MODULES)
    interrupt_on_termination()
    from transformers.utils import logging as transformers_logging

    from worker.cli.lab.training_progress import shown_training
    from worker.exports.jsonl import json_line
    from worker.lab.training.lora import LoraPlan
    from worker.lab.training.nano_plan import Plan
    from worker.lab.training.sft import scaled, stages, train_sft
    from worker.moderation.release import Training
    from worker.vision.nano import CHECKPOINT as NANO_CHECKPOINT

    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    if lora and checkpoint == NANO:
        raise typer.BadParameter("--lora adapts a checkpoint's own weights: name its folder.", param_hint="--checkpoint")
    source = NANO_CHECKPOINT if checkpoint == NANO else Path(checkpoint).expanduser()
    plan = scaled(LoraPlan(), effort) if lora else scaled(Plan(), effort)
    with shown_training(stages(plan)) as show:
        trained = train_sft(dataset.expanduser(), out.expanduser(), source, plan, show)
    if as_json:
        sys.stdout.write(json_line({"checkpoint": str(trained.checkpoint.path), "losses": str(trained.plot)}))
        return
    if trained.checkpoint.training is Training.UNTRAINED:
        say("Its training was cut short: it counts as untrained, and no policy acts on its scores.")
    _tell_what_next(trained.checkpoint.path, trained.plot, dataset)


train.command()(grpo)


def _tell_what_next(checkpoint: Path, plot: Path, dataset: Path) -> None:
    report(f"Trained: {checkpoint}; its losses: {plot}")
    say("Its scores are not calibrated yet, and nobody knows how good it is. Next:")
    for command, split, where in (
        ("calibrate", "validation", f"--checkpoint {quote(str(checkpoint))}"),
        ("evaluate", "test", "--output report"),
    ):
        model = f"ZOOMIN_MODEL={quote(str(checkpoint))} " if command == "evaluate" else ""
        folder = dataset / split
        say(f"  {model}zoomin {command} {quote(str(folder))} --labels {quote(str(folder / 'labels.jsonl'))} {where}")
