"""Attention maps for the pages without a model that draws them: three spots of heat, recorded as a worker records."""

import hashlib
import io
from dataclasses import dataclass, replace

from PIL import Image
from sqlalchemy import Engine

from tests.browser.cases import HOSTILE, RELEASE
from worker.intake.storage import Storage
from worker.moderation.attention import DrawnMaps, DrawnTarget
from worker.moderation.errors import RejectedError
from worker.moderation.explanation_jobs import Job, JobKind
from worker.moderation.outcomes import EvidenceFacts, Stage
from worker.moderation.release import Release, Training
from worker.moderation.settings import Settings
from worker.store.attention_maps import record_maps
from worker.store.explanation_jobs import claim_job, fail_job, finish_job, put_back_job
from worker.store.explanation_queue import announce_jobs
from worker.store.releases import ensure_release
from worker.store.session import transaction

UNTRAINED = Release("untrained", Training.UNTRAINED, {"weights": "of attention maps"})


@dataclass(frozen=True)
class Easel:
    """The worker that draws attention maps, but for the drawing."""

    engine: Engine
    storage: Storage
    settings: Settings

    def claim(self) -> Job:
        """What somebody has asked for, announced and taken."""
        with transaction(self.engine) as session:
            (job_id,) = announce_jobs(session, JobKind.ATTENTION, 10)
            job = claim_job(session, job_id, "test", 60)
        assert job is not None
        return job

    def draw(self, job: Job) -> None:
        """Three maps: of the verdict, where the letters are; elsewhere, of a sentence that means harm, and of a box."""
        targets = (
            self._target("zoom-verdict", "verdict", "generated", (420, 720)),
            self._target("zoom-sentence-1", "sentence", HOSTILE, (700, 200)),
            self._target("scan-box-1", "box", "1", (150, 300)),
        )
        self._record(job, self._maps(targets), RELEASE)

    def draw_of_nothing(self, job: Job) -> None:
        """By an untrained model that says “real”, at length, and names no box."""
        targets = (
            self._target("zoom-verdict", "verdict", "real", (420, 720)),
            replace(self._target("zoom-sentence-12", "sentence", "It ends. Or not.", (700, 200)), number=12),
        )
        nothing = replace(self._maps(targets), mass_in_regions=None, mass_in_random=None, mass_in_placed=None, pointing_game=None)
        self._record(job, nothing, UNTRAINED)

    def _maps(self, targets: tuple[DrawnTarget, ...]) -> DrawnMaps:
        return DrawnMaps(
            method="chefer-2021",
            release_id=RELEASE.id,
            logprob_gap=0.0031,
            mass_in_regions=0.412,
            mass_in_random=0.118,
            mass_in_placed=0.12,
            pointing_game=True,
            seconds=4.2,
            values=self._keep(b"PK\x03\x04", "application/x-npz"),
            targets=targets,
        )

    def _record(self, job: Job, maps: DrawnMaps, release: Release) -> None:
        with transaction(self.engine) as session:
            ensure_release(session, release)
            finish_job(session, job, actor="test")
            record_maps(session, job, replace(maps, release_id=release.id), bucket=self.settings.evidence_bucket, actor="test")

    def put_back(self, job: Job) -> None:
        """It is to be tried again later."""
        with transaction(self.engine) as session:
            put_back_job(session, job, charge=True, delay_seconds=0, message="The storage is away.")

    def refuse(self, job: Job) -> None:
        """It cannot be drawn."""
        error = RejectedError("evidence_removed", "Retention has removed pixels that the model was sent.")
        with transaction(self.engine) as session:
            fail_job(session, job, error, actor="test")

    def _target(self, name: str, kind: str, text: str, peak: tuple[int, int]) -> DrawnTarget:
        stage = Stage(name.partition("-")[0])
        heat = Image.new("L", (980, 980))
        spot = Image.radial_gradient("L").point(lambda value: max(180 - value, 0))
        heat.paste(spot.resize((320, 320)), (peak[0] - 160, peak[1] - 160))
        red, green, blue = (heat.point(lambda value, most=most: value * most // 255) for most in (252, 172, 60))
        shown = self._keep(_png(Image.merge("RGBA", (red, green, blue, heat))), "image/png")
        return DrawnTarget(name=name, stage=stage, kind=kind, number=1, text=text, on_images=0.4, layer=shown, overlay=shown)

    def _keep(self, body: bytes, media_type: str) -> EvidenceFacts:
        facts = EvidenceFacts(sha256=hashlib.sha256(body).hexdigest(), media_type=media_type, byte_count=len(body))
        self.storage.put(self.settings.evidence_bucket, facts.key, body, media_type)
        return facts


def _png(picture: Image.Image) -> bytes:
    kept = io.BytesIO()
    picture.save(kept, "PNG")
    return kept.getvalue()
