"""Threads that listen to jobs, over kombu's broker in memory."""

import threading
from uuid import UUID, uuid4

from celery import Celery

from worker.moderation.explanation_jobs import JobQueue
from worker.queue.job_threads import THREADS, JobThreads

SECONDS = 30


def an_app() -> Celery:
    app = Celery("test", broker=f"memory://{uuid4().hex}", set_as_current=False)
    app.conf.task_queues = {queue.value: {"exchange": queue.value, "routing_key": queue.value} for queue in JobQueue}
    return app


def test_a_look_that_hangs_and_one_that_breaks_keep_no_other_from_its_turn() -> None:
    app, drain, done, go_on = an_app(), threading.Event(), threading.Event(), threading.Event()
    hangs, breaks, last = uuid4(), uuid4(), uuid4()
    finished: list[UUID] = []

    def work(job_id: UUID) -> None:
        if job_id == hangs:
            go_on.wait(SECONDS)
        if job_id == breaks:
            raise ValueError("a bug")
        finished.append(job_id)
        if job_id == last:
            done.set()

    threads = JobThreads(app, [JobQueue.LOOKS], work, drain)
    threads.start()
    for job_id in (hangs, breaks, last):
        app.send_task("explain", args=[str(job_id)], queue=JobQueue.LOOKS.value)
    assert done.wait(SECONDS)
    assert finished == [last]
    drain.set()
    go_on.set()
    threads.close()  # waits for what has begun
    assert finished == [last, hangs]


def test_every_queue_has_its_own_threads_and_what_is_not_taken_stays_in_the_broker() -> None:
    app, drain, go_on = an_app(), threading.Event(), threading.Event()
    begun = threading.Semaphore(0)

    def work(_: UUID) -> None:
        begun.release()
        go_on.wait(SECONDS)

    threads = JobThreads(app, list(THREADS), work, drain)
    threads.start()
    for queue in THREADS:
        for _ in range(THREADS[queue] + 3):
            app.send_task("explain", args=[str(uuid4())], queue=queue.value)
    for _ in range(sum(THREADS.values())):
        assert begun.acquire(timeout=SECONDS)
    assert not begun.acquire(timeout=0.5)
    with app.connection_for_read() as connection:
        for queue in THREADS:
            assert len(connection.SimpleQueue(app.amqp.queues[queue.value])) == 3  # type: ignore[arg-type]  # a queue, too
    drain.set()
    go_on.set()
    threads.close()
