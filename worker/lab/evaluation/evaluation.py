"""An evaluation: every figure of a release on a set of labelled pictures."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from worker.lab.evaluation.bands import band_table
from worker.lab.evaluation.bootstrap import estimate
from worker.lab.evaluation.faithfulness import faithfulness_figures, faithfulness_table
from worker.lab.evaluation.figures import Estimate, Figures, Metric, Row, Table
from worker.lab.evaluation.judged import Judged
from worker.lab.evaluation.judgements import EvaluationProgress, Judgements, Report
from worker.lab.evaluation.localisation import Histogram, box_figures, box_table, histograms
from worker.lab.evaluation.metrics import SCORE_METRICS, auroc, balanced_accuracy, detected, false_alarms
from worker.lab.evaluation.picture_set import PictureSet
from worker.lab.evaluation.runs import CONTROLS
from worker.lab.evaluation.scoring import Scores, final_scores, scan_scores
from worker.lab.evaluation.stages import stage_table
from worker.lab.evaluation.tables import (
    against_table,
    collection_table,
    error_figures,
    generator_table,
    score_figures,
    score_row,
    size_table,
)
from worker.lab.evaluation.throughput import Throughput, throughput
from worker.lab.taught_on import NOTHING_SEEN, Overlap
from worker.moderation.outcomes import OutcomeKind
from worker.moderation.release import Release

RATES = {Metric.DETECTED: detected, Metric.FALSE_ALARMS: false_alarms}  # defined where there is one class only, too
GRID_METRICS = {Metric.AUROC: auroc, Metric.BALANCED_ACCURACY: balanced_accuracy, **RATES}  # the grid's pictures are few
UNALTERED = "unaltered"
HEADLINE_BOXES = (Metric.IOU_MEAN_BEST, Metric.F1_AT_30, Metric.F1_AT_50, Metric.IOU_MEAN_OVER_FOUND, Metric.IOU_UNION_MASK)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What a report shows. `headline` is over all pictures, clean and control counted as real; boxes over the generated ones."""

    release: Release
    judged_by: str  # in words: the deployed path, or a batch
    pictures: int
    sources: int
    labels_sha256: str
    pictures_sha256: str
    outcomes: Mapping[OutcomeKind, int]
    headline: Figures
    tables: tuple[Table, ...]
    histograms: tuple[Histogram, ...]
    throughput: Throughput
    overlap: Overlap = NOTHING_SEEN  # with what taught or calibrated the release


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """What was measured of explanations: figures for the headline, and tables."""

    figures: Figures
    tables: tuple[Table, ...]


def explained_by_faithfulness(tested: Sequence[Judged]) -> Explained:
    """Of tested explanations; the figures are there, without a value, when nothing was tested."""
    return Explained(figures=faithfulness_figures(tested), tables=(faithfulness_table(tested),))


def summarise(
    pictures: PictureSet,
    judgements: Judgements,
    judged_by: str,
    extra: Sequence[Table],
    report: Report,
    overlap: Overlap = NOTHING_SEEN,
    explained: Sequence[Explained] = (),
) -> Evaluation:
    """Every figure of `judgements`; `extra` tables stand beside the generators', those of explanations last.

    Minutes for thousands of pictures: the intervals.
    """
    main = judgements.main
    steps: tuple[Callable[[], Sequence[Table]], ...] = (
        lambda: [against_table(main), generator_table(main), *extra],
        lambda: [stage_table(main, judgements.controls)],
        lambda: [box_table(main)],
        lambda: [robustness_table(main, judgements.robustness), band_table(main, judgements.robustness.values())],
        lambda: [size_table(main), collection_table(main)],
        lambda: [table for part in explained for table in part.tables],
    )
    tables: list[Table] = []
    for number, step in enumerate(steps, 1):
        tables += [table for table in step() if table.rows]
        report(EvaluationProgress("computing intervals", number, len(steps)))
    return Evaluation(
        release=judgements.release,
        judged_by=judged_by,
        pictures=len(main),
        sources=pictures.sources,
        labels_sha256=pictures.labels_sha256,
        pictures_sha256=pictures.pictures_sha256,
        outcomes={kind: sum(picture.kind is kind for picture in main) for kind in OutcomeKind},
        headline={
            **headline(main, judgements.controls),
            **{m: f for part in explained for m, f in part.figures.items()},
        },
        tables=tuple(tables),
        histograms=histograms(main),
        throughput=throughput(main, judgements.images_per_second),
        overlap=overlap,
    )


def headline(main: Sequence[Judged], controls: Mapping[str, Sequence[Judged]]) -> Figures:
    """The figures that machines rely on, by name; None where a control did not run or no true box is known."""
    boxes = box_figures([picture for picture in main if picture.generated])
    figures = {
        **score_figures(final_scores(main), {**SCORE_METRICS, **RATES}),
        **{metric: boxes[metric] for metric in HEADLINE_BOXES},
        Metric.SCAN_ACCURACY: _accuracy(scan_scores(main)),
        **error_figures(main),
    }
    for run in CONTROLS:
        if run.metric is not None:
            figures[run.metric] = _accuracy(final_scores(controls[run.name])) if run.name in controls else Estimate(None)
    return figures


def robustness_table(main: Sequence[Judged], robustness: Mapping[str, Sequence[Judged]]) -> Table:
    """A row per alteration, over the same pictures, which are also the first row's."""
    files = {picture.label.file for run in robustness.values() for picture in run}
    runs = {UNALTERED: [picture for picture in main if picture.label.file in files], **robustness} if robustness else {}
    rows = [_grid_row(name, run, runs[UNALTERED]) for name, run in runs.items()]
    note = (
        "Every picture is altered in its original pixels, then judged as if it had arrived so. “Final − this” is the first row's balanced "
        "accuracy less this row's."
    )
    return Table(key="robustness", title="Robustness", note=note, rows=tuple(rows))


def _grid_row(name: str, run: Sequence[Judged], unaltered: Sequence[Judged]) -> Row:
    row = score_row(name, run, GRID_METRICS)
    boxes = box_figures([picture for picture in run if picture.generated])
    figures = {**row.figures, Metric.IOU_MEAN_BEST: boxes[Metric.IOU_MEAN_BEST], **error_figures(run)}
    if run is not unaltered:
        figures[Metric.FINAL_MINUS_THIS] = _lost(final_scores(unaltered), final_scores(run))
    return Row(name=name, pictures=row.pictures, sources=row.sources, figures=figures)


def _lost(before: Scores, after: Scores) -> Estimate:
    """Balanced accuracy before an alteration less that after it, on the same resamples of the same pictures."""
    statistic = {
        Metric.FINAL_MINUS_THIS: lambda places: balanced_accuracy(before.at(places)) - balanced_accuracy(after.at(places)),
    }
    return estimate(statistic, after.sources)[Metric.FINAL_MINUS_THIS]


def _accuracy(scores: Scores) -> Estimate:
    return estimate({Metric.BALANCED_ACCURACY: lambda places: balanced_accuracy(scores.at(places))}, scores.sources)[
        Metric.BALANCED_ACCURACY
    ]
