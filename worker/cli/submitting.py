"""Handing a source to the intake, and telling how it goes."""

import time
from dataclasses import dataclass
from uuid import UUID, uuid4

from worker.cli.intake_progress import shown_intake
from worker.cli.services import Services
from worker.cli.terminal import say
from worker.intake.enqueue import enqueue_batch
from worker.moderation.errors import TransientError
from worker.moderation.policy import DEFAULT_POLICY
from worker.moderation.text import clean


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """How to submit. Without a key, the submission gets one of its own."""

    tenant: str
    key: str | None = None
    priority: int = 0
    policy: str = DEFAULT_POLICY


@dataclass(frozen=True, slots=True)
class Submitted:
    """A batch and when its submission began, by time.monotonic()."""

    batch_id: UUID
    started: float


def submit(services: Services, source: str, submission: Submission) -> Submitted:
    """Takes the source in. Raises RejectedError, TransientError, MisconfiguredError."""
    started, key = time.monotonic(), submission.key or str(uuid4())
    try:
        with shown_intake(source) as progress:
            receipt = enqueue_batch(
                source,
                settings=services.settings,
                engine=services.engine,
                storage=services.storage,
                tenant=submission.tenant,
                idempotency_key=key,
                priority=submission.priority,
                policy=submission.policy,
                progress=progress,
            )
    except (KeyboardInterrupt, TransientError):
        say(f"The intake was interrupted. It goes on where it stopped with: zoomin scan {clean(source)} --key {clean(key)}")
        raise
    if not receipt.created:
        say(f"The key {clean(key)} was used before: this is the same batch.")
    say(f"{receipt.accepted:,} images accepted, {receipt.rejected:,} rows rejected.")
    if receipt.rejected:
        say(f"Which, and why: zoomin errors {receipt.batch_id}")
    return Submitted(receipt.batch_id, started)
