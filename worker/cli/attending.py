"""Where `zoomin attend` finds a verdict: a picture judged on the spot, or an item of the installation as it was recorded."""

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from PIL import Image

from worker.cli.batches import actor
from worker.cli.services import Services
from worker.forensics.recorded import RecordedVerdict, evidence_pixels, recorded_verdict
from worker.images.fetch import Fetched
from worker.images.prepare import Evidence
from worker.intake.storage import Storage
from worker.moderation.errors import RejectedError
from worker.moderation.outcomes import ItemReference, Outcome, SourceFacts
from worker.moderation.release import Release
from worker.moderation.settings import Settings
from worker.queue.async_moderator import load_model, rehearse
from worker.store import audit
from worker.store.items import StoredEvidence
from worker.store.recorded import RecordedOutcome, read_recorded
from worker.store.session import transaction
from worker.zoomin.pipeline import moderate
from worker.zoomin.regions import scan_boxes
from worker.zoomin.release import name_release
from worker.zoomin.tools import Tools

NO_BATCH = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Item:
    """An item's recorded outcome, still without pixels. `key` is what an answer about it hangs on."""

    recorded: RecordedOutcome
    key: Mapping[str, Any]


def judge_picture(settings: Settings, path: Path) -> RecordedVerdict:
    """What the configured engine says of a local picture, through the deployed path; nothing of it is kept.

    Raises RejectedError (also what `recorded_verdict` does), MisconfiguredError, TransientError, EngineDiedError.
    """
    body = read_picture(path)
    kept: dict[str, bytes] = {}
    with closing(load_model(settings)) as model:
        release = name_release(model.vision.card, model.prompts, scan_boxes)

        async def fetch(_: ItemReference) -> Fetched:
            return Fetched(body, SourceFacts(sha256=hashlib.sha256(body).hexdigest(), byte_count=len(body)))

        async def keep(sent: Sequence[Evidence]) -> None:
            kept.update({evidence.facts.sha256: evidence.body for evidence in sent})

        tools = Tools(
            fetch=fetch,
            decoder=model.decoder,
            keep=keep,
            vision=model.vision,
            prompts=model.prompts,
            choose=scan_boxes,
            release_id=release.id,
        )
        model.loop.submit(rehearse(tools)).result()
        outcome = model.loop.submit(moderate(ItemReference(NO_BATCH, 0, path.name, "", str(path)), tools)).result()
    return recorded_verdict(outcome, release, lambda sha256: evidence_pixels(kept[sha256], sha256))


def read_picture(path: Path) -> bytes:
    """The file's bytes. Raises RejectedError."""
    try:
        return path.read_bytes()
    except OSError as error:
        what = f"{path} is neither a picture that could be read ({error.strerror}) nor the id of an item (item_<32 hex digits>_<number>)."
        raise RejectedError("picture_unreadable", what) from None


def find_recorded(services: Services, batch_id: UUID, ordinal: int, revision: int | None) -> Item:
    """The item's outcome; the look at it is audited. Raises RejectedError: what `read_recorded` does, `object_changed`; TransientError."""
    with transaction(services.engine) as session:
        recorded = read_recorded(session, batch_id, ordinal, revision)
        audit.record(session, actor=actor(), action="images.read", batch_id=batch_id, ordinal=ordinal, detail={"by": "attend"})
    _refuse_changed(services.storage, recorded)
    release = recorded.outcome.release_id
    return Item(recorded, {"item": f"{batch_id}/{ordinal}", "revision": recorded.revision, "release": release})


def read_item(services: Services, item: Item) -> RecordedVerdict:
    """The item's verdict with its pixels. Raises RejectedError, TransientError."""
    recorded = item.recorded

    def pixels(sha256: str) -> Image.Image:
        stored = recorded.evidence.get(sha256)
        if stored is None:
            raise _purged()
        return evidence_pixels(_evidence(services.storage, stored, services.settings), sha256)

    return recorded_verdict(_outcome(recorded), _release(recorded), pixels)


def _outcome(recorded: RecordedOutcome) -> Outcome:
    return recorded.outcome


def _release(recorded: RecordedOutcome) -> Release:
    if recorded.release is None:
        raise RejectedError("outcome_without_verdict", f"No model judged this image: its outcome is “{recorded.outcome.kind}”.")
    return recorded.release


def _refuse_changed(storage: Storage, recorded: RecordedOutcome) -> None:
    """An original that is gone is no obstacle, since the pixels that were sent are kept; one that is another now would mislead."""
    source = recorded.outcome.source
    if source is None or source.etag is None:
        return
    now = storage.etag(recorded.bucket, recorded.key, source.version_id)
    if now is not None and now != source.etag:
        raise RejectedError(
            "object_changed",
            f"s3://{recorded.bucket}/{recorded.key} is no longer the image that was judged (its ETag is another). Rescan it to explain what "
            "is there now.",
        )


def _evidence(storage: Storage, stored: StoredEvidence, settings: Settings) -> bytes:
    try:
        found = storage.get(stored.bucket, stored.key, max_bytes=settings.fetch_max_bytes, timeout_seconds=settings.fetch_timeout_seconds)
    except RejectedError as error:
        if error.code != "object_missing":
            raise
        raise _purged() from None
    return found.body


def _purged() -> RejectedError:
    return RejectedError(
        "evidence_purged", "Retention removed the pixels that the model was sent: there is nothing to draw a map over. Rescan the image."
    )
