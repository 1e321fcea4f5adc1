import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from worker.exports.whole_files import write_whole
from worker.lab.labels import Label, check_labels, read_labels, write_labels
from worker.moderation.boxes import Box
from worker.moderation.errors import RejectedError
from worker.moderation.outcomes import Verdict

SHIPPED = Path(__file__).parents[3] / "worker" / "local" / "samples"
GENERATED = {"file": "a.jpg", "label": "generated", "regions": [[1, 2, 30, 40]], "source": "a", "generator": "net", "control": False}
REAL = {**GENERATED, "label": "real", "regions": [], "generator": None}


def written(folder: Path, *lines: dict[str, Any] | str) -> Path:
    path = folder / "labels.jsonl"
    path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))
    return path


def test_the_demo_labels_read_and_name_pictures_that_are_there() -> None:
    labels = read_labels(SHIPPED / "labels.jsonl")
    assert len(labels) == 12
    assert labels[1].regions == (Box(155, 282, 275, 424),)
    check_labels(labels, SHIPPED)


def test_labels_are_read_back_as_they_were_written(tmp_path: Path) -> None:
    labels = (
        Label(file="images/a.jpg", label=Verdict.REAL, regions=(Box(1, 2, 3.5, 4),), source="s/ü.jpg", generator=None, control=True),
        Label(file="b.jpg", label=Verdict.GENERATED, regions=(), source="b", generator="whole-image", control=False),
    )
    write_labels(tmp_path / "labels.jsonl", labels)
    assert read_labels(tmp_path / "labels.jsonl") == labels
    assert json.loads((tmp_path / "labels.jsonl").read_text().splitlines()[0])["regions"] == [[1, 2, 3.5, 4]]
    assert [path.name for path in tmp_path.iterdir()] == ["labels.jsonl"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{", "truncated"),
        ({**GENERATED, "label": "fake"}, "fake"),
        ({key: value for key, value in GENERATED.items() if key != "control"}, "control"),
        ({**GENERATED, "regions": [[30, 2, 1, 40]]}, "[30, 2, 1, 40]"),
        ({**GENERATED, "regions": [[-1, 2, 30, 40]]}, "[-1, 2, 30, 40]"),
        ({**GENERATED, "regions": [[1, 2, 1, 40]]}, "x0 < x1"),
        ({**GENERATED, "regions": [[1, 2, 30]]}, "length 4"),
        ({**GENERATED, "file": "../a.jpg"}, "inside the folder"),
        ({**GENERATED, "file": "/a.jpg"}, "inside the folder"),
        ({**GENERATED, "file": ""}, "inside the folder"),
        ({**GENERATED, "source": ""}, "names no photograph"),
        ({**GENERATED, "source": "."}, "names no photograph"),
        ({**GENERATED, "generator": None}, "name its generator"),
        ({**REAL, "generator": "net"}, "name its generator"),
        ({**GENERATED, "control": True}, "control is real"),
        ({**REAL, "control": True}, "control is real"),
        ({**REAL, "regions": [[1, 2, 30, 40]]}, "only when it is a control"),
        ({**REAL, "file": "first.jpg"}, "has a label already"),
    ],
)
def test_a_wrong_label_is_refused_with_its_line_and_what_is_wrong(line: dict[str, Any] | str, words: str, tmp_path: Path) -> None:
    with pytest.raises(RejectedError) as caught:
        read_labels(written(tmp_path, {**REAL, "file": "first.jpg"}, "", line))
    assert "labels.jsonl, line 3: " in caught.value.message
    assert words in caught.value.message


def test_a_line_that_is_not_utf8_and_a_file_without_labels_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    path.write_bytes(b'{"file": "\xff"}\n')
    with pytest.raises(RejectedError, match="line 1"):
        read_labels(path)
    with pytest.raises(RejectedError, match="no labels"):
        read_labels(written(tmp_path, ""))


def test_missing_pictures_are_counted_and_the_first_few_named(tmp_path: Path) -> None:
    Image.new("RGB", (64, 64)).save(tmp_path / "0.jpg")
    labels = read_labels(written(tmp_path, *({**REAL, "file": f"{number}.jpg"} for number in range(9))))
    with pytest.raises(RejectedError, match=r"lacks 8 of 9 labelled pictures: 1\.jpg, 2\.jpg, 3\.jpg, 4\.jpg, 5\.jpg …"):
        check_labels(labels, tmp_path)


def test_a_box_outside_its_upright_picture_is_named(tmp_path: Path) -> None:
    sideways = Image.Exif()
    sideways[0x0112] = 6
    Image.new("RGB", (100, 50)).save(tmp_path / "sideways.jpg", exif=sideways)
    tall = {**GENERATED, "file": "sideways.jpg", "regions": [[0, 0, 50, 100]]}
    check_labels(read_labels(written(tmp_path, tall)), tmp_path)
    with pytest.raises(RejectedError, match=r"1 of 1 labels: sideways\.jpg \(50×100\)"):
        check_labels(read_labels(written(tmp_path, {**tall, "regions": [[0, 0, 51, 100]]})), tmp_path)


def test_a_damaged_picture_is_left_to_whoever_decodes_it(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"\xff\xd8\xff and no more")
    check_labels(read_labels(written(tmp_path, GENERATED)), tmp_path)


def test_an_error_while_writing_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(OSError, match=r"/taken'") as caught:
        write_whole(tmp_path / "taken", b"x")
    assert caught.value.filename == str(tmp_path / "taken")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]
