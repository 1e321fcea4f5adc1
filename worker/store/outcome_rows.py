"""An outcome as rows, and the digest that the audit trail keeps of them: recomputable from what the tables hold."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Row

from worker.moderation.degradation import Degradation, DegradationBand
from worker.moderation.faithfulness import Faithfulness
from worker.moderation.outcomes import Outcome, OutcomeKind, Region, StageTrace, Verdict

# Columns of outcomes that were added when there were rows.
LATER = ("perceptual_hash", "jpeg_quality", "blur", "rescaling", "border", "degradation_band")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where outcomes belong: the revision of a batch, and the chunk under whose lease they are written."""

    batch_id: UUID
    revision: int
    chunk_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeRows:
    """One outcome, as the tables take it."""

    outcome: Mapping[str, Any]
    regions: Sequence[Mapping[str, Any]]
    traces: Sequence[Mapping[str, Any]]
    digest: str


def outcome_rows(outcome: Outcome, place: Place) -> OutcomeRows:
    """The rows of an outcome. Texts lose what Postgres cannot hold: NUL and lone surrogates."""
    key = {"batch_id": place.batch_id, "ordinal": outcome.ordinal, "revision": place.revision}
    row = storable({**key, "chunk_id": place.chunk_id, **_outcome_columns(outcome)})
    regions = [storable({**key, **_region_columns(region, position)}) for position, region in enumerate(outcome.regions, 1)]
    traces = [storable({**key, **_trace_columns(trace)}) for trace in outcome.traces]
    return OutcomeRows(outcome=row, regions=regions, traces=traces, digest=digest(row, regions, traces))


def judged(row: Row[Any]) -> Outcome:
    """An outcome as far as routing looks at it.

    From a row with its ordinal, kind, verdict, p_generated, scan_verdict and degradation_band, and its check's score_drop, control_drop
    and, as check_error, error_code.
    """
    checked = row.score_drop is not None or row.check_error is not None
    return Outcome(
        ordinal=row.ordinal,
        kind=OutcomeKind(row.kind),
        verdict=Verdict(row.verdict) if row.verdict else None,
        p_generated=row.p_generated,
        scan_verdict=Verdict(row.scan_verdict) if row.scan_verdict else None,
        degradation_band=DegradationBand(row.degradation_band) if row.degradation_band else None,
        faithfulness=Faithfulness(drop=row.score_drop, control_drop=row.control_drop, error_code=row.check_error) if checked else None,
    )


def digest(outcome: Mapping[str, Any], regions: Sequence[Mapping[str, Any]], traces: Sequence[Mapping[str, Any]]) -> str:
    """sha256 (hex) of the canonical JSON of an outcome's rows."""
    return hashlib.sha256(canonical(digest_payload(outcome, regions, traces)).encode()).hexdigest()


def digest_payload(
    outcome: Mapping[str, Any], regions: Sequence[Mapping[str, Any]], traces: Sequence[Mapping[str, Any]]
) -> dict[str, object]:
    """What the digest covers: all columns but `chunk_id`, which tells of the queue, not of the image, and `created_at`.

    LATER ones count where they hold something: digests from before they were there still hold.
    """
    absent = {"chunk_id", "created_at", *(name for name in LATER if outcome.get(name) is None)}
    recorded = {name: value for name, value in outcome.items() if name not in absent}
    return {"outcome": recorded, "regions": list(regions), "traces": list(traces)}


def canonical(value: object) -> str:
    """JSON with sorted keys and nothing superfluous."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False, default=str)


def storable(value: Any) -> Any:
    """The same plain value without the characters that neither TEXT nor JSONB can hold."""
    if isinstance(value, str):
        return value.replace("\x00", "").encode("utf-8", "replace").decode()
    if isinstance(value, Mapping):
        return {storable(key): storable(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [storable(part) for part in value]
    return value


def _outcome_columns(outcome: Outcome) -> dict[str, Any]:
    source, size, seconds = outcome.source, outcome.source.size if outcome.source else None, outcome.seconds
    return {
        "kind": outcome.kind.value,
        "verdict": outcome.verdict,
        "p_generated": outcome.p_generated,
        "p_generated_raw": outcome.p_generated_raw,
        "scan_verdict": outcome.scan_verdict,
        "scan_p_generated": outcome.scan_p_generated,
        "explanation": outcome.explanation,
        "scan_explanation": outcome.scan_explanation,
        "path": outcome.path,
        "release_id": outcome.release_id,
        "image_sha256": source.sha256 if source else None,
        "etag": source.etag if source else None,
        "version_id": source.version_id if source else None,
        "byte_count": source.byte_count if source else None,
        "media_type": source.media_type if source else None,
        "width": size.width if size else None,
        "height": size.height if size else None,
        "sent_sha256": outcome.sent_sha256,
        "perceptual_hash": outcome.perceptual_hash,
        **_degradation_columns(outcome.degradation),
        "degradation_band": outcome.degradation_band,
        "error_code": outcome.error_code,
        "error_message": outcome.error_message,
        "fetch_seconds": seconds.fetch,
        "decode_seconds": seconds.decode,
        "scan_seconds": seconds.scan,
        "zoom_seconds": seconds.zoom,
    }


def _degradation_columns(found: Degradation | None) -> dict[str, Any]:
    border = found.border if found else None
    return {
        "jpeg_quality": found.jpeg_quality if found else None,
        "blur": found.blur if found else None,
        "rescaling": found.rescaling if found else None,
        "border": [border.left, border.top, border.right, border.bottom] if border is not None else None,
    }


def _region_columns(region: Region, position: int) -> dict[str, Any]:
    x0, y0, x1, y1 = region.box.corners()
    crop = region.crop_box.corners() if region.crop_box else (None, None, None, None)
    return {
        "position": position,
        "x0": x0,
        "y0": y0,
        "x1": x1,
        "y1": y1,
        "reason": region.reason,
        "finding": region.finding,
        "crop_sha256": region.crop_sha256,
        "crop_x0": crop[0],
        "crop_y0": crop[1],
        "crop_x1": crop[2],
        "crop_y1": crop[3],
        "scale": region.scale,
    }


def _trace_columns(trace: StageTrace) -> dict[str, Any]:
    return {
        "stage": trace.stage.value,
        "attempt": trace.attempt,
        "request": trace.request,
        "reply": trace.reply,
        "finish_reason": trace.finish_reason,
        "prompt_tokens": trace.prompt_tokens,
        "cached_tokens": trace.cached_tokens,
        "attainable_tokens": trace.attainable_tokens,
        "completion_tokens": trace.completion_tokens,
        "seconds": trace.seconds,
    }
