"""The state of a policy's training: what learns, its optimizer and the step, in one file. The rest is the checkpoint it began with."""

import io
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError

import torch
from torch import nn

from worker.exports.whole_files import write_whole
from worker.moderation.errors import MisconfiguredError


def save(state: Path, trained: Mapping[str, nn.Parameter], optimizer: torch.optim.Optimizer, made_by: str, step: int) -> None:
    """Writes `state`, whole or not at all: after an interrupt or on a full disk, the one before stands. Raises OSError."""
    content = io.BytesIO()  # torch's own writer hides what the disk says
    torch.save({"trained": dict(trained), "optimizer": optimizer.state_dict(), "step": step, "made_by": made_by}, content)
    write_whole(state, content.getvalue())


def resume(state: Path, trained: Mapping[str, nn.Parameter], optimizer: torch.optim.Optimizer, made_by: str) -> int:
    """The step to go on with; 0 without a state. Raises MisconfiguredError when it is of other training, or cannot be read."""
    if not state.is_file():
        return 0
    try:
        saved = torch.load(state, map_location="cpu", weights_only=True)
        known = saved["made_by"]
    except (RuntimeError, ValueError, KeyError, EOFError, UnpicklingError) as error:
        raise MisconfiguredError("training_state_damaged", f"{state} cannot be read. Remove it to begin anew.") from error
    if known != made_by:
        raise MisconfiguredError(
            "training_other_schedule",
            f"{state} was made by {known}; this run is {made_by}. Repeat that command to go on with it, or name another folder.",
        )
    with torch.no_grad():
        for name, parameter in trained.items():
            parameter.copy_(saved["trained"][name])
    optimizer.load_state_dict(saved["optimizer"])
    return int(saved["step"])
