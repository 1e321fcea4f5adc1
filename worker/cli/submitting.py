"""Handing a source to an installation, and telling how it goes."""

import time
from dataclasses import dataclass
from uuid import UUID, uuid4

from worker.cli.installation.asking import Batches, Submission
from worker.cli.intake_progress import shown_intake
from worker.cli.terminal import say
from worker.moderation.errors import TransientError
from worker.moderation.policy import DEFAULT_POLICY
from worker.moderation.text import clean


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How to submit. Without a key, each submission gets one of its own."""

    tenant: str | None = None
    key: str | None = None
    priority: int = 0
    policy: str = DEFAULT_POLICY


@dataclass(frozen=True, slots=True)
class Submitted:
    """A batch and when its submission began, by time.monotonic()."""

    batch_id: UUID
    started: float


def submit(batches: Batches, source: str, terms: Terms) -> Submitted:
    """Takes the source in. Raises RejectedError, TransientError, MisconfiguredError."""
    started, key = time.monotonic(), terms.key or str(uuid4())
    try:
        with shown_intake(source) as progress:
            submission = Submission(key=key, tenant=terms.tenant, priority=terms.priority, policy=terms.policy)
            receipt = batches.submit(source, submission, progress)
    except (KeyboardInterrupt, TransientError):
        say(f"The intake was interrupted. It goes on where it stopped with: zoomin scan {clean(source)} --key {clean(key)}")
        raise
    if terms.key and not receipt.created:
        say(f"The key {clean(key)} was used before: this is the same batch.")
    say(f"{receipt.accepted:,} images accepted, {receipt.rejected:,} rows rejected.")
    if receipt.rejected:
        say(f"Which, and why: zoomin errors {receipt.batch_id}")
    return Submitted(receipt.batch_id, started)
