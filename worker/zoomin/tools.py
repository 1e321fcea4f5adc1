"""What the pipeline works with, handed in by the edge."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from worker.images.fetch import Fetched
from worker.images.mask import Mask
from worker.images.prepare import Crop, Evidence, ScanImage
from worker.images.resize import PixelLimits
from worker.moderation.boxes import Box
from worker.moderation.outcomes import ItemReference
from worker.vision.model import VisionModel
from worker.zoomin.prompts import PromptSet
from worker.zoomin.regions import RegionChoice

# The whole object of an item. Raises RejectedError, TransientError, MisconfiguredError.
Fetcher = Callable[[ItemReference], Awaitable[Fetched]]
# Stores each under its sha256; idempotent. Raises TransientError, MisconfiguredError.
EvidenceKeeper = Callable[[Sequence[Evidence]], Awaitable[None]]


class Decoder(Protocol):
    """Turns untrusted bytes into pixels, away from this process; hides what a mask says before anything else sees them."""

    async def prepare_scan(self, body: bytes, limits: PixelLimits) -> ScanImage:
        """The whole image at its legal size, with what is estimated of it. Raises RejectedError, TransientError."""
        ...

    async def shrink(self, body: bytes, limits: PixelLimits, mask: Mask | None = None) -> ScanImage:
        """The same without the estimates, for images that are known. Raises RejectedError, TransientError."""
        ...

    async def cut_crops(self, body: bytes, boxes: Sequence[Box], limits: PixelLimits, mask: Mask | None = None) -> Sequence[Crop]:
        """A crop per box, in order, cut from the full-resolution original. Raises RejectedError, TransientError."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """Everything `moderate` needs; one per worker."""

    fetch: Fetcher
    decoder: Decoder
    keep: EvidenceKeeper
    vision: VisionModel
    prompts: PromptSet
    choose: RegionChoice
    release_id: str
