"""Makes the demo's samples: `python -m worker.lab.samples SOURCE_DIR OUT_DIR`.

Each photograph of SOURCE_DIR becomes a pair: itself, and itself with one or two regions drawn by a network. Both are shrunk alike and
saved once, by the same codec with the same settings, so that nothing but the regions tells them apart. Same input, same pairs.
"""

import argparse
import io
import json
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image

from worker.images.decode import decode
from worker.lab.networks import Network, Regenerator
from worker.lab.placement import detailed_boxes, is_apart
from worker.lab.regenerate import VISIBLE_BELOW, regenerate, visible_change
from worker.moderation.boxes import Box
from worker.moderation.errors import RejectedError, ZoomInError

LONGEST_SIDE = 768  # pixels; large enough that a zoom sees more than a scan, small enough for a repository
JPEG_QUALITY = 95  # of both sides of a pair; high, so that what the network drew survives
SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}
SEED = 2025
MOST_TRIED = 8  # boxes; where the most detailed change nothing that can be seen, the others change less


@dataclass(frozen=True, slots=True, kw_only=True)
class Doctored:
    """A photograph with regions drawn by `network`; `changes` are each region's PSNR in dB before saving."""

    image: Image.Image
    boxes: tuple[Box, ...]
    changes: tuple[float, ...]


def doctor(photograph: Image.Image, count: int, network: Regenerator, seed: list[int]) -> Doctored:
    """`photograph` (RGB) with `count` detailed regions regenerated, none overlapping. Raises RejectedError where fewer would be visible."""
    image, boxes, changes = photograph, list[Box](), list[float]()
    for box in islice(detailed_boxes(photograph, np.random.default_rng(seed)), MOST_TRIED):
        if len(boxes) == count:
            break
        if not is_apart(box, boxes):
            continue
        drawn = regenerate(image, box, network)
        change = visible_change(image, drawn, box)
        if change < VISIBLE_BELOW:
            image, boxes, changes = drawn, [*boxes, box], [*changes, change]
    if len(boxes) < count:
        raise RejectedError("nothing_visible", f"Regenerating changes too little: {len(boxes)} of {count} regions would be visible.")
    return Doctored(image=image, boxes=tuple(boxes), changes=tuple(changes))


def open_photograph(path: Path) -> Image.Image:
    """RGB pixels as our pipeline would decode them, longest side at most LONGEST_SIDE, without metadata. Raises RejectedError."""
    try:
        pixels = decode(path.read_bytes()).pixels
    except RejectedError as error:
        raise RejectedError(error.code, f"{path.name}: {error.message}") from None
    pixels.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.LANCZOS)
    return Image.fromarray(np.asarray(pixels))  # pixels only: EXIF, ICC and comments stay behind


def make_samples(sources: list[Path], target: Path) -> Iterator[str]:
    """Writes the pairs and `labels.jsonl` into `target`, yielding a line per pair. Networks take turns, so do one and two regions."""
    target.mkdir(parents=True, exist_ok=True)
    labels: list[str] = []
    networks = [(network, Regenerator(network)) for network in Network]
    for ordinal, path in enumerate(sources):
        network, regenerator = networks[ordinal % len(networks)]
        photograph = open_photograph(path)
        try:
            doctored = doctor(photograph, 1 + ordinal // len(networks) % 2, regenerator, [SEED, zlib.crc32(path.stem.encode())])
        except RejectedError as error:
            raise RejectedError(error.code, f"{path.name}: {error.message}") from None
        clean_name, doctored_name = f"{path.stem}.jpg", f"{path.stem}-regenerated.jpg"
        (target / clean_name).write_bytes(_jpeg(photograph))
        (target / doctored_name).write_bytes(_jpeg(doctored.image))
        labels += [_label(clean_name, path, (), None), _label(doctored_name, path, doctored.boxes, network)]
        changes = ", ".join(f"{change:.1f} dB" for change in doctored.changes)
        yield f"{path.stem}: {photograph.width}×{photograph.height}, {network}, {changes}"
    (target / "labels.jsonl").write_text("".join(labels), encoding="utf-8")


def _jpeg(image: Image.Image) -> bytes:
    body = io.BytesIO()
    image.save(body, format="JPEG", quality=JPEG_QUALITY, subsampling="4:4:4", optimize=True)
    return body.getvalue()


def _label(name: str, source: Path, boxes: tuple[Box, ...], generator: Network | None) -> str:
    label = {
        "file": name,
        "label": "generated" if generator else "real",
        "regions": [box.corners() for box in boxes],
        "source": source.name,
        "generator": generator,
        "control": False,
    }
    return json.dumps(label, ensure_ascii=False) + "\n"


def main(arguments: list[str]) -> int:
    """The command. Returns its exit code: 0 done, 1 an input or the installation is at fault."""
    parser = argparse.ArgumentParser(prog="python -m worker.lab.samples", description="Pairs of photographs, clean and partly regenerated.")
    parser.add_argument("source", type=Path, metavar="SOURCE_DIR", help="folder of photographs whose licence allows this")
    parser.add_argument("target", type=Path, metavar="OUT_DIR", help="where the pairs and labels.jsonl go")
    chosen = parser.parse_args(arguments)
    sources = sorted(path for path in chosen.source.glob("*") if path.suffix.lower() in SUFFIXES)
    if not sources:
        sys.stderr.write(f"No photograph ({', '.join(sorted(SUFFIXES))}) in {chosen.source}.\n")
        return 1
    try:
        for line in make_samples(sources, chosen.target):
            sys.stdout.write(line + "\n")
    except (ZoomInError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
