import errno
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoConfig, Qwen2_5_VLForConditionalGeneration

from worker.lab.taught_on import Seen, read_past, write_taught_on
from worker.lab.training import export
from worker.lab.training.export import export_checkpoint, name_beside
from worker.lab.training.student import Student
from worker.moderation.errors import MisconfiguredError
from worker.moderation.release import Training
from worker.vision.checkpoint import CARD_FILE, read_checkpoint

LARGEST_NANO = 25_000_000  # bytes


def test_an_export_is_a_complete_checkpoint_with_the_model_s_weights(student: Student, nano_folder: Path, tmp_path: Path) -> None:
    checkpoint = export_checkpoint(student.model, nano_folder, tmp_path / "out")
    assert checkpoint.training is Training.TRAINED
    assert checkpoint.calibration is None
    assert checkpoint.dtype == "float32"
    assert checkpoint.limits == student.checkpoint.limits
    assert (checkpoint.path / "model.safetensors").stat().st_size <= LARGEST_NANO
    assert not (checkpoint.path / "README.md").exists()  # it speaks of the weights it came with
    for name in ("config.json", "tokenizer.json", "preprocessor_config.json", "chat_template.jinja"):
        assert (checkpoint.path / name).read_bytes() == (nano_folder / name).read_bytes()
    loaded = Qwen2_5_VLForConditionalGeneration.from_pretrained(checkpoint.path).state_dict()
    for name, weight in student.model.state_dict().items():
        torch.testing.assert_close(loaded[name], weight.bfloat16().float(), rtol=0, atol=0)
    assert {weight.dtype for weight in load_file(checkpoint.path / "model.safetensors").values()} == {torch.bfloat16}
    assert student.model.dtype == torch.float32
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_an_earlier_calibration_is_not_passed_on(student: Student, nano_folder: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    shutil.copytree(nano_folder, source)
    _write_calibration(source)
    assert export_checkpoint(student.model, source, tmp_path / "out").calibration is None


def test_the_accuracies_that_other_weights_reached_are_not_passed_on(student: Student, nano_folder: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    shutil.copytree(nano_folder, source)
    card = json.loads((source / CARD_FILE).read_text())
    accuracy = {"value": 0.9, "low": 0.8, "high": 0.95, "images": 200}
    (source / CARD_FILE).write_text(json.dumps({**card, "bands": {"blurred": {"accuracy": accuracy}}}))
    assert read_checkpoint(source).bands
    assert not export_checkpoint(student.model, source, tmp_path / "out").bands


def test_a_name_set_apart_is_never_the_one_it_was_made_of() -> None:
    assert name_beside("nano", "Läuf 3!") == "nano-L-uf-3"
    assert name_beside("nano", "nano") == "nano-nano"
    longest = "n" * 64
    assert name_beside(longest, "grpo") == "n" * 59 + "-grpo"
    assert len(name_beside(longest, longest)) == 64
    assert "-" in name_beside(longest, longest)


def test_what_other_weights_were_taught_on_is_not_passed_on(student: Student, nano_folder: Path, tmp_path: Path) -> None:
    source, seen = tmp_path / "source", Seen(labels_sha256="00", photographs=frozenset({"ab"}))
    shutil.copytree(nano_folder, source)
    write_taught_on(source, [seen])
    assert read_past(export_checkpoint(student.model, source, tmp_path / "plain").path).taught == ()
    out = tmp_path / "out"
    for _ in range(2):  # the second finds an export there
        assert read_past(export_checkpoint(student.model, source, out, taught=[seen, seen]).path).taught == (seen, seen)


def test_exporting_the_same_weights_again_keeps_their_calibration(student: Student, nano_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    export_checkpoint(student.model, nano_folder, out)
    _write_calibration(out)
    assert export_checkpoint(student.model, nano_folder, out).calibration is not None
    other = Student.untrained(nano_folder, 4)
    assert export_checkpoint(other.model, nano_folder, out).calibration is None


@pytest.mark.parametrize("file", ["notes.doc", "config.json"])
def test_a_folder_with_anything_else_in_it_is_left_alone(student: Student, nano_folder: Path, tmp_path: Path, file: str) -> None:
    (tmp_path / file).write_text("mine")
    with pytest.raises(MisconfiguredError, match="Name another folder") as refusal:
        export_checkpoint(student.model, nano_folder, tmp_path)
    assert refusal.value.code == "export_taken"
    assert [path.name for path in tmp_path.iterdir()] == [file]


def test_a_source_of_another_shape_is_refused(student: Student, nano_folder: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    shutil.copytree(nano_folder, source)
    config = json.loads((source / "config.json").read_text())
    config["text_config"]["hidden_size"] = 512
    (source / "config.json").write_text(json.dumps(config))
    with pytest.raises(MisconfiguredError, match=r"text_config\.hidden_size is 512") as refusal:
        export_checkpoint(student.model, source, tmp_path / "out")
    assert refusal.value.code == "export_other_model"
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_a_full_disk_leaves_the_earlier_export(
    student: Student, nano_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    export_checkpoint(student.model, nano_folder, out)
    before = (out / "model.safetensors").read_bytes()

    def full(path: Path, body: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr(export, "write_whole", full)
    with pytest.raises(OSError, match="No space left"):
        export_checkpoint(Student.untrained(nano_folder, 4).model, nano_folder, out)
    assert (out / "model.safetensors").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_an_interrupt_while_an_export_is_replaced_leaves_the_earlier_one_and_its_calibration(
    student: Student, nano_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    export_checkpoint(student.model, nano_folder, out)
    _write_calibration(out)
    rename = Path.rename

    def interrupted(path: Path, target: Path) -> Path:
        if target == out and path.name != "old":  # the new one's, when the earlier one is aside
            raise KeyboardInterrupt
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        export_checkpoint(Student.untrained(nano_folder, 4).model, nano_folder, out)
    assert read_checkpoint(out).calibration is not None
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_untied_weights_are_all_written(nano_folder: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    shutil.copytree(nano_folder, source)
    config = json.loads((source / "config.json").read_text())
    config["tie_word_embeddings"] = config["text_config"]["tie_word_embeddings"] = False
    (source / "config.json").write_text(json.dumps(config))
    model: Any = Qwen2_5_VLForConditionalGeneration(AutoConfig.from_pretrained(source))  # type: ignore[no-untyped-call]
    checkpoint = export_checkpoint(model, source, tmp_path / "out", dtype=torch.float32)
    loaded: Any = Qwen2_5_VLForConditionalGeneration.from_pretrained(checkpoint.path)
    torch.testing.assert_close(loaded.lm_head.weight, model.lm_head.weight, rtol=0, atol=0)
    assert not torch.equal(loaded.lm_head.weight, loaded.get_input_embeddings().weight)


def _write_calibration(folder: Path) -> None:
    card = json.loads((folder / CARD_FILE).read_text())
    (folder / CARD_FILE).write_text(json.dumps({**card, "calibration": {"scale": 2.0, "offset": 0.1}}))
