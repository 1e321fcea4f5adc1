"""Gives people a share of what was annotated, through the review page: a batch whose outcomes are the annotations.

Each sampled picture becomes an item with the clues as its regions, judged by a release that names the pipeline and is zero-shot, so that
its scores decide nothing and every picture is asked about. Batch, items and outcomes are written in one transaction: no worker hears of
the chunks, and the pictures are not judged by a model as well.
"""

import asyncio
import hashlib
import json
import math
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

import msgspec
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from worker.exports.whole_files import write_whole
from worker.images.pool import DecodePool
from worker.images.prepare import Crop, ScanImage
from worker.images.resize import PixelLimits
from worker.intake.reference import UPLOADS, AllowedSources
from worker.intake.rows import Row
from worker.intake.slicing import SLICE_ROWS, cut_slices
from worker.intake.storage import Storage, address
from worker.intake.submission import Submission, open_submission
from worker.lab.annotation.lines import Line, read_lines
from worker.lab.dataset.claim import BUILD, PLAN
from worker.lab.dataset.progress import BuildProgress
from worker.moderation.errors import RejectedError, TransientError
from worker.moderation.identifiers import new_uuid7
from worker.moderation.outcomes import Outcome, OutcomeKind, Region, SourceFacts, ZoomPath
from worker.moderation.release import Release, Training
from worker.moderation.settings import Settings
from worker.store.batches import find_submitted
from worker.store.chunks import complete, take
from worker.store.models.policies import VersionState
from worker.store.outcomes import Judgement, record_outcomes
from worker.store.policies import Draft, create_policy, move_version, write_version
from worker.store.policy_reading import find_policy, read_version
from worker.store.releases import ensure_release
from worker.store.review_queues import QueueSettings, create_queue, queue_names
from worker.store.session import transaction
from worker.store.slices import append_slice, finish_intake
from worker.store.tenants import ensure_tenant
from worker.vision.checkpoint import Limits
from worker.zoomin.regions import crop_box

SAMPLE = BUILD / "sample.json"
PLACE = BUILD / "place"  # what nobody can guess: a command that is repeated uploads to the same place
FACTOR = 28  # of sides, as Qwen2.5-VL is shown pictures
LEASE_SECONDS = 60  # of chunks that are done in the transaction that takes them
GUIDANCE = (
    "Pictures whose label is known. Two models said what gives it away; judge their boxes. Accept a box (Y) that shows what its text says,"
    " move one (M) that is at the wrong place, reject one (X) that shows nothing of the kind, add what both missed (B). The verdict is what"
    " the picture is known to be: choose the other one only where you are sure that the label is wrong."
)


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """What was given to people: the batch, and the sha256 of its pictures in the order of its items."""

    batch: UUID
    tenant: str
    queue: str
    share: float
    pictures: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """Whom to ask, about which share, on whose behalf."""

    tenant: str
    queue: str
    share: float
    actor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Prepared:
    """A picture as people will see it."""

    line: Line
    key: str  # in the bucket of uploads
    body: bytes
    whole: ScanImage
    crops: tuple[Crop, ...]


def ask_people(
    out: Path, asking: Asking, storage: Storage, engine: Engine, settings: Settings, report: Callable[[BuildProgress], None]
) -> Sample:
    """Makes the batch, or finds the one that the same command made before.

    Raises RejectedError: not_annotated, sample_empty, sampled_otherwise, policy_elsewhere; TransientError, MisconfiguredError, OSError.
    """
    chosen = draw(read_lines(out), asking.share)
    pictures = tuple(line.sha256 for line in chosen)
    earlier = read_sample(out)
    if earlier is not None:
        if (earlier.tenant, earlier.queue, earlier.pictures) != (asking.tenant, asking.queue, pictures):
            raise RejectedError(
                "sampled_otherwise",
                f"{len(earlier.pictures)} pictures of {out} are in the queue {earlier.queue} already (batch {earlier.batch}). Repeat that "
                f"command, or remove {out / SAMPLE} to draw others.",
            )
        return earlier
    submission = _submission(pictures, asking, out)
    with transaction(engine) as session:
        ensure_tenant(session, asking.tenant)
        _ensure_queue(session, asking)
        # A run that was killed before it could write down that it was done: what was erased since is not uploaded again.
        batch = find_submitted(session, submission.tenant, submission.idempotency_key)
        batch_id = batch.id if batch is not None else None
    if batch_id is None:
        prepared = asyncio.run(_prepare(chosen, _uploads(asking.tenant, out), out, settings, report))
        for number, each in enumerate(prepared, 1):
            _store(each, storage, settings)
            report(BuildProgress(doing="storing pictures", done=number, total=len(prepared)))
        with transaction(engine) as session:
            batch_id = _record(session, prepared, submission, _release(chosen[0], out), settings)
    sample = Sample(batch=batch_id, tenant=asking.tenant, queue=asking.queue, share=asking.share, pictures=pictures)
    write_whole(out / SAMPLE, msgspec.json.encode(sample))
    return sample


