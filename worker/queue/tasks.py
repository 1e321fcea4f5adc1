"""The doors between Celery and the queue: an id enters."""

from uuid import UUID

from worker.celery import app
from worker.queue.worker_process import current_worker, scan_worker


@app.task(name="scan_chunk")
def scan_chunk(chunk_id: int) -> None:
    """Judges and records what is pending in a chunk."""
    scan_worker().scan(chunk_id)


@app.task(name="explain")
def explain(job_id: str) -> None:
    """Makes what an explanation job asks for. Of a scan worker's jobs the message goes to `queue.job_threads` instead."""
    current_worker().explain(UUID(job_id))
