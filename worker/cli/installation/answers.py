"""The API's answers as the values that commands work with. Unknown fields are passed over: a newer API may tell more."""

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar
from uuid import UUID

import msgspec

from worker.moderation.boxes import Box, Size
from worker.moderation.errors import MisconfiguredError
from worker.moderation.identifiers import parse_item_id
from worker.moderation.outcomes import OutcomeKind, Region, Verdict, ZoomPath
from worker.moderation.release import Training
from worker.store.models.intake import BatchState
from worker.store.progress import BatchProgress, Judges
from worker.store.results import ItemError, ItemResult, RowError

Found = TypeVar("Found")


class Rows(msgspec.Struct):
    accepted: int
    rejected: int


class Counts(msgspec.Struct):
    scope: int
    verdict: int
    flagged: int
    unreadable: int
    failed: int
    cancelled: int
    pending: int


class Batch(msgspec.Struct):
    """A batch; its counts are of the newest revision."""

    id: UUID
    state: BatchState
    pause_reason: str | None
    source: str
    tenant: str
    revision: int
    rows: Rows
    counts: Counts
    created_at: datetime

    def progress(self, judges: Judges) -> BatchProgress:
        """Where it stands."""
        return BatchProgress(
            batch_id=self.id,
            state=self.state,
            pause_reason=self.pause_reason,
            revision=self.revision,
            accepted=self.rows.accepted,
            rejected=self.rows.rejected,
            scope=self.counts.scope,
            verdicts=self.counts.verdict,
            flagged=self.counts.flagged,
            unreadable=self.counts.unreadable,
            failed=self.counts.failed,
            cancelled=self.counts.cancelled,
            pending=self.counts.pending,
            judges=judges,
        )


class BatchPage(msgspec.Struct):
    batches: list[Batch]
    next_cursor: str | None


class Release(msgspec.Struct):
    id: str
    training: Training


class BatchJudges(msgspec.Struct):
    releases: list[Release]
    cached_prompt_share: float | None
    cached_attainable_share: float | None

    def value(self) -> Judges:
        """As commands know it."""
        return Judges(
            cached_prompt_share=self.cached_prompt_share,
            cached_attainable_share=self.cached_attainable_share,
            releases=tuple((release.id, release.training) for release in self.releases),
        )


class Rescan(msgspec.Struct):
    items: int


class Part(msgspec.Struct):
    """A region of a result."""

    box: tuple[int, int, int, int]
    reason: str
    finding: str | None
    crop_sha256: str | None


class Error(msgspec.Struct):
    code: str
    message: str


class Result(msgspec.Struct):
    """A line of results."""

    id: str
    custom_id: str
    source: str
    outcome: OutcomeKind | None
    verdict: Verdict | None
    p_generated: float | None
    regions: list[Part]
    explanation: str | None
    path: ZoomPath | None
    release: str | None
    training: Training | None
    size: tuple[int, int] | None
    revision: int | None
    error: Error | None

    def value(self) -> ItemResult:
        """As commands know it, without what only the object store needs: pinned versions, hashes and cut boxes."""
        batch_id, ordinal = parse_item_id(self.id)
        bucket, _, key = self.source.removeprefix("s3://").partition("/")
        return ItemResult(
            batch_id=batch_id,
            ordinal=ordinal,
            custom_id=self.custom_id,
            bucket=bucket,
            key=key,
            version_id=None,
            outcome=self.outcome,
            revision=self.revision,
            verdict=self.verdict,
            p_generated=self.p_generated,
            regions=tuple(
                Region(box=Box(*part.box), reason=part.reason, finding=part.finding, crop_sha256=part.crop_sha256) for part in self.regions
            ),
            explanation=self.explanation,
            path=self.path,
            release=self.release,
            training=self.training,
            size=Size(*self.size) if self.size else None,
            error=ItemError(self.error.code, self.error.message) if self.error else None,
        )


class Refused(msgspec.Struct):
    """A line of row errors."""

    line: int
    code: str
    message: str

    def value(self) -> RowError:
        """As commands know it."""
        return RowError(self.line, self.code, self.message)


def reader(kind: type[Found]) -> Callable[[bytes], Found]:
    """Reads JSON as that kind. Raises MisconfiguredError for what another version, or another server, answers."""
    decoder = msgspec.json.Decoder(kind)

    def read(body: bytes) -> Found:
        try:
            return decoder.decode(body)
        except msgspec.MsgspecError as error:
            raise MisconfiguredError("api_unknown", f"The API answers otherwise than this version of zoomin expects: {error}.") from None

    return read


read_batch, read_page, read_judges, read_rescan = reader(Batch), reader(BatchPage), reader(BatchJudges), reader(Rescan)
read_result, read_refused = reader(Result), reader(Refused)
