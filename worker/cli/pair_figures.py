"""How the demo's pairs came out, and beside it what was measured on many pictures: twelve images alone prove nothing."""

import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from typing import Any

from rich.console import Console

from worker.lab.labels import Label
from worker.moderation.boxes import intersection_over_union
from worker.moderation.outcomes import Verdict
from worker.moderation.release import Training
from worker.store.results import ItemResult
from worker.vision.nano import REPORT

CARD_FIGURES = {"auroc": "AUROC", "balanced_accuracy": "balanced accuracy", "iou_mean_best": "mean best IoU"}  # keys of REPORT
Releases = Mapping[str, Mapping[str, Any]]  # facts by id


def print_pair_figures(results: Iterable[ItemResult], labels: Sequence[Label], releases: Releases, console: Console) -> None:
    """AUROC, right verdicts and box overlap on the labelled results; nothing where the model's scores mean nothing.

    `releases` has the facts of those that judged: the card's figures are told beside where they are of the very same model files.
    """
    judged = {result.custom_id: result for result in results}
    pairs = [(label, judged[label.file]) for label in labels if label.file in judged]
    if not pairs or any(result.training is not Training.TRAINED for _, result in pairs):
        return
    right = sum(result.verdict is label.label for label, result in pairs)
    console.print(f"\nThese {len(pairs)}, held out and not selected: AUROC {_auroc(pairs):.2f}, {right} verdicts right, {_boxes(pairs)}.")
    card = json.loads(REPORT.read_text(encoding="utf-8"))
    if all(_files(releases.get(result.release or "")) == _files(card["release_facts"]) for _, result in pairs):
        console.print(_model_card(card))


def _auroc(pairs: Sequence[tuple[Label, ItemResult]]) -> float:
    """Share of (doctored, clean) combinations in the right order, ties half; what has no score is in the wrong order."""
    doctored = [-1.0 if result.p_generated is None else result.p_generated for label, result in pairs if label.label is Verdict.GENERATED]
    clean = [2.0 if result.p_generated is None else result.p_generated for label, result in pairs if label.label is Verdict.REAL]
    ordered = [float(high > low) + (high == low) / 2 for high, low in product(doctored, clean)]
    return sum(ordered) / len(ordered)


def _boxes(pairs: Sequence[tuple[Label, ItemResult]]) -> str:
    best = [
        max((intersection_over_union(true, region.box) for region in result.regions), default=0.0)
        for label, result in pairs
        if label.label is Verdict.GENERATED
        for true in label.regions
    ]
    return f"mean best IoU {sum(best) / len(best):.2f} over {len(best)} doctored regions"


def _files(facts: Mapping[str, Any] | None) -> Any:
    """The sha256 of each model file. A name would prove nothing: whoever trains may give it to other weights."""
    return (facts or {}).get("model", {}).get("files")


def _model_card(report: Mapping[str, Any]) -> str:
    told = (f"{name} {_with_interval(report[key])}" for key, name in CARD_FIGURES.items())
    return f"Model card, {report['n']} held-out pictures: {', '.join(told)} (95% intervals)."


def _with_interval(figure: dict[str, float]) -> str:
    return f"{figure['value']:.2f} ({figure['low']:.2f}–{figure['high']:.2f})"
