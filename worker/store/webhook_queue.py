"""What the webhook sender asks of Postgres: fan events out, lease due deliveries fairly, record how each attempt ended.

Leases are counted attempts: whoever dies between sending and recording has sent, and somebody else sends again, under the same id.
At least once, never silently not at all.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from worker.store.statements import rows_changed

FAN_OUT = text(
    """
    -- fan out: a page of events, in their order, to every endpoint that wants them; paused ones collect
    WITH events AS (
        SELECT id, event_id, tenant_id, type FROM outbox WHERE delivered_at IS NULL ORDER BY id LIMIT :page FOR UPDATE SKIP LOCKED
    ), fanned AS (
        INSERT INTO webhook_deliveries (endpoint_id, event_id)
        SELECT e.id, events.event_id
          FROM events JOIN webhook_endpoints AS e ON e.tenant_id = events.tenant_id AND events.type = ANY(e.types)
         WHERE e.state IN ('active', 'paused')
        ON CONFLICT DO NOTHING
    )
    UPDATE outbox SET delivered_at = now() WHERE id IN (SELECT id FROM events)
    """
)
ABANDON = text(
    """
    -- abandon: a page of what still waits for endpoints that were disabled
    UPDATE webhook_deliveries AS d
       SET state = 'failed', last_error = 'endpoint_disabled', lease_token = NULL
      FROM (SELECT w.endpoint_id, w.event_id
              FROM webhook_endpoints AS e JOIN webhook_deliveries AS w ON w.endpoint_id = e.id AND w.state = 'pending'
             WHERE e.state = 'disabled' LIMIT :page FOR UPDATE OF w SKIP LOCKED) AS orphaned
     WHERE d.endpoint_id = orphaned.endpoint_id AND d.event_id = orphaned.event_id
    """
)
LEASE = text(
    """
    -- lease: what is due, each endpoint's oldest first. An endpoint has at most :per_endpoint in flight and a tenant :per_tenant;
    -- among those that may go, the endpoint and the tenant with least in flight come first.
    WITH busy AS (
        SELECT endpoint_id, count(*) AS number FROM webhook_deliveries
         WHERE lease_token IS NOT NULL AND next_attempt_at > now() GROUP BY endpoint_id
    ), open AS (
        SELECT e.id, e.tenant_id, coalesce(busy.number, 0) AS flight,
               coalesce(sum(busy.number) OVER (PARTITION BY e.tenant_id), 0) AS tenant_flight, e.rests_until
          FROM webhook_endpoints AS e LEFT JOIN busy ON busy.endpoint_id = e.id
         WHERE e.state = 'active'
    ), due AS (
        SELECT open.id AS endpoint_id, open.tenant_id, open.tenant_flight, d.event_id, d.next_attempt_at,
               open.flight + row_number() OVER (PARTITION BY open.id ORDER BY d.next_attempt_at, d.event_id) AS turn
          FROM open
         CROSS JOIN LATERAL (
            SELECT event_id, next_attempt_at FROM webhook_deliveries
             WHERE endpoint_id = open.id AND state = 'pending' AND next_attempt_at <= now()
             ORDER BY next_attempt_at, event_id LIMIT greatest(:per_endpoint - open.flight, 0)) AS d
         WHERE open.rests_until IS NULL OR open.rests_until <= now()
    ), fair AS (
        SELECT *, tenant_flight + row_number() OVER (PARTITION BY tenant_id ORDER BY turn, next_attempt_at) AS tenant_turn FROM due
    ), chosen AS (
        SELECT d.endpoint_id, d.event_id
          FROM fair JOIN webhook_deliveries AS d ON d.endpoint_id = fair.endpoint_id AND d.event_id = fair.event_id
         WHERE fair.tenant_turn <= :per_tenant AND d.state = 'pending' AND d.next_attempt_at <= now()
         ORDER BY fair.tenant_turn, fair.turn LIMIT :room FOR UPDATE OF d SKIP LOCKED
    )
    UPDATE webhook_deliveries AS d
       SET attempts = d.attempts + 1, lease_token = gen_random_uuid(), next_attempt_at = now() + make_interval(secs => :seconds)
      FROM chosen, outbox AS o, webhook_endpoints AS e
     WHERE d.endpoint_id = chosen.endpoint_id AND d.event_id = chosen.event_id AND o.event_id = d.event_id AND e.id = d.endpoint_id
    RETURNING d.endpoint_id, d.event_id, d.lease_token, d.attempts, e.url, o.type, o.payload, o.created_at
    """
)
GIVE_BACK = text(
    """
    -- give back: nothing was sent, and the attempt does not count
    UPDATE webhook_deliveries
       SET attempts = greatest(attempts - 1, 0), lease_token = NULL, next_attempt_at = now() + make_interval(secs => :delay)
     WHERE endpoint_id = :endpoint_id AND event_id = :event_id AND lease_token = :token
    """
)
RECORD_ATTEMPT = text(
    """
    -- record attempt: what was sent was sent, even if the lease is somebody else's by now
    INSERT INTO webhook_attempts (endpoint_id, event_id, attempt, status, error_code, seconds)
    VALUES (:endpoint_id, :event_id, :attempt, :status, :error_code, :took)
    """
)
END_ATTEMPT = text(
    """
    -- end attempt: delivered, waiting for the next attempt, or out of them
    UPDATE webhook_deliveries
       SET state = :state, lease_token = NULL, last_status = coalesce(:status, last_status), last_error = :error_code, last_seconds = :took,
           delivered_at = CASE WHEN :state = 'delivered' THEN now() END, next_attempt_at = now() + make_interval(secs => :delay)
     WHERE endpoint_id = :endpoint_id AND event_id = :event_id AND lease_token = :token
    """
)
NOTE_SUCCESS = text(
    """
    -- note success: the common case, an endpoint that works, changes no row
    UPDATE webhook_endpoints SET failing_since = NULL, failures = 0, rests_until = NULL
     WHERE id = :endpoint_id AND (failing_since IS NOT NULL OR rests_until IS NOT NULL)
    """
)
NOTE_FAILURE = text(
    """
    -- note failure: one failure may be the event's; from the second in a row the endpoint rests, twice as long each time
    UPDATE webhook_endpoints
       SET failures = failures + 1, failing_since = coalesce(failing_since, now()),
           rests_until = greatest(rests_until, now() + make_interval(secs => greatest(
               CAST(:asked AS double precision),
               CASE WHEN failures = 0 THEN 0 ELSE least(:longest_rest, :first_rest * power(2, least(failures - 1, 30))) END)))
     WHERE id = :endpoint_id
    RETURNING failures, extract(epoch FROM now() - failing_since) AS failing_seconds
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Leased:
    """A delivery that is ours to attempt until the lease runs out."""

    endpoint_id: UUID
    event_id: UUID
    token: UUID
    attempt: int  # this one, from 1
    url: str
    type: str
    data: Mapping[str, Any]
    occurred_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much may be in flight at once."""

    room: int
    per_endpoint: int
    per_tenant: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempted:
    """How an attempt ended. `error_code` is None when it was accepted, `status` when nobody answered."""

    status: int | None
    error_code: str | None
    seconds: float


@dataclass(frozen=True, slots=True)
class Failing:
    """How long an endpoint has accepted nothing."""

    failures: int
    seconds: float


def fan_out(session: Session, *, page: int) -> int:
    """Turns up to `page` events into deliveries, none where nobody subscribes: how many events."""
    return rows_changed(session, FAN_OUT, page=page)


def abandon(session: Session, *, page: int) -> int:
    """Ends up to `page` deliveries to disabled endpoints: how many."""
    return rows_changed(session, ABANDON, page=page)


def lease(session: Session, limits: Limits, *, seconds: float) -> list[Leased]:
    """Takes what is due, fairly, and counts the attempts."""
    parameters = {"room": limits.room, "per_endpoint": limits.per_endpoint, "per_tenant": limits.per_tenant, "seconds": seconds}
    return [
        Leased(
            endpoint_id=row.endpoint_id,
            event_id=row.event_id,
            token=row.lease_token,
            attempt=row.attempts,
            url=row.url,
            type=row.type,
            data=row.payload,
            occurred_at=row.created_at,
        )
        for row in session.execute(LEASE, parameters)
    ]


def give_back(session: Session, leased: Leased, *, delay_seconds: float) -> None:
    """Returns a delivery that was not attempted; does nothing when the lease was lost."""
    session.execute(GIVE_BACK, {**_named(leased), "delay": delay_seconds})


def record_delivered(session: Session, leased: Leased, attempted: Attempted) -> bool:
    """The endpoint accepted: False when the lease was lost meanwhile."""
    session.execute(NOTE_SUCCESS, {"endpoint_id": leased.endpoint_id})
    return _end(session, leased, attempted, state="delivered", delay_seconds=0.0)


def record_failure(session: Session, leased: Leased, attempted: Attempted, *, retry_seconds: float | None) -> bool:
    """It did not: tried again after `retry_seconds`, given up when None. False when the lease was lost meanwhile."""
    state = "failed" if retry_seconds is None else "pending"
    return _end(session, leased, attempted, state=state, delay_seconds=retry_seconds or 0.0)


def note_failure(session: Session, endpoint_id: UUID, *, first_rest: float, longest_rest: float, asked: float) -> Failing:
    """Counts a failure against the endpoint and lets it rest, at least for as long as it asked, seconds."""
    parameters = {"endpoint_id": endpoint_id, "first_rest": first_rest, "longest_rest": longest_rest, "asked": asked}
    row = session.execute(NOTE_FAILURE, parameters).one()
    return Failing(row.failures, float(row.failing_seconds))


def _end(session: Session, leased: Leased, attempted: Attempted, *, state: str, delay_seconds: float) -> bool:
    ended = {"status": attempted.status, "error_code": attempted.error_code, "took": attempted.seconds}
    session.execute(RECORD_ATTEMPT, {**_named(leased), "attempt": leased.attempt, **ended})
    return rows_changed(session, END_ATTEMPT, **_named(leased), **ended, state=state, delay=delay_seconds) > 0


def _named(leased: Leased) -> dict[str, object]:
    return {"endpoint_id": leased.endpoint_id, "event_id": leased.event_id, "token": leased.token}
