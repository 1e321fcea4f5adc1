"""Which photographs a build uses, in which split each goes, and why others are left out. Pure; the order of arrival changes nothing."""

import hashlib
import re
import zlib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from worker.lab.dataset.kinship import DEMO_SOURCES, demo_hashes, is_near
from worker.lab.dataset.survey import Seen
from worker.moderation.boxes import Size

LONGEST_SIDE = 768  # pixels; large enough that a zoom sees more than a scan
SHORTEST_SIDE = 160  # pixels, once shrunk; below it no region fits that leaves most of the picture alone
COLOURLESS = 1.0  # levels of 0..255; grey photographs stay under 0.3, the palest coloured ones of 1,000 began at 2.4


class Split(StrEnum):
    """Which part of the work a photograph is for."""

    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"


SHARES = {
    Split.TEST: 16,
    Split.VALIDATION: 10,
    Split.TRAIN: 74,
}  # per cent, strictest first: of near copies, the stricter split keeps its own


class Reason(StrEnum):
    """Why a photograph is left out, in words for its card."""

    UNREADABLE = "cannot be read"
    GREY = "has no colour"
    TINY = "is too small"
    OF_THE_DEMO = "is one of the demo's, or nearly"
    REPEATED = "has the pixels of another"
    NEAR_COPY = "is nearly one of a stricter split"
    OTHER_SPLIT = "is of a split that is not made"
    NOT_WANTED = "is beyond --max-sources"
    NOTHING_VISIBLE = "regenerating changes nothing visible"


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """A photograph that is not used. `detail` says more, where there is more."""

    name: str
    reason: Reason
    detail: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A photograph that is used. `id` names its files, and depends on its pixels and name alone."""

    id: str
    split: Split
    seen: Seen


def select(
    seen: Iterable[Seen], seed: int, max_sources: int | None, *, made: Collection[Split] = tuple(Split), only: Split | None = None
) -> tuple[tuple[Source, ...], tuple[LeftOut, ...]]:
    """Sources of the splits `made`, at most `max_sources`, ordered by id, and what is left out.

    Splits follow from the photographs, see `split_each`; or all photographs are for the split `only`.
    """
    left_out: list[LeftOut] = []
    usable: dict[str, Seen] = {}
    for photograph in sorted(seen, key=lambda each: each.name):
        reason = _fault(photograph) or (Reason.REPEATED if photograph.facts.pixels_sha256 in usable else None)
        if reason is None:
            usable[photograph.facts.pixels_sha256] = photograph
        else:
            left_out.append(LeftOut(name=photograph.name, reason=reason))
    splits = dict.fromkeys((each.name for each in usable.values()), only) if only else split_each(tuple(usable.values()))
    kept, near = _without_near_copies(tuple(usable.values()), splits)
    beside = sorted((each for each in kept if splits[each.name] not in made), key=source_id)
    fitting = (each for each in kept if splits[each.name] in made)
    drawn = sorted(fitting, key=lambda each: hashlib.sha256(f"{seed} {each.facts.pixels_sha256}".encode()).digest())
    beyond = drawn[max_sources:] if max_sources is not None else []
    left_out += near + [LeftOut(name=each.name, reason=Reason.NOT_WANTED) for each in beyond]
    left_out += [LeftOut(name=each.name, reason=Reason.OTHER_SPLIT, detail=splits[each.name]) for each in beside]
    sources = [Source(id=source_id(each), split=splits[each.name], seen=each) for each in drawn[:max_sources]]
    return tuple(sorted(sources, key=lambda source: source.id)), tuple(left_out)


def split_each(photographs: Sequence[Seen]) -> dict[str, Split]:
    """The split of each, by name. Neither a seed nor other photographs move one, unless they share its file's name.

    Where many are called `photo.jpg`, each in a folder of its own, the name would send all to one split: their pixels decide.
    """
    count = Counter(_stem(each.name) for each in photographs)
    return {each.name: split_of(each.name) if count[_stem(each.name)] == 1 else _share(each.facts.pixels_sha256) for each in photographs}


def split_of(name: str) -> Split:
    """The split of a photograph by its file's name without folder and suffix: a re-encoded copy stays in its split."""
    return _share(_stem(name))


def _share(key: str) -> Split:
    """A split that follows from `key`, in SHARES."""
    place = zlib.crc32(key.encode()) % 100
    for split, share in SHARES.items():
        if place < share:
            return split
        place -= share
    raise AssertionError(f"SHARES sum to less than 100 by {place}")


def source_id(seen: Seen) -> str:
    """A file name's beginning that people recognise and that no two sources share."""
    return f"{re.sub(r'[^A-Za-z0-9]+', '-', _stem(seen.name)).strip('-')[:40] or 'photograph'}-{seen.facts.pixels_sha256[:10]}"


def standard_size(size: Size) -> Size:
    """`size`, with its longest side at most LONGEST_SIDE."""
    scale = min(1.0, LONGEST_SIDE / max(size.width, size.height))
    return Size(max(1, round(size.width * scale)), max(1, round(size.height * scale)))


def _stem(name: str) -> str:
    return name.rsplit("/", 1)[-1].rsplit(".", 1)[0]


def _fault(seen: Seen) -> Reason | None:
    standard = standard_size(seen.facts.size)
    if min(standard.width, standard.height) < SHORTEST_SIDE:
        return Reason.TINY
    if seen.file_sha256 in DEMO_SOURCES or any(is_near(seen.facts.hash, other) for other in demo_hashes()):
        return Reason.OF_THE_DEMO
    return Reason.GREY if seen.facts.colour < COLOURLESS else None


def _without_near_copies(usable: Sequence[Seen], splits: Mapping[str, Split]) -> tuple[list[Seen], list[LeftOut]]:
    strictness = list(SHARES)
    kept: list[Seen] = []
    left_out: list[LeftOut] = []
    for seen in sorted(usable, key=lambda each: strictness.index(splits[each.name])):
        split = splits[seen.name]
        twin = next((each for each in kept if is_near(each.facts.hash, seen.facts.hash) and splits[each.name] is not split), None)
        if twin is None:
            kept.append(seen)
        else:
            left_out.append(LeftOut(name=seen.name, reason=Reason.NEAR_COPY, detail=twin.name))
    return kept, left_out
