"""The doors between Celery and the queue: an id enters."""

from typing import Any
from uuid import UUID

from worker.celery import app
from worker.moderation.explanation_jobs import JobQueue
from worker.queue.worker_process import current_worker, scan_worker


@app.task(name="scan_chunk")
def scan_chunk(chunk_id: int) -> None:
    """Judges and records what is pending in a chunk."""
    scan_worker().scan(chunk_id)


@app.task(name="explain", bind=True)
def explain(task: Any, job_id: str) -> None:
    """Makes what an explanation job asks for."""
    current_worker().explain(UUID(job_id), JobQueue(task.request.delivery_info["routing_key"]))
