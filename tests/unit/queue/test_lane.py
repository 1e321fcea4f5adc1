"""Jobs that come while one is under way wait for it, and keep no thread."""

import threading
from uuid import UUID, uuid4

import pytest

from worker.queue.lane import Lane

SECONDS = 30


def test_jobs_that_come_meanwhile_are_done_one_after_the_other_by_the_first_thread() -> None:
    lane, begun, go_on = Lane(), threading.Event(), threading.Event()
    done: list[tuple[UUID, str]] = []

    def work(job_id: UUID) -> None:
        begun.set()
        assert go_on.wait(SECONDS)
        done.append((job_id, threading.current_thread().name))

    jobs = [uuid4() for _ in range(3)]
    first = threading.Thread(target=lane.enter, args=(jobs[0], work), name="first")
    first.start()
    assert begun.wait(SECONDS)
    for job_id in (*jobs[1:], jobs[1]):  # one is rung twice
        lane.enter(job_id, work)  # returns while the first is at it
    assert done == []
    go_on.set()
    first.join(SECONDS)
    assert done == [(job_id, "first") for job_id in jobs]


def test_a_job_that_breaks_does_not_close_the_lane() -> None:
    lane, done = Lane(), list[UUID]()
    broken, other = uuid4(), uuid4()

    def work(job_id: UUID) -> None:
        if job_id == broken:
            lane.enter(other, work)  # comes meanwhile
            raise ValueError("a bug")
        done.append(job_id)

    with pytest.raises(ValueError, match="a bug"):
        lane.enter(broken, work)
    last = uuid4()
    lane.enter(last, work)
    assert done == [other, last]
