"""Where `zoomin attend` finds a verdict: a picture judged on the spot, or an item of the installation as it was recorded."""

import hashlib
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from uuid import UUID

from worker.cli.batches import actor
from worker.cli.services import Services
from worker.forensics.recorded import RecordedVerdict, evidence_pixels, recorded_verdict
from worker.images.fetch import Fetched
from worker.images.prepare import Evidence
from worker.moderation.errors import RejectedError
from worker.moderation.outcomes import ItemReference, SourceFacts
from worker.moderation.settings import Settings
from worker.queue.async_moderator import load_model, rehearse
from worker.queue.recorded_pixels import verdict_with_pixels
from worker.store import audit
from worker.store.items import check_item
from worker.store.recorded import read_recorded
from worker.store.session import transaction
from worker.zoomin.pipeline import moderate
from worker.zoomin.regions import scan_boxes
from worker.zoomin.release import name_release
from worker.zoomin.tools import Tools

NO_BATCH = UUID(int=0)


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


def find_recorded(services: Services, batch_id: UUID, ordinal: int, revision: int | None) -> tuple[int, RecordedVerdict]:
    """The item's revision and what was recorded of it, with its pixels; the look at it is audited.

    Raises RejectedError: what `read_recorded` and `verdict_with_pixels` do; TransientError.
    """
    try:
        with transaction(services.engine) as session:
            check_item(session, services.settings.tenant, batch_id, ordinal)
            recorded = read_recorded(session, batch_id, ordinal, revision)
            audit.record(session, actor=actor(), action="images.read", batch_id=batch_id, ordinal=ordinal, detail={"by": "attend"})
    finally:
        services.engine.dispose()  # what follows takes longer than a connection should be held for
    return recorded.revision, verdict_with_pixels(recorded, services.storage, services.settings)
