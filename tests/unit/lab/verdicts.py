"""Labels and what was said of their pictures, for the tests of the evaluation."""

from worker.lab.evaluation.judged import Judged, Tokens
from worker.lab.labels import Label
from worker.moderation.boxes import Box, Size
from worker.moderation.outcomes import OutcomeKind, StageSeconds, Verdict

SIZE = Size(400, 300)
BOX = Box(10, 10, 110, 110)


def label(
    file: str, generator: str | None = None, *, control: bool = False, source: str | None = None, boxes: tuple[Box, ...] = ()
) -> Label:
    """A label: generated when a generator is named, else real."""
    regions = boxes or ((BOX,) if generator or control else ())
    said = Verdict.GENERATED if generator else Verdict.REAL
    return Label(file=file, label=said, regions=regions, source=source or f"photos/{file}", generator=generator, control=control)


def judged_as(of: Label, p: float | None, *, scan: float | None = None, raw: float | None = None, found: tuple[Box, ...] = ()) -> Judged:
    """A verdict by its score; unreadable when `p` is None."""
    scan = p if scan is None else scan
    return Judged(
        label=of,
        kind=OutcomeKind.UNREADABLE if p is None else OutcomeKind.VERDICT,
        verdict=_verdict(p),
        p_generated=p,
        p_generated_raw=p if raw is None else raw,
        scan_verdict=_verdict(scan),
        scan_p_generated=scan,
        found=found,
        findings=tuple(None for _ in found),
        explanation=None if p is None else "Region 1 looks smooth.",
        size=SIZE,
        seconds=StageSeconds(fetch=0.5, decode=0.25, scan=1.0, zoom=None if p is None else 2.0),
        tokens=Tokens(prompt=100, completion=10, cached=None),
        error="The reply could not be read." if p is None else None,
    )


def _verdict(p: float | None) -> Verdict | None:
    if p is None:
        return None
    return Verdict.GENERATED if p >= 0.5 else Verdict.REAL
