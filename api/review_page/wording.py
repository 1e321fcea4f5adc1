"""Figures in words: shares with their intervals and what they rest on, durations, names of things."""

from datetime import datetime, timedelta

from api.review_page.charts.scales import Unit
from worker.moderation.agreement import Agreement
from worker.moderation.artefacts import Artefact
from worker.moderation.review import TaskKind
from worker.moderation.shares import Share

RELIABLE, TENTATIVE = 0.8, 0.667  # Krippendorff's own customary limits (Content Analysis, 2004)
NOTHING = "–"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
ARTEFACTS = {
    Artefact.HAND: "hands",
    Artefact.FACE: "faces",
    Artefact.LIMB: "limbs and poses",
    Artefact.TEXT: "text",
    Artefact.LOGO: "logos",
    Artefact.EDGE: "edges",
    Artefact.TEXTURE: "textures",
    Artefact.LIGHT: "light and shadow",
    Artefact.STRONG_TRACES: "strong traces of redrawing",
    Artefact.CLEAR_TRACES: "clear traces of redrawing",
    Artefact.SOME_TRACES: "some traces of redrawing",
    Artefact.FAINT_TRACES: "faint traces of redrawing",
    Artefact.NO_TRACES: "no traces of redrawing",
    Artefact.OTHER: "anything else",
}

OCCASIONS = {
    TaskKind.ROUTING: "routed to people",
    TaskKind.QA: "sampled from what passed",
    TaskKind.APPEAL: "appealed",
    None: "a lead's own",
}


def percent(value: float | None) -> str:
    """A share; a dash for none."""
    return NOTHING if value is None else Unit.SHARE.written(value)


def between(share: Share) -> str:
    """Its interval."""
    interval = share.interval
    return NOTHING if interval is None else f"{interval.low:.1%} to {interval.high:.1%}"


def resting(share: Share) -> str:
    """What it rests on."""
    return f"n = {share.whole:,}"


def grounds(share: Share) -> str:
    """Its interval, and what it rests on."""
    return f"{between(share)}, {resting(share)}" if share.whole else "nothing to tell from yet"


def coefficient(agreement: Agreement) -> str:
    """A coefficient; a dash where it is undefined."""
    return NOTHING if agreement.coefficient is None else f"{agreement.coefficient:.2f}"


def reliability(agreement: Agreement) -> str:
    """What a coefficient means for what is built on the answers."""
    if agreement.coefficient is None:
        return "undefined: nothing could be disagreed about"
    if agreement.coefficient >= RELIABLE:
        return "reliable (0.80 or more)"
    return "tentative (0.67 to 0.80)" if agreement.coefficient >= TENTATIVE else "too low to build on (below 0.67)"


def seconds(value: float | None) -> str:
    """How long an answer takes."""
    return NOTHING if value is None else Unit.SECONDS.written(value)


def duration(value: float) -> str:
    """How long something went on."""
    return f"{value / 60:,.0f} min" if value < 2 * HOUR.total_seconds() else f"{value / HOUR.total_seconds():,.1f} h"


def age(oldest: datetime | None, now: datetime) -> str:
    """How long something has waited."""
    if oldest is None:
        return NOTHING
    waited = now - oldest
    if waited < 2 * DAY:
        return f"{max(waited // timedelta(minutes=1), 0)} min" if waited < 2 * HOUR else f"{waited // HOUR} h"
    return f"{waited // DAY} days"


def plural(count: int, one: str, many: str = "") -> str:
    """A count of things."""
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"
