"""Images that nano's own checkpoint, read by PyTorch, has judged: recorded as a worker records, pixels in the bucket, no engine started."""

import hashlib
from dataclasses import dataclass, replace
from functools import cache
from uuid import UUID

from tests.integration.queue_world import World
from tests.unit.zoomin.world import SCAN, ZOOM
from tests.unit.zoomin.world import World as Pipeline
from worker.forensics.attend import Attender
from worker.forensics.recorded import evidence_pixels, recorded_verdict
from worker.intake.storage import Storage
from worker.moderation.calibration import sigmoid
from worker.moderation.outcomes import ItemReference, Outcome, Stage, Verdict
from worker.moderation.policy import DEFAULT_BANDS, Explaining
from worker.moderation.release import Release, Training
from worker.moderation.settings import Settings
from worker.store.models.policies import VersionState
from worker.store.outcome_rows import Place
from worker.store.outcomes import Judgement, insert_outcomes
from worker.store.policies import Draft, move_version, write_version
from worker.store.releases import ensure_release
from worker.store.session import transaction
from worker.vision.checkpoint import release_facts
from worker.vision.load import find_checkpoint
from worker.zoomin.pipeline import moderate


@cache
def attender() -> Attender:
    """One for the whole run."""
    return Attender.load(find_checkpoint("nano"))


@cache
def release() -> Release:
    """Nano's, as far as maps ask for it."""
    return Release("nano", Training.TRAINED, {"model": {**release_facts(find_checkpoint("nano")), "dtype": "float32"}})


async def said_by_nano(item: ItemReference) -> tuple[Outcome, dict[str, bytes]]:
    """A verdict over real pixels, with scripted words and nano's own scores for them; and the evidence by its sha256."""
    pipeline = Pipeline([SCAN, ZOOM])
    said = await moderate(item, pipeline.tools)
    half = replace(said, p_generated_raw=0.5, scan_p_generated=0.5)
    recorded = recorded_verdict(half, release(), lambda sha256: evidence_pixels(pipeline.evidence[sha256], sha256))
    scores = {stage.stage: sigmoid(float(attender().reader.read(stage).verdict_logit.detach())) for stage in recorded.stages}
    p = scores[Stage.ZOOM]
    scored = replace(said, scan_p_generated=scores[Stage.SCAN], p_generated_raw=p, p_generated=p, release_id=release().id)
    etag = hashlib.md5(pipeline.body, usedforsecurity=False).hexdigest() if isinstance(pipeline.body, bytes) else ""
    assert scored.source is not None
    return replace(scored, verdict=Verdict.GENERATED, source=replace(scored.source, etag=etag)), pipeline.evidence


@dataclass(frozen=True)
class Studio:
    """A tenant whose policy asks for maps of a share of its verdicts."""

    world: World
    storage: Storage
    settings: Settings
    tenant: str

    def wants(self, share: float) -> None:
        """From now on."""
        with transaction(self.world.engine) as session:
            draft = Draft(bands=DEFAULT_BANDS, queue="default", explaining=Explaining(attention_share=share))
            version = write_version(session, self.tenant, "default", draft, actor="ann").version
            move_version(session, self.tenant, "default", version, VersionState.LIVE, actor="ann")

    async def judged(self, *, p_shift: float = 0.0) -> UUID:
        """A batch of one image. `p_shift` falsifies the recorded score."""
        batch_id = self.world.batch(1, tenant=self.tenant)
        outcome, evidence = await said_by_nano(ItemReference(batch_id, 0, "line:1", "b", "k0"))
        assert outcome.p_generated_raw is not None
        if p_shift:
            outcome = replace(outcome, p_generated_raw=min(max(outcome.p_generated_raw + p_shift, 0.0), 1.0))
        for facts in outcome.evidence:
            self.storage.put(self.settings.evidence_bucket, facts.key, evidence[facts.sha256], facts.media_type)
        chunk_id = self.world.value("SELECT id FROM chunks WHERE batch_id = :id", id=batch_id)
        with transaction(self.world.engine) as session:
            ensure_release(session, release())
            judgement = Judgement(actor="worker", release=release(), evidence_bucket=self.settings.evidence_bucket)
            place = Place(batch_id=batch_id, revision=1, chunk_id=chunk_id)
            assert insert_outcomes(session, place, [replace(outcome, ordinal=0)], judgement).tally.verdicts == 1
        return batch_id
