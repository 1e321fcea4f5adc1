"""The dashboard's tiles and panels, from the figures. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from api.review_page.agreement_panel import agreement_panel
from api.review_page.charts.over_time import Series, TimeChart, columns, lines
from api.review_page.charts.rows import Parts, RowChart, stacks
from api.review_page.charts.scales import Unit, said
from api.review_page.golden_panel import golden_panel
from api.review_page.model_panels import model_panels
from api.review_page.panels import Panel, Table, Tile
from api.review_page.rendering import person
from api.review_page.wording import TENTATIVE, age, coefficient, duration, grounds, percent, plural, reliability, seconds
from worker.moderation.shares import Share
from worker.store.review_figures.depth import QueueDepth
from worker.store.review_figures.reading import ReviewFigures

AGES = ("under 1 h", "1–4 h", "4–24 h", "1–3 days", "3–7 days", "over 7 days")  # as worker.store.review_figures.depth cuts them
MOST_ROWS = 12  # of a chart; its table has the rest


def tiles(figures: ReviewFigures) -> list[Tile]:
    """What matters first."""
    depths, pace, alpha = figures.depths, figures.throughput.total, figures.agreement.alpha
    waiting, overdue = sum(depth.tasks for depth in depths), sum(depth.overdue for depth in depths)
    oldest = min((depth.oldest for depth in depths if depth.oldest), default=None)
    overridden, boxes = figures.overrides.total.share, figures.boxes.share
    stages = sum((release.total for release in figures.stages), Share(0, 0))
    escalated, held = sum(depth.escalated for depth in depths), sum(depth.held for depth in depths)
    unsure = Share(pace.unsure, pace.settled)
    tone = "bad" if alpha.coefficient is not None and alpha.coefficient < TENTATIVE else ""
    return [
        Tile("waiting", "Waiting", f"{waiting:,}", f"{escalated:,} with leads, {held:,} on hold"),
        Tile("ages", "Overdue", f"{overdue:,}", f"of {waiting:,}", "bad" if overdue else ""),
        Tile("ages", "Oldest", age(oldest, figures.scope.until), "since it was made"),
        Tile(
            "answers",
            "Answers",
            f"{pace.answers:,}",
            f"median {seconds(pace.median_seconds)}, {percent(unsure.value)} unsure" if pace.answers else "none yet",
        ),
        Tile("overrides", "Overridden", percent(overridden.value), grounds(overridden)),
        Tile("agreement", "Agreement α", coefficient(alpha), reliability(alpha) if alpha.units else "no task with two blind answers", tone),
        Tile("boxes", "Boxes right", percent(boxes.value), grounds(boxes)),
        Tile("stages", "Scan ≠ zoom", percent(stages.value), grounds(stages)),
    ]


def panels(figures: ReviewFigures, names: Mapping[str, str], *, everybody: bool) -> list[Panel]:
    """All panels: work, people, models. `names` are people's, by actor; `everybody`: whether figures tell of more than the visitor."""
    work = [_waiting(figures), _ages(figures.depths, figures.scope.until), _flow(figures)]
    people = [_answers(figures), _pace(figures), _reviewers(figures, names, everybody=everybody), agreement_panel(figures, names)]
    golden = [golden_panel(figures.golden, names)] if figures.golden is not None else []
    return [*work, *people, *golden, *model_panels(figures)]


def _waiting(figures: ReviewFigures) -> Panel:
    flow = figures.flow
    waiting = [step.waiting for step in flow]
    says = f"{plural(waiting[-1], 'task')} now; between {min(waiting):,} and {max(waiting):,} in this time."
    chart = TimeChart(
        key="waiting", title="Waiting", description=says, moments=[step.at for step in flow], series=[Series("waiting", waiting)]
    )
    rows = [[said(step.at, figures.scope.step), f"{step.waiting:,}"] for step in flow]
    return Panel(
        key="waiting",
        title="Waiting, over time",
        says=says,
        note="Unfinished tasks at the end of each step: open, on hold, and with leads.",
        chart=lines(chart) if any(waiting) else None,
        table=Table(("From (UTC)", "Waiting"), rows),
        empty="Nothing has waited in this time. Tasks come from policies: what a version routes to review or flag waits in its queue.",
    )


def _flow(figures: ReviewFigures) -> Panel:
    flow = figures.flow
    opened, closed = [step.opened for step in flow], [step.closed for step in flow]
    says = f"{sum(opened):,} came, {sum(closed):,} were finished."
    series = [Series("made", opened), Series("finished", closed)]
    chart = TimeChart(key="flow", title="Made and finished", description=says, moments=[step.at for step in flow], series=series)
    rows = [[said(step.at, figures.scope.step), f"{step.opened:,}", f"{step.closed:,}"] for step in flow]
    return Panel(
        key="flow",
        title="Made and finished",
        says=says,
        note="Finished: decided, or withdrawn because the image was judged again or erased.",
        chart=columns(chart) if any(opened) or any(closed) else None,
        table=Table(("From (UTC)", "Made", "Finished"), rows),
        empty="No task was made or finished in this time. Choose a longer one above.",
    )


