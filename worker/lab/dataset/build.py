"""Builds a data set out of photographs, going on where an earlier run of the same build stopped.

OUT/card.md  card.json  contact-sheet.jpg
OUT/{train,validation,test,large}/labels.jsonl  coco.json  images/*.jpg
OUT/layers/train/<source id>/<layer>.png
OUT/.build: what is done, so that the build can go on
"""

import hashlib
import shutil
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import msgspec

from worker.exports.whole_files import write_whole
from worker.images.pool import DecodePool
from worker.lab.dataset.card import Card, describe, in_markdown
from worker.lab.dataset.claim import claim, refuse_foreign
from worker.lab.dataset.coco import coco_json
from worker.lab.dataset.contact_sheet import draw_contact_sheet
from worker.lab.dataset.making import IMAGES, LARGE, LAYERS, RECORDS, Made, Picture, Workshop, make, read_made
from worker.lab.dataset.photographs import Collection, Photograph
from worker.lab.dataset.progress import BuildProgress
from worker.lab.dataset.selection import LeftOut, Reason, Source, Split, select
from worker.lab.dataset.survey import Seen, look_at
from worker.lab.dataset.threads import results_as_they_come
from worker.lab.dataset.tiles import Tiled
from worker.lab.labels import write_labels
from worker.lab.regenerate import Enlarger
from worker.moderation.errors import RejectedError

RECIPE = 1  # raised when the same photographs and seed would give other pictures


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to build. `networks` by generator, the quickest first; `megapixels` the sizes that pictures of OUT/large may have."""

    collections: tuple[Collection, ...]
    photographs: tuple[Photograph, ...]
    out: Path
    seed: int
    max_sources: int | None
    split: Split | None  # for which all photographs are; None: by their names, see `split_each`
    made: tuple[Split, ...]  # the splits whose pictures are made
    megapixels: tuple[float, ...]
    networks: Mapping[str, Enlarger]
    threads: int


def build(plan: Plan, report: Callable[[BuildProgress], None]) -> Card:
    """Writes `plan.out` whole. Raises RejectedError, TransientError, MisconfiguredError, OSError; the same plan then goes on.

    Raises RejectedError `out_taken` for a folder with something else in it, `out_of_another_build`, `no_sources`.
    """
    refuse_foreign(plan.out)
    stop = threading.Event()
    networks = {name: Tiled(network, stop.is_set) for name, network in plan.networks.items()}
    with closing(DecodePool(plan.threads)) as decoders:
        workshop = Workshop(out=plan.out, seed=plan.seed, megapixels=plan.megapixels, networks=networks, decoders=decoders)
        seen, unreadable = _survey(plan, decoders, stop, report)
        sources, left_out = select(seen, plan.seed, plan.max_sources, made=plan.made, only=plan.split)
        left_out = (*unreadable, *left_out)
        if not sources:
            raise _none_usable(plan, left_out)
        _claim(plan, sources)
        try:
            made = _make_all(sources, workshop, plan.threads, stop, report)
        finally:
            shutil.rmtree(workshop.unfinished, ignore_errors=True)
    return _assemble(plan, made, left_out)


def _survey(
    plan: Plan, decoders: DecodePool, stop: threading.Event, report: Callable[[BuildProgress], None]
) -> tuple[list[Seen], list[LeftOut]]:
    def look(photograph: Photograph) -> Seen | LeftOut:
        try:
            return look_at(photograph, decoders)
        except RejectedError as error:
            return LeftOut(name=photograph.name, reason=Reason.UNREADABLE, detail=error.message)

    looks: list[Seen | LeftOut] = []
    for look_ in results_as_they_come(look, plan.photographs, plan.threads, stop):
        looks.append(look_)
        report(BuildProgress(doing="looking at photographs", done=len(looks), total=len(plan.photographs)))
    unreadable = sorted((each for each in looks if isinstance(each, LeftOut)), key=lambda each: each.name)
    return [each for each in looks if isinstance(each, Seen)], unreadable


def _make_all(
    sources: Sequence[Source], workshop: Workshop, threads: int, stop: threading.Event, report: Callable[[BuildProgress], None]
) -> dict[Source, Made]:
    found = {source: made for source in sources if (made := read_made(workshop, source)) is not None}
    waiting = [source for source in sources if source not in found]
    report(BuildProgress(doing="drawing regions", done=len(found), total=len(sources)))
    for number, _ in enumerate(results_as_they_come(partial(make, workshop=workshop), waiting, threads, stop), len(found) + 1):
        report(BuildProgress(doing="drawing regions", done=number, total=len(sources)))
    return {source: made for source in sources if (made := read_made(workshop, source)) is not None}


def _assemble(plan: Plan, made: Mapping[Source, Made], left_out: Sequence[LeftOut]) -> Card:
    flat = tuple(LeftOut(name=source.seen.name, reason=Reason.NOTHING_VISIBLE) for source, each in made.items() if not each.pictures)
    left_out = (*left_out, *flat)
    if len(flat) == len(made):
        raise _none_usable(plan, left_out)
    sets: dict[str, list[Picture]] = {
        split: [picture for source, each in made.items() if source.split is split for picture in each.pictures] for split in Split
    }
    sets[LARGE] = [picture for each in made.values() for picture in each.large]
    for name, pictures in sets.items():
        write_labels(plan.out / name / "labels.jsonl", [picture.label for picture in pictures])
        write_whole(plan.out / name / "coco.json", coco_json(pictures))
    used = [source for source, each in made.items() if each.pictures]
    card = describe(plan.collections, plan.seed, used, sets, left_out, tuple(plan.networks))
    draw_contact_sheet(sets, plan.out)
    write_whole(plan.out / "card.json", msgspec.json.format(msgspec.json.encode(card), indent=2) + b"\n")
    write_whole(plan.out / "card.md", in_markdown(card).encode())
    return card


def _claim(plan: Plan, sources: Sequence[Source]) -> None:
    identity = {
        "recipe": RECIPE,
        "seed": plan.seed,
        "megapixels": plan.megapixels,
        "networks": list(plan.networks),
        "sources": hashlib.sha256("\n".join(f"{source.id} {source.split} {source.seen.name}" for source in sources).encode()).hexdigest(),
    }
    folders = [*(Path(name, IMAGES) for name in (*Split, LARGE)), Path(LAYERS, Split.TRAIN), RECORDS]
    claim(plan.out, identity, "photographs or options", folders)


def _none_usable(plan: Plan, left_out: Sequence[LeftOut]) -> RejectedError:
    named = [f"{each.name} {each.reason}" for each in left_out[:3]]
    reasons = "; ".join(named) + (" …" if len(left_out) > len(named) else "")
    return RejectedError("no_sources", f"None of {len(plan.photographs)} photographs can be used: {reasons}.")
