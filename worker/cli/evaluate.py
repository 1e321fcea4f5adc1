"""`zoomin evaluate | calibrate`: how well a model tells labelled pictures apart, and what its scores are worth."""
# ruff: noqa: PLC0415  imports wait for their command, so that `--help` answers at once

import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli.batches import JsonOption, find
from worker.cli.endings import interrupt_on_termination
from worker.cli.lab import PartProgress, require_lab, shown_parts
from worker.cli.terminal import console, report, say
from worker.moderation.degradation import DegradationBand
from worker.moderation.settings import Settings, load_settings

if TYPE_CHECKING:
    from worker.lab.evaluation.attention import Traced
    from worker.lab.evaluation.bands import BandFit
    from worker.lab.evaluation.baselines import Baselines
    from worker.lab.evaluation.evaluation import Evaluation, Explained
    from worker.lab.evaluation.examiner import Examiner
    from worker.lab.evaluation.figures import Table
    from worker.lab.evaluation.gallery import Shelf
    from worker.lab.evaluation.judgements import Judgements, Plan
    from worker.lab.evaluation.picture_set import PictureSet
    from worker.lab.taught_on import Overlap

UNCHECKED = (
    "The batch holds no checks of explanations, and is not judged again: --faithfulness gives no figures. A policy's `faithfulness_share` "
    "has a worker check, or measure its release on the pictures, without --batch."
)
NOTHING_TO_TEST = "No picture's explanation could be tested: --faithfulness gives no figures."
MODULES = ("numpy", "scipy", "sklearn", "matplotlib", "jinja2")

FolderArgument = Annotated[Path, typer.Argument(metavar="FOLDER", help="The folder that the labels' files lie in.")]
LabelsOption = Annotated[
    Path, typer.Option("--labels", metavar="FILE", help="JSON Lines: file, label, regions, source, generator, control. One picture a line.")
]


