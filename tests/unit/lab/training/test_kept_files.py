import resource
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from worker.lab.layers import LAYERS, kept_layers, read_layers
from worker.lab.training.curriculum import read_sights, write_sights
from worker.lab.training.lessons import Sight

SIGHT = Sight(np.full((4, 5, 8), 0.5, np.float16), np.ones((4, 5), np.float32), np.zeros((4, 5), np.float32))


def test_kept_layers_are_the_photograph_s_and_need_it_no_more(dataset: Path, tmp_path: Path) -> None:
    photograph = tmp_path / "first"
    shutil.copytree(dataset / "layers/train/first", photograph)
    expected = read_layers(photograph)
    kept_layers(photograph, tmp_path / "kept.npy")
    shutil.rmtree(photograph)
    kept = kept_layers(photograph, tmp_path / "kept.npy")
    assert list(kept) == list(expected) == list(LAYERS)
    for layer, pixels in expected.items():
        np.testing.assert_array_equal(kept[layer], pixels)


def test_sights_are_read_as_they_were_written(tmp_path: Path) -> None:
    write_sights(tmp_path / "0.npz", {"photograph": SIGHT})
    [(layer, sight)] = read_sights(tmp_path / "0.npz").items()
    assert layer == "photograph"
    for name in ("features", "evidence", "drawn"):
        np.testing.assert_array_equal(getattr(sight, name), getattr(SIGHT, name))


@pytest.mark.parametrize(
    "keep",
    [
        lambda dataset, folder: kept_layers(dataset / "layers/train/first", folder / "first.npy"),
        lambda _, folder: write_sights(folder / "0.npz", dict.fromkeys(LAYERS, SIGHT)),
    ],
    ids=["layers", "sights"],
)
def test_a_full_disk_leaves_nothing_half_written(dataset: Path, tmp_path: Path, keep: Callable[[Path, Path], object]) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (512, limits[1]))
    try:
        with pytest.raises(OSError, match=str(tmp_path)):
            keep(dataset, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(tmp_path.iterdir()) == []
    keep(dataset, tmp_path)
    assert len(list(tmp_path.iterdir())) == 1
