import json
from pathlib import Path
from typing import Any

import pytest

from worker.moderation.calibration import Calibration
from worker.moderation.errors import MisconfiguredError
from worker.moderation.release import Training
from worker.vision.checkpoint import CARD_FILE, Checkpoint, read_checkpoint, release_facts
from worker.vision.model import Coordinates

QWEN_2_5 = "Qwen2_5_VLForConditionalGeneration"
QWEN_3 = "Qwen3VLForConditionalGeneration"


def write_checkpoint(folder: Path, architecture: str = QWEN_2_5, card: dict[str, Any] | None = None) -> Path:
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"architectures": [architecture], "dtype": "bfloat16"}))
    for name in ("tokenizer.json", "preprocessor_config.json"):
        (folder / name).write_text("{}")
    (folder / "model.safetensors").write_bytes(b"weights")
    if card is not None:
        (folder / CARD_FILE).write_text(json.dumps(card))
    return folder


def refusal(folder: Path) -> MisconfiguredError:
    with pytest.raises(MisconfiguredError) as error:
        read_checkpoint(folder)
    return error.value


def test_missing_folder_is_named_with_what_it_must_hold(tmp_path: Path) -> None:
    error = refusal(tmp_path / "nowhere")
    assert error.code == "model_missing"
    assert str(tmp_path / "nowhere") in error.message
    assert "config.json" in error.message
    assert "safetensors" in error.message


def test_missing_files_are_named(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "model")
    (folder / "tokenizer.json").unlink()
    (folder / "model.safetensors").unlink()
    assert "lacks tokenizer.json, *.safetensors" in refusal(folder).message


@pytest.mark.parametrize(
    ("architecture", "coordinates", "factor"), [(QWEN_2_5, Coordinates.ABSOLUTE, 28), (QWEN_3, Coordinates.RELATIVE_1000, 32)]
)
def test_architecture_decides_how_boxes_are_measured(tmp_path: Path, architecture: str, coordinates: Coordinates, factor: int) -> None:
    convention = read_checkpoint(write_checkpoint(tmp_path / "model", architecture)).convention
    assert (convention.coordinates, convention.resize_factor) == (coordinates, factor)


def test_unknown_architecture_is_refused(tmp_path: Path) -> None:
    error = refusal(write_checkpoint(tmp_path / "model", "LlavaForConditionalGeneration"))
    assert error.code == "model_architecture"
    assert "LlavaForConditionalGeneration" in error.message


def test_checkpoint_without_our_card_is_zero_shot(tmp_path: Path) -> None:
    checkpoint = read_checkpoint(write_checkpoint(tmp_path / "some-model"))
    assert (checkpoint.name, checkpoint.training) == ("some-model", Training.ZERO_SHOT)
    assert checkpoint.limits.scan_max_pixels == 1_003_520


def test_card_of_the_lab_is_read(tmp_path: Path) -> None:
    card = {"name": "mine", "training": "trained", "limits": {"scan_max_pixels": 200_704}, "reply_limits": {"zoomed_regions": 2}}
    checkpoint = read_checkpoint(write_checkpoint(tmp_path / "model", card=card))
    assert (checkpoint.name, checkpoint.training) == ("mine", Training.TRAINED)
    assert (checkpoint.limits.scan_max_pixels, checkpoint.reply_limits.zoomed_regions) == (200_704, 2)


@pytest.mark.parametrize("card", [{"name": "x", "training": "perfect"}, {"name": "x", "training": "trained", "limit": {}}, {"name": "x"}])
def test_card_with_an_unknown_or_missing_field_is_refused(tmp_path: Path, card: dict[str, Any]) -> None:
    assert refusal(write_checkpoint(tmp_path / "model", card=card)).code == "model_card_invalid"


def test_a_calibration_is_read_with_whatever_it_says_of_its_fitting(tmp_path: Path) -> None:
    calibration = {"scale": 0.4, "offset": -0.2, "fitted_on": {"pictures": 400, "split": "validation"}}
    card = {"name": "mine", "training": "trained", "calibration": calibration}
    assert read_checkpoint(write_checkpoint(tmp_path / "model", card=card)).calibration == Calibration(0.4, -0.2)
    assert read_checkpoint(write_checkpoint(tmp_path / "uncalibrated", card={"name": "x", "training": "trained"})).calibration is None


@pytest.mark.parametrize("calibration", [{"scale": 0, "offset": 0}, {"scale": 1}, {"scale": 1, "offset": float("nan")}, {"temperature": 2}])
def test_a_calibration_that_cannot_be_applied_is_refused(tmp_path: Path, calibration: dict[str, float]) -> None:
    error = refusal(write_checkpoint(tmp_path / "model", card={"name": "x", "training": "trained", "calibration": calibration}))
    assert error.code == "model_card_invalid"
    assert "calibration" in error.message


@pytest.mark.parametrize("band", [{"scale": 1}, {"scale": 1, "offset": 0, "accuracy": {"value": 2, "low": 0, "high": 1, "images": 3}}])
def test_a_band_that_says_half_or_nonsense_is_refused(tmp_path: Path, band: dict[str, Any]) -> None:
    card = {"name": "x", "training": "trained", "bands": {"blurred": band}}
    assert "bands.blurred" in refusal(write_checkpoint(tmp_path / "model", card=card)).message
    unknown = {"name": "x", "training": "trained", "bands": {"haunted": {"scale": 1, "offset": 0}}}
    assert "bands" in refusal(write_checkpoint(tmp_path / "other", card=unknown)).message


def test_broken_config_is_a_clear_error(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "model")
    (folder / "config.json").write_text("{")
    assert refusal(folder).code == "model_file_unreadable"


def test_any_changed_model_file_changes_the_facts(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "model")
    checkpoint: Checkpoint = read_checkpoint(folder)
    before = release_facts(checkpoint)
    (folder / "README.md").write_text("no model file")
    assert release_facts(checkpoint) == before
    (folder / "model.safetensors").write_bytes(b"other weights")
    assert release_facts(checkpoint) != before
    json.dumps(before)
