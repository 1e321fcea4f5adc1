"""An evaluation on the terminal: the main figures with their intervals, and the tables that answer the first questions."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from worker.cli.tables import print_honesty
from worker.cli.terminal import untrusted
from worker.lab.evaluation.bootstrap import LEVEL, RESAMPLES
from worker.lab.evaluation.evaluation import Evaluation
from worker.lab.evaluation.figures import HEADLINE, MEANINGS, Metric, in_words
from worker.lab.evaluation.figures import Table as Figures

INTERVAL = len("[.123, .456]")
SHOWN = {  # columns that fit 80 characters; the report has the others, and more tables
    "against": (Metric.AUROC, Metric.AVERAGE_PRECISION, Metric.BALANCED_ACCURACY, Metric.TPR_AT_1_FPR),
    "generators": (Metric.AUROC, Metric.BALANCED_ACCURACY, Metric.DETECTED),
    "baselines": (Metric.AUROC, Metric.RELEASE_MINUS_THIS),
    "stages": (Metric.AUROC, Metric.BALANCED_ACCURACY, Metric.FINAL_MINUS_THIS, Metric.GOOD_FLIPS, Metric.BAD_FLIPS),
    "sizes": (Metric.AUROC, Metric.BALANCED_ACCURACY),
    "faithfulness": (Metric.FAITHFULNESS_DROP, Metric.FAITHFULNESS_CONTROL, Metric.FAITHFULNESS_DIFFERENCE, Metric.FAITHFULNESS_AUC),
    "bands": (Metric.BALANCED_ACCURACY, Metric.ECE, Metric.FALSE_ALARMS),
    "robustness": (Metric.AUROC, Metric.BALANCED_ACCURACY, Metric.FINAL_MINUS_THIS),
    "attention": (Metric.ATTENTION_RATIO, Metric.POINTING_GAME, Metric.RANK_CORRELATION),
    "attention_curves": (Metric.DELETION_AREA, Metric.INSERTION_AREA),
    "attention_agreement": (Metric.LOGPROBS_AGREE, Metric.LOGPROB_GAP, Metric.SECONDS_PER_MAP),
}


def print_evaluation(evaluation: Evaluation, console: Console) -> None:
    """Headline, then tables, then how far the model can be trusted."""
    console.print(untrusted(f"Release {evaluation.release.id}: {evaluation.pictures:,} pictures of {evaluation.sources:,} photographs"))
    console.print(f"In brackets: {LEVEL:.0%} intervals, {RESAMPLES:,} bootstrap resamples of photographs\n")
    headline = Table.grid(padding=(0, 2, 0, 0))
    for title, metrics in HEADLINE.items():
        for place, metric in enumerate(metric for metric in metrics if metric in evaluation.headline):
            headline.add_row(f"[bold]{title}[/]" if place == 0 else "", MEANINGS[metric].title, in_words(evaluation.headline[metric]))
    console.print(headline)
    for figures in evaluation.tables:
        if figures.key in SHOWN:
            console.print(f"\n{figures.title}", style="bold")
            console.print(_table(figures, SHOWN[figures.key]))
    print_honesty({evaluation.release.training}, console)
    if evaluation.overlap:
        console.print(evaluation.overlap.warning, style="yellow")


def _table(figures: Figures, metrics: Sequence[Metric]) -> Table:
    table = Table(header_style="bold", pad_edge=False, box=None, padding=(0, 1, 0, 0))
    table.add_column("")
    for metric in metrics:
        table.add_column(MEANINGS[metric].title, justify="right", min_width=INTERVAL)
    for row in figures.rows:
        table.add_row(untrusted(row.name), *(in_words(row.figures.get(metric)).replace(" [", "\n[") for metric in metrics))
    return table
