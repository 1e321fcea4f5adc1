"""What a worker does with an explanation job: claim it, let the runner of its kind work, record what that made. Free of Celery.

A runner works without a transaction, its lease renewed meanwhile, and returns a function that writes its result's own rows; they are
written in the transaction that ends the job, behind its fence. What it puts into the bucket it tells the bench before: after any other
end, retention removes that at once, since no row names it, and the image may have been erased meanwhile.

To add a kind: a module `queue.explain_<kind>` with `build(bench) -> Runner`, named in `queue.configuration.EXPLAINERS`.
"""

import contextvars
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

import structlog
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from worker.moderation.errors import EngineDiedError, FencedError, MisconfiguredError, OutageError, TransientError, ZoomInError
from worker.moderation.explanation_jobs import MOST_ANNOUNCEMENTS, Job, JobKind
from worker.moderation.outcomes import EvidenceFacts
from worker.moderation.settings import Settings
from worker.queue import metrics
from worker.queue.moderator import Moderator
from worker.store.evidence import note_unheld
from worker.store.explanation_jobs import claim_job, fail_job, finish_job, put_back_job, renew_job
from worker.store.explanation_queue import unring_jobs
from worker.store.session import transaction

RENEWALS = 3  # in a lease's time: two may be lost
LONGEST_WORK_SECONDS = 3600.0  # a runner that takes longer hangs: its lease runs out, and another worker tries
LONGEST_DELAY_SECONDS = 300  # between attempts; they double from 2 s
Write = Callable[[Session], None]
Runner = Callable[[Job], Write]
log = structlog.get_logger(__name__)


class Ending(StrEnum):
    """How a job's visit to this worker ended."""

    NOT_CLAIMED = "not_claimed"  # somebody else's, or ended: a repeated or late message
    DONE = "done"
    FAILED = "failed"  # for good
    PUT_BACK = "put_back"  # tried again later
    DRAINED = "drained"  # this worker is leaving
    FENCED = "fenced"  # the lease was lost: what was made is discarded


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What a worker process has for its runners. Without a model in the process, `moderator` is None."""

    settings: Settings
    engine: Engine
    owner: str
    moderator: Moderator | None = None
    _stored: dict[UUID, list[EvidenceFacts]] = field(default_factory=dict, repr=False)  # by the lease's token: no row names these yet

    def storing(self, job: Job, evidence: Iterable[EvidenceFacts]) -> None:
        """Called before the runner puts them into the bucket."""
        self._stored.setdefault(job.token, []).extend(evidence)

    def stored(self, job: Job) -> Sequence[EvidenceFacts]:
        """Once, at the job's end."""
        return self._stored.pop(job.token, ())


@dataclass(frozen=True, slots=True)
class Explainers:
    """A bench with the runners that were built on it."""

    bench: Bench
    runners: Mapping[JobKind, Runner] = field(default_factory=dict)

    def runner(self, kind: JobKind) -> Runner:
        """Who works on a kind. Raises MisconfiguredError `explainer_missing`."""
        if kind not in self.runners:
            raise MisconfiguredError(
                "explainer_missing", f"The worker that took this job cannot make a {kind}: start one that can, then ask again."
            )
        return self.runners[kind]


def explain(job_id: UUID, explainers: Explainers, *, drained: bool) -> Ending:
    """Does one job, whatever becomes of it. Raises EngineDiedError (the worker must leave), TransientError (Postgres is away)."""
    bench = explainers.bench
    if drained:
        with transaction(bench.engine) as session:
            unring_jobs(session, [job_id])
        return Ending.DRAINED
    with transaction(bench.engine) as session:
        job = claim_job(session, job_id, bench.owner, bench.settings.lease_seconds)
    if job is None:
        log.info("job_not_claimed", job_id=str(job_id), next="nothing to do: a repeated or late message")
        return Ending.NOT_CLAIMED
    with structlog.contextvars.bound_contextvars(job_id=str(job.id), batch_id=str(job.batch_id), ordinal=job.ordinal, kind=job.kind.value):
        log.info("job_claimed", attempt=job.attempts)
        ending = _leaving_nothing(job, explainers)
        metrics.JOBS_ENDED.labels(job.kind.value, ending.value).inc()
        log.info("job_ended", ending=ending.value)
        return ending


def _leaving_nothing(job: Job, explainers: Explainers) -> Ending:
    """As `_work`; what was stored for nothing is retention's. Should Postgres be away by then, it finds that itself, a day later."""
    bench = explainers.bench
    ending: Ending | None = None
    try:
        ending = _work(job, explainers)
        return ending
    finally:
        stored = bench.stored(job)
        if stored and ending is not Ending.DONE:
            with suppress(TransientError), transaction(bench.engine) as session:
                note_unheld(session, stored, bucket=bench.settings.evidence_bucket)


def _work(job: Job, explainers: Explainers) -> Ending:
    began = time.monotonic()
    try:
        with _lease_kept(job, explainers.bench):
            write = explainers.runner(job.kind)(job)
        with transaction(explainers.bench.engine) as session:
            finish_job(session, job, actor=explainers.bench.owner)
            write(session)
    except FencedError as error:
        return _discard(error)
    except EngineDiedError as error:
        _end(job, explainers.bench, error)
        raise
    except ZoomInError as error:
        return _end(job, explainers.bench, error)
    except Exception as error:  # attempts bound how often a bug is met
        log.exception("job_met_a_bug")
        return _end(job, explainers.bench, TransientError("internal_error", f"A bug of ours ({type(error).__name__}): the log has more."))
    metrics.JOB_SECONDS.labels(job.kind.value).observe(time.monotonic() - began)
    return Ending.DONE


@contextmanager
def _lease_kept(job: Job, bench: Bench) -> Iterator[None]:
    """Renews the job's lease while its runner works, from a thread: runners wait for models. One that is lost is met at the fence."""
    stopped, ends = threading.Event(), time.monotonic() + LONGEST_WORK_SECONDS

    def renew() -> None:
        while not stopped.wait(bench.settings.lease_seconds / RENEWALS) and time.monotonic() < ends:
            try:
                with transaction(bench.engine) as session:
                    renew_job(session, job, bench.settings.lease_seconds)
            except FencedError as error:
                log.warning("job_lease_lost", error=error.message, next="what its runner makes is discarded")
                return
            except TransientError as error:
                log.warning("job_not_renewed", error=error.message, next="tried again before the lease ends")

    thread = threading.Thread(target=contextvars.copy_context().run, args=(renew,), name=f"lease {job.id}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()


def _end(job: Job, bench: Bench, error: ZoomInError) -> Ending:
    """Back for another attempt where that may help, else failed."""
    charged = not isinstance(error, OutageError)
    left = job.attempts < bench.settings.max_attempts if charged else job.announcements < MOST_ANNOUNCEMENTS
    passing = isinstance(error, TransientError | EngineDiedError) and left
    delay = min(2.0 ** min(job.attempts if charged else job.announcements, 20), LONGEST_DELAY_SECONDS)
    try:
        with transaction(bench.engine) as session:
            if passing:
                put_back_job(session, job, charge=charged, delay_seconds=delay, message=error.message)
            else:
                fail_job(session, job, error, actor=bench.owner)
    except FencedError as second:
        return _discard(second)
    log.warning("job_unfinished", code=error.code, error=error.message, next=f"tried again in {delay:g} s" if passing else "failed")
    return Ending.PUT_BACK if passing else Ending.FAILED


def _discard(error: FencedError) -> Ending:
    log.warning("job_lease_lost", error=error.message, next="whoever holds the job now does it")
    return Ending.FENCED
