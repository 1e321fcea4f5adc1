"""Makes all files of one source: they are written aside, moved into place, and only then is it recorded that the source is done.

OUT/<split>/images/<id>-{clean,control,<network>}.jpg      OUT/large/images/…      OUT/layers/train/<id>/<layer>.png
"""

import io
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from PIL import Image

from worker.exports.whole_files import write_whole
from worker.images.pool import DecodePool
from worker.lab.dataset.claim import BUILD
from worker.lab.dataset.matched import DrawBox, Matched, large_box, match
from worker.lab.dataset.selection import Source, Split, standard_size
from worker.lab.dataset.survey import open_pixels
from worker.lab.labels import Label
from worker.lab.layers import INTERPOLATED, PHOTOGRAPH, write_layers
from worker.lab.placement import random_box
from worker.lab.regenerate import Enlarger, Lanczos
from worker.moderation.boxes import Size
from worker.moderation.errors import RejectedError
from worker.moderation.outcomes import Verdict

JPEG: Mapping[str, Any] = {"format": "JPEG", "quality": 95, "subsampling": "4:4:4", "optimize": True}  # of every picture, whatever it shows
LARGE = "large"  # the folder of the test split's photographs at sizes of their own
IMAGES, LAYERS = "images", "layers"
MEGAPIXEL = 1_000_000
RECORDS, UNFINISHED = BUILD / "sources", BUILD / "unfinished"
CLEAN, CONTROL = "clean", "control"


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A picture that was made. `changes`: PSNR in dB of each region of a generated one, before saving."""

    kind: str  # CLEAN, CONTROL, or the network
    label: Label
    size: Size
    changes: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What became of a source. No pictures: regenerating changed nothing visible. `large` may lack for the same reason, or the size."""

    pictures: tuple[Picture, ...] = ()
    large: tuple[Picture, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """What making needs. `networks` by generator, the quickest first; `megapixels` the sizes that large pictures may have."""

    out: Path
    seed: int
    megapixels: tuple[float, ...]
    networks: Mapping[str, Enlarger]
    decoders: DecodePool

    @property
    def unfinished(self) -> Path:
        """The folder of what is being made."""
        return self.out / UNFINISHED

    def record(self, source: Source) -> Path:
        """Where it is written that a source is done."""
        return self.out / RECORDS / f"{source.id}.json"


def as_jpeg(image: Image.Image) -> bytes:
    """The file of a picture. Not Pillow's to write: onto a disk that fills up it writes half a file without an error."""
    body = io.BytesIO()
    image.save(body, **JPEG)
    return body.getvalue()


def read_made(workshop: Workshop, source: Source) -> Made | None:
    """What became of a source; None when it is not done, or its files are gone."""
    path = workshop.record(source)
    if not path.is_file():
        return None
    made = msgspec.json.decode(path.read_bytes(), type=Made)
    files = [Path(source.split, picture.label.file) for picture in made.pictures]
    files += [Path(LARGE, picture.label.file) for picture in made.large]
    if made.pictures and source.split is Split.TRAIN:
        files += [Path(LAYERS, source.split, source.id, f"{layer}.png") for layer in (PHOTOGRAPH, INTERPOLATED, *workshop.networks)]
    return made if all((workshop.out / file).is_file() for file in files) else None


def make(source: Source, workshop: Workshop) -> Made:
    """Writes the source's files and records them. Raises OSError, RejectedError for a file that changed, TransientError, StoppedError."""
    aside = workshop.unfinished / source.id
    try:
        pictures = _make_standard(source, workshop, aside)
        made = Made(pictures=pictures, large=_make_large(source, workshop, aside) if pictures else ())
        _move_into_place(aside, workshop.out)
    except OSError as error:
        error.filename = str(workshop.out)  # the user has never heard of the folder aside, and Pillow names none
        raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    write_whole(workshop.record(source), msgspec.json.encode(made))
    return made


def _make_standard(source: Source, workshop: Workshop, aside: Path) -> tuple[Picture, ...]:
    photograph = open_pixels(source.seen, standard_size(source.seen.facts.size), workshop.decoders)
    pictures = _write_matched(photograph, random_box, source, workshop, aside / source.split / IMAGES)
    if pictures and source.split is Split.TRAIN:  # from whose layers training cuts regions anew
        write_layers(photograph, {INTERPOLATED: Lanczos(), **workshop.networks}, aside / LAYERS / source.split / source.id)
    return pictures


def _make_large(source: Source, workshop: Workshop, aside: Path) -> tuple[Picture, ...]:
    original = source.seen.facts.size
    fitting = [megapixels for megapixels in workshop.megapixels if megapixels * MEGAPIXEL <= original.pixels]
    if source.split is not Split.TEST or not fitting:
        return ()
    chosen = fitting[int(_chance(source, workshop, "size").integers(len(fitting)))]
    scale = (chosen * MEGAPIXEL / original.pixels) ** 0.5
    size = Size(round(original.width * scale), round(original.height * scale))
    return _write_matched(open_pixels(source.seen, size, workshop.decoders), large_box, source, workshop, aside / LARGE / IMAGES)


def _write_matched(photograph: Image.Image, draw_box: DrawBox, source: Source, workshop: Workshop, folder: Path) -> tuple[Picture, ...]:
    try:
        matched = match(photograph, workshop.networks, draw_box, _chance(source, workshop, folder.parent.name))
    except RejectedError:
        return ()
    folder.mkdir(parents=True)
    shown = {CLEAN: matched.clean, CONTROL: matched.control, **matched.generated}
    pictures = tuple(_picture(kind, source, matched) for kind in shown)
    for picture, image in zip(pictures, shown.values(), strict=True):
        (folder / Path(picture.label.file).name).write_bytes(as_jpeg(image))
    return pictures


def _picture(kind: str, source: Source, matched: Matched) -> Picture:
    generated = kind in matched.generated
    label = Label(
        file=f"{IMAGES}/{source.id}-{kind}.jpg",
        label=Verdict.GENERATED if generated else Verdict.REAL,
        regions=() if kind == CLEAN else matched.boxes,
        source=source.seen.name,
        generator=kind if generated else None,
        control=kind == CONTROL,
    )
    return Picture(kind=kind, label=label, size=Size(*matched.clean.size), changes=matched.changes.get(kind, ()))


def _move_into_place(aside: Path, out: Path) -> None:
    for path in aside.glob(f"*/{IMAGES}/*.jpg"):
        path.replace(out / path.relative_to(aside))
    for layers in aside.glob(f"{LAYERS}/*/*"):
        target = out / layers.relative_to(aside)
        shutil.rmtree(target, ignore_errors=True)  # of a run that ended before it could record the source
        layers.rename(target)


def _chance(source: Source, workshop: Workshop, purpose: str) -> np.random.Generator:
    # Each source has its own: neither their order nor their number changes what becomes of one.
    return np.random.default_rng([workshop.seed, int(source.seen.facts.pixels_sha256, 16), *purpose.encode()])