def read_sample(out: Path) -> Sample | None:
    """What was given to people; None before. Raises OSError."""
    path = out / SAMPLE
    return msgspec.json.decode(path.read_bytes(), type=Sample) if path.is_file() else None


def draw(lines: Sequence[Line], share: float) -> tuple[Line, ...]:
    """A share of the pictures, rounded up, drawn by their bytes: the same for everybody. Raises RejectedError `sample_empty`."""
    wanted = min(math.ceil(round(share * len(lines), 6)), SLICE_ROWS)
    drawn = sorted(lines, key=lambda line: hashlib.sha256(f"annotation {line.sha256}".encode()).digest())[:wanted]
    if not drawn:
        raise RejectedError("sample_empty", f"{len(lines)} pictures have a kept clue, and {share:g} of them is none: nobody is asked.")
    return tuple({line.sha256: line for line in drawn}.values())


def _submission(pictures: Sequence[str], asking: Asking, out: Path) -> Submission:
    digest = hashlib.sha256((out / PLAN).read_bytes() + " ".join(pictures).encode()).hexdigest()
    return Submission(
        tenant=asking.tenant,
        idempotency_key=f"annotation:{asking.queue}:{digest}",
        digest=digest,
        priority=0,
        policy=asking.queue,
        actor=asking.actor,
    )


def _uploads(tenant: str, out: Path) -> str:
    """Where its pictures go, in the bucket of uploads: nobody else may list it, and erasing an item empties its place there."""
    if not (out / PLACE).is_file():
        write_whole(out / PLACE, uuid4().hex.encode())
    named = hashlib.sha256(f"{(out / PLACE).read_text()} {tenant}".encode()).hexdigest()
    return f"{UPLOADS}{named[:32]}/images/"


async def _prepare(
    chosen: Sequence[Line], uploads: str, out: Path, settings: Settings, report: Callable[[BuildProgress], None]
) -> list[_Prepared]:
    limits = Limits()
    whole = PixelLimits(factor=FACTOR, min_pixels=limits.scan_min_pixels, max_pixels=limits.scan_max_pixels)
    close = PixelLimits(factor=FACTOR, min_pixels=limits.crop_min_pixels, max_pixels=limits.crop_max_pixels)
    prepared = []
    with closing(DecodePool(settings.decode_processes)) as decoders:
        for line in chosen:
            body = (out / line.file).read_bytes()
            image = await decoders.prepare_scan(body, whole)
            boxes = [crop_box(clue.place, image.original, close) for clue in line.clues]
            crops = await decoders.cut_crops(body, boxes, close)
            prepared.append(_Prepared(line=line, key=f"{uploads}{Path(line.file).name}", body=body, whole=image, crops=crops))
            report(BuildProgress(doing="cutting crops", done=len(prepared), total=len(chosen)))
    return prepared


def _store(each: _Prepared, storage: Storage, settings: Settings) -> None:
    """The picture where items come from, and what people are shown where evidence lies."""
    storage.put(settings.upload_bucket, each.key, each.body, each.whole.media_type)
    for evidence in (each.whole.evidence, *(crop.evidence for crop in each.crops)):
        storage.put(settings.evidence_bucket, evidence.facts.key, evidence.body, evidence.facts.media_type)


