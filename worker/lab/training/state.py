"""The state of a training: what it has learnt, its optimizer and the step, in one file that says what it was made by."""

import io
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import torch

from worker.exports.whole_files import write_whole
from worker.moderation.errors import MisconfiguredError

STATE = "state.pt"

MadeBy = Mapping[str, int | float | str | bool | None]  # settings by their names in words
Learnt = Mapping[str, Any]


def in_words(plan: Any) -> dict[str, int | float | str | bool | None]:
    """Every number of a plan, a frozen dataclass, by its name in words; those of a schedule without saying so."""
    words: dict[str, int | float | str | bool | None] = {}
    for field in fields(plan):
        value, name = getattr(plan, field.name), field.name.replace("_", " ")
        if is_dataclass(value):
            prefix = "" if field.name == "schedule" else f"{name} "
            words |= {f"{prefix}{inner}": number for inner, number in in_words(value).items()}
        else:
            words[name] = value
    return words


def save_state(file: Path, learnt: Learnt, optimizer: torch.optim.Optimizer, made_by: MadeBy, step: int) -> None:
    """Writes `file`, whole or not at all: after an interrupt or on a full disk, the one before stands. Raises OSError."""
    content = io.BytesIO()  # torch's own writer hides what the disk says
    saved = {"learnt": dict(learnt), "optimizer": optimizer.state_dict(), "step": step, "made_by": dict(made_by)}
    torch.save(saved, content)
    write_whole(file, content.getvalue())


def resume_state(file: Path, load: Callable[[Learnt], Any], optimizer: torch.optim.Optimizer, made_by: MadeBy) -> int:
    """The step to go on with, after `load` has been given what was learnt; 0 without a state.

    Raises MisconfiguredError: `training_state_damaged`, `training_other_schedule`, or `training_other_model` where `load` raises
    RuntimeError, ValueError or KeyError; OSError.
    """
    if not file.is_file():
        return 0
    saved = _read(file)
    if saved["made_by"] != dict(made_by):
        raise MisconfiguredError(
            "training_other_schedule",
            f"{file} was made with other settings ({_differences(saved['made_by'], made_by)}). Repeat those to go on with it, or name "
            "another folder.",
        )
    try:
        load(saved["learnt"])
        optimizer.load_state_dict(saved["optimizer"])
    except (RuntimeError, ValueError, KeyError) as error:
        raise MisconfiguredError("training_other_model", f"{file} is of another architecture: {str(error).splitlines()[0]}") from None
    return int(saved["step"])


def _read(file: Path) -> dict[str, Any]:
    try:
        saved = torch.load(file, map_location="cpu", weights_only=True)
        return {name: saved[name] for name in ("learnt", "optimizer", "step", "made_by")}
    except (OSError, MemoryError):
        raise
    except Exception:  # noqa: BLE001  damaged bytes raise a dozen kinds
        raise MisconfiguredError("training_state_damaged", f"{file} cannot be read. Remove it to begin this stage anew.") from None


def _differences(then: MadeBy, now: MadeBy) -> str:
    names = [name for name in {**then, **now} if then.get(name) != now.get(name)]
    return "; ".join(f"{name} {_told(then.get(name))}, now {_told(now.get(name))}" for name in names)


def _told(value: float | str | bool | None) -> str:  # noqa: FBT001  a setting
    return "none" if value is None else str(value)
