"""Scanning as a stopwatch sees it. Every round judges new pictures, so that nothing is answered from an earlier round's cache."""

import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from PIL import Image

from worker.cli.following import follow
from worker.cli.installation.local_batches import LocalBatches
from worker.cli.services import Services
from worker.cli.submitting import Terms, submit
from worker.moderation.errors import TransientError
from worker.store.progress import BatchProgress


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanFigures:
    """Medians over rounds. Seconds count from the command, upload and intake included."""

    images: int
    first_verdict_seconds: float
    slowest_first_verdict_seconds: float
    images_per_s: float
    cached_prompt_share: float
    cached_attainable_share: float
    release: str


def measure_scans(services: Services, folder: str, rounds: int) -> ScanFigures:
    """Figures of `rounds` scans, after one that only warms up. Raises TransientError when a round judges nothing."""
    seconds: list[float] = []
    firsts: list[float] = []
    batches: list[BatchProgress] = []
    installation = LocalBatches(services)
    for number in range(rounds + 1):
        _trim(Path(folder))
        submitted = submit(installation, folder, Terms())
        followed = follow(installation, submitted.batch_id, started=submitted.started)
        if followed.first_verdict_seconds is None:
            raise TransientError("nothing_judged", f"Batch {submitted.batch_id} ended without a verdict: {followed.batch.state}.")
        if number:
            seconds.append(time.monotonic() - submitted.started)
            firsts.append(followed.first_verdict_seconds)
            batches.append(followed.batch)
    return ScanFigures(
        images=batches[0].accepted,
        first_verdict_seconds=median(firsts),
        slowest_first_verdict_seconds=max(firsts),
        images_per_s=median(batch.accepted / spent for batch, spent in zip(batches, seconds, strict=True)),
        cached_prompt_share=median(batch.judges.cached_prompt_share or 0.0 for batch in batches),
        cached_attainable_share=median(batch.judges.cached_attainable_share or 0.0 for batch in batches),
        release=batches[0].judges.releases[0][0],
    )


def _trim(folder: Path) -> None:
    """Makes new pictures of the folder's: a column less each."""
    for path in folder.glob("*.jpg"):
        with Image.open(path) as image:
            image.crop((1, 0, image.width, image.height)).save(path, quality=95)
