"""What a checkpoint folder says of itself: architecture, coordinates, limits, and how far its verdicts can be trusted."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from worker.moderation.calibration import Accuracy, BandCalibration, Calibration
from worker.moderation.degradation import DegradationBand
from worker.moderation.errors import MisconfiguredError
from worker.moderation.release import Training
from worker.vision.model import Coordinates, ReplyLimits

CARD_FILE = "zoomin.json"  # made by our lab beside the weights; a checkpoint without it was never trained for this task
MODEL_FILES = (".safetensors", ".json", ".jinja", ".txt", ".model")  # whatever can change a score
CONTENTS = "config.json, *.safetensors, tokenizer.json, tokenizer_config.json and preprocessor_config.json"


class Limits(BaseModel):
    """Pixels and tokens per request. The defaults suit a large checkpoint: cap the scan, enlarge the crops."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    scan_min_pixels: int = Field(50_176, ge=784)  # 64 tokens
    scan_max_pixels: int = Field(1_003_520, ge=784)  # 1,280 tokens of 28×28
    crop_min_pixels: int = Field(150_528, ge=784)  # 192 tokens: smaller crops grow at native scale, or are enlarged to about 256
    crop_max_pixels: int = Field(200_704, ge=784)  # 256 tokens
    scan_max_tokens: int = Field(512, ge=16)
    zoom_max_tokens: int = Field(512, ge=16)


@dataclass(frozen=True, slots=True)
class Convention:
    """How an architecture measures boxes, and the multiple that image sides must have."""

    coordinates: Coordinates
    resize_factor: int


CONVENTIONS = {
    "Qwen2_5_VLForConditionalGeneration": Convention(Coordinates.ABSOLUTE, 28),
    "Qwen3VLForConditionalGeneration": Convention(Coordinates.RELATIVE_1000, 32),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A checkpoint folder, read and found fit."""

    path: Path
    name: str
    training: Training
    convention: Convention
    limits: Limits
    reply_limits: ReplyLimits
    calibration: Calibration | None
    bands: Mapping[DegradationBand, BandCalibration]
    dtype: str  # as the weights are stored
    quantisation: str | None
    answers_questions: bool


class _Calibration(BaseModel):
    """What the lab fitted on its validation split. `fitted_on` is for people: the file keeps it, and its digest is in the release."""

    model_config = ConfigDict(extra="forbid")

    scale: float = Field(gt=0, allow_inf_nan=False)
    offset: float = Field(allow_inf_nan=False)
    fitted_on: dict[str, Any] = Field(default_factory=dict)

    @property
    def fitted(self) -> Calibration:
        return Calibration(self.scale, self.offset)


class _Accuracy(BaseModel):
    """How often it was right on a band's images: balanced accuracy."""

    model_config = ConfigDict(extra="forbid")

    value: float = Field(ge=0, le=1)
    low: float = Field(ge=0, le=1)
    high: float = Field(ge=0, le=1)
    images: int = Field(ge=1)


class _Band(BaseModel):
    """What the lab found on the images of one band of degradation: a calibration of its own, how often it was right, or both."""

    model_config = ConfigDict(extra="forbid")

    scale: float | None = Field(None, gt=0, allow_inf_nan=False)
    offset: float | None = Field(None, allow_inf_nan=False)
    accuracy: _Accuracy | None = None

    @model_validator(mode="after")
    def _is_whole(self) -> "_Band":
        if (self.scale is None) != (self.offset is None):
            raise ValueError("scale and offset come together, or neither")
        return self

    @property
    def found(self) -> BandCalibration:
        fitted = Calibration(self.scale, self.offset) if self.scale is not None and self.offset is not None else None
        return BandCalibration(fitted, Accuracy(**self.accuracy.model_dump()) if self.accuracy else None)


class _Card(BaseModel):
    """The content of CARD_FILE."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
    training: Training
    limits: Limits = Limits()
    reply_limits: ReplyLimits = ReplyLimits()
    calibration: _Calibration | None = None
    answers_questions: bool = True  # false: it knows its two queries and no others; a person's question is not put to it
    bands: dict[DegradationBand, _Band] = Field(default_factory=dict)


def read_checkpoint(path: Path, name: str | None = None) -> Checkpoint:
    """The checkpoint in folder `path`; `name` overrides the folder's own. Raises MisconfiguredError saying what is wrong with it."""
    if not path.is_dir():
        raise MisconfiguredError("model_missing", f"{path} is not a folder. A checkpoint folder holds {CONTENTS}.")
    missing = [file for file in ("config.json", "tokenizer.json", "preprocessor_config.json") if not (path / file).is_file()]
    if not any(path.glob("*.safetensors")):
        missing.append("*.safetensors")
    if missing:
        raise MisconfiguredError("model_incomplete", f"{path} lacks {', '.join(missing)}. A checkpoint folder holds {CONTENTS}.")
    config = _read_json(path / "config.json")
    card = _read_card(path, name)
    return Checkpoint(
        path=path,
        name=card.name,
        training=card.training,
        convention=_convention(path, config),
        limits=card.limits,
        reply_limits=card.reply_limits,
        calibration=card.calibration.fitted if card.calibration else None,
        bands={band: found.found for band, found in card.bands.items()},
        dtype=str(config.get("dtype") or config.get("torch_dtype") or "bfloat16"),
        quantisation=(config.get("quantization_config") or {}).get("quant_method"),
        answers_questions=card.answers_questions,
    )


def release_facts(checkpoint: Checkpoint) -> dict[str, Any]:
    """What of the checkpoint can change a score, as plain JSON: the sha256 of every model file, and the limits. Reads every byte."""
    files = sorted(path for path in checkpoint.path.iterdir() if path.suffix in MODEL_FILES)
    return {
        "files": {path.name: _sha256(path) for path in files},
        "quantisation": checkpoint.quantisation,
        "limits": checkpoint.limits.model_dump(),
        "reply_limits": asdict(checkpoint.reply_limits),
    }


def _convention(path: Path, config: Mapping[str, Any]) -> Convention:
    architectures = config.get("architectures") or ["none named"]
    for architecture in architectures:
        if convention := CONVENTIONS.get(architecture):
            return convention
    raise MisconfiguredError(
        "model_architecture",
        f"{path / 'config.json'} is of {', '.join(map(str, architectures))}; how it measures boxes is not known here. "
        f"Known: {', '.join(CONVENTIONS)}.",
    )


def card_name(text: str) -> str:
    """`text` as the name of a model: letters, digits, dots, underscores and hyphens, at most 64."""
    return re.sub(r"[^A-Za-z0-9._-]", "-", text).strip("._-")[:64] or "model"


def _read_card(path: Path, name: str | None) -> _Card:
    file = path / CARD_FILE
    if not file.is_file():
        return _Card(name=card_name(name or path.resolve().name), training=Training.ZERO_SHOT)
    try:
        return _Card.model_validate(_read_json(file))
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_input=False))
        raise MisconfiguredError("model_card_invalid", f"{file}: {problems}") from None


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise MisconfiguredError("model_file_unreadable", f"{path} cannot be read as JSON: {error}") from None
    if not isinstance(value, dict):
        raise MisconfiguredError("model_file_unreadable", f"{path} is not a JSON object.")
    return value


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
