"""What people make of what models say, as panels. Pure."""

from api.review_page.charts.over_time import Series, TimeChart, lines
from api.review_page.charts.rows import Estimate, RowChart, estimates
from api.review_page.charts.scales import Unit, said
from api.review_page.panels import Panel, Table
from api.review_page.wording import ARTEFACTS, OCCASIONS, between, percent, plural, resting
from worker.moderation.shares import Share
from worker.store.review_figures.boxes import Boxes
from worker.store.review_figures.overrides import Overridden, Overrides
from worker.store.review_figures.reading import ReviewFigures

MOST_ROWS = 12
NO_DECISIONS = "People have decided nothing in this time. Choose a longer one above, or begin with the queues."
OVERRIDE_NOTE = "Of images that people decided on, by the decision that stands: what is routed to people is no fair sample."


def model_panels(figures: ReviewFigures) -> list[Panel]:
    """Boxes; overrides over time, and by what they are of; scan against zoom."""
    return [
        _boxes(figures.boxes),
        _overrides(figures),
        _by_what(figures.overrides),
        _stages(figures),
    ]


def _overrides(figures: ReviewFigures) -> Panel:
    total, steps = figures.overrides.total, figures.overrides.steps
    says = (
        f"{percent(total.share.value)} of {plural(total.decisions, 'decision')} ({between(total.share)}): "
        f"{total.to_real:,} to real, {total.to_generated:,} to generated."
    )
    series = Series("overridden", [one.share.value for _, one in steps], [_bounds(one.share) for _, one in steps])
    chart = TimeChart(
        key="overrides", title="Overridden", description=says, moments=[at for at, _ in steps], series=[series], unit=Unit.SHARE
    )
    return Panel(
        key="overrides",
        title="Overridden, over time",
        says=says if total.decisions else "",
        note=f"{OVERRIDE_NOTE} The band is Wilson's interval at 95 %.",
        chart=lines(chart) if total.decisions else None,
        table=Table(("From (UTC)", *OVERRIDDEN), [[said(at, figures.scope.step), *_cells(one)] for at, one in steps]),
        empty=NO_DECISIONS,
    )


OVERRIDDEN = ("Decisions", "Overridden", "Share", "95 %", "To real", "To generated")


def _by_what(overrides: Overrides) -> Panel:
    """All on one scale: a new release and a new version often come together, and are told apart here."""
    policies = [(name or "no policy", one) for name, one in overrides.policies]
    releases = [(name or "no release", one) for name, one in overrides.releases]
    groups = [*policies, *releases, *((OCCASIONS.get(kind, str(kind)), one) for kind, one in overrides.occasions)]
    says = "; ".join(f"{name}: {percent(one.share.value)} of {one.decisions:,}" for name, one in policies[:3])
    chart = RowChart(key="releases", title="Overridden, by policy version, release and occasion", description=says)
    return Panel(
        key="releases",
        title="Overridden, by policy version, release and occasion",
        says=f"{says}." if says else "",
        note="Where intervals overlap much, the numbers tell nothing apart. Sampled from what passed: what the model misses.",
        chart=estimates(chart, [_estimate(name, one.share) for name, one in groups[:MOST_ROWS]]) if groups else None,
        table=Table(("Of", *OVERRIDDEN), [[name, *_cells(one)] for name, one in groups]),
        empty=NO_DECISIONS,
    )


def _boxes(boxes: Boxes) -> Panel:
    rows = [_estimate(ARTEFACTS[one.artefact], one.share) for one in boxes.artefacts]
    says = (
        f"{percent(boxes.share.value)} of {plural(boxes.share.whole, 'judged box', 'judged boxes')} were right as they stood; "
        f"{plural(boxes.missed, 'box', 'boxes')} had been missed."
    )
    return Panel(
        key="boxes",
        title="Boxes accepted, by artefact",
        says=says if boxes.share.whole or boxes.missed else "",
        note="By what the zoom's finding names first, else the scan's reason. A moved box was the right idea in the wrong place.",
        chart=estimates(RowChart(key="boxes", title="Boxes accepted, by artefact", description=says), rows) if rows else None,
        table=Table(
            ("Artefact", "Judged", "Accepted", "Moved", "Rejected", "Share accepted", "95 %"),
            [
                [
                    ARTEFACTS[one.artefact],
                    f"{one.share.whole:,}",
                    f"{one.accepted:,}",
                    f"{one.moved:,}",
                    f"{one.rejected:,}",
                    percent(one.share.value),
                    between(one.share),
                ]
                for one in boxes.artefacts
            ],
        ),
        empty="No box was judged in this time. Reviewers accept, reject and move boxes while they judge an image.",
    )


def _stages(figures: ReviewFigures) -> Panel:
    stages = figures.stages
    says = "; ".join(f"{one.release}: {percent(one.total.value)} of {plural(one.total.whole, 'verdict')}" for one in stages[:3])
    chart = TimeChart(
        key="stages",
        title="Scan and zoom differ",
        description=says,
        moments=figures.scope.moments,
        series=[Series(one.release, [share.value for _, share in one.steps]) for one in stages],
        unit=Unit.SHARE,
    )
    rows = [[said(at, figures.scope.step), *(_note(dict(one.steps)[at]) for one in stages)] for at in figures.scope.moments]
    return Panel(
        key="stages",
        title="Scan and zoom differ, by release",
        says=f"{says}." if says else "",
        note="Of all verdicts, whatever the queue. It rises when a model meets what it was not made for: look at it before overrides do.",
        chart=lines(chart) if stages else None,
        table=Table(("From (UTC)", *(one.release for one in stages)), rows),
        empty="No image was judged by both stages in this time.",
    )


def _estimate(name: str, share: Share) -> Estimate:
    interval = share.interval
    return Estimate(name, share.value, interval.low if interval else None, interval.high if interval else None, _note(share))


def _note(share: Share) -> str:
    return f"{percent(share.value)}, {resting(share)}"


def _bounds(share: Share) -> tuple[float, float] | None:
    interval = share.interval
    return None if interval is None else (interval.low, interval.high)


def _cells(one: Overridden) -> list[str]:
    share = one.share
    counts = f"{one.decisions:,}", f"{share.part:,}"
    return [*counts, percent(share.value), between(share), f"{one.to_real:,}", f"{one.to_generated:,}"]
