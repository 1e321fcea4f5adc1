"""Results for the eye: one table, and under it how far its model can be trusted."""

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from worker.cli.terminal import untrusted
from worker.moderation.outcomes import Region, Verdict
from worker.moderation.release import HONESTY, Training
from worker.store.results import ItemResult

LONGEST_NAME, LONGEST_EXPLANATION = 60, 240  # characters
VERDICT_STYLES = {Verdict.GENERATED: "bold yellow", Verdict.REAL: "green"}


def print_results(results: Iterable[ItemResult], console: Console) -> int:
    """The table of results, and the honesty sentence of each kind of model that judged them: how many results."""
    shown = list(results)
    table = Table(header_style="bold", pad_edge=False, box=None, padding=(0, 2, 0, 0))
    table.add_column("image", overflow="fold", ratio=3)
    table.add_column("verdict", no_wrap=True)
    table.add_column("P(generated)", justify="right", no_wrap=True)
    table.add_column("boxes", no_wrap=True)
    table.add_column("explanation", overflow="fold", ratio=5)
    for result in shown:
        table.add_row(*_row(result))
    console.print(table)
    print_honesty({result.training for result in shown if result.training}, console)
    return len(shown)


def print_honesty(trainings: Iterable[Training], console: Console) -> None:
    """The sentence that stands wherever verdicts are shown."""
    for training in sorted(trainings):
        console.print(f"\n{escape(HONESTY[training])}", style="yellow" if training is not Training.TRAINED else "")


def _row(result: ItemResult) -> tuple[Text, Text, str, str, Text]:
    name = untrusted(result.custom_id, limit=LONGEST_NAME)
    score = "" if result.p_generated is None else f"{result.p_generated:.2f}"
    if result.erased:
        return name, Text(result.verdict or result.outcome or "erased", "dim"), score, "", Text("The image was erased.", "dim")
    if result.verdict is not None:
        return name, Text(result.verdict, VERDICT_STYLES[result.verdict]), score, _boxes(result.regions), _explained(result)
    if result.error is not None:
        reason = untrusted(f"{result.error.code}: {result.error.message}", limit=LONGEST_EXPLANATION)
        return name, Text(result.outcome or "", "red"), score, "", reason
    return name, Text(result.outcome or "pending", "dim"), score, "", Text("")


def _boxes(regions: Sequence[Region]) -> str:
    """One box per line, as x0,y0–x1,y1 in original pixels."""
    corners = (region.box.corners() for region in regions)
    return "\n".join(f"{x0},{y0}–{x1},{y1}" for x0, y0, x1, y1 in corners) or "none"


def _explained(result: ItemResult) -> Text:
    return untrusted(result.explanation or "", limit=LONGEST_EXPLANATION)
