"""How reviewers fare on images whose answer is known, as a panel for leads. Pure."""

from collections.abc import Mapping

from api.review_page.charts.rows import Estimate, RowChart, estimates
from api.review_page.panels import Panel, Table
from api.review_page.rendering import person
from api.review_page.wording import NOTHING, between, percent, plural, resting
from worker.moderation.shares import Share
from worker.store.golden import GoldenAccuracy, ReviewersAccuracy

MOST_ROWS = 12  # of the chart; its table has the rest
EMPTY = (
    "No golden image was answered in this time. Add images whose answer is known (zoomin golden add), and give a queue a golden share: "
    "reviewers then meet them unknowingly."
)


def golden_panel(golden: ReviewersAccuracy, names: Mapping[str, str]) -> Panel:
    """Accuracy of all and of each."""
    overall, share = golden.overall, _share(golden.overall)
    says = (
        f"{percent(share.value)} of {plural(overall.answers, 'answer')} on golden images were right ({between(share)}); "
        f"{overall.missed:,} missed, {plural(overall.false_alarms, 'false alarm')}, {overall.unsure:,} unsure."
    )
    named = [("All reviewers", overall), *((names.get(actor, person(actor)), one) for actor, one in golden.reviewers)]
    rows = [_estimate(name, _share(one)) for name, one in named[: MOST_ROWS + 1]]
    return Panel(
        key="golden",
        title="Golden set",
        says=says if overall.answers else "",
        note="Whatever the queue. Shown to leads alone: a reviewer could tell a golden image by a number that moves.",
        chart=estimates(RowChart(key="golden", title="Accuracy on golden images", description=says), rows) if overall.answers else None,
        table=Table(
            ("Reviewer", "Answers", "Right", "Share", "95 %", "Missed", "False alarms", "Unsure", "IoU of boxes"),
            [[name, *_cells(one)] for name, one in named],
        ),
        empty=EMPTY,
    )


def _share(one: GoldenAccuracy) -> Share:
    return Share(one.correct, one.answers)


def _estimate(name: str, share: Share) -> Estimate:
    interval = share.interval
    note = f"{percent(share.value)}, {resting(share)}"
    return Estimate(name, share.value, interval.low if interval else None, interval.high if interval else None, note)


def _cells(one: GoldenAccuracy) -> list[str]:
    share, counts = _share(one), (one.missed, one.false_alarms, one.unsure)
    iou = NOTHING if one.box_iou is None else f"{one.box_iou:.2f}"
    return [f"{one.answers:,}", f"{one.correct:,}", percent(share.value), between(share), *(f"{count:,}" for count in counts), iou]
