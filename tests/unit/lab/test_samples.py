import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageFilter
from PIL.JpegImagePlugin import JpegImageFile

from worker.lab.networks import Network, Regenerator
from worker.lab.placement import SIDES, detailed_boxes, random_box
from worker.lab.samples import LONGEST_SIDE, doctor, main
from worker.moderation.boxes import Box, Size, intersection_over_union
from worker.moderation.errors import RejectedError

SHIPPED = Path(__file__).parents[3] / "worker" / "local" / "samples"


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """Two textured pictures and a file that is none of our business."""
    folder = tmp_path / "photographs"
    folder.mkdir()
    (folder / "notes.txt").write_text("not a photograph")
    for name, size in (("large.png", (900, 640)), ("small.jpg", (320, 300))):
        noise = np.random.default_rng(len(name)).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
        exif = Image.Exif()
        exif[0x010F] = "A camera"
        Image.fromarray(noise).filter(ImageFilter.GaussianBlur(1)).save(folder / name, exif=exif)
    return folder


def read_labels(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "labels.jsonl").read_text().splitlines()]


def test_same_photographs_give_the_same_bytes(photographs: Path, tmp_path: Path) -> None:
    assert main([str(photographs), str(tmp_path / "a")]) == main([str(photographs), str(tmp_path / "b")]) == 0
    first, second = ({path.name: path.read_bytes() for path in (tmp_path / run).iterdir()} for run in "ab")
    assert first == second
    assert set(first) == {"labels.jsonl", "large.jpg", "large-regenerated.jpg", "small.jpg", "small-regenerated.jpg"}


def test_photograph_is_shrunk_and_stripped_of_metadata(photographs: Path, tmp_path: Path) -> None:
    main([str(photographs), str(tmp_path / "out")])
    with Image.open(tmp_path / "out" / "large.jpg") as large:
        assert max(large.size) == LONGEST_SIDE
        assert not large.getexif()


def test_flat_photograph_is_rejected_rather_than_labelled(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    flat = Image.new("RGB", (200, 200), (120, 160, 220))
    with pytest.raises(RejectedError, match="0 of 1"):
        doctor(flat, 1, Regenerator(Network.ANIMEVIDEO_V3), [1])
    flat.save(tmp_path / "sky.png")
    assert main([str(tmp_path), str(tmp_path / "out")]) == 1
    assert "sky.png" in capsys.readouterr().err


def test_empty_folder_and_corrupt_photograph_end_with_one_clear_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main([str(tmp_path), str(tmp_path / "out")]) == 1
    assert "No photograph" in capsys.readouterr().err
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 and no more")
    assert main([str(tmp_path), str(tmp_path / "out")]) == 1
    error = capsys.readouterr().err
    assert "broken.jpg" in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("size", [Size(768, 500), Size(150, 110), Size(40, 3000)])
def test_random_boxes_lie_inside_and_cover_at_most_half_of_each_side(size: Size) -> None:
    generator = np.random.default_rng(3)
    for box in (random_box(size, generator) for _ in range(200)):
        assert box == box.clamped(size)
        assert 0 < box.x1 - box.x0 <= min(SIDES[1], size.width / 2)
        assert 0 < box.y1 - box.y0 <= min(SIDES[1], size.height / 2)


def test_most_detailed_box_comes_first() -> None:
    image = Image.new("RGB", (600, 400), (90, 90, 90))
    noise = np.random.default_rng(5).integers(0, 256, (200, 200, 3), dtype=np.uint8)
    image.paste(Image.fromarray(noise), (350, 150))
    first, *_, last = detailed_boxes(image, np.random.default_rng(1))
    detail = Box(350, 150, 550, 350)
    assert intersection_over_union(first, detail) > 0.2
    assert intersection_over_union(last, detail) == 0


def test_shipped_labels_name_every_shipped_picture_once() -> None:
    assert sorted(label["file"] for label in read_labels(SHIPPED)) == sorted(path.name for path in SHIPPED.glob("*.jpg"))
    assert len(read_labels(SHIPPED)) == 12


def test_shipped_pairs_differ_in_nothing_but_their_regions() -> None:
    labels = {label["file"]: label for label in read_labels(SHIPPED)}
    doctored = [label for label in labels.values() if label["label"] == "generated"]
    assert {label["generator"] for label in doctored} == set(Network)
    for label in doctored:
        with Image.open(SHIPPED / label["file"]) as drawn, Image.open(SHIPPED / label["file"].replace("-regenerated", "")) as clean:
            assert isinstance(drawn, JpegImageFile)
            assert isinstance(clean, JpegImageFile)
            assert (drawn.size, drawn.info, drawn.quantization) == (clean.size, clean.info, clean.quantization)
            difference = np.abs(np.asarray(drawn, dtype=int) - np.asarray(clean, dtype=int)).max(axis=2)
        outside = np.ones_like(difference, dtype=bool)
        for x0, y0, x1, y1 in label["regions"]:
            assert difference[y0:y1, x0:x1].mean() > 5
            assert SIDES[0] <= min(x1 - x0, y1 - y0) <= max(x1 - x0, y1 - y0) <= SIDES[1]
            # JPEG codes blocks of 8 px: those that a region touches change as a whole.
            outside[y0 // 8 * 8 : -(-y1 // 8) * 8, x0 // 8 * 8 : -(-x1 // 8) * 8] = False
        assert not difference[outside].any()


def test_shipped_set_is_small_and_every_picture_has_its_provenance() -> None:
    assert sum(path.stat().st_size for path in SHIPPED.iterdir()) < 2_500_000
    provenance = (SHIPPED / "PROVENANCE.md").read_text()
    for label in read_labels(SHIPPED):
        assert f"`{label['file'].removesuffix('.jpg').removesuffix('-regenerated')}`" in provenance
