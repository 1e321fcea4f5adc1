import numpy as np
import pytest
from PIL import Image

from tests.unit.lab.training.layers import SIZE, flat_layers
from worker.images.resize import PixelLimits
from worker.lab.layers import INTERPOLATED, LAYERS, PHOTOGRAPH
from worker.lab.regenerate import FACTOR, FEATHER, regenerate
from worker.lab.training import tokens
from worker.lab.training.arrangement import Arrangement, arrange
from worker.lab.training.curriculum import compose
from worker.lab.training.degrade import degrade
from worker.lab.training.lessons import Sight
from worker.lab.training.pictures import paint
from worker.lab.training.scenes import PROPOSALS, Scene, jitter, mean_evidence, propose
from worker.lab.training.sight import drawn_shares
from worker.lab.training.tokens import TOKEN, WINDOW, sample_tokens
from worker.moderation.boxes import Box, Size, intersection_over_union

DRAWN = LAYERS[-1]
EVERYTHING = Box(0, 0, 12 * TOKEN, 10 * TOKEN)


class Flat:
    """A network that draws one level of grey."""

    def enlarge(self, image: Image.Image) -> Image.Image:
        return Image.new("RGB", (image.width * FACTOR, image.height * FACTOR), (180, 180, 180))


def photograph() -> Image.Image:
    return Image.fromarray(np.random.default_rng(1).integers(0, 256, (SIZE[1], SIZE[0], 3), dtype=np.uint8))


def scene(drawn: tuple[Box, ...] = (), controls: tuple[Box, ...] = (), seed: int = 0) -> Scene:
    return Scene(evidence=np.random.default_rng(seed).normal(0, 1, (12, 16)), drawn=drawn, controls=controls)


def test_degrading_is_decided_by_the_generator_and_keeps_the_size() -> None:
    results = [degrade(photograph(), np.random.default_rng(seed)) for seed in range(12)]
    again = [degrade(photograph(), np.random.default_rng(seed)) for seed in range(12)]
    assert [image.tobytes() for image in results] == [image.tobytes() for image in again]
    assert {image.size for image in results} == {SIZE}
    assert len({image.tobytes() for image in results}) > 6


@pytest.mark.parametrize("windows", [1, 2])
def test_shares_of_tokens_are_exact_for_a_known_region(monkeypatch: pytest.MonkeyPatch, windows: int) -> None:
    # A black photograph, a light layer, nothing degraded: what is bright in the crop is what was drawn.
    layers = {name: np.full((600, 600, 3), 250 if name == DRAWN else 0, np.uint8) for name in LAYERS}
    monkeypatch.setattr(tokens, "degrade", lambda image, _: image)
    monkeypatch.setattr(tokens, "_chosen_layers", lambda _: [DRAWN])
    for seed in range(8):
        sample = sample_tokens(layers, windows, np.random.default_rng(seed))
        side = windows * WINDOW
        assert sample.pixels.shape == (side * TOKEN, side * TOKEN, 3)
        bright = (sample.pixels[..., 0] > 8).reshape(side, TOKEN, side, TOKEN).mean(axis=(1, 3))
        np.testing.assert_allclose(sample.drawn, bright, atol=0.09)  # a feather's faintest row may be dark, and resizing blurs an edge


def test_interpolated_regions_are_not_counted_as_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "_chosen_layers", lambda _: [INTERPOLATED])
    assert sample_tokens(flat_layers((600, 600)), 1, np.random.default_rng(3)).drawn.max() == 0


def test_tokens_that_look_as_before_teach_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "_chosen_layers", lambda _: [DRAWN])
    same = {name: np.full((600, 600, 3), 90, np.uint8) for name in LAYERS}
    samples = [sample_tokens(same, 1, np.random.default_rng(seed)) for seed in range(6)]
    assert max(sample.drawn.max() for sample in samples) > 0.9
    assert all((sample.counted == (sample.drawn < 0.02)).all() for sample in samples)


@pytest.mark.parametrize("seed", range(6))
def test_proposals_name_every_true_box_apart_strongest_first_and_as_many_for_both_classes(seed: int) -> None:
    boxes = (Box(28, 28, 140, 168), Box(224, 140, 364, 280))
    chance = np.random.default_rng(seed)
    generated, real = propose(scene(drawn=boxes, seed=seed), chance), propose(scene(seed=seed), chance)
    assert set(boxes) <= {box for box, _ in generated}
    for named, shown in ((generated, scene(drawn=boxes, seed=seed)), (real, scene(seed=seed))):
        assert len(named) == PROPOSALS
        strengths = [mean_evidence(shown.evidence, box) for box, _ in named]
        assert strengths == sorted(strengths, reverse=True)
        assert all(intersection_over_union(a, b) == 0 for i, (a, _) in enumerate(named) for b, _ in named[:i])
        assert all(value % TOKEN == 0 for box, _ in named for value in box.corners())


