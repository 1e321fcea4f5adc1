"""A verdict with scripted words over real pixels, which nano's own checkpoint, read by PyTorch, gives its scores: no engine is started."""

import asyncio
from dataclasses import replace
from functools import cache

from tests.unit.zoomin.world import ITEM, SCAN, ZOOM, World, picture, said
from worker.forensics.attend import Attender
from worker.forensics.recorded import RecordedVerdict, evidence_pixels, recorded_verdict
from worker.moderation.calibration import sigmoid
from worker.moderation.outcomes import Outcome, Stage
from worker.moderation.release import Release, Training
from worker.vision.checkpoint import Checkpoint, release_facts
from worker.vision.load import find_checkpoint
from worker.zoomin.pipeline import moderate

WIDTH, HEIGHT = 336, 168  # 72 tokens: small, so that reading it takes a moment


@cache
def checkpoint() -> Checkpoint:
    return find_checkpoint("nano")


@cache
def attender() -> Attender:
    """One for all tests; none of them changes its weights."""
    return Attender.load(checkpoint())


@cache
def release(training: Training = Training.TRAINED) -> Release:
    return Release("nano", training, {"model": {**release_facts(checkpoint()), "dtype": "float32"}})


@cache
def judged() -> tuple[Outcome, dict[str, bytes]]:
    """The pipeline's own outcome, and its evidence by sha256."""
    world = World([said(SCAN), said(ZOOM)], body=picture(WIDTH, HEIGHT))
    return asyncio.run(moderate(ITEM, world.tools)), world.evidence


def recorded(outcome: Outcome, training: Training = Training.TRAINED) -> RecordedVerdict:
    evidence = judged()[1]
    return recorded_verdict(outcome, release(training), lambda sha256: evidence_pixels(evidence[sha256], sha256))


@cache
def said_by_nano(training: Training = Training.TRAINED) -> RecordedVerdict:
    """As if the engine had agreed with PyTorch to the last digit."""
    outcome, _ = judged()
    scores = {stage.stage: sigmoid(attender().reader.verdict_logit(stage)) for stage in recorded(outcome).stages}
    return recorded(replace(outcome, scan_p_generated=scores[Stage.SCAN], p_generated_raw=scores[Stage.ZOOM]), training)
