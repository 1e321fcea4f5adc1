"""A recorded outcome with the pixels that the model was sent, from the evidence bucket: what maps are drawn from. No torch."""

from PIL import Image

from worker.forensics.recorded import RecordedVerdict, evidence_pixels, recorded_verdict
from worker.intake.storage import Storage
from worker.moderation.errors import RejectedError
from worker.moderation.settings import Settings
from worker.store.items import StoredEvidence
from worker.store.recorded import RecordedOutcome


def verdict_with_pixels(recorded: RecordedOutcome, storage: Storage, settings: Settings) -> RecordedVerdict:
    """The verdict, ready to be read again. Raises TransientError.

    RejectedError: what `recorded_verdict` raises, object_changed, evidence_purged, evidence_changed.
    """
    if recorded.release is None:
        raise RejectedError("outcome_without_verdict", f"No model judged this image: its outcome is “{recorded.outcome.kind}”.")
    _refuse_changed(recorded, storage)

    def pixels(sha256: str) -> Image.Image:
        stored = recorded.evidence.get(sha256)
        if stored is None:
            raise _purged()
        return evidence_pixels(_body(stored, storage, settings), sha256)

    return recorded_verdict(recorded.outcome, recorded.release, pixels)


def _refuse_changed(recorded: RecordedOutcome, storage: Storage) -> None:
    """An original that is gone is no obstacle, since the pixels that were sent are kept; one that is another now would mislead."""
    source = recorded.outcome.source
    if source is None or source.etag is None:
        return
    now = storage.etag(recorded.bucket, recorded.key, source.version_id)
    if now is not None and now != source.etag:
        raise RejectedError(
            "object_changed",
            f"s3://{recorded.bucket}/{recorded.key} is no longer the image that was judged (its ETag is another). "
            "Rescan it to explain what is there now.",
        )


def _body(stored: StoredEvidence, storage: Storage, settings: Settings) -> bytes:
    try:
        found = storage.get(stored.bucket, stored.key, max_bytes=stored.byte_count, timeout_seconds=settings.fetch_timeout_seconds)
    except RejectedError as error:
        if error.code != "object_missing":
            raise
        raise _purged() from None
    return found.body


def _purged() -> RejectedError:
    return RejectedError(
        "evidence_purged", "Retention removed the pixels that the model was sent: there is nothing to draw a map over. Rescan the image."
    )
