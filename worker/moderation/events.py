"""Events that integrators hear of. Thin: ids and counts; whoever wants more asks for it, and that is audited."""

import json
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from worker.moderation.errors import RejectedError
from worker.moderation.outcomes import OutcomeKind


class EventType(StrEnum):
    """What can happen."""

    BATCH_COMPLETED = "batch.completed"  # finished or cancelled; `state` says which
    ITEM_VERDICT_CREATED = "item.verdict.created"
    ITEM_FAILED = "item.failed"  # failed or unreadable; `outcome` says which
    REVIEW_COMPLETED = "review.completed"
    DECISION_CREATED = "decision.created"
    DECISION_SUPERSEDED = "decision.superseded"
    APPEAL_DECIDED = "appeal.decided"
    WEBHOOK_TEST = "webhook.test"  # sent to one endpoint when its owner asks; nobody subscribes to it


SUBSCRIBABLE = frozenset(EventType) - {EventType.WEBHOOK_TEST}
# An error is never a verdict, and "unreadable" is an error to whoever waits for one. Cancelled items have no event: whoever cancels
# knows, and `batch.completed` counts them.
ITEM_EVENTS: Mapping[OutcomeKind, EventType] = {
    OutcomeKind.VERDICT: EventType.ITEM_VERDICT_CREATED,
    OutcomeKind.FAILED: EventType.ITEM_FAILED,
    OutcomeKind.UNREADABLE: EventType.ITEM_FAILED,
}


def parse_types(names: Collection[str]) -> tuple[EventType, ...]:
    """The event types of a subscription, each once, in a fixed order. Raises RejectedError when there are none or unknown ones."""
    unknown = sorted(set(names) - {str(known) for known in SUBSCRIBABLE})
    if unknown or not names:
        said = f"unknown: {', '.join(name[:40] for name in unknown[:5])}" if unknown else "none given"
        raise RejectedError("webhook_types_invalid", f"Event types, {said}. Choose from {', '.join(sorted(SUBSCRIBABLE))}.")
    return tuple(known for known in EventType if known in names)


def event_body(kind: str, occurred_at: datetime, data: Mapping[str, Any]) -> bytes:
    """What is sent: the same bytes at every attempt."""
    timestamp = occurred_at.astimezone(UTC).isoformat().replace("+00:00", "Z")
    event = {"type": kind, "timestamp": timestamp, "data": dict(data)}
    return json.dumps(event, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
