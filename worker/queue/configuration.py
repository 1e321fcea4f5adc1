"""Celery's settings, each with its reason. Redis is a doorbell: it carries ids of chunks and jobs, and may lose or repeat them."""

from typing import Any

from worker.moderation.explanation_jobs import JobKind, JobQueue
from worker.moderation.settings import Settings

QUEUE = "scan"
QUEUES = (QUEUE, *(queue.value for queue in JobQueue))
SCAN_WORKER_QUEUES = (QUEUE, JobQueue.LOOKS.value, JobQueue.TRANSLATIONS.value)  # what an engine is needed for
# Who makes what a kind of job asks for: `build(Bench) -> Runner`, see `queue.explaining`. A kind that is not here fails, and says so.
EXPLAINERS: dict[JobKind, str] = {
    JobKind.ATTENTION: "worker.queue.explain_attention:build",
    JobKind.LOOK: "worker.queue.explain_look:build",
    JobKind.TRANSLATION: "worker.queue.explain_translation:build",
}
KEY_PREFIX = "zoomin:"  # so that Redis can be shared and its ACLs can be narrow
SOCKET_TIMEOUT_SECONDS = 5  # the default waits for ever on a connection that is dead but not closed; above BRPOP's 1 s
HEALTH_CHECK_SECONDS = 10  # a half-open connection is noticed within 1 + 2 × this


def celery_configuration(settings: Settings) -> dict[str, Any]:
    """The configuration of worker and dispatcher. Raises MisconfiguredError when no broker is named."""
    url = settings.require("broker_url").broker_url
    return {
        "broker_url": url.get_secret_value() if url else None,
        "broker_connection_timeout": SOCKET_TIMEOUT_SECONDS,
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,  # Redis may be away for hours: the queue of record is Postgres
        "broker_transport_options": {
            "global_keyprefix": KEY_PREFIX,
            "socket_timeout": SOCKET_TIMEOUT_SECONDS,
            "socket_connect_timeout": SOCKET_TIMEOUT_SECONDS,
            "socket_keepalive": True,
            "health_check_interval": HEALTH_CHECK_SECONDS,
            "retry_on_timeout": False,
            "visibility_timeout": settings.visibility_timeout_seconds,  # a longer chunk is delivered twice, and refused by its lease
            "unacked_restore_interval": 1,  # seconds; with the throttle, a killed worker's messages return in ≈ 4 s instead of 101
            "unacked_restore_throttle": 1,
        },
        "accept_content": ["json"],  # never pickle
        "task_serializer": "json",
        "task_default_queue": QUEUE,
        "task_create_missing_queues": False,
        "task_queues": {name: {"exchange": name, "routing_key": name} for name in QUEUES},
        "task_ignore_result": True,  # completion is a query; there is no result backend
        "task_acks_late": True,
        "task_reject_on_worker_lost": False,  # a poison message would run for ever; attempts are counted in Postgres
        "task_publish_retry": False,  # the dispatcher's next turn is the retry
        "worker_concurrency": settings.chunks_in_flight,
        "worker_prefetch_multiplier": 1,  # a chunk waits in Redis, where any worker can take it
        "worker_hijack_root_logger": False,
        "worker_redirect_stdouts": False,
        "worker_enable_remote_control": False,  # whoever reaches Redis could shut workers down; liveness is leases and /metrics
        "worker_send_task_events": False,
        "enable_utc": True,
        # Loaded when a worker starts that needs it, never on import.
        "zoomin_moderator": "worker.queue.async_moderator:build_moderator",
        "zoomin_explainers": EXPLAINERS,
    }
