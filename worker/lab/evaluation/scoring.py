"""From outcomes to scores that metrics can be computed on. What has no verdict is as wrong as can be."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from worker.lab.evaluation.judged import Judged
from worker.moderation.outcomes import Verdict

THRESHOLD = 0.5  # of P(generated), at and above which a picture is called generated, as the pipeline does


@dataclass(frozen=True, slots=True)
class Scores:
    """Parallel arrays, one entry a picture: the truth, P(generated) in 0..1, and the photograph it was made of."""

    generated: NDArray[np.bool_]
    p: NDArray[np.float64]
    sources: NDArray[np.str_]

    def at(self, places: NDArray[np.intp]) -> "Scores":
        """Those of the pictures at `places`, as often as these name them."""
        return Scores(self.generated[places], self.p[places], self.sources[places])

    @property
    def called_generated(self) -> NDArray[np.bool_]:
        """The verdicts that the scores mean."""
        return self.p >= THRESHOLD


def final_scores(pictures: Sequence[Judged]) -> Scores:
    """P(generated) of the final verdicts, calibrated where the release is."""
    return _scores(pictures, lambda picture: _score(picture.p_generated, picture.verdict, generated=picture.generated))


def scan_scores(pictures: Sequence[Judged]) -> Scores:
    """P(generated) of the scan's provisional verdicts."""
    return _scores(pictures, lambda picture: _score(picture.scan_p_generated, picture.scan_verdict, generated=picture.generated))


def raw_scores(pictures: Sequence[Judged]) -> Scores:
    """P(generated) of the final verdicts before calibration."""
    return _scores(pictures, lambda picture: _score(picture.p_generated_raw, picture.verdict, generated=picture.generated))


def _scores(pictures: Sequence[Judged], score: Callable[[Judged], float]) -> Scores:
    return Scores(
        np.array([picture.generated for picture in pictures], dtype=np.bool_),
        np.array([score(picture) for picture in pictures], dtype=np.float64),
        np.array([picture.label.source for picture in pictures], dtype=np.str_),
    )


def _score(p: float | None, verdict: Verdict | None, *, generated: bool) -> float:
    if verdict is None:
        return float(not generated)
    return p if p is not None else float(verdict is Verdict.GENERATED)  # endpoints without log-probabilities give words only
