"""The loop: fans events out, sends what is due, records how it ended. Any number of senders may run.

No transaction is open while anything is sent. Who dies between sending and recording has counted the attempt; when its lease runs out
another sends again under the same `webhook-id`: at least once, and receivers drop an id they have seen.
"""

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import structlog
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from worker.moderation.errors import MisconfiguredError, TransientError
from worker.moderation.events import event_body
from worker.moderation.identifiers import event_id
from worker.moderation.settings import Settings
from worker.moderation.signatures import signed_headers
from worker.store.models.webhooks import EndpointState
from worker.store.sealing import Sealer, sealer
from worker.store.session import connect, transaction
from worker.store.webhook_endpoints import live_secrets, set_state
from worker.store.webhook_queue import (
    Attempted,
    Leased,
    Limits,
    abandon,
    fan_out,
    give_back,
    lease,
    note_failure,
    record_delivered,
    record_failure,
)
from worker.webhooks import metrics
from worker.webhooks.post import GONE, TOTAL_SECONDS, Answer, Poster
from worker.webhooks.schedule import Schedule

IN_FLIGHT = 64  # attempts at once: mostly waiting, a few kB each
PER_ENDPOINT = 8  # of those: a slow endpoint gets an eighth, and no server sees more than that of us at once
PER_TENANT = 32  # of those: half, however many endpoints it has
LEASE_SECONDS = 60.0  # four times the longest attempt: room for a slow commit and for a frozen process that wakes up
PAGE = 500  # events or deliveries per transaction
DATABASE_THREADS = 4
RETRY_SECONDS = 2.0  # after Postgres could not be reached
WRONG_KEY_SECONDS = 60.0  # an operator must act meanwhile
ACTOR = "webhooks"
Found = TypeVar("Found")
log = structlog.get_logger(__name__)


def run_sender(settings: Settings, stop: threading.Event) -> None:
    """Sends until `stop` is set, then finishes what is in flight. Raises MisconfiguredError at the start."""
    keys = sealer(settings)
    engine = connect(settings, application="zoomin-webhooks")

    async def run() -> None:
        poster = Poster(private_targets=settings.webhook_private_targets)
        try:
            await Sender(engine, keys, poster).run(stop)
        finally:
            await poster.close()

    try:
        asyncio.run(run())
    finally:
        engine.dispose()