def _record(session: Session, prepared: Sequence[_Prepared], submission: Submission, release: Release, settings: Settings) -> UUID:
    batch_id = new_uuid7()
    batch = open_submission(session, submission, batch_id, "annotation")
    if batch.id != batch_id:
        return batch.id  # another run made it meanwhile, of the same uploads
    _fill(session, batch_id, prepared, settings)
    ensure_release(session, release)
    judgement = Judgement(actor=submission.actor, release=release, evidence_bucket=settings.evidence_bucket)
    outcomes = [_outcome(ordinal, each, release) for ordinal, each in enumerate(prepared)]
    for lease in take(session, batch_id, submission.actor, LEASE_SECONDS):
        recorded = record_outcomes(session, lease, outcomes[lease.lo : lease.hi], judgement)
        if recorded.unkept or not complete(session, lease):
            raise TransientError("evidence_removed", "Evidence was removed from the bucket at this moment. Repeat the command.")
    return batch_id


def _fill(session: Session, batch_id: UUID, prepared: Sequence[_Prepared], settings: Settings) -> None:
    rows = (Row(address(settings.upload_bucket, each.key), each.line.sha256, line=line) for line, each in enumerate(prepared, 1))
    for part in cut_slices(rows, AllowedSources.of(settings), start={}, cursor=lambda row: {"line": row.line}):
        append_slice(session, batch_id, part, chunk_items=settings.chunk_items)
    finish_intake(session, batch_id, actor="intake")


def _ensure_queue(session: Session, asking: Asking) -> None:
    """The queue, and a policy of its name that sends everything there: made when missing. Raises RejectedError `policy_elsewhere`."""
    if asking.queue not in queue_names(session, asking.tenant):
        create_queue(session, asking.tenant, asking.queue, QueueSettings(guidance=GUIDANCE), actor=asking.actor)
    try:
        number = find_policy(session, asking.tenant, asking.queue).live
    except RejectedError:
        create_policy(session, asking.tenant, asking.queue, description="Annotations that people check", actor=asking.actor)
        version = write_version(session, asking.tenant, asking.queue, Draft(bands={}, queue=asking.queue), actor=asking.actor)
        move_version(session, asking.tenant, asking.queue, version.version, VersionState.LIVE, actor=asking.actor)
        return
    if number is None or read_version(session, asking.tenant, asking.queue, number).version.queue != asking.queue:
        raise RejectedError(
            "policy_elsewhere",
            f"There is a policy {asking.queue} that does not send what is reviewed to the queue {asking.queue}. Name another --queue.",
        )


def _release(line: Line, out: Path) -> Release:
    """What said it: the pipeline, with models and thresholds. Zero-shot, whatever the grounder is: nobody measured it as a judge."""
    plan = json.loads((out / PLAN).read_bytes())
    return Release("annotation", Training.ZERO_SHOT, {"explainer": line.explainer, "grounder": line.grounder, "plan": plan})


def _outcome(ordinal: int, each: _Prepared, release: Release) -> Outcome:
    line, whole = each.line, each.whole
    regions = tuple(
        Region(
            box=clue.place,
            reason=clue.where,
            finding=clue.what,
            crop_box=crop.box,
            crop_sha256=crop.evidence.facts.sha256,
            scale=crop.scale,
        )
        for clue, crop in zip(line.clues, each.crops, strict=True)
    )
    return Outcome(
        ordinal=ordinal,
        kind=OutcomeKind.VERDICT,
        release_id=release.id,
        verdict=line.label,  # as it is known, with no probability: nothing was judged
        explanation=line.explanation,
        path=ZoomPath.ZOOMED,
        regions=regions,
        evidence=(whole.evidence.facts, *(crop.evidence.facts for crop in each.crops)),
        sent_sha256=whole.evidence.facts.sha256,
        perceptual_hash=whole.perceptual_hash,
        source=SourceFacts(sha256=line.sha256, byte_count=len(each.body), media_type=whole.media_type, size=whole.original),
    )
