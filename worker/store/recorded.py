"""An outcome read back as it was recorded, with its traces, its release, and where the pixels are that the model was sent."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from worker.moderation.boxes import Box, Size
from worker.moderation.errors import RejectedError
from worker.moderation.outcomes import Outcome, OutcomeKind, Region, SourceFacts, Stage, StageTrace, Verdict, ZoomPath
from worker.moderation.release import Release, Training
from worker.store.items import StoredEvidence, item_regions, item_traces
from worker.store.models import ErasureRow, EvidenceRow, ItemRow, OutcomeRow, RegionRow, ReleaseRow, TraceRow


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedOutcome:
    """`evidence` holds what is still there, by sha256: retention may have removed some. `bucket` and `key` are the original's."""

    revision: int
    outcome: Outcome
    release: Release | None  # None where nothing judged
    evidence: Mapping[str, StoredEvidence]
    bucket: str
    key: str


def read_recorded(session: Session, batch_id: UUID, ordinal: int, revision: int | None = None) -> RecordedOutcome:
    """The newest revision's, or that one's. Raises RejectedError: item_missing, item_erased, outcome_missing (nothing judged it yet)."""
    item = session.get(ItemRow, (batch_id, ordinal))
    if item is None:
        raise RejectedError("item_missing", f"Batch {batch_id} has no item {ordinal}.")
    if session.get(ErasureRow, (batch_id, ordinal)) is not None:
        raise RejectedError("item_erased", "The image was erased, and what the model was sent and said of it too.")
    query = select(OutcomeRow).filter_by(batch_id=batch_id, ordinal=ordinal).order_by(OutcomeRow.revision.desc()).limit(1)
    row = session.execute(query if revision is None else query.filter_by(revision=revision)).scalar_one_or_none()
    if row is None:
        raise RejectedError("outcome_missing", "The image has no outcome yet" + ("." if revision is None else f" of revision {revision}."))
    regions = [_region(region) for region in item_regions(session, batch_id, ordinal, row.revision)]
    traces = [_trace(trace) for trace in item_traces(session, batch_id, ordinal, row.revision)]
    release = session.get(ReleaseRow, row.release_id) if row.release_id else None
    return RecordedOutcome(
        revision=row.revision,
        outcome=_outcome(row, tuple(regions), tuple(traces)),
        release=Release(release.name, Training(release.training), release.facts) if release else None,
        evidence=_evidence(session, row, regions),
        bucket=item.bucket,
        key=item.key,
    )


def _evidence(session: Session, row: OutcomeRow, regions: list[Region]) -> dict[str, StoredEvidence]:
    named = {sha256 for sha256 in (row.sent_sha256, *(region.crop_sha256 for region in regions)) if sha256}
    there = select(EvidenceRow).where(EvidenceRow.sha256.in_(named), EvidenceRow.removed_at.is_(None))
    return {e.sha256: StoredEvidence(e.sha256, e.bucket, e.key, e.media_type, e.byte_count) for e in session.execute(there).scalars()}


def _outcome(row: OutcomeRow, regions: tuple[Region, ...], traces: tuple[StageTrace, ...]) -> Outcome:
    source = SourceFacts(
        sha256=row.image_sha256 or "",
        etag=row.etag,
        version_id=row.version_id,
        byte_count=row.byte_count or 0,
        media_type=row.media_type,
        size=Size(row.width, row.height) if row.width and row.height else None,
    )
    return Outcome(
        ordinal=row.ordinal,
        kind=OutcomeKind(row.kind),
        release_id=row.release_id,
        verdict=Verdict(row.verdict) if row.verdict else None,
        p_generated=row.p_generated,
        p_generated_raw=row.p_generated_raw,
        scan_verdict=Verdict(row.scan_verdict) if row.scan_verdict else None,
        scan_p_generated=row.scan_p_generated,
        explanation=row.explanation,
        scan_explanation=row.scan_explanation,
        path=ZoomPath(row.path) if row.path else None,
        regions=regions,
        traces=traces,
        sent_sha256=row.sent_sha256,
        perceptual_hash=row.perceptual_hash,
        source=source,
        error_code=row.error_code,
        error_message=row.error_message,
    )


def _region(row: RegionRow) -> Region:
    corners = (row.crop_x0, row.crop_y0, row.crop_x1, row.crop_y1)
    whole = [corner for corner in corners if corner is not None]
    return Region(
        box=Box(row.x0, row.y0, row.x1, row.y1),
        reason=row.reason,
        finding=row.finding,
        crop_box=Box(*whole) if len(whole) == len(corners) else None,
        crop_sha256=row.crop_sha256,
        scale=row.scale,
    )


def _trace(row: TraceRow) -> StageTrace:
    return StageTrace(
        stage=Stage(row.stage),
        attempt=row.attempt,
        request=row.request,
        reply=row.reply,
        finish_reason=row.finish_reason,
        prompt_tokens=row.prompt_tokens,
        cached_tokens=row.cached_tokens,
        attainable_tokens=row.attainable_tokens,
        completion_tokens=row.completion_tokens,
        seconds=row.seconds,
    )
