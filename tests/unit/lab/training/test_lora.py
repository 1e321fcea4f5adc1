from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from worker.lab.layers import read_layers
from worker.lab.training import lora
from worker.lab.training.export import export_checkpoint
from worker.lab.training.loop import Progress, Schedule
from worker.lab.training.lora import STAGE, AdaptedModel, Example, LoraPlan, example_of, train_adapters
from worker.lab.training.policy import Adapters
from worker.lab.training.student import Student
from worker.lab.training.true_sight import CERTAIN, TrueSight, draw_true_lesson
from worker.moderation.errors import MisconfiguredError
from worker.vision.nano.wording import Grade

CPU = torch.device("cpu")
PLAN = LoraPlan(
    lessons=2,
    dropout=0.0,
    adapters=Adapters(rank=4, alpha=8),
    schedule=Schedule(steps=8, learning_rate=3e-2, warmup_steps=2, weight_decay=0),
)


@pytest.fixture
def tiny(nano_folder: Path) -> Student:
    return Student.pretrained(nano_folder)


@pytest.fixture
def eye(tiny: Student) -> TrueSight:
    small = replace(tiny.scan_limits, max_pixels=40_000)
    return TrueSight(patch_format=tiny.patches, scan=small, crop=replace(small, min_pixels=tiny.crop_limits.min_pixels))


def examples(student: Student, eye: TrueSight, dataset: Path) -> list[Example]:
    layers = read_layers(dataset / "layers/train/first")
    return [
        example_of(draw_true_lesson(layers, eye, student.speaker, np.random.default_rng(seed)), student.patches.merge) for seed in (1, 2)
    ]


def test_a_true_sight_holds_the_processor_s_own_pixels_and_the_truth(tiny: Student, eye: TrueSight) -> None:
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (56, 84, 3), dtype=np.uint8))
    sight = eye.see(image, np.array([[0.0, 1.0, 0.5], [0.0, 0.0, 1.0]], np.float32))
    expected = tiny.speaker.chat.processor.image_processor(images=[image], do_resize=False, return_tensors="pt")["pixel_values"]
    torch.testing.assert_close(torch.from_numpy(sight.features).reshape(expected.shape), expected, atol=1e-5, rtol=0)
    np.testing.assert_allclose(sight.evidence, [[-CERTAIN, CERTAIN, 0], [-CERTAIN, -CERTAIN, CERTAIN]], atol=1e-5)


def test_what_a_zoom_lesson_quotes_of_the_scan_does_not_tell_the_truth(tiny: Student, eye: TrueSight, dataset: Path) -> None:
    layers = read_layers(dataset / "layers/train/first")
    strong: dict[str, list[bool]] = {"real": [], "generated": []}
    for seed in range(60):
        lesson = draw_true_lesson(layers, eye, tiny.speaker, np.random.default_rng(seed)).conversation
        if len(lesson.grids) == 1:
            continue
        asked, reply = (tiny.speaker.chat.decode(lesson.ids[part].tolist()) for part in (~lesson.learnt, lesson.learnt))
        quoted = asked.rpartition('"regions"')[2]
        verdict = "generated" if '"verdict":"generated"' in reply else "real"
        strong[verdict].append(f"{Grade.STRONG.name.lower()} traces" in quoted or f"{Grade.CLEAR.name.lower()} traces" in quoted)
    assert all(len(each) > 8 for each in strong.values())
    assert abs(np.mean(strong["real"]) - np.mean(strong["generated"])) < 0.35
    assert any(strong["real"])