def test_a_jittered_box_stays_on_the_grid_inside_the_picture_and_is_not_empty() -> None:
    chance = np.random.default_rng(5)
    for _ in range(100):
        box = jitter(Box(0, 252, 56, 336), (12, 16), chance)
        assert box.area > 0
        assert box == box.clamped(Size(16 * TOKEN, 12 * TOKEN))
        assert all(value % TOKEN == 0 for value in box.corners())


def test_half_of_all_arranged_pictures_are_real_and_half_of_those_hold_a_control() -> None:
    chance = np.random.default_rng(6)
    arranged = [arrange(Size(640, 480), chance) for _ in range(1500)]
    real = [each for each in arranged if not each.drawn]
    assert 0.46 < len(real) / len(arranged) < 0.54
    assert 0.44 < sum(bool(each.controls) for each in real) / len(real) < 0.56
    assert all(len({layer for _, layer in each.placed if layer != INTERPOLATED}) <= 1 for each in arranged)
    for each in arranged[:200]:
        boxes = [box for box, _ in each.placed]
        assert all(intersection_over_union(a, b) == 0 for i, a in enumerate(boxes) for b in boxes[:i])


def test_shares_of_tokens_follow_from_boxes_in_any_part_and_scale() -> None:
    shares = drawn_shares([Box(14, 0, 56, 28), Box(0, 56, 28, 63)], Box(0, 0, 84, 84), (3, 3))
    np.testing.assert_allclose(shares, np.array([[0.5, 1, 0], [0, 0, 0], [0.25, 0, 0]]))
    np.testing.assert_allclose(drawn_shares([Box(14, 0, 56, 28)], Box(28, 0, 56, 28), (2, 2)), np.ones((2, 2)))
    assert drawn_shares([Box(0, 0, 10, 10)], Box(50, 50, 80, 80), (2, 2)).max() == 0


def test_painting_changes_nothing_outside_and_inside_what_regenerating_pastes() -> None:
    box = Box(40, 60, 180, 200)
    layers = {name: np.asarray(photograph()) if name == PHOTOGRAPH else np.full((SIZE[1], SIZE[0], 3), 180, np.uint8) for name in LAYERS}
    painted = np.asarray(paint(layers, Arrangement(((box, DRAWN),))), np.int16)
    expected = np.asarray(regenerate(photograph(), box, Flat()), np.int16)
    inside = np.zeros(painted.shape[:2], bool)
    inside[60:200, 40:180] = True
    np.testing.assert_array_equal(painted[~inside], expected[~inside])
    assert np.abs(painted - expected).max() <= 1  # the pasted mask has 256 levels
    assert (painted[60 + FEATHER : 200 - FEATHER, 40 + FEATHER : 180 - FEATHER] == 180).all()


def test_composed_pictures_take_a_region_s_tokens_from_its_layer_and_the_rest_from_the_photograph() -> None:
    seen = {
        name: Sight(np.full((10, 12, 4), number, np.float16), np.full((10, 12), float(number)), np.full((10, 12), float(number > 1)))
        for number, name in enumerate(LAYERS)
    }
    limits = PixelLimits(TOKEN, 4 * TOKEN**2, 400 * TOKEN**2)
    subjects = [compose(seen, limits, np.random.default_rng(seed)) for seed in range(20)]
    for subject in subjects:
        inside = drawn_shares(subject.scene.drawn, EVERYTHING, (10, 12)) > 0.5
        other = drawn_shares(subject.scene.controls, EVERYTHING, (10, 12)) > 0.5
        assert (subject.whole.drawn == inside).all()
        assert (subject.whole.evidence[other] == 1).all()
        assert (subject.whole.evidence[~inside & ~other] == 0).all()
        assert (subject.whole.features[..., 0] == subject.whole.evidence).all()
        crop = subject.crop(Box(28, 28, 140, 140))
        assert crop.sent == Size(crop.evidence.shape[1] * TOKEN, crop.evidence.shape[0] * TOKEN)
    assert any(subject.scene.drawn for subject in subjects)
    assert seen[PHOTOGRAPH].evidence.max() == 0  # nothing was written into what was seen
