"""A request for a batch, under an idempotency key: opened once, whoever sends it how often."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.orm import Session

from worker.moderation.errors import TransientError
from worker.moderation.policy import DEFAULT_POLICY
from worker.store.batches import open_batch, try_lock_key
from worker.store.models import BatchRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """On whose behalf, under which key, how urgently, routed by what. `digest` is what the same key must always mean."""

    tenant: str
    idempotency_key: str
    digest: str
    priority: int
    policy: str = DEFAULT_POLICY
    actor: str


@dataclass(frozen=True, slots=True)
class Accepted:
    """The batch that stands for a submission; `created` is False when its key had been used before."""

    batch: BatchRow
    created: bool


def open_submission(session: Session, submission: Submission, batch_id: UUID, source: str) -> BatchRow:
    """A new batch under `batch_id`, or the one that the key stands for.

    Raises RejectedError: idempotency_conflict, policy_missing, policy_not_live. TransientError `idempotency_key_in_flight` while another
    request holds the key.
    """
    if not try_lock_key(session, submission.tenant, submission.idempotency_key):
        raise TransientError("idempotency_key_in_flight", "A request with this idempotency key is being handled at this moment.")
    return open_batch(
        session,
        batch_id=batch_id,
        tenant_id=submission.tenant,
        idempotency_key=submission.idempotency_key,
        request_digest=submission.digest,
        source=source,
        priority=submission.priority,
        policy=submission.policy,
        actor=submission.actor,
    )
