"""Webhook endpoints and deliveries: as JSON for machines and as tables for the eye."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.table import Table

from worker.cli.terminal import untrusted
from worker.moderation.identifiers import event_id
from worker.store.models.webhooks import DeliveryState
from worker.store.webhook_deliveries import Delivery
from worker.store.webhook_endpoints import Endpoint


def endpoint_json(endpoint: Endpoint) -> dict[str, Any]:
    """Plain JSON; never a secret."""
    return {
        "endpoint": str(endpoint.id),
        "tenant": endpoint.tenant_id,
        "url": endpoint.url,
        "types": list(endpoint.types),
        "description": endpoint.description,
        "state": endpoint.state,
        "state_reason": endpoint.state_reason,
        "failing_since": _time(endpoint.failing_since),
        "created_at": _time(endpoint.created_at),
    }


def delivery_json(delivery: Delivery) -> dict[str, Any]:
    """Plain JSON."""
    return {
        "event": event_id(delivery.event_id),
        "endpoint": str(delivery.endpoint_id),
        "type": delivery.type,
        "state": delivery.state,
        "attempts": delivery.attempts,
        "next_attempt_at": _time(delivery.next_attempt_at),
        "last_status": delivery.last_status,
        "last_error": delivery.last_error,
        "last_seconds": delivery.last_seconds,
        "created_at": _time(delivery.created_at),
        "delivered_at": _time(delivery.delivered_at),
    }


def print_endpoints(endpoints: Iterable[Endpoint], console: Console) -> None:
    """One row per endpoint."""
    table = Table("endpoint", "state", "types", "url", header_style="bold", pad_edge=False, box=None, padding=(0, 2, 0, 0))
    for endpoint in endpoints:
        failing = f"; failing since {endpoint.failing_since:%Y-%m-%d %H:%M}" if endpoint.failing_since else ""
        state = f"{endpoint.state}: {endpoint.state_reason}" if endpoint.state_reason else f"{endpoint.state}{failing}"
        table.add_row(str(endpoint.id), untrusted(state), ", ".join(endpoint.types), untrusted(endpoint.url))
    console.print(table)


def print_deliveries(deliveries: Iterable[Delivery], console: Console) -> None:
    """One row per delivery."""
    table = Table(
        "event", "type", "state", "attempts", "last", "when (UTC)", header_style="bold", pad_edge=False, box=None, padding=(0, 2, 0, 0)
    )
    for delivery in deliveries:
        when = {DeliveryState.PENDING: delivery.next_attempt_at, DeliveryState.DELIVERED: delivery.delivered_at}.get(delivery.state)
        last = delivery.last_error or str(delivery.last_status or "")
        shown = f"{when:%Y-%m-%d %H:%M:%S}" if when else ""
        table.add_row(event_id(delivery.event_id), delivery.type, delivery.state, str(delivery.attempts), last, shown)
    console.print(table)


def _time(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
