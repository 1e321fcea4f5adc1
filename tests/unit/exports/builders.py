"""Results to export."""

from typing import Any
from uuid import UUID

from worker.moderation.boxes import Box, Size
from worker.moderation.outcomes import OutcomeKind, Region, Verdict, ZoomPath
from worker.moderation.release import Training
from worker.store.results import ItemError, ItemResult

BATCH_ID = UUID("0198c7a0-0000-7000-8000-000000000000")
REGION = Region(box=Box(10, 20, 110, 70), reason="hands", finding="six fingers", crop_box=Box(0, 10, 120, 80), crop_sha256="ab" * 32)


def judged(**changes: Any) -> ItemResult:
    """An item with a verdict and one region, unless `changes` say otherwise."""
    facts: dict[str, Any] = {
        "batch_id": BATCH_ID,
        "ordinal": 0,
        "custom_id": "cat.jpg",
        "bucket": "photos",
        "key": "2026/cat.jpg",
        "version_id": None,
        "outcome": OutcomeKind.VERDICT,
        "revision": 1,
        "verdict": Verdict.GENERATED,
        "p_generated": 0.75,
        "regions": (REGION,),
        "explanation": "The left hand has six fingers.",
        "path": ZoomPath.ZOOMED,
        "release": "nano-0123456789ab",
        "training": Training.UNTRAINED,
        "image_sha256": "cd" * 32,
        "size": Size(640, 480),
    }
    return ItemResult(**facts | changes)


def failed(**changes: Any) -> ItemResult:
    """An item whose image could not be read."""
    facts: dict[str, Any] = {
        "batch_id": BATCH_ID,
        "ordinal": 1,
        "custom_id": "dog.jpg",
        "bucket": "photos",
        "key": "2026/dog.jpg",
        "version_id": None,
        "outcome": OutcomeKind.FAILED,
        "revision": 1,
        "error": ItemError("image_corrupt", "The image is truncated or damaged. Export or upload it again."),
    }
    return ItemResult(**facts | changes)


def pending(**changes: Any) -> ItemResult:
    """An item without an outcome."""
    facts: dict[str, Any] = {
        "batch_id": BATCH_ID,
        "ordinal": 2,
        "custom_id": "emu.jpg",
        "bucket": "photos",
        "key": "emu.jpg",
        "version_id": None,
    }
    return ItemResult(**facts | changes)
