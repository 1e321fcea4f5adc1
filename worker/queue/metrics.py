"""Prometheus metrics of workers and dispatcher. vLLM's own (`vllm:…`) are in the same default registry, so one port serves all."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from wsgiref.simple_server import WSGIServer

import structlog
from prometheus_client import Counter, Gauge, Histogram, start_http_server

from worker.moderation.faithfulness import Faithfulness
from worker.moderation.outcomes import Outcome, Stage
from worker.store.announcements import Demand
from worker.store.chunks import Tally
from worker.store.explanation_queue import JobDemand
from worker.store.review_queues import ReviewDemand

STAGE_SECONDS_BUCKETS = (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100)  # a cached fetch to a long queue before the engine

IMAGES = Counter("zoomin_images", "Outcomes written", ["outcome"])
FLAGGED = Counter("zoomin_images_flagged", "Verdicts that the live policy flags")
STAGE_SECONDS = Histogram("zoomin_stage_seconds", "Seconds per image and stage", ["stage"], buckets=STAGE_SECONDS_BUCKETS)
ZOOM_TOKENS = Counter("zoomin_zoom_tokens", "Tokens of zoom requests: all of the prompt, cached, attainable by whole blocks", ["kind"])
CHECKS = Counter("zoomin_faithfulness_checks", "Verdicts whose explanation was tested, by whether the test came to something", ["result"])
CHECK_SECONDS = Histogram("zoomin_faithfulness_seconds", "Seconds per test of an explanation", buckets=STAGE_SECONDS_BUCKETS)
CHECK_REQUESTS = Counter("zoomin_faithfulness_requests", "Requests to the model by tests of explanations")
CHECK_TOKENS = Counter("zoomin_faithfulness_tokens", "Tokens of those requests", ["kind"])
DUPLICATES = Counter("zoomin_duplicates_discarded", "Outcomes whose item had one already")
FENCED = Counter("zoomin_writes_fenced", "Outcomes discarded because the lease was lost")
UNFINISHED = Counter("zoomin_images_unfinished", "Images left for a later attempt", ["code"])
ENGINE_DEATHS = Counter("zoomin_engine_deaths", "Times the inference engine died under this process")
IMAGES_IN_FLIGHT = Gauge("zoomin_images_in_flight", "Images between fetch and outcome; below the limit while chunks wait: starvation")
CHUNKS_IN_FLIGHT = Gauge("zoomin_chunks_in_flight", "Chunks this worker holds")
CHUNKS = Gauge("zoomin_chunks", "Unfinished chunks of open batches", ["state"])
ANNOUNCED = Counter("zoomin_chunks_announced", "Chunk ids put into Redis")
LEASES_EXPIRED = Counter("zoomin_leases_expired", "Leases that were not renewed in time")
RERUNG = Counter("zoomin_chunks_rerung", "Announced chunks that nobody claimed in time")
SPLIT = Counter("zoomin_chunks_split", "Chunks halved because they kept dying")
OLDEST_CHUNK = Gauge("zoomin_oldest_claimable_chunk_seconds", "Age of the oldest chunk that could be claimed")
REVIEW_TASKS = Gauge("zoomin_review_tasks", "Unfinished review tasks; overdue ones are of any state", ["tenant", "queue", "state"])
OLDEST_REVIEW = Gauge("zoomin_oldest_review_task_seconds", "Age of the oldest unfinished review task", ["tenant", "queue"])
OLDEST_EVENT = Gauge("zoomin_oldest_unsent_event_seconds", "Age of the oldest event that no webhook sender has taken up")
WORKERS = Gauge("zoomin_live_workers", "Workers that hold a live lease")
JOBS = Gauge("zoomin_explanation_jobs", "Unfinished explanation jobs", ["kind", "state"])
OLDEST_JOB = Gauge("zoomin_oldest_explanation_job_seconds", "Age of the oldest explanation job that could be claimed", ["kind"])
JOBS_ENDED = Counter("zoomin_explanation_jobs_ended", "Explanation jobs that this worker ended", ["kind", "ending"])
JOB_SECONDS = Histogram("zoomin_explanation_job_seconds", "Seconds per explanation that was made", ["kind"], buckets=STAGE_SECONDS_BUCKETS)
SEALED_EVENTS = Gauge("zoomin_audit_sealed_events", "Audit events that the newest seal made by this process covers")
SEAL_FAILURES = Counter("zoomin_audit_seal_failures", "Attempts to seal the audit chain that failed")
RETENTION_FAILURES = Counter("zoomin_retention_failures", "Runs of retention that an outage or a refusal ended early")
RETENTION_REFUSED = Gauge("zoomin_retention_refused_objects", "Objects to remove that the store would not let go of, Object Lock say")

log = structlog.get_logger(__name__)


def count_written(outcomes: list[Outcome], tally: Tally, duplicates: int) -> None:
    """Counts one write."""
    for kind, number in (
        ("verdict", tally.verdicts),
        ("unreadable", tally.unreadable),
        ("failed", tally.failed),
        ("cancelled", tally.cancelled),
    ):
        IMAGES.labels(kind).inc(number)
    FLAGGED.inc(tally.flagged)
    DUPLICATES.inc(duplicates)
    for outcome in outcomes:
        _observe(outcome)


def _observe(outcome: Outcome) -> None:
    seconds = outcome.seconds
    for stage, spent in (("fetch", seconds.fetch), ("decode", seconds.decode), ("scan", seconds.scan), ("zoom", seconds.zoom)):
        if spent is not None:
            STAGE_SECONDS.labels(stage).observe(spent)
    if outcome.faithfulness is not None:
        _observe_check(outcome.faithfulness)
    for trace in outcome.traces:
        if trace.stage is Stage.ZOOM:
            ZOOM_TOKENS.labels("prompt").inc(trace.prompt_tokens)
            ZOOM_TOKENS.labels("cached").inc(trace.cached_tokens or 0)
            ZOOM_TOKENS.labels("attainable").inc(trace.attainable_tokens or 0)


def _observe_check(found: Faithfulness) -> None:
    CHECKS.labels("failed" if found.drop is None else "done").inc()
    CHECK_SECONDS.observe(found.cost.seconds)
    CHECK_REQUESTS.inc(found.cost.requests)
    CHECK_TOKENS.labels("prompt").inc(found.cost.prompt_tokens)
    CHECK_TOKENS.labels("completion").inc(found.cost.completion_tokens)


def show_demand(demand: Demand) -> None:
    """Shows how the queue stands."""
    for state, number in (("announced", demand.announced), ("leased", demand.leased), ("ready", demand.ready)):
        CHUNKS.labels(state).set(number)
    OLDEST_CHUNK.set(demand.oldest_seconds)
    WORKERS.set(demand.workers)


def show_jobs(kinds: Sequence[JobDemand]) -> None:
    """Shows which explanations wait."""
    for demand in kinds:
        for state, number in (("waiting", demand.waiting), ("announced", demand.announced), ("running", demand.running)):
            JOBS.labels(demand.kind.value, state).set(number)
        OLDEST_JOB.labels(demand.kind.value).set(demand.oldest_seconds)


def show_reviews(queues: Sequence[ReviewDemand]) -> None:
    """Shows what waits for people."""
    for queue in queues:
        for state, number in (("open", queue.open), ("held", queue.held), ("escalated", queue.escalated), ("overdue", queue.overdue)):
            REVIEW_TASKS.labels(queue.tenant_id, queue.queue, state).set(number)
        OLDEST_REVIEW.labels(queue.tenant_id, queue.queue).set(queue.oldest_seconds)


@dataclass(frozen=True, slots=True)
class MetricsServer:
    """A /metrics that is being served."""

    server: WSGIServer
    thread: threading.Thread

    def close(self) -> None:
        """Stops serving."""
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


def serve_metrics(host: str, port: int) -> MetricsServer:
    """Serves /metrics on a thread; on a free port, named in the log, when `port` is 0 or taken."""
    try:
        server, thread = start_http_server(port, addr=host)
    except OSError:
        server, thread = start_http_server(0, addr=host)
        log.warning("metrics_port_taken", port=port, next=f"serving on {server.server_port} instead")
    log.info("metrics_served", url=f"http://{host}:{server.server_port}/metrics")
    return MetricsServer(server, thread)
