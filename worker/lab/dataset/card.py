"""The data's card: what it holds, what was left out and why, under which licences, made with what."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np

from worker.lab.dataset.making import Picture
from worker.lab.dataset.photographs import Collection
from worker.lab.dataset.selection import LeftOut, Reason, Source, Split
from worker.lab.networks import wheels_of
from worker.moderation.outcomes import Verdict

PACKAGES = ("zoomin", "numpy", "pillow", "ncnn")  # beside those of the networks
RECIPE = (
    "Each photograph appears whole: clean, as a control (regions interpolated, real all the same), and once per network (the same regions"
    " drawn by it). All are of one size and saved once: JPEG, quality 95, 4:4:4, no metadata. A region is shrunk fourfold, enlarged"
    " fourfold, and pasted under a feather inside its box; it is kept only where each network's change is visible (PSNR below 32 dB)."
    " Photographs are split whole, by their files' names without folder and suffix; those that share such a name, by their pixels."
)
LIMITS = (
    "Copies of the demo's pictures, and copies across splits, are found by file, by pixels and by a hash that survives re-encoding and"
    " shrinking; not when they are cropped or mirrored."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """Of a quantity."""

    least: float
    median: float
    most: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SetFacts:
    """Of a split, or of the large pictures. Empty ranges are None. Areas are shares of the picture, sides and changes in px and dB."""

    sources: int
    pictures: int
    by_label: Mapping[str, int]
    by_kind: Mapping[str, int]
    megapixels: Range | None
    regions_per_picture: Mapping[int, int]  # of generated pictures
    region_area: Range | None
    region_side: Range | None
    change: Mapping[str, Range]  # by network


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFacts:
    """A photograph that is used."""

    id: str
    name: str
    split: Split
    width: int
    height: int
    file_sha256: str
    pixels_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """All that is said of the data."""

    recipe: str
    limits: str
    seed: int
    licences: Mapping[str, str]  # by collection
    sets: Mapping[str, SetFacts]
    left_out_by_reason: Mapping[Reason, int]
    left_out: tuple[LeftOut, ...]
    packages: Mapping[str, str]
    sources: tuple[SourceFacts, ...]


def describe(
    collections: Sequence[Collection],
    seed: int,
    sources: Sequence[Source],
    sets: Mapping[str, Sequence[Picture]],
    left_out: Sequence[LeftOut],
    networks: Sequence[str],
) -> Card:
    """The card of the pictures in `sets`, made of `sources` by `networks`."""
    return Card(
        recipe=RECIPE,
        limits=LIMITS,
        seed=seed,
        licences={collection.name: collection.licence for collection in collections},
        sets={name: _facts(pictures) for name, pictures in sets.items()},
        left_out_by_reason=Counter(each.reason for each in left_out),
        left_out=tuple(left_out),
        packages={package: version(package) for package in (*PACKAGES, *wheels_of(networks))},
        sources=tuple(_source(source) for source in sources),
    )


def in_markdown(card: Card) -> str:
    """The card for people."""
    kinds = list(dict.fromkeys(kind for facts in card.sets.values() for kind in facts.by_kind))
    header = ["set", "photographs", "pictures", *kinds, "megapixels", "regions a picture", "region's side, px", "region's area"]
    rows = [_row(name, facts, kinds) for name, facts in card.sets.items()]
    changes = [
        f"- {name}, {network}: {_shown(change, '.1f')} dB" for name, facts in card.sets.items() for network, change in facts.change.items()
    ]
    reasons = [f"- {count} × {reason}: {_names(card.left_out, reason)}" for reason, count in card.left_out_by_reason.items()]
    sections = {
        "# Data card": [card.recipe, "", card.limits],
        "## Pictures": [_line(header), _line(["---"] * len(header)), *map(_line, rows), "", "Least / median / most."],
        "## How much regenerating changed (PSNR inside the region, before saving)": changes or ["- nothing"],
        "## Left out": reasons or ["- nothing"],
        "## Licences of the photographs": [f"- {name}: {licence}" for name, licence in card.licences.items()],
        "## Made with": [f"- seed {card.seed}", *(f"- {package} {number}" for package, number in card.packages.items())],
        "## Photographs": ["Names, sizes and digests of all that are used are in `card.json`."],
    }
    return "\n".join("\n".join((heading, "", *lines, "")) for heading, lines in sections.items())


def _facts(pictures: Sequence[Picture]) -> SetFacts:
    generated = [picture for picture in pictures if picture.label.label is Verdict.GENERATED]
    # Every kind of picture has the same regions; counted once, on generated ones.
    boxes = [(box, picture.size) for picture in generated for box in picture.label.regions]
    networks = dict.fromkeys(picture.kind for picture in generated)
    changes = {network: [change for picture in generated if picture.kind == network for change in picture.changes] for network in networks}
    return SetFacts(
        sources=len({picture.label.source for picture in pictures}),
        pictures=len(pictures),
        by_label=Counter(picture.label.label for picture in pictures),
        by_kind=Counter(picture.kind for picture in pictures),
        megapixels=_range([picture.size.pixels / 1e6 for picture in pictures]),
        regions_per_picture=Counter(len(picture.label.regions) for picture in generated),
        region_area=_range([box.area / size.pixels for box, size in boxes]),
        region_side=_range([side for box, _ in boxes for side in (box.x1 - box.x0, box.y1 - box.y0)]),
        change={network: found for network, values in changes.items() if (found := _range(values)) is not None},
    )


def _range(values: Sequence[float]) -> Range | None:
    if not values:
        return None
    least, median, most = (round(float(value), 4) for value in np.quantile(values, (0, 0.5, 1)))
    return Range(least=least, median=median, most=most)


def _source(source: Source) -> SourceFacts:
    seen = source.seen
    return SourceFacts(
        id=source.id,
        name=seen.name,
        split=source.split,
        width=seen.facts.size.width,
        height=seen.facts.size.height,
        file_sha256=seen.file_sha256,
        pixels_sha256=seen.facts.pixels_sha256,
    )


def _row(name: str, facts: SetFacts, kinds: Sequence[str]) -> list[str]:
    counts = " · ".join(f"{regions}: {pictures}" for regions, pictures in sorted(facts.regions_per_picture.items()))
    return [
        name,
        str(facts.sources),
        str(facts.pictures),
        *(str(facts.by_kind.get(kind, 0)) for kind in kinds),
        _shown(facts.megapixels, ".2f"),
        counts,
        _shown(facts.region_side, ".0f"),
        _shown(facts.region_area, ".1%"),
    ]


def _shown(values: Range | None, form: str) -> str:
    return " / ".join(format(value, form) for value in (values.least, values.median, values.most)) if values else "–"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _names(left_out: Sequence[LeftOut], reason: Reason, most: int = 5) -> str:
    names = [each.name + (f" ({each.detail})" if each.detail else "") for each in left_out if each.reason is reason]
    return ", ".join(names[:most]) + (" …" if len(names) > most else "")
