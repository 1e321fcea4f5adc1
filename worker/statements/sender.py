"""The loop: sends signed statements whose hold is over, in groups, and records what became of each. Any number of senders may run.

No transaction is open while anything is sent. Who dies in between leaves leases that run out and statements marked uncertain: they are
sent again under their puid, which the receiver takes once.
"""

import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import structlog
from sqlalchemy import Engine

from worker.moderation.errors import MisconfiguredError, TransientError
from worker.moderation.settings import Settings
from worker.statements.receiver import MOST_STATEMENTS, Answer, Known, Later, Receiver, Refused, Taken
from worker.store.session import connect, transaction
from worker.store.statement_queue import (
    Leased,
    lease_due,
    put_off,
    record_refused,
    record_submitted,
    record_withdrawn,
    withdraw_moot,
)

LEASE_SECONDS = 300.0  # an attempt, and a minute of questions behind it, with room for a frozen process that wakes up
QUESTION_SECONDS = 60.0  # for asking about single puids; what is not asked by then waits for the next attempt
POLL_SECONDS = 5.0
RETRY_SECONDS = 2.0  # after Postgres could not be reached
# Seconds before the next attempt: at once for a lost packet, minutes for a deployment, then hourly; a statement has no last attempt.
BACKOFF = (10.0, 60.0, 300.0, 900.0, 3_600.0)
REFUSED_SECONDS = 900.0  # an operator must act; a supervisor that starts us again must not hammer the receiver
log = structlog.get_logger(__name__)


def run_sender(settings: Settings, stop: threading.Event) -> None:
    """Sends until `stop` is set, through outages. Raises MisconfiguredError without an address, and when the receiver refuses us."""
    receiver = Receiver(settings)
    engine = connect(settings, application="zoomin-statements")
    sender = Sender(engine, receiver)
    log.info("statements_run", receiver=settings.dsa_url)
    try:
        while not stop.is_set():
            try:
                pause = sender.turn().pause
            except TransientError as error:
                log.warning("statements_wait", error=error.message, next=f"trying again in {RETRY_SECONDS:g} s")
                pause = RETRY_SECONDS
            stop.wait(pause)
    finally:
        receiver.close()
        engine.dispose()


def send_due(settings: Settings, engine: Engine) -> int:
    """Sends until nothing is due, or the receiver asks for a pause: of how many statements. Raises as `Sender.turn`."""
    receiver = Receiver(settings)
    sender, number = Sender(engine, receiver), 0
    try:
        while True:
            turn = sender.turn()
            number += turn.statements
            if turn.pause:
                return number
    finally:
        receiver.close()


@dataclass(frozen=True, slots=True)
class Turn:
    """How many statements a turn was about, and the seconds to let pass before the next."""

    statements: int
    pause: float


class Sender:
    """One process's share of the sending."""

    def __init__(self, engine: Engine, receiver: Receiver, *, lease_seconds: float = LEASE_SECONDS) -> None:
        self._engine = engine
        self._receiver = receiver
        self._lease_seconds = lease_seconds

    def turn(self) -> Turn:
        """Sends one group. Raises TransientError; MisconfiguredError, with the group put off."""
        with transaction(self._engine) as session:
            withdraw_moot(session)
            leased = lease_due(session, limit=MOST_STATEMENTS, seconds=self._lease_seconds)
        if not leased:
            return Turn(0, POLL_SECONDS)
        try:
            self._settle_moot([statement for statement in leased if statement.moot])
            return Turn(len(leased), self._send([statement for statement in leased if not statement.moot]))
        except MisconfiguredError:
            self._put_off(leased, "refused_us", pause=REFUSED_SECONDS)
            raise

    def _send(self, group: Sequence[Leased]) -> float:
        """How long to leave the receiver alone then."""
        if not group:
            return 0.0
        answer: Answer = self._receiver.submit([statement.payload for statement in group])
        log.info("statements_answered", statements=len(group), answer=type(answer).__name__)
        match answer:
            case Taken(ids=ids):
                for statement in group:  # one at a time: an erasure of one waits for the audit chain, and must not wait for us
                    with transaction(self._engine) as session:
                        record_submitted(session, statement, code="http_201", receiver_id=ids.get(statement.puid))
            case Refused(details=details):
                for place, detail in details.items():
                    with transaction(self._engine) as session:
                        record_refused(session, group[place], code="http_422", detail=detail)
                self._put_off([statement for place, statement in enumerate(group) if place not in details], "sent_with_refused", pause=0.0)
            case Known(puids=puids):
                self._ask([statement for statement in group if statement.puid in puids])
                self._put_off([statement for statement in group if statement.puid not in puids], "sent_with_known", pause=0.0)
            case Later(code=code, uncertain=uncertain, retry_after=asked):
                self._put_off(group, code, uncertain=uncertain)
                return max(asked, BACKOFF[0])
        return 0.0

    def _ask(self, known: Iterable[Leased]) -> None:
        """What is said to be there counts as submitted once it is; else another request was under way, and we try again."""
        for statement, there in self._answers(known):
            if there:
                with transaction(self._engine) as session:
                    record_submitted(session, statement, code="known")
            else:
                self._put_off([statement], "known_or_under_way", uncertain=True)

    def _settle_moot(self, statements: Iterable[Leased]) -> None:
        """They are not to be sent any more, and an earlier attempt may have arrived: submitted if it did, else withdrawn."""
        for statement, there in self._answers(statements):
            with transaction(self._engine) as session:
                if there:
                    record_submitted(session, statement, code="known")
                elif there is False:
                    record_withdrawn(session, statement)
            if there is None:
                self._put_off([statement], "not_told", uncertain=True)

    def _answers(self, statements: Iterable[Leased]) -> Iterator[tuple[Leased, bool | None]]:
        deadline = time.monotonic() + QUESTION_SECONDS
        for statement in statements:
            yield statement, self._receiver.has(statement.puid) if time.monotonic() < deadline else None

    def _put_off(self, statements: Iterable[Leased], code: str, *, pause: float | None = None, uncertain: bool = False) -> None:
        """For a pause, by default one that grows with the attempts."""
        with transaction(self._engine) as session:
            for statement in statements:
                seconds = BACKOFF[min(statement.attempts, len(BACKOFF)) - 1] if pause is None else pause
                put_off(session, statement, code=code, seconds=seconds, uncertain=uncertain)
