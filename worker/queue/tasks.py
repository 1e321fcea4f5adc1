"""The door between Celery and the queue: an id enters."""

from worker.celery import app
from worker.queue.scan_worker import current_worker


@app.task(name="scan_chunk")
def scan_chunk(chunk_id: int) -> None:
    """Judges and records what is pending in a chunk."""
    current_worker().scan(chunk_id)
