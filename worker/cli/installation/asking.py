"""What commands ask of an installation, wherever it is. Chosen between in `worker.cli.installation.choosing`, and nowhere else."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from worker.intake.enqueue import BatchReceipt, IntakeProgress
from worker.moderation.outcomes import OutcomeKind
from worker.store.backtests import Reach
from worker.store.models.intake import BatchState
from worker.store.models.policies import VersionState
from worker.store.policies import Draft
from worker.store.policy_reading import Change, Policy, WrittenVersion
from worker.store.progress import BatchProgress
from worker.store.results import ItemResult, RowError


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """How to submit. Without a tenant it is the installation's default."""

    key: str
    tenant: str | None
    priority: int
    policy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A batch as a listing shows it. Its progress has counts alone: no shares, no releases."""

    tenant: str
    source: str
    created_at: datetime
    progress: BatchProgress


@dataclass(frozen=True, slots=True)
class Backtested:
    """Of so many `outcomes`, `routed` were new to the version. `cursor` leads on; None at the end."""

    outcomes: int
    routed: int
    cursor: str | None


class Batches(Protocol):
    """Submitting, following and reading. All raise RejectedError, TransientError and MisconfiguredError."""

    def submit(self, source: str, submission: Submission, watch: Callable[[IntakeProgress], None]) -> BatchReceipt:
        """Takes the source in, to its end."""

    def progress(self, batch_id: UUID) -> BatchProgress:
        """Where the batch stands."""

    def newest(self, tenant: str | None, limit: int) -> list[Listed]:
        """Newest first."""

    def cancel(self, batch_id: UUID) -> BatchState:
        """Asks for the batch's end: its state."""

    def resume(self, batch_id: UUID) -> BatchState:
        """Lets a paused batch go on: its state."""

    def rescan(self, batch_id: UUID, only: Collection[OutcomeKind] | None) -> int:
        """Begins a new revision: of how many items."""

    def export(self, batch_id: UUID, form: str, revision: int | None, limit: int | None) -> Iterator[ItemResult]:
        """Results in order; in the audit trail, once, before the first is handed out."""

    def export_errors(self, batch_id: UUID) -> Iterator[RowError]:
        """Refused rows by line; in the audit trail, once, before the first is handed out."""


class Policies(Protocol):
    """Policies of one tenant. All raise RejectedError, TransientError and MisconfiguredError."""

    def known(self) -> Iterator[Policy]:
        """By name."""

    def versions(self, policy: str) -> Iterator[WrittenVersion]:
        """Newest first."""

    def version(self, policy: str, version: int) -> WrittenVersion:
        """One of them."""

    def create(self, name: str, description: str) -> None:
        """Makes a policy."""

    def write(self, policy: str, draft: Draft) -> WrittenVersion:
        """Writes the next version."""

    def move(self, policy: str, version: int, state: VersionState) -> None:
        """Puts a version into shadow, makes it live, or retires it."""

    def compare(self, policy: str, version: int) -> list[Change]:
        """What the version would change."""

    def backtest(self, policy: str, version: int, reach: Reach, cursor: str | None) -> Backtested:
        """Routes a stretch of the scope with the version, in shadow."""


@dataclass(frozen=True, slots=True)
class Installation:
    """Both sides of it."""

    batches: Batches
    policies: Policies
