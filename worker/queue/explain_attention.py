"""Draws the attention maps of a recorded outcome, for a job. PyTorch and the checkpoint are loaded with the first one, and stay."""

import threading
import time
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

import structlog

from worker.intake.storage import Storage
from worker.moderation.attention import DrawnMaps, DrawnTarget
from worker.moderation.errors import MisconfiguredError
from worker.moderation.explanation_jobs import Job
from worker.moderation.outcomes import EvidenceFacts
from worker.moderation.settings import Settings
from worker.queue.explaining import Bench, Runner, Write
from worker.queue.recorded_pixels import verdict_with_pixels
from worker.store.attention_maps import record_maps
from worker.store.recorded import read_recorded
from worker.store.session import transaction

if TYPE_CHECKING:
    from worker.forensics.attend import Attended, AttendedFile, Attender, FileRole
    from worker.forensics.maps import Target
    from worker.vision.checkpoint import Checkpoint

log = structlog.get_logger(__name__)


def build(bench: Bench) -> Runner:
    """A runner for the worker's life."""
    return _Easel(bench).draw


class _Easel:
    """The checkpoint, once it is needed. One map at a time: PyTorch uses all cores for each."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._storage = Storage(bench.settings)
        self._attender: Attender | None = None
        self._lock = threading.Lock()

    def draw(self, job: Job) -> Write:
        """Draws and stores; the rows are for the job's end. Raises ZoomInError."""
        with transaction(self._bench.engine) as session:
            recorded = read_recorded(session, job.batch_id, job.ordinal, job.revision)
        bucket = self._bench.settings.evidence_bucket
        with self._lock:  # whoever waits for it holds no pixels
            verdict = verdict_with_pixels(recorded, self._storage, self._bench.settings)
            attender = self._loaded()
            begun = time.perf_counter()
            attended = attender.attend(verdict)
            stored = {(file.role, file.target): self._store(file, job, bucket) for file in attended.files()}
            seconds = time.perf_counter() - begun
        maps = drawn_maps(attended, stored, seconds)
        log.info("attention_drawn", targets=len(maps.targets), seconds=round(maps.seconds, 2), logprob_gap=round(maps.logprob_gap, 4))
        return partial(record_maps, job=job, maps=maps, bucket=bucket, actor=self._bench.owner)

    def _store(self, file: "AttendedFile", job: Job, bucket: str) -> EvidenceFacts:
        facts = EvidenceFacts(sha256=file.sha256, media_type=file.media_type, byte_count=len(file.body))
        self._bench.storing(job, [facts])
        self._storage.put(bucket, facts.key, file.body, file.media_type)
        return facts

    def _loaded(self) -> "Attender":
        if self._attender is None:
            from worker.forensics.attend import Attender  # noqa: PLC0415  PyTorch takes seconds and a gigabyte

            settings = self._bench.settings
            self._attender = Attender.load(_checkpoint(settings), memory_gib=settings.attention_memory_gib)
        return self._attender


def drawn_maps(attended: "Attended", files: "Mapping[tuple[FileRole, Target | None], EvidenceFacts]", seconds: float) -> DrawnMaps:
    """What was computed, as it is recorded. `seconds` has drawing and storing the pictures in it."""
    from worker.forensics.attend import METHOD, FileRole  # noqa: PLC0415

    figures = attended.figures
    targets = (
        DrawnTarget(
            name=attention.target.name,
            stage=attention.target.stage,
            kind=attention.target.kind.value,
            number=attention.target.number,
            text=attention.target.text,
            on_images=attention.on_images,
            layer=files[FileRole.LAYER, attention.target],
            overlay=files[FileRole.OVERLAY, attention.target],
        )
        for attention in attended.maps
    )
    return DrawnMaps(
        method=METHOD,
        release_id=attended.recorded.release.id,
        logprob_gap=figures.logprob_gap,
        mass_in_regions=figures.mass_in_regions,
        mass_in_random=figures.mass_in_random,
        mass_in_placed=figures.mass_in_placed,
        pointing_game=figures.pointing_game,
        seconds=seconds,
        values=files[FileRole.ARRAYS, None],
        targets=tuple(targets),
    )


def _checkpoint(settings: Settings) -> "Checkpoint":
    from worker.vision.load import ENDPOINT_PREFIX, find_checkpoint  # noqa: PLC0415
    from worker.vision.nano import NAME  # noqa: PLC0415

    model = settings.model or NAME
    if model.startswith(ENDPOINT_PREFIX):
        raise MisconfiguredError(
            "attention_needs_checkpoint", "ZOOMIN_MODEL names an endpoint: maps are drawn from a checkpoint's own weights, which it hides."
        )
    return find_checkpoint(model)
