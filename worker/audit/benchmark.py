"""Measures what the hash chain costs: outcomes recorded by concurrent writers with it and without it, in turns, on the same Postgres.

Behind `zoomin bench audit`. Writers are processes, as workers are; each commits as a worker under load does.
"""

import multiprocessing
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cache
from statistics import median
from uuid import UUID

from pydantic import SecretStr
from sqlalchemy import Engine, text

from worker.moderation.audit_chain import Start
from worker.moderation.boxes import Box, Size
from worker.moderation.errors import MisconfiguredError
from worker.moderation.identifiers import new_uuid7
from worker.moderation.outcomes import EvidenceFacts, Outcome, OutcomeKind, Region, SourceFacts, Stage, StageTrace, Verdict, ZoomPath
from worker.moderation.policy import DEFAULT_POLICY
from worker.moderation.settings import Settings
from worker.store.audit_trail import verify_chain
from worker.store.batches import open_batch
from worker.store.chunks import Lease
from worker.store.outcomes import Judgement, record_outcomes
from worker.store.scratch import scratch_database, scratch_server
from worker.store.session import connect, transaction

WRITERS = 4
COMMIT_OUTCOMES = 200  # what a worker writes at most in one transaction
JUDGEMENT = Judgement(actor="bench", evidence_bucket="bench")
UNCHAIN = ("enter_audit_chain", "extend_audit_chain")
LEASED_CHUNK = text(
    """
    -- leased chunk: of a batch without items, which recording does not look at
    INSERT INTO chunks (batch_id, lo, hi, state, lease_owner, lease_token, lease_expires_at)
    VALUES (:batch_id, 0, :hi, 'leased', 'bench', gen_random_uuid(), now() + interval '1 day') RETURNING id, lease_token
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainBenchmark:
    """Medians over rounds."""

    writers: int
    outcomes: int  # per round, of all writers together
    outcomes_per_s: float
    unchained_outcomes_per_s: float
    verified_events_per_s: float

    @property
    def ratio(self) -> float:
        """Speed with the chain as a share of that without."""
        return self.outcomes_per_s / self.unchained_outcomes_per_s


def measure_chain(outcomes: int, rounds: int, settings: Settings) -> ChainBenchmark:
    """Alternates between two databases, so that a noisy neighbour meets both. Raises MisconfiguredError."""
    commits = max(1, outcomes // (WRITERS * COMMIT_OUTCOMES))
    with ExitStack() as stack:
        server = stack.enter_context(scratch_server(settings))
        chained, unchained = (stack.enter_context(scratch_database(server)) for _ in range(2))
        _unchain(unchained)
        context = multiprocessing.get_context("spawn")
        pool = stack.enter_context(ProcessPoolExecutor(WRITERS, mp_context=context))
        rates: dict[str, list[float]] = {chained: [], unchained: []}
        for url in rates:
            _round(pool, url, 1)  # starts the processes and connects them
        for _ in range(rounds):
            for url, measured in rates.items():
                measured.append(_round(pool, url, commits))
        return ChainBenchmark(
            writers=WRITERS,
            outcomes=commits * WRITERS * COMMIT_OUTCOMES,
            outcomes_per_s=median(rates[chained]),
            unchained_outcomes_per_s=median(rates[unchained]),
            verified_events_per_s=_verify(chained),
        )


def _round(pool: ProcessPoolExecutor, url: str, commits: int) -> float:
    """Outcomes per second, from the first writer's start to the last one's end."""
    spans = list(pool.map(_write, [url] * WRITERS, [commits] * WRITERS))
    return WRITERS * commits * COMMIT_OUTCOMES / (max(end for _, end in spans) - min(start for start, _ in spans))


def _write(url: str, commits: int) -> tuple[float, float]:
    """A writer's work: when it began and ended, by the machine's clock."""
    engine = _engine(url)
    lease = _lease(engine, commits * COMMIT_OUTCOMES)
    parts = [
        [_verdict(lease.batch_id, number) for number in range(first, first + COMMIT_OUTCOMES)]
        for first in range(0, commits * COMMIT_OUTCOMES, COMMIT_OUTCOMES)
    ]
    began = time.monotonic()
    for part in parts:
        _record(engine, lease, part)
    return began, time.monotonic()


def _record(engine: Engine, lease: Lease, outcomes: Sequence[Outcome]) -> None:
    with transaction(engine) as session:
        record_outcomes(session, lease, outcomes, JUDGEMENT)


@cache
def _engine(url: str) -> Engine:
    return connect(Settings(database_url=SecretStr(url)), application="zoomin-bench")


def _lease(engine: Engine, items: int) -> Lease:
    batch_id = new_uuid7()
    with transaction(engine) as session:
        names = {"tenant_id": "bench", "idempotency_key": str(batch_id), "request_digest": "", "source": "bench"}
        names |= {"policy": DEFAULT_POLICY, "actor": "bench"}
        open_batch(session, batch_id=batch_id, priority=0, **names)
        chunk = session.execute(LEASED_CHUNK, {"batch_id": batch_id, "hi": items}).one()
    return Lease(chunk.id, batch_id, "bench", 1, 0, items, chunk.lease_token, 1, 1)


def _verdict(batch_id: UUID, ordinal: int) -> Outcome:
    """With a region, two traces and evidence, as a zoomed image has."""
    sha256 = f"{batch_id.hex}{ordinal:032x}"  # evidence of its own: writers that keep the same pixels wait for each other
    trace = StageTrace(
        stage=Stage.SCAN,
        attempt=1,
        request={"turns": ["Look for regions that deserve a closer look." * 4]},
        reply='{"regions":[{"box":[1,2,30,40],"reason":"a hand with six fingers"}],"verdict":"generated"}',
        finish_reason="stop",
        prompt_tokens=900,
        cached_tokens=0,
        attainable_tokens=None,
        completion_tokens=60,
        seconds=0.1,
    )
    region = Region(box=Box(1, 2, 30, 40), reason="a hand", crop_box=Box(0, 0, 35, 45), crop_sha256=sha256, scale=1.0)
    return Outcome(
        ordinal=ordinal,
        kind=OutcomeKind.VERDICT,
        verdict=Verdict.GENERATED,
        p_generated=0.9,
        explanation="A hand with six fingers, and a shadow that falls the wrong way.",
        path=ZoomPath.ZOOMED,
        regions=(region,),
        traces=(trace, replace(trace, stage=Stage.ZOOM)),
        evidence=(EvidenceFacts(sha256=sha256, media_type="image/png", byte_count=10_000),),
        source=SourceFacts(sha256="0" * 64, etag="e", byte_count=100_000, media_type="image/jpeg", size=Size(1024, 1024)),
    )


def _unchain(url: str) -> None:
    engine = _engine(url)
    with engine.begin() as connection:
        for trigger in UNCHAIN:
            connection.execute(text(f"ALTER TABLE audit_events DISABLE TRIGGER {trigger}"))
    engine.dispose()


def _verify(url: str) -> float:
    engine = _engine(url)
    began = time.monotonic()
    verified = verify_chain(engine, [], start=Start(), watch=lambda _: None)
    seconds = time.monotonic() - began
    engine.dispose()
    if verified.broken:
        raise MisconfiguredError("bench_failed", f"The chain of the benchmark itself does not verify: {verified.broken.message}")
    return verified.events / seconds
