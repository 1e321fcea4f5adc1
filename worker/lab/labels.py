"""What is true of a set of pictures: JSON Lines, one picture a line, read by training and evaluation alike.

    {"file": "a.jpg", "label": "generated", "regions": [[155, 282, 275, 424]], "source": "a.png", "generator": "x4plus", "control": false}

`file` is relative to the folder of pictures. Regions are half-open boxes in pixels of the upright picture: what a network drew or, in a
control, what was only interpolated. A generated picture without regions was generated whole. `source` is the photograph it was made of.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import msgspec
from PIL import Image

from worker.exports.whole_files import write_whole
from worker.images.decode import MEDIA_TYPES, ORIENTATION_TAG
from worker.moderation.boxes import Box, Size
from worker.moderation.errors import RejectedError
from worker.moderation.outcomes import Verdict

NAMED = 5  # files that an error names; the rest are counted
SIDEWAYS = frozenset({5, 6, 7, 8})  # EXIF orientations that swap width and height


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """What is true of one picture. `generator` is None for a real one; a `control` is real, and its regions are interpolated."""

    file: str
    label: Verdict
    regions: tuple[Box, ...]
    source: str
    generator: str | None
    control: bool


class _Line(msgspec.Struct, frozen=True, kw_only=True):
    """A line as it is written; other fields are let be."""

    file: str
    label: Verdict
    regions: tuple[tuple[float, float, float, float], ...]
    source: str
    generator: str | None
    control: bool


def read_labels(path: Path) -> tuple[Label, ...]:
    """The labels in `path`, in its order. Raises RejectedError that names the line and what is wrong with it; OSError."""
    labels: dict[str, Label] = {}
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        if not line.strip():
            continue
        try:
            label = _checked(msgspec.json.decode(line, type=_Line))
        except (msgspec.DecodeError, UnicodeDecodeError, RejectedError) as error:
            raise _wrong(path, number, str(error)) from None
        if label.file in labels:
            raise _wrong(path, number, f"{label.file!r} has a label already, and a picture has one.")
        labels[label.file] = label
    if not labels:
        raise RejectedError("labels_empty", f"{path} holds no labels.")
    return tuple(labels.values())


def write_labels(path: Path, labels: Iterable[Label]) -> None:
    """Writes `labels` to `path`, which appears whole or not at all. Raises OSError."""
    write_whole(path, msgspec.json.Encoder().encode_lines(list(map(written_label, labels))))


def written_label(label: Label) -> dict[str, object]:
    """A label as it stands in a line, to which others may add fields of their own."""
    return {
        "file": label.file,
        "label": label.label,
        "regions": tuple(map(_written, label.regions)),
        "source": label.source,
        "generator": label.generator,
        "control": label.control,
    }


def check_labels(labels: Sequence[Label], folder: Path) -> None:
    """Returns when every picture is in `folder` and every box lies inside its own. Raises RejectedError naming the first few that do not.

    Reads headers only. Of a picture whose header is damaged nothing is said here: whoever decodes it will.
    """
    missing = [label.file for label in labels if not (folder / label.file).is_file()]
    if missing:
        raise RejectedError("labels_miss_files", f"{folder} lacks {len(missing)} of {len(labels)} labelled pictures: {first_few(missing)}.")
    outside = [f"{label.file} ({size.width}×{size.height})" for label in labels if (size := _escaped(label, folder)) is not None]
    if outside:
        raise RejectedError("box_outside", f"Boxes leave their pictures in {len(outside)} of {len(labels)} labels: {first_few(outside)}.")


def _checked(line: _Line) -> Label:
    label = Label(
        file=line.file,
        label=line.label,
        regions=tuple(Box(*corners) for corners in line.regions),
        source=line.source,
        generator=line.generator,
        control=line.control,
    )
    if (problem := _problem(label)) is not None:
        raise RejectedError("label_invalid", problem)
    return label


def _problem(label: Label) -> str | None:
    """What cannot be true in a label; None when it may be."""
    path = PurePosixPath(label.file)
    generated = label.label is Verdict.GENERATED
    empty = next((box for box in label.regions if min(box.x0, box.y0) < 0 or box.x0 >= box.x1 or box.y0 >= box.y1), None)
    problems = {
        f"File {label.file!r} must be a path inside the folder of pictures.": not path.name or path.is_absolute() or ".." in path.parts,
        f"Region {empty and list(_written(empty))} must be [x0, y0, x1, y1] with 0 ≤ x0 < x1 and 0 ≤ y0 < y1.": empty is not None,
        f"Source {label.source!r} names no photograph.": not PurePosixPath(label.source).parts,
        "A generated picture must name its generator, and a real one must not.": generated is not bool(label.generator),
        "A control is real and has regions.": label.control and (generated or not label.regions),
        "A real picture has regions only when it is a control.": not generated and not label.control and bool(label.regions),
    }
    return next((problem for problem, found in problems.items() if found), None)


def _escaped(label: Label, folder: Path) -> Size | None:
    """The size of a picture that one of its regions leaves; None when none does."""
    if not label.regions or (size := _upright_size(folder / label.file)) is None:
        return None
    return size if any(box != box.clamped(size) for box in label.regions) else None


def _upright_size(path: Path) -> Size | None:
    try:
        with Image.open(path, formats=tuple(MEDIA_TYPES)) as image:
            sideways = image.getexif().get(ORIENTATION_TAG) in SIDEWAYS
            return Size(*(image.size[::-1] if sideways else image.size))
    except Exception:  # noqa: BLE001  damaged headers raise a dozen kinds
        return None


def first_few(names: Sequence[str]) -> str:
    """The first few names, for an error; the rest are counted by whoever writes it."""
    return ", ".join(names[:NAMED]) + (" …" if len(names) > NAMED else "")


def _written(box: Box) -> tuple[float, float, float, float]:
    x0, y0, x1, y1 = (int(value) if float(value).is_integer() else value for value in (box.x0, box.y0, box.x1, box.y1))
    return x0, y0, x1, y1


def _wrong(path: Path, number: int, what: str) -> RejectedError:
    return RejectedError("labels_invalid", f"{path}, line {number}: {what}")
