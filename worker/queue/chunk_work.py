"""A chunk in a worker's hands, and the ways its visit can end."""

from dataclasses import dataclass, field
from enum import StrEnum

from sqlalchemy import Engine

from worker.moderation.settings import Settings
from worker.queue.checking import Wanted
from worker.queue.lease_writer import LeaseWriter
from worker.store.chunks import Lease, Tally


class Ending(StrEnum):
    """How a chunk's visit to this worker ended."""

    NOT_CLAIMED = "not_claimed"  # somebody else's, done, or not open any more: a repeated or late message
    COMPLETED = "completed"
    RELEASED = "released"  # some images must be tried again later
    DRAINED = "drained"  # this worker is leaving
    PAUSED = "paused"  # an operator must act
    CANCELLED = "cancelled"
    FENCED = "fenced"  # the lease was lost: what was not written is discarded


@dataclass(frozen=True, slots=True)
class ChunkReport:
    """What became of the chunk."""

    chunk_id: int
    ending: Ending
    tally: Tally = field(default_factory=Tally)  # outcomes written
    duplicates: int = 0  # outcomes that were there already
    discarded: int = 0  # outcomes that the fence kept out


@dataclass(frozen=True, slots=True)
class ChunkWork:
    """A chunk in hand: what every step needs."""

    lease: Lease
    writer: LeaseWriter
    engine: Engine
    settings: Settings
    owner: str
    wanted: Wanted

    def report(self, ending: Ending, discarded: int = 0) -> ChunkReport:
        """What has become of it so far, ending like this."""
        return ChunkReport(self.lease.chunk_id, ending, self.writer.tally, self.writer.duplicates, discarded)