def evaluate(
    folder: FolderArgument,
    labels: LabelsOption,
    output: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="For report.html, report.json and outcomes.jsonl, from which the same command goes on."),
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Judge at most so many pictures: all those of some photographs.")] = None,
    controls: Annotated[bool, typer.Option(help="Judge all again without crops, with random ones, and with the largest three.")] = True,
    robustness: Annotated[bool, typer.Option(help="Judge some again after JPEG, WebP, resizing, blur, noise and screenshots.")] = True,
    grid_pictures: Annotated[int, typer.Option(min=1, help="How many pictures go through the robustness grid.")] = 200,
    attention: Annotated[
        bool, typer.Option("--attention", help="Draw attention maps of some, and measure them against true regions, noise and chance.")
    ] = False,
    attention_pictures: Annotated[int, typer.Option(min=1, help="How many pictures are judged again for maps.")] = 100,
    faithfulness: Annotated[bool, typer.Option("--faithfulness", help="Test explanations by hiding what they cite.")] = False,
    faithfulness_pictures: Annotated[int, typer.Option(min=1, help="How many explanations are tested; each takes ten requests.")] = 100,
    baselines: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Compare with baselines that learn from this training split."),
    ] = None,
    batch: Annotated[
        str | None, typer.Option(metavar="BATCH", help="Judge nothing: score what this finished batch said of the pictures.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Measure a model on labelled pictures, through the path that judges in production. Scores, boxes, robustness, baselines; a report."""
    require_lab(*MODULES)
    interrupt_on_termination()
    from worker.lab.evaluation.evaluation import summarise
    from worker.lab.evaluation.judgements import Plan
    from worker.lab.evaluation.picture_set import open_set
    from worker.lab.evaluation.report import write_report
    from worker.lab.taught_on import NOTHING_SEEN

    if attention and batch is not None:
        raise typer.BadParameter(
            "A batch is not judged again: measure its release on labelled pictures, or draw one item with `zoomin attend`."
        )
    settings = load_settings()
    plan = Plan(controls=controls, robustness=grid_pictures if robustness else 0, faithfulness=faithfulness_pictures if faithfulness else 0)
    with _shown(output) as show, TemporaryDirectory(prefix="zoomin-evaluate-") as sent:
        pictures = open_set(folder, labels, limit)
        if pictures.unlabelled:
            say(f"{pictures.unlabelled:,} pictures in {folder} have no label and are left out.")
        if output is None and batch is None:
            say("Nothing is kept without --output: an interrupted evaluation begins anew.")
        opened = _opened_baselines(baselines, pictures) if baselines else None
        seen = _seen_before(settings, pictures) if batch is None else NOTHING_SEEN  # a batch does not tell where its model lies
        recorded: list[Traced] = []
        tracing = partial(_traced, pictures=pictures, most=attention_pictures, show=show, folder=Path(sent)) if attention else None
        if batch is None:
            judgements, recorded = _judge_now(settings, pictures, plan, output, show, tracing)
            by = "this command, through the deployed path"
        else:
            judgements, by = _judged_in(batch, pictures), f"batch {batch}"
        extra = [_baseline_table(opened, pictures, judgements, show)] if opened else []
        explained, shelves = _explained_by_attention(settings, recorded, show) if attention else ([], [])
        explained += _explained_by_faithfulness(judgements, asked=faithfulness, batch=batch)
        evaluation = summarise(pictures, judgements, by, extra, show, seen, explained)
        if output is not None:
            write_report(output, evaluation, judgements.main, folder, shelves)
    _tell(evaluation, as_json)
    if output is not None:
        say(f"The report: {output / 'report.html'}")


def calibrate(
    folder: FolderArgument,
    labels: LabelsOption,
    checkpoint: Annotated[Path, typer.Option(metavar="DIR", help="The checkpoint to calibrate; its zoomin.json gets the calibration.")],
    limit: Annotated[int | None, typer.Option(min=1, help="Judge at most so many pictures: all those of some photographs.")] = None,
    bands: Annotated[bool, typer.Option(help="Judge some again compressed, blurred, rescaled and framed, and calibrate for each.")] = True,
    grid_pictures: Annotated[int, typer.Option(min=1, help="How many pictures are altered in each way.")] = 128,
    output: Annotated[
        Path | None, typer.Option(metavar="DIR", help="For outcomes.jsonl, from which the same command goes on when it is interrupted.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Fit a checkpoint's scores to the validation split, so that of pictures scored 0.8 about 80 % are generated.

    Once over all, and once for each band of degradation, with how often it is right there: policies may have a floor for that.
    """
    require_lab(*MODULES)
    interrupt_on_termination()
    from worker.lab.evaluation.bands import fit_bands
    from worker.lab.evaluation.calibrate import (
        fit_calibration,
        read_card,
        refuse_other_splits,
        refuse_taught,
        write_calibration,
    )
    from worker.lab.evaluation.judgements import Plan
    from worker.lab.evaluation.metrics import brier, ece
    from worker.lab.evaluation.picture_set import open_set
    from worker.lab.evaluation.runs import BANDS

    refuse_other_splits(folder)
    read_card(checkpoint)
    settings = load_settings().model_copy(update={"model": str(checkpoint)})
    with _shown(output) as show:
        pictures = open_set(folder, labels, limit)
        refuse_taught(checkpoint, pictures)
        plan = Plan(controls=False, robustness=grid_pictures if bands else 0, grid=BANDS)
        judged, _ = _judge_now(settings, pictures, plan, output, show)
    fit = fit_calibration(pictures, judged.main)
    found = fit_bands([*judged.main, *chain.from_iterable(judged.robustness.values())], fit.calibration) if bands else {}
    write_calibration(checkpoint, fit, {band.value: one.as_card() for band, one in found.items()})
    before, after = fit.raw, fit.calibrated
    if as_json:
        from worker.exports.jsonl import json_line

        errors = {name: {"ece": ece(scores), "brier": brier(scores)} for name, scores in (("raw", before), ("calibrated", after))}
        cards = {band.value: one.as_card() for band, one in found.items()}
        sys.stdout.write(json_line({**fit.as_card(), "bands": cards, **errors}))
        return
    report(f"scale {fit.calibration.scale:.4f}, offset {fit.calibration.offset:+.4f}, fitted on {len(fit.raw.p):,} pictures")
    report(f"On these: ECE {ece(before):.3f} before, {ece(after):.3f} after; Brier {brier(before):.3f} before, {brier(after):.3f} after")
    for band, one in found.items():
        report(f"{band}: {_accuracy_in_words(one)}")
    if bands and (missing := unmeasured_in_words(found)):
        report(missing)
    report(f"It stands in {checkpoint / 'zoomin.json'}, and makes another release of the checkpoint.")


def unmeasured_in_words(measured: Collection[DegradationBand]) -> str | None:
    """Of which bands nothing stands in the card, and what follows from that; None when all were measured."""
    missing = [band.value for band in DegradationBand if band not in measured]
    if not missing:
        return None
    return (
        f"{', '.join(missing)}: too few pictures, or photographs of a class, to measure. Under an `accuracy_floor` people decide on these."
    )


def _accuracy_in_words(fit: "BandFit") -> str:
    found = fit.accuracy
    under = "a calibration of its own" if fit.calibration else "the one over all, as its own would be no better"
    return f"right {found.value:.1%} [{found.low:.1%}, {found.high:.1%}] of {found.images:,} pictures, under {under}"


def _tell(evaluation: "Evaluation", as_json: bool) -> None:
    if as_json:
        from worker.exports.jsonl import json_line
        from worker.lab.evaluation.report import report_object

        sys.stdout.write(json_line(report_object(evaluation)))
        return
    from worker.cli.lab.figures import print_evaluation

    print_evaluation(evaluation, console())


def _seen_before(settings: Settings, pictures: "PictureSet") -> "Overlap":
    from worker.lab.taught_on import NOTHING_SEEN, overlap, read_past
    from worker.vision.load import ENDPOINT_PREFIX, find_checkpoint
    from worker.vision.nano import NAME as NANO

    model = settings.model or NANO
    if model.startswith(ENDPOINT_PREFIX):
        return NOTHING_SEEN
    return overlap(read_past(find_checkpoint(model).path), pictures.labels, pictures.labels_sha256)


def _opened_baselines(training: Path, pictures: "PictureSet") -> "Baselines":
    from worker.lab.evaluation.baselines import open_baselines  # loads torch

    return open_baselines(training, pictures)


def _baseline_table(
    baselines: "Baselines", pictures: "PictureSet", judgements: "Judgements", show: Callable[[PartProgress], None]
) -> "Table":
    from worker.lab.evaluation.baselines import baseline_table
    from worker.lab.evaluation.scoring import final_scores

    return baseline_table(baselines, pictures, final_scores(judgements.main), show)


def _judge_now(
    settings: Settings,
    pictures: "PictureSet",
    plan: "Plan",
    output: Path | None,
    show: Callable[[PartProgress], None],
    tracing: "Callable[[Examiner], list[Traced]] | None" = None,
) -> "tuple[Judgements, list[Traced]]":
    from worker.lab.evaluation.examiner import opened_examiner
    from worker.lab.evaluation.judgements import EvaluationProgress, judge_runs
    from worker.lab.evaluation.records import opened_records

    show(EvaluationProgress("loading the model", 0, 1))
    with opened_examiner(settings, pictures.folder) as examiner, opened_records(output, pictures, examiner.release.id) as records:
        judgements = judge_runs(examiner, pictures.labels, plan, records, show)
        return judgements, tracing(examiner) if tracing else []


def _traced(
    examiner: "Examiner", *, pictures: "PictureSet", most: int, show: Callable[[PartProgress], None], folder: Path
) -> "list[Traced]":
    from worker.lab.evaluation.attention import traced  # loads torch

    return traced(examiner, pictures.labels, most, show, folder)


def _explained_by_attention(
    settings: Settings, recorded: "list[Traced]", show: Callable[[PartProgress], None]
) -> "tuple[list[Explained], list[Shelf]]":
    from worker.lab.evaluation.attention import attend_pictures, shelf
    from worker.lab.evaluation.attention_tables import explained_by_attention
    from worker.vision.load import find_checkpoint
    from worker.vision.nano import NAME as NANO

    attended = attend_pictures(find_checkpoint(settings.model or NANO), recorded, show, settings.attention_memory_gib)
    return [explained_by_attention(attended)], [found for found in [shelf(attended)] if found.exhibits]


def _explained_by_faithfulness(judgements: "Judgements", *, asked: bool, batch: str | None) -> "list[Explained]":
    from worker.lab.evaluation.evaluation import explained_by_faithfulness

    if asked and not judgements.tested:
        say(NOTHING_TO_TEST if batch is None else UNCHECKED)
    return [explained_by_faithfulness(judgements.tested)] if asked or judgements.tested else []


def _judged_in(batch: str, pictures: "PictureSet") -> "Judgements":
    from worker.cli.services import locate_services
    from worker.lab.evaluation.batch import judged_in_batch

    services = locate_services()
    return judged_in_batch(services.engine, find(services, batch).id, pictures)


@contextmanager
def _shown(output: Path | None) -> Iterator[Callable[[PartProgress], None]]:
    try:
        with shown_parts("reading labels") as show:
            yield show
    except KeyboardInterrupt:
        if output is not None:
            say("What is judged is kept: the same command goes on from there.")
        raise
