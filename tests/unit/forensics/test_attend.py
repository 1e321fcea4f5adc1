import hashlib
import io
import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from tests.unit.forensics.nano_verdict import HEIGHT, WIDTH, attender, checkpoint, said_by_nano
from worker.forensics.attend import Attended, FileRole, verdict_map
from worker.forensics.curves import curves
from worker.forensics.overlay import overlay_png
from worker.forensics.randomised import Randomised, randomise, rank_correlation
from worker.forensics.reader import Reader, attention_bytes, fastest_device
from worker.forensics.relevancy import relevance
from worker.moderation.errors import MisconfiguredError, RejectedError
from worker.moderation.release import Training
from worker.vision.checkpoint import CARD_FILE
from worker.vision.verdict import verdict_tokens


@pytest.fixture(scope="module")
def attended() -> Attended:
    return attender().attend(said_by_nano())


def test_verdicts_sentences_and_boxes_get_a_map_each(attended: Attended) -> None:
    assert [attention.target.name for attention in attended.maps] == [
        "scan-verdict",
        "scan-sentence-1",
        "scan-box-1",
        "scan-box-2",
        "zoom-verdict",
        "zoom-sentence-1",
    ]
    assert [attention.target.text for attention in attended.maps[-2:]] == ["generated", "Melted letters."]