def _ages(depths: Sequence[QueueDepth], now: datetime) -> Panel:
    busy = sorted((depth for depth in depths if depth.tasks), key=lambda depth: -depth.tasks)
    rows = [Parts(depth.queue, depth.ages, f"{depth.overdue:,} overdue" if depth.overdue else "none overdue") for depth in busy[:MOST_ROWS]]
    says = "; ".join(f"{depth.queue}: {plural(depth.tasks, 'task')}, the oldest {age(depth.oldest, now)} old" for depth in busy[:3])
    return Panel(
        key="ages",
        title="Age of what waits, by queue",
        says=f"{says}." if says else "Nothing waits.",
        note="Since each task was made, at this moment.",
        chart=stacks(RowChart(key="ages", title="Age of what waits", description=says), rows, AGES) if rows else None,
        table=Table(
            ("Queue", *AGES, "Overdue", "On hold", "With leads"),
            [[d.queue, *(f"{age:,}" for age in d.ages), f"{d.overdue:,}", f"{d.held:,}", f"{d.escalated:,}"] for d in depths],
        ),
        empty="Nothing waits at this moment: everything that people were asked is answered.",
    )


def _answers(figures: ReviewFigures) -> Panel:
    steps, total = figures.throughput.steps, figures.throughput.total
    says = f"{plural(total.answers, 'answer')}, {total.unsure:,} unsure of {total.settled:,} to finished tasks."
    chart = TimeChart(
        key="answers",
        title="Answers",
        description=says,
        moments=[at for at, _ in steps],
        series=[Series("answers", [pace.answers for _, pace in steps])],
    )
    rows = [[said(at, figures.scope.step), f"{pace.answers:,}", f"{pace.unsure:,}", seconds(pace.median_seconds)] for at, pace in steps]
    return Panel(
        key="answers",
        title="Answers",
        says=says,
        note=f"Each column is {_words(figures.scope.step)}; the last one still runs.",
        chart=columns(chart) if total.answers else None,
        table=Table(("From (UTC)", "Answers", "Unsure", "Median"), rows),
        empty="Nobody has answered in this time. Tasks are answered from the queues' page.",
    )


def _pace(figures: ReviewFigures) -> Panel:
    steps, total = figures.throughput.steps, figures.throughput.total
    says = f"Half of the answers took {seconds(total.median_seconds)} or less, nine of ten {seconds(total.slow_seconds)} or less."
    says += f" A picture was visible for {seconds(total.mean_exposure)} on average." if total.measured else ""
    series = [
        Series("median", [pace.median_seconds for _, pace in steps]),
        Series("nine of ten below", [pace.slow_seconds for _, pace in steps]),
        Series("picture visible, mean", [pace.mean_exposure for _, pace in steps]),
    ]
    chart = TimeChart(
        key="pace",
        title="Seconds for an answer",
        description=says,
        moments=[at for at, _ in steps],
        series=series if total.measured else series[:-1],
        unit=Unit.SECONDS,
    )
    rows = [
        [said(at, figures.scope.step), seconds(p.median_seconds), seconds(p.slow_seconds), seconds(p.mean_exposure), f"{p.answers:,}"]
        for at, p in steps
    ]
    return Panel(
        key="pace",
        title="Time for an answer",
        says=says if total.answers else "",
        note="From the claim to the answer: the page claims the next task while the last one is judged, so it is more than looking.",
        chart=lines(chart) if total.answers else None,
        table=Table(("From (UTC)", "Median", "Nine of ten below", "Visible, mean", "n"), rows),
        empty="Nobody has answered in this time.",
    )


def _reviewers(figures: ReviewFigures, names: Mapping[str, str], *, everybody: bool) -> Panel:
    reviewers = figures.throughput.reviewers
    named = [(names.get(actor, person(actor)), pace) for actor, pace in reviewers]
    rows = [Parts(name, [pace.answers], f"median {seconds(pace.median_seconds)}") for name, pace in named[:MOST_ROWS]]
    says = f"{plural(len(reviewers), 'person', 'people')} answered." if everybody else "Your own answers; others' are for leads."
    return Panel(
        key="reviewers",
        title="Answers by reviewer" if everybody else "Your answers",
        says=says,
        note="The numbers say how long pictures were visible, unblurred, to each: share the load, and offer breaks." if everybody else "",
        chart=stacks(RowChart(key="reviewers", title="Answers by reviewer", description=says), rows, ("answers",)) if rows else None,
        table=Table(
            ("Reviewer", "Answers", "Unsure", "Median", "Nine of ten below", "Pictures visible"),
            [
                [n, f"{p.answers:,}", f"{p.unsure:,}", seconds(p.median_seconds), seconds(p.slow_seconds), duration(p.exposed_seconds)]
                for n, p in named
            ],
        ),
        empty="Nobody has answered in this time." if everybody else "You have not answered in this time.",
    )


def _words(step: timedelta) -> str:
    hours = step // timedelta(hours=1)
    return {1: "an hour", 24: "a day (UTC)"}.get(hours, f"{hours} hours")
