"""An evaluation as JSON for machines and as one HTML file for people: nothing in it is loaded from elsewhere, and nothing runs."""

import base64
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from worker.exports.whole_files import write_whole
from worker.lab.evaluation import plots
from worker.lab.evaluation.bootstrap import LEVEL, RESAMPLES, SEED
from worker.lab.evaluation.evaluation import Evaluation
from worker.lab.evaluation.figures import HEADLINE, MEANINGS, Estimate, Figures, Metric, Row, Table, in_words
from worker.lab.evaluation.gallery import Shelf, gallery
from worker.lab.evaluation.judged import Judged
from worker.lab.evaluation.metrics import ECE_BIN_PICTURES, ECE_BINS
from worker.lab.evaluation.scoring import Scores, final_scores, raw_scores
from worker.lab.evaluation.tables import is_clean, is_control
from worker.moderation.release import HONESTY
from worker.moderation.text import clean

TEMPLATE = "report.html.jinja"
JSON_FILE, HTML_FILE = "report.json", "report.html"


def write_report(folder: Path, evaluation: Evaluation, main: Sequence[Judged], pictures: Path, shelves: Sequence[Shelf] = ()) -> None:
    """Writes JSON_FILE and HTML_FILE into `folder`, each whole or not at all. Raises OSError.

    `pictures` is where what was judged lies; `shelves` stand before the gallery's own.
    """
    folder.mkdir(parents=True, exist_ok=True)
    body = json.dumps(report_object(evaluation), ensure_ascii=False, allow_nan=False, indent=1)
    write_whole(folder / JSON_FILE, body.encode() + b"\n")
    write_whole(folder / HTML_FILE, render(evaluation, main, [*shelves, *gallery(main, pictures)]).encode())


def report_object(evaluation: Evaluation) -> dict[str, Any]:
    """The evaluation as plain JSON. Figures are {value, low, high}; null where the pictures do not determine them."""
    return {
        "n": evaluation.pictures,
        **_figures_object(evaluation.headline),
        "sources": evaluation.sources,
        "release": evaluation.release.id,
        "release_facts": dict(evaluation.release.facts),
        "training": evaluation.release.training.value,
        "honesty": HONESTY[evaluation.release.training],
        "seen_before": {"taught": len(evaluation.overlap.taught), "calibrated": len(evaluation.overlap.calibrated)},
        "judged_by": evaluation.judged_by,
        "labels_sha256": evaluation.labels_sha256,
        "pictures_sha256": evaluation.pictures_sha256,
        "outcomes": {kind.value: count for kind, count in evaluation.outcomes.items()},
        "intervals": {"level": LEVEL, "method": "percentile bootstrap by source photograph", "resamples": RESAMPLES, "seed": SEED},
        "ece_bins": {"count": ECE_BINS, "least_pictures": ECE_BIN_PICTURES, "kind": "equal mass"},
        "throughput": asdict(evaluation.throughput),
        "tables": {table.key: [_row_object(row) for row in table.rows] for table in evaluation.tables},
        "histograms": {h.key: {"bins": h.bins, "true": h.true, "found": h.found} for h in evaluation.histograms},
        "definitions": {metric.value: meaning.definition for metric, meaning in MEANINGS.items()},
        "left_out": {"explanations": "ROUGE-L and BLEU-2 need reference texts, which the labels do not carry"},
    }


def render(evaluation: Evaluation, main: Sequence[Judged], shelves: Sequence[Shelf]) -> str:
    """The HTML page. Texts of models and labels are escaped by the template engine, whatever they hold."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"figure": _two_lines, "visible": clean}
    template = environment.from_string((files(__package__) / TEMPLATE).read_text(encoding="utf-8"))
    return template.render(
        evaluation=evaluation,
        honesty=HONESTY[evaluation.release.training],
        facts=json.dumps(evaluation.release.facts, indent=1, ensure_ascii=False),
        headline=HEADLINE,
        meanings=MEANINGS,
        images=_images(evaluation, main),
        shelves=shelves,
        resamples=RESAMPLES,
        level=f"{LEVEL:.0%}",
    )


def _two_lines(estimate: Estimate | None) -> Markup:
    value, _, interval = in_words(estimate).partition(" ")
    return Markup("{}<small>{}</small>").format(value, interval) if interval else Markup(value)  # noqa: S704  digits of ours


def _images(evaluation: Evaluation, main: Sequence[Judged]) -> dict[str, str]:
    """Data URIs of the plots by name; those that have nothing to show are missing."""
    tables = {table.key: table for table in evaluation.tables}
    curves = _curves(main)
    drawn: dict[str, Callable[[], str]] = {
        "reliability": lambda: plots.reliability_plot(_reliability(evaluation, main)),
        "scores": lambda: plots.score_plot({name: final_scores(part).p for name, part in _kinds(main).items() if part}),
    }
    if curves:
        drawn["roc"] = lambda: plots.roc_plot(curves)
    if generators := tables.get("generators"):
        drawn["generators"] = lambda: plots.forest_plot(generators.rows, generators.telling, _rows(tables.get("baselines")))
    if robustness := tables.get("robustness"):
        drawn["robustness"] = lambda: plots.bar_plot(robustness.rows, robustness.telling)
    for histogram in evaluation.histograms:
        drawn[histogram.key] = lambda histogram=histogram: plots.histogram_plot(histogram)  # type: ignore[misc]
    return {name: "data:image/svg+xml;base64," + base64.b64encode(draw().encode()).decode("ascii") for name, draw in drawn.items()}


def _curves(main: Sequence[Judged]) -> dict[str, Scores]:
    kinds = _kinds(main)
    generated = kinds.pop("generated")
    return {f"against {name}": final_scores([*generated, *part]) for name, part in kinds.items() if generated and part}


def _kinds(main: Sequence[Judged]) -> dict[str, list[Judged]]:
    return {
        "clean photographs": [picture for picture in main if is_clean(picture)],
        "controls": [picture for picture in main if is_control(picture)],
        "generated": [picture for picture in main if picture.generated],
    }


def _reliability(evaluation: Evaluation, main: Sequence[Judged]) -> dict[str, Scores]:
    if evaluation.release.facts.get("calibration") is None:
        return {"as the model says": final_scores(main)}
    return {"calibrated": final_scores(main), "raw": raw_scores(main)}


def _rows(table: Table | None) -> Sequence[Row]:
    return table.rows if table else ()


def _row_object(row: Row) -> dict[str, Any]:
    return {"name": row.name, "n": row.pictures, "sources": row.sources, **_figures_object(row.figures)}


def _figures_object(figures: Figures) -> dict[str, Any]:
    return {metric.value: asdict(figures[metric]) for metric in Metric if metric in figures}