def test_a_map_lies_over_the_whole_image_and_every_crop_and_sums_to_one(attended: Attended) -> None:
    verdict, recorded = attended.verdict_map, said_by_nano()
    assert [image.mass.shape for image in verdict.images] == [
        (image.pixels.height // 28, image.pixels.width // 28) for image in recorded.zoom.images
    ]
    for attention in attended.maps:
        assert sum(float(image.mass.sum()) for image in attention.images) == pytest.approx(1.0, rel=1e-4)
        assert all((image.mass >= 0).all() for image in attention.images)
        assert 0 < attention.on_images <= 1


def test_nothing_behind_the_verdict_is_relevant_to_it() -> None:
    reading = attender().reader.read(said_by_nano().zoom)
    place = reading.begin + reading.reply.verdict
    found = relevance(reading, reading.verdict_logit, [reading.reply.verdict])
    assert found[place:].abs().max() == 0
    assert found[:place].sum() > 0


def test_rows_pushed_back_through_the_layers_are_rows_of_the_published_rollout() -> None:
    reading = attender().reader.read(said_by_nano().stages[0])
    row = reading.begin + reading.reply.verdict - 1
    gradients = torch.autograd.grad(reading.verdict_logit, reading.attentions, retain_graph=True)
    rollout = torch.eye(reading.attentions[0].shape[-1])
    for attention, gradient in zip(reading.attentions, gradients, strict=True):
        rollout = rollout + (gradient[0] * attention.detach()[0]).clamp(min=0).mean(0) @ rollout
    expected = rollout[row].clone()
    expected[row] -= 1
    torch.testing.assert_close(relevance(reading, reading.verdict_logit, [reading.reply.verdict]), expected)


def test_figures_compare_named_regions_with_their_area(attended: Attended) -> None:
    figures = attended.figures
    assert figures.logprob_gap < 1e-6
    assert figures.mass_in_random == pytest.approx(sum(region.box.area for region in said_by_nano().regions) / (WIDTH * HEIGHT), rel=0.01)
    assert figures.attention_ratio == pytest.approx((figures.mass_in_regions or 0) / (figures.mass_in_random or 1))


def test_files_are_named_by_their_bytes_and_the_same_every_time(attended: Attended) -> None:
    assert all(hashlib.sha256(file.body).hexdigest() == file.sha256 for file in attended.files())
    again = attender().attend(said_by_nano())
    assert [file.sha256 for file in again.files()] == [file.sha256 for file in attended.files()]
    assert len({file.name for file in attended.files()}) == len(list(attended.files()))


def test_the_arrays_file_describes_itself(attended: Attended) -> None:
    (arrays,) = (file for file in attended.files() if file.role is FileRole.ARRAYS)
    with np.load(io.BytesIO(arrays.body)) as held:
        index = json.loads(str(held["index"]))
        assert set(index["targets"]) == {attention.target.name for attention in attended.maps}
        np.testing.assert_array_equal(held["zoom-verdict/1"], attended.verdict_map.images[1].mass)
    assert index["targets"]["zoom-verdict"]["images"][0]["shows"] == [0, 0, WIDTH, HEIGHT]


def test_layers_are_transparent_and_of_the_sent_images_size(attended: Attended) -> None:
    layer = next(file for file in attended.files() if file.role is FileRole.LAYER and file.target == attended.verdict_map.target)
    drawn = Image.open(io.BytesIO(layer.body))
    assert (drawn.mode, drawn.size) == ("RGBA", said_by_nano().zoom.images[0].pixels.size)
    opacity = np.asarray(drawn.getchannel("A"))
    assert opacity.min() < 255 / 2 < opacity.max()


def test_an_untrained_releases_overlay_says_so(attended: Attended) -> None:
    drawn = [overlay_png(attended.verdict_map, said_by_nano(training)) for training in (Training.TRAINED, Training.UNTRAINED)]
    trained, untrained = (Image.open(io.BytesIO(body)).height for body in drawn)
    assert untrained > trained, "a longer legend: the warning's own line"


def test_another_score_than_the_recorded_one_is_refused() -> None:
    verdict = said_by_nano()
    doctored = replace(verdict, stages=(verdict.stages[0], replace(verdict.zoom, p_generated=verdict.zoom.p_generated * 0.8)))
    with pytest.raises(MisconfiguredError) as refused:
        attender().attend(doctored)
    assert refused.value.code == "attention_disagrees"


def test_another_releases_verdict_is_refused() -> None:
    facts = {"model": {"files": {"model.safetensors": "0" * 64}, "dtype": "float32"}}
    with pytest.raises(MisconfiguredError, match="differ") as refused:
        attender().attend(replace(said_by_nano(), release=replace(said_by_nano().release, facts=facts)))
    assert refused.value.code == "checkpoint_of_another_release"


def test_a_verdict_from_before_a_calibration_is_still_the_checkpoints_own() -> None:
    model = said_by_nano().release.facts["model"]
    before = {"model": {**model, "files": {**model["files"], CARD_FILE: "0" * 64}}}
    without_card = {"model": {**model, "files": {name: digest for name, digest in model["files"].items() if name != CARD_FILE}}}
    for facts in (before, without_card):
        attender().refuse_other(replace(said_by_nano().release, facts=facts))


def test_attention_of_a_long_conversation_with_7b_takes_tens_of_gigabytes() -> None:
    assert attention_bytes(layers=28, heads=28, length=2048) == pytest.approx(26e9, rel=0.02)
    assert attention_bytes(layers=28, heads=28, length=6000) == 8 * 28 * 28 * 6000**2


def test_the_estimate_is_what_a_reading_holds_with_its_gradients() -> None:
    reader = attender().reader
    reading = reader.read(said_by_nano().zoom)
    gradients = torch.autograd.grad(reading.verdict_logit, reading.attentions)
    held = sum(tensor.nbytes for tensor in (*reading.attentions, *gradients))
    config = reader.model.config.text_config
    length = reading.begin + len(reading.reply.ids)
    assert held == attention_bytes(config.num_hidden_layers, config.num_attention_heads, length)


def test_a_conversation_beyond_the_memory_is_refused_before_it_is_read() -> None:
    reader = attender().reader
    unread = SimpleNamespace(config=reader.model.config, device=reader.model.device)  # no weights: a pass through it would fail
    strict = Reader(unread, reader.chat, verdict_tokens(reader.chat.encode_text), memory_gib=0.001)
    with pytest.raises(RejectedError, match="ZOOMIN_ATTENTION_MEMORY_GIB") as refused:
        strict.read(said_by_nano().zoom)
    assert refused.value.code == "attention_too_long"


@pytest.mark.parametrize(("available", "device"), [(True, "cuda"), (False, "cpu")])
def test_a_gpu_is_used_where_pytorch_has_one(monkeypatch: pytest.MonkeyPatch, *, available: bool, device: str) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: available)
    assert fastest_device() == device


def test_a_map_does_not_survive_its_weights() -> None:
    zoom, reader = said_by_nano().zoom, Reader.load(checkpoint())
    before = verdict_map(reader.read(zoom), zoom).whole
    randomise(reader, Randomised.EVERYTHING)
    after = verdict_map(reader.read(zoom), zoom).whole
    assert abs(rank_correlation(before, after) or 0) < 0.5
    assert rank_correlation(before, before) == pytest.approx(1)


def test_curves_begin_and_end_with_the_image_and_its_blur() -> None:
    verdict = said_by_nano()
    stage = verdict.stages[0]
    found = curves(attender().reader, stage, verdict_map(attender().reader.read(stage), stage), (0.0, 0.3, 1.0))
    assert found.deletion.fractions == (0.0, 0.3, 1.0)
    assert found.deletion.values[0] == found.insertion.values[-1] == pytest.approx(stage.p_generated, abs=1e-5)
    assert found.deletion.values[-1] == found.insertion.values[0]
    assert 0 <= found.deletion.area <= 1
