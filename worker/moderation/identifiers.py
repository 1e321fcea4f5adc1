"""Public identifiers. New resources get a UUIDv7 (time-ordered, so tables partition by range); an item's id holds both its keys."""

import os
import re
import time
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from worker.moderation.errors import RejectedError

_ITEM_ID = re.compile(r"item_([0-9a-f]{32})_([0-9]{1,10})")
_REGION_ID = re.compile(r"region_([0-9a-f]{32})_([0-9]{1,10})_([0-9]{1,5})_([0-9]{1,5})")
_EVENT_ID = re.compile(r"evt_([0-9a-f]{32})")
MAX_ORDINAL, MAX_SMALL = 2**31 - 1, 2**15 - 1  # what the columns hold


@dataclass(frozen=True, slots=True)
class RegionPlace:
    """Where a region is: the item, the outcome's revision, and its place in the model's order, from 1."""

    batch_id: UUID
    ordinal: int
    revision: int
    position: int


def new_uuid7() -> UUID:
    """A UUIDv7 (RFC 9562): 48 bits of Unix milliseconds, then random bits."""
    milliseconds = time.time_ns() // 1_000_000
    value = (milliseconds << 80) | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | (0x7 << 76)
    return UUID(int=value & ~(0x3 << 62) | (0x2 << 62))


def first_uuid7(moment: datetime | None) -> UUID:
    """A bound: no UUIDv7 of this moment or later sorts before it; without one, none does."""
    milliseconds = 0 if moment is None else int(moment.timestamp() * 1_000)
    return UUID(int=max(0, min(milliseconds, (1 << 48) - 1)) << 80)


def item_id(batch_id: UUID, ordinal: int) -> str:
    """The public id of an item."""
    return f"item_{batch_id.hex}_{ordinal}"


def parse_item_id(text: str) -> tuple[UUID, int]:
    """Batch id and ordinal of a public item id. Raises RejectedError."""
    if (match := _ITEM_ID.fullmatch(text)) and int(match[2]) <= MAX_ORDINAL:
        return UUID(hex=match[1]), int(match[2])
    raise RejectedError("item_id_malformed", f"{text[:80]!r} is not an item id; they look like item_<32 hex digits>_<number>.")


def event_id(identifier: UUID) -> str:
    """The public id of an event; also the `webhook-id` of every attempt to deliver it."""
    return f"evt_{identifier.hex}"


def parse_event_id(text: str) -> UUID:
    """The event of a public id. Raises RejectedError."""
    if match := _EVENT_ID.fullmatch(text):
        return UUID(hex=match[1])
    raise RejectedError("event_id_malformed", f"{text[:80]!r} is not an event id; they look like evt_<32 hex digits>.")


def region_id(place: RegionPlace) -> str:
    """The public id of a region."""
    return f"region_{place.batch_id.hex}_{place.ordinal}_{place.revision}_{place.position}"


def parse_region_id(text: str) -> RegionPlace:
    """The place that a public region id names. Raises RejectedError."""
    if match := _REGION_ID.fullmatch(text):
        ordinal, revision, position = int(match[2]), int(match[3]), int(match[4])
        if ordinal <= MAX_ORDINAL and max(revision, position) <= MAX_SMALL:
            return RegionPlace(UUID(hex=match[1]), ordinal, revision, position)
    raise RejectedError(
        "region_id_malformed", f"{text[:80]!r} is not a region id; they look like region_<32 hex digits>_<number>_<number>_<number>."
    )