class Sender:
    """One process's share of the sending."""

    def __init__(
        self, engine: Engine, keys: Sealer, poster: Poster, schedule: Schedule | None = None, *, lease_seconds: float = LEASE_SECONDS
    ) -> None:
        if lease_seconds <= TOTAL_SECONDS:
            raise ValueError("a lease must outlast an attempt")
        self._engine = engine
        self._keys = keys
        self._poster = poster
        self._schedule = schedule or Schedule()
        self._lease_seconds = lease_seconds
        self._in_flight: set[asyncio.Task[None]] = set()
        self._fan_out_at = 0.0
        self._threads = ThreadPoolExecutor(DATABASE_THREADS, thread_name_prefix="webhook-database")

    async def run(self, stop: threading.Event) -> None:
        """Takes turns until `stop` is set, through outages of Postgres; then waits for what is in flight."""
        log.info("webhooks_run")
        reachable = True
        while not stop.is_set():
            try:
                busy = await self.turn()
                reachable = True
            except TransientError as error:
                if reachable:
                    log.warning("webhooks_wait", error=error.message, next=f"trying again every {RETRY_SECONDS:g} s")
                busy, reachable = False, False
                await asyncio.sleep(RETRY_SECONDS)
            if not busy:
                await self._pause()
        await self.drain()
        self._threads.shutdown()

    async def turn(self) -> bool:
        """Fans out, and begins to send as much as there is room for: whether there may be more to do at once. Raises TransientError."""
        more = time.monotonic() >= self._fan_out_at and await self._fan_out()
        limits = Limits(room=IN_FLIGHT - len(self._in_flight), per_endpoint=PER_ENDPOINT, per_tenant=PER_TENANT)
        deliveries, secrets = [], {}
        if limits.room:
            deliveries = await self._transact(lambda session: lease(session, limits, seconds=self._lease_seconds))
        if deliveries:
            endpoints = {leased.endpoint_id for leased in deliveries}
            secrets = await self._transact(lambda session: live_secrets(session, endpoints))
        for leased in deliveries:
            task = asyncio.create_task(self._deliver(leased, secrets.get(leased.endpoint_id, [])))
            self._in_flight.add(task)
            task.add_done_callback(self._landed)
        metrics.IN_FLIGHT.set(len(self._in_flight))
        return bool(deliveries) or more

    async def _fan_out(self) -> bool:
        """Hands events to endpoints, and takes back what disabled ones left: whether there is more, else not again before a poll."""
        events = await self._transact(lambda session: fan_out(session, page=PAGE))
        abandoned = await self._transact(lambda session: abandon(session, page=PAGE))
        metrics.FANNED_OUT.inc(events)
        more = PAGE in {events, abandoned}
        self._fan_out_at = time.monotonic() + (0.0 if more else self._schedule.poll_seconds)
        return more

    async def drain(self) -> None:
        """Waits for what is in flight."""
        while self._in_flight:
            await asyncio.wait(self._in_flight)

    async def _pause(self) -> None:
        """Until something has landed and made room, at most for a poll."""
        if self._in_flight:
            await asyncio.wait(self._in_flight, timeout=self._schedule.poll_seconds, return_when=asyncio.FIRST_COMPLETED)
        else:
            await asyncio.sleep(self._schedule.poll_seconds)

    def _landed(self, task: asyncio.Task[None]) -> None:
        self._in_flight.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("webhook_attempt_broke", exc_info=error, next="sent again when its lease has run out")

    async def _deliver(self, leased: Leased, sealed: list[str]) -> None:
        if leased.attempt > self._schedule.attempts:  # whoever made the last attempt never came to record it
            await self._record(leased, Answer(status=None, error_code="sender_died", seconds=0.0))
            return
        try:
            secrets = [self._keys.open(text, str(leased.endpoint_id)) for text in sealed]
        except MisconfiguredError as error:  # an operator's fault, and none of the endpoint's
            log.error("webhook_not_signed", endpoint=str(leased.endpoint_id), error=error.message)  # noqa: TRY400  no traceback helps
            await self._transact(lambda session: give_back(session, leased, delay_seconds=WRONG_KEY_SECONDS))
            return
        public_id, body = event_id(leased.event_id), event_body(leased.type, leased.occurred_at, leased.data)
        headers = {"content-type": "application/json", **signed_headers(secrets, public_id, int(time.time()), body)}
        answer = await self._poster.post(leased.url, headers, body)
        await self._record(leased, answer)

    async def _record(self, leased: Leased, answer: Answer) -> None:
        """Records the end of an attempt, through outages, while the lease lasts."""
        deadline = time.monotonic() + self._lease_seconds
        while True:
            try:
                await self._transact(lambda session: record(session, leased, answer, self._schedule))
            except TransientError:
                if time.monotonic() > deadline:
                    raise
                await asyncio.sleep(RETRY_SECONDS)
            else:
                return

    async def _transact(self, work: Callable[[Session], Found]) -> Found:
        def run() -> Found:
            with transaction(self._engine) as session:
                return work(session)

        return await asyncio.get_running_loop().run_in_executor(self._threads, run)


def record(session: Session, leased: Leased, answer: Answer, schedule: Schedule) -> None:
    """What follows from an attempt's end, for the delivery and for its endpoint."""
    attempted = Attempted(status=answer.status, error_code=answer.error_code, seconds=answer.seconds)
    if answer.accepted:
        kept, outcome = record_delivered(session, leased, attempted), "accepted"
    else:
        retry = None if answer.status == GONE else schedule.retry_seconds(leased.attempt, answer.retry_after)
        kept, outcome = record_failure(session, leased, attempted, retry_seconds=retry), "given_up" if retry is None else "retried"
        _judge_endpoint(session, leased, answer, schedule)
    metrics.ATTEMPTS.labels(outcome).inc()
    metrics.ATTEMPT_SECONDS.observe(answer.seconds)
    if not kept:
        metrics.FENCED.inc()
    log.info(
        "webhook_attempt",
        event_id=event_id(leased.event_id),
        endpoint=str(leased.endpoint_id),
        attempt=leased.attempt,
        status=answer.status,
        error=answer.error_code,
        outcome=outcome,
    )


def _judge_endpoint(session: Session, leased: Leased, answer: Answer, schedule: Schedule) -> None:
    """Lets a failing endpoint rest, pauses a dead one, disables one that is gone."""
    state, reason = None, ""
    if answer.status == GONE:
        state, reason = EndpointState.DISABLED, "it answered 410 Gone"
    else:
        failing = note_failure(
            session,
            leased.endpoint_id,
            first_rest=schedule.first_rest_seconds,
            longest_rest=schedule.longest_rest_seconds,
            asked=schedule.asked_seconds(answer.retry_after),
        )
        if schedule.is_dead(failing.failures, failing.seconds):
            state, reason = EndpointState.PAUSED, f"it accepted nothing in {failing.failures:,} attempts, last: {answer.error_code}"
    if state is not None and set_state(session, leased.endpoint_id, state, reason=reason, actor=ACTOR):
        metrics.ENDPOINTS_STOPPED.labels(state).inc()
        log.warning("webhook_endpoint_stopped", endpoint=str(leased.endpoint_id), state=state, reason=reason)
