"""`python -m tests.bench_degradation PHOTOS`: how well known degradations of photographs are estimated, and what estimating costs.

Photographs are whatever lies in the folder; each is first brought to PIXELS a side at most by an antialiased resize, which leaves it
sharp and without a history of blocks and periods. Prints a table, and with `--json FILE` writes it.
"""

import argparse
import io
import json
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from worker.images.decode import decode
from worker.images.degradation import estimate
from worker.lab.training.degrade import blur, frame, jpeg_file, png_file, resize_and_back, screenshot, webp_file
from worker.moderation.degradation import Degradation, band

PIXELS = 400  # a side: of the photographs here most are 500
SEED = 2025
BICUBIC = Image.Resampling.BICUBIC


@dataclass(frozen=True, slots=True)
class Row:
    """What was estimated of all photographs after one alteration."""

    altered: str
    photographs: int
    jpeg_quality: str  # least and most
    blur: str  # 10th, 50th and 90th percentile, pixels
    rescaled: float  # share called enlarged
    factor: float | None  # median of those
    framed: float
    bands: dict[str, float]


def main() -> int:
    """Measures, prints, writes."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("photographs", type=Path)
    arguments.add_argument("--most", type=int, default=100)
    arguments.add_argument("--json", type=Path)
    asked = arguments.parse_args()
    paths = sorted(asked.photographs.glob("*.jpg"))[:: max(1, len(list(asked.photographs.glob("*.jpg"))) // asked.most)][: asked.most]
    found: dict[str, list[Degradation]] = {}
    for number, path in enumerate(paths):
        photograph = ImageOps.contain(Image.open(path).convert("RGB"), (PIXELS, PIXELS), Image.Resampling.LANCZOS)
        for name, body in altered(photograph, np.random.default_rng(SEED + number)):
            found.setdefault(name, []).append(estimate(decode(body)))
    rows = [row(name, degradations) for name, degradations in found.items()]
    costs = {f"{megapixels} MP": cost(paths[0], megapixels) for megapixels in (0.2, 1, 4, 12)}
    for each in rows:
        factor = f"{each.factor:.2f}" if each.factor else "—"
        bands = ", ".join(f"{name} {share:.0%}" for name, share in each.bands.items())
        sys.stdout.write(
            f"| {each.altered} | {each.jpeg_quality} | {each.blur} | {each.rescaled:.0%} | {factor} | {each.framed:.0%} | {bands} |\n"
        )
    sys.stdout.write(f"CPU milliseconds: {costs}\n")
    if asked.json:
        asked.json.write_text(json.dumps({"rows": [asdict(each) for each in rows], "cpu_ms": costs}, indent=1) + "\n")
    return 0


def altered(photograph: Image.Image, chance: np.random.Generator) -> Iterator[tuple[str, bytes]]:
    """The photograph's files after each alteration."""
    yield "nothing", png_file(photograph)
    for quality in (95, 85, 80, 70, 50, 30):
        yield f"JPEG {quality}", jpeg_file(photograph, quality, "4:2:0")
    for quality in (80, 50):
        yield f"WebP {quality}", webp_file(photograph, quality)
    for sigma in (0.5, 1, 1.5, 2, 4):
        yield f"blur {sigma}", png_file(blur(photograph, sigma))
    yield "blur 1, JPEG 80", jpeg_file(blur(photograph, 1), 80, "4:2:0")
    for factor in (1.25, 1.33, 1.5, 2, 3):
        larger = photograph.resize((round(photograph.width * factor), round(photograph.height * factor)), BICUBIC)
        yield f"enlarged {factor}", png_file(larger)
        yield f"enlarged {factor}, JPEG 90", jpeg_file(larger, 90, "4:2:0")
    yield "resized to 0.75 and back", png_file(resize_and_back(photograph, 0.75))
    yield "resized to 0.5 and back", png_file(resize_and_back(photograph, 0.5))
    yield "screenshot at 0.75", png_file(screenshot(photograph, 0.75, 85))
    for share in (0.03, 0.1, 0.25):
        yield f"frame {share:.0%}", png_file(frame(photograph, share, chance))
    yield "frame 10%, JPEG 80", jpeg_file(frame(photograph, 0.1, chance), 80, "4:2:0")


def row(name: str, degradations: list[Degradation]) -> Row:
    """The figures of one alteration."""
    count = len(degradations)
    qualities = [each.jpeg_quality for each in degradations if each.jpeg_quality is not None]
    blurs = [each.blur for each in degradations if each.blur is not None]
    factors = [each.rescaling for each in degradations if each.rescaling is not None and each.rescaling > 1]
    bands = [band(each).value for each in degradations]
    return Row(
        altered=name,
        photographs=count,
        jpeg_quality=f"{min(qualities)} to {max(qualities)}" if qualities else "—",
        blur=" / ".join(f"{value:.2f}" for value in np.quantile(np.array(blurs), [0.1, 0.5, 0.9]).tolist()) if blurs else "—",
        rescaled=len(factors) / count,
        factor=statistics.median(factors) if factors else None,
        framed=sum(bool(each.border) for each in degradations) / count,
        bands={name: bands.count(name) / count for name in sorted(set(bands), key=bands.count, reverse=True)},
    )


def cost(path: Path, megapixels: float) -> float:
    """CPU milliseconds of one estimate, the median of five, without decoding."""
    side = round((megapixels * 1e6) ** 0.5)
    body = io.BytesIO()
    Image.open(path).convert("RGB").resize((side, side), BICUBIC).save(body, "JPEG", quality=90)
    decoded = decode(body.getvalue())
    times = []
    for _ in range(5):
        started = time.process_time()
        estimate(decoded)
        times.append(time.process_time() - started)
    return round(1_000 * statistics.median(times), 1)


if __name__ == "__main__":
    sys.exit(main())
