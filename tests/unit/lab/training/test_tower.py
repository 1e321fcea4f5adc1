import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from worker.lab.training.student import Student
from worker.lab.training.tokens import TOKEN, WINDOW
from worker.lab.training.tower import BANDS, band_energies, crop_features
from worker.lab.training.tower_start import LOGARITHM_SCALE, start


def noise(side: int, count: int = 1) -> np.ndarray:
    return np.random.default_rng(side).integers(0, 256, (count, side, side, 3), dtype=np.uint8)


def test_patches_are_those_of_the_image_processor(student: Student) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (84, 140, 3), dtype=np.uint8)
    expected = student.speaker.chat.processor.image_processor(images=[Image.fromarray(pixels)], do_resize=False, return_tensors="pt")
    torch.testing.assert_close(student.patches.patches(torch.from_numpy(pixels)[None])[0], expected["pixel_values"], atol=1e-5, rtol=0)
    assert expected["image_grid_thw"].tolist() == [[1, 6, 10]]


@pytest.mark.parametrize("windows", [1, 2])
def test_features_of_crops_are_those_of_the_tower_itself(student: Student, windows: int) -> None:
    side = windows * WINDOW * TOKEN
    patches = student.patches.patches(torch.from_numpy(noise(side, 2)))
    tower = student.model.model.visual
    with torch.no_grad():
        expected = [tower(each, grid_thw=torch.tensor([[1, side // 14, side // 14]])).pooler_output for each in patches]
        torch.testing.assert_close(crop_features(tower, patches), torch.stack(expected), atol=1e-4, rtol=1e-4)


def test_band_energies_tell_fine_detail_from_a_flat_crop() -> None:
    energies = band_energies(np.concatenate([noise(112), np.full((1, 112, 112, 3), 128, np.uint8)]))
    assert energies.shape == (2, WINDOW * WINDOW, BANDS)
    assert (energies[0, :, 1:] > energies[1, :, 1:]).all()


def test_a_started_tower_tells_ten_times_the_energy_as_a_step_of_its_logarithm(nano_folder: Path) -> None:
    own = Student.untrained(nano_folder, 4)
    tower = own.model.model.visual
    loud = noise(112, 4).astype(np.float32) - 128
    crops = [torch.from_numpy(np.rint(128 + loud * gain).astype(np.uint8)) for gain in (0.1, 0.1 * 10**0.5, 1.0)]
    start(tower, crops[1], own.patches)
    told: list[float] = []
    place = slice(-1 - BANDS, -1)  # of the hidden state: the bands' logarithms
    tower.blocks[1].register_forward_hook(lambda _block, _given, hidden: told.append(float(hidden[..., place].mean())))
    with torch.no_grad():
        for each in crops:
            tower(own.patches.patches(each)[0], grid_thw=torch.tensor([[1, 8, 8]]))
    step = LOGARITHM_SCALE * math.log(10)
    assert told[1] == pytest.approx(0, abs=step / 3)  # at the energies it was scaled by
    assert told[1] - told[0] == pytest.approx(step, rel=0.3)
    assert told[2] - told[1] == pytest.approx(step, rel=0.3)
