"""Whether zooming pays: the scan's own verdicts, the final ones, and those that came of other crops, on the same pictures."""

from collections.abc import Mapping, Sequence

import numpy as np

from worker.lab.evaluation.bootstrap import Statistic, estimate
from worker.lab.evaluation.figures import Figures, Metric, Row, Table
from worker.lab.evaluation.judged import Judged
from worker.lab.evaluation.metrics import auroc, balanced_accuracy, detected, false_alarms
from worker.lab.evaluation.runs import MAIN
from worker.lab.evaluation.scoring import Scores, final_scores, scan_scores

NOTE = (
    "Accuracies are balanced. A flip is a final verdict that differs from the scan's of the same run. Differences are taken on the same "
    "resamples of photographs, so that their intervals tell whether a difference is more than chance."
)


def stage_table(main: Sequence[Judged], controls: Mapping[str, Sequence[Judged]]) -> Table:
    """The scan, the final verdict, and each control, which judged the same pictures in the same order."""
    final = final_scores(main)
    rows = [
        Row(name="scan alone", figures=_figures(scan_scores(main), final, None), **_counts(main)),
        Row(name=MAIN.name, figures=_figures(final, None, main), **_counts(main)),
        *(Row(name=name, figures=_figures(final_scores(run), final, run), **_counts(run)) for name, run in controls.items()),
    ]
    vacuous = [name for name, run in controls.items() if _cut_alike(run, main)]
    note = NOTE + (f" Cut what the main run cut, and so says nothing: {', '.join(vacuous)}." if vacuous else "")
    return Table(key="stages", title="Does zooming help?", note=note, rows=tuple(rows))


def _cut_alike(run: Sequence[Judged], main: Sequence[Judged]) -> bool:
    return all(one.found == other.found for one, other in zip(run, main, strict=True))


def _figures(scores: Scores, final: Scores | None, run: Sequence[Judged] | None) -> Figures:
    statistics: dict[Metric, Statistic] = {
        Metric.AUROC: lambda places: auroc(scores.at(places)),
        Metric.BALANCED_ACCURACY: lambda places: balanced_accuracy(scores.at(places)),
        Metric.DETECTED: lambda places: detected(scores.at(places)),
        Metric.FALSE_ALARMS: lambda places: false_alarms(scores.at(places)),
    }
    if final is not None:
        statistics[Metric.FINAL_MINUS_THIS] = lambda places: balanced_accuracy(final.at(places)) - balanced_accuracy(scores.at(places))
    if run is not None:
        good = np.array([picture.right and not picture.scan_right for picture in run], dtype=np.bool_)
        bad = np.array([picture.scan_right and not picture.right for picture in run], dtype=np.bool_)
        statistics[Metric.GOOD_FLIPS] = lambda places: float(good[places].mean())
        statistics[Metric.BAD_FLIPS] = lambda places: float(bad[places].mean())
    return estimate(statistics, scores.sources)


def _counts(pictures: Sequence[Judged]) -> dict[str, int]:
    return {"pictures": len(pictures), "sources": len({picture.label.source for picture in pictures})}