def test_adapters_alone_learn_and_two_lessons_are_soon_known_by_heart(
    tiny: Student, eye: TrueSight, dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = examples(tiny, eye, dataset)
    monkeypatch.setattr(lora, "_batch", lambda *_: known)
    before = {name: weight.clone() for name, weight in tiny.model.named_parameters()}
    with torch.no_grad():
        first = float(torch.stack([AdaptedModel(Student.pretrained(tiny.checkpoint.path).model, PLAN)(each) for each in known]).mean())
    adapted = train_adapters(tiny, [], tmp_path, PLAN, CPU, lambda *_: None)
    with torch.no_grad():
        last = float(torch.stack([adapted(each) for each in known]).mean())
    assert last < 0.7 * first
    frozen = {name.replace(".base_layer", ""): weight for name, weight in tiny.model.named_parameters() if "lora_" not in name}
    assert frozen.keys() == before.keys()
    assert all(torch.equal(frozen[name], weight) for name, weight in before.items())
    assert {name.split(".")[-2] for name in adapted.state_dict()} == {"lora_A", "lora_B"}
    assert not any("visual" in name for name in adapted.state_dict())


def test_gradients_of_lessons_that_pass_one_by_one_are_those_of_their_mean(tiny: Student, eye: TrueSight, dataset: Path) -> None:
    known = examples(tiny, eye, dataset)
    adapted = AdaptedModel(tiny.model, PLAN)
    weights = [weight for weight in adapted.parameters() if weight.requires_grad]
    together = torch.autograd.grad(torch.stack([adapted(each) for each in known]).mean(), weights)
    for each in known:
        (adapted(each) / len(known)).backward()
    for one, weight in zip(together, weights, strict=True):
        torch.testing.assert_close(weight.grad, one, rtol=1e-3, atol=1e-6)


def test_a_merged_export_answers_as_the_model_with_adapters_does(
    tiny: Student, eye: TrueSight, dataset: Path, nano_folder: Path, tmp_path: Path
) -> None:
    adapted = AdaptedModel(tiny.model, PLAN).eval()
    with torch.no_grad():
        for name, weight in adapted.named_parameters():
            if "lora_B" in name:
                weight.normal_(0, 0.1)
        known = examples(tiny, eye, dataset)
        expected = _logits(adapted.model, known)
        merged: Any = adapted.model.merge_and_unload()
        export_checkpoint(merged, nano_folder, tmp_path / "merged", name="nano-zoomin", dtype=merged.dtype)
        exported = Student.pretrained(tmp_path / "merged")
        assert exported.checkpoint.name == "nano-zoomin"
        for one, other in zip(_logits(exported.model.eval(), known), expected, strict=True):
            torch.testing.assert_close(one, other, atol=1e-3, rtol=1e-3)
        plain = _logits(Student.pretrained(nano_folder).model.eval(), known)
        assert all((one - other).abs().max() > 0.01 for one, other in zip(plain, expected, strict=True))


def test_adapting_goes_on_from_its_last_state_and_refuses_another_rank(
    tiny: Student, dataset: Path, nano_folder: Path, tmp_path: Path
) -> None:
    photographs = sorted((dataset / "layers/train").iterdir())
    plan = replace(PLAN, lessons=1, schedule=replace(PLAN.schedule, steps=2))
    reports: list[tuple[str, Progress]] = []
    trained = train_adapters(tiny, photographs, tmp_path, plan, CPU, lambda name, seen: reports.append((name, seen)))
    assert [(name, seen.step) for name, seen in reports] == [(STAGE, 2)]
    again = train_adapters(
        Student.pretrained(nano_folder), photographs, tmp_path, plan, CPU, lambda name, seen: reports.append((name, seen))
    )
    assert len(reports) == 1
    for name, weight in trained.state_dict().items():
        torch.testing.assert_close(again.state_dict()[name], weight, rtol=0, atol=0)
    with pytest.raises(MisconfiguredError, match="another rank"):
        train_adapters(
            Student.pretrained(nano_folder), photographs, tmp_path, replace(plan, adapters=Adapters(rank=8)), CPU, lambda *_: None
        )


def _logits(model: Any, known: Sequence[Example]) -> list[torch.Tensor]:
    return [
        model(
            input_ids=each.ids,
            mm_token_type_ids=(each.ids == model.config.image_token_id).int(),
            pixel_values=each.patches,
            image_grid_thw=each.grids,
            use_cache=False,
        ).logits
        for each in known
    ]
