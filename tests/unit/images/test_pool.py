import asyncio
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.unit.images import child_work, files
from worker.images.confine import ChildLimits
from worker.images.pool import DecodePool
from worker.images.prepare import cut_crops, prepare_scan
from worker.images.reply import Reply
from worker.images.resize import PixelLimits
from worker.moderation.boxes import Box
from worker.moderation.errors import MisconfiguredError, RejectedError, TransientError

SCAN = PixelLimits(28, 4 * 784, 128 * 784)
BODY = files.encoded(files.photo(800, 600), "JPEG")
DEADLINE = 20.0  # seconds; generous, everything polled for takes milliseconds


@pytest.fixture(scope="module")
def pool() -> Iterator[DecodePool]:
    """One child with the limits of production, except that spinning is found out sooner."""
    pool = DecodePool(1, ChildLimits(cpu_seconds=1))
    yield pool
    pool.close()


def facts(reply: Reply) -> dict[str, object]:
    return dict(reply.facts)


async def pid_of(pool: DecodePool) -> int:
    return int(str((await pool.run(child_work.tell_pid, read=facts))["pid"]))


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.01)


async def test_results_cross_unchanged(pool: DecodePool) -> None:
    boxes = [Box(0, 0, 100, 100), Box(50, 60, 250, 300)]
    scan, here = await pool.prepare_scan(BODY, SCAN), prepare_scan(BODY, SCAN)
    assert (scan.pixels.tobytes(), scan.original, scan.media_type, scan.evidence) == (
        here.pixels.tobytes(),
        here.original,
        here.media_type,
        here.evidence,
    )
    assert scan.degradation == here.degradation is not None
    shrunk = await pool.shrink(BODY, SCAN)
    assert (shrunk.evidence, shrunk.original, shrunk.degradation, shrunk.perceptual_hash) == (scan.evidence, scan.original, None, None)
    crops = await pool.cut_crops(BODY, boxes, SCAN)
    for crop, cut in zip(crops, cut_crops(BODY, boxes, SCAN), strict=True):
        assert (crop.box, crop.pixels.tobytes(), crop.evidence) == (cut.box, cut.pixels.tobytes(), cut.evidence)


async def test_a_rejection_crosses_with_code_and_message(pool: DecodePool) -> None:
    with pytest.raises(RejectedError, match="truncated or damaged") as rejection:
        await pool.prepare_scan(BODY[:500], SCAN)
    assert rejection.value.code == "image_corrupt"


async def test_any_threads_event_loop_may_call(pool: DecodePool) -> None:
    widths: list[int] = []
    thread = threading.Thread(target=lambda: widths.append(asyncio.run(pool.prepare_scan(BODY, SCAN)).original.width))
    thread.start()
    await asyncio.to_thread(thread.join, DEADLINE)
    assert widths == [800]


async def test_children_keep_no_secret_and_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZOOMIN_S3_SECRET_KEY", "hunter2-of-the-bucket")
    fresh = DecodePool(1)
    try:
        seen = await fresh.run(child_work.tell_confinement, read=facts)
        isolated = await fresh.network_isolated()
    finally:
        fresh.close()
    assert "hunter2" not in str(seen["environment"])
    assert isolated == (seen["network"] != str(Path("/proc/self/ns/net").readlink()))
    assert (seen["core"], seen["files"], seen["memory"]) == ([0, 0], [64, 64], [2 * 1024**3, 2 * 1024**3])


async def test_a_spinning_image_is_rejected_and_the_next_decodes(pool: DecodePool) -> None:
    with pytest.raises(RejectedError, match="SIGXCPU") as rejection:
        await pool.run(child_work.spend_cpu, 60, read=facts)
    assert rejection.value.code == "image_kills_decoder"
    assert (await pool.prepare_scan(BODY, SCAN)).original.width == 800


async def test_the_cpu_limit_is_per_image_and_not_per_child(pool: DecodePool) -> None:
    pids = [(await pool.run(child_work.spend_cpu, 0.6, read=facts))["pid"] for _ in range(4)]
    assert len(set(pids)) == 1


async def test_a_memory_bomb_is_rejected_and_the_child_lives_on(pool: DecodePool) -> None:
    before = await pid_of(pool)
    with pytest.raises(RejectedError, match="memory") as rejection:
        await pool.run(child_work.take_memory, 3 * 1024**3, read=facts)
    assert rejection.value.code == "image_kills_decoder"
    assert await pid_of(pool) == before


async def test_a_crashing_image_is_rejected_and_the_next_decodes(pool: DecodePool) -> None:
    with pytest.raises(RejectedError, match="SIGSEGV"):
        await pool.run(child_work.crash, read=facts)
    assert (await pool.prepare_scan(BODY, SCAN)).original.width == 800


@pytest.mark.parametrize("death", [child_work.be_killed, child_work.be_killed_mid_reply])
async def test_a_child_killed_from_outside_condemns_no_image(pool: DecodePool, death: Callable[[], Reply]) -> None:
    with pytest.raises(TransientError) as failure:
        await pool.run(death, read=facts)
    assert failure.value.code == "decoder_died"
    assert (await pool.prepare_scan(BODY, SCAN)).original.width == 800


async def test_a_child_killed_while_idle_costs_nobody_anything(pool: DecodePool) -> None:
    pid = await pid_of(pool)
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    assert (await pool.prepare_scan(BODY, SCAN)).original.width == 800


async def test_a_starved_child_times_out_without_condemning_its_image() -> None:
    hurried = DecodePool(1, ChildLimits(wall_seconds=0.5))
    try:
        await hurried.network_isolated()  # started: a start has its own limit
        with pytest.raises(TransientError, match=r"0\.5 s") as failure:
            await hurried.run(child_work.nap, 60, read=facts)
        assert failure.value.code == "decoder_timed_out"
    finally:
        hurried.close()


async def test_a_child_that_cannot_start_is_the_operators_business() -> None:
    refused = DecodePool(1, ChildLimits(open_files=-5))  # which the kernel refuses
    try:
        with pytest.raises(MisconfiguredError) as failure:
            await refused.prepare_scan(BODY, SCAN)
        assert failure.value.code == "decoder_cannot_start"
    finally:
        refused.close()


def test_a_worker_that_forgets_to_close_still_ends() -> None:
    script = (
        "import asyncio\n"
        "from tests.unit.images import child_work\n"
        "from worker.images.pool import DecodePool\n"
        "pool = DecodePool(1)\n"
        "asyncio.run(pool.run(child_work.tell_pid, read=lambda reply: print(reply.facts['pid'])))\n"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=DEADLINE, check=True)
    assert not psutil.pid_exists(int(ended.stdout))


async def test_siblings_of_a_dying_child_are_unaffected() -> None:
    pair = DecodePool(2)
    try:
        deaths = [pair.run(child_work.be_killed_mid_reply, read=facts) for _ in range(3)]
        scans = [pair.prepare_scan(BODY, SCAN) for _ in range(6)]
        results = await asyncio.gather(*deaths, *scans, return_exceptions=True)
    finally:
        pair.close()
    assert [getattr(result, "code", "decoded") for result in results] == ["decoder_died"] * 3 + ["decoded"] * 6


async def test_a_captured_child_is_not_believed(pool: DecodePool, tmp_path: Path) -> None:
    before = await pid_of(pool)
    with pytest.raises(RejectedError, match="breaks the decoder"):
        await pool.run(child_work.speak_pickle, tmp_path / "mark", read=facts)
    assert not (tmp_path / "mark").exists()
    assert await pid_of(pool) != before


async def test_pixels_that_do_not_fit_their_size_are_not_believed(pool: DecodePool) -> None:
    with pytest.raises(RejectedError, match="breaks the decoder"):
        await pool.run(child_work.tell_pid, read=lambda reply: reply.facts["sizes"])


async def test_a_bug_of_ours_is_not_blamed_on_the_image(pool: DecodePool) -> None:
    with pytest.raises(TransientError, match="LookupError: a bug of ours") as failure:
        await pool.run(child_work.raise_bug, read=facts)
    assert failure.value.code == "decoder_failed"


async def test_urgent_work_goes_before_waiting_work(pool: DecodePool) -> None:
    order: list[str] = []

    async def noted(name: str, *, urgent: bool) -> None:
        await pool.run(child_work.nap, 0.05, read=facts, urgent=urgent)
        order.append(name)

    waiting = [noted(f"scan {number}", urgent=False) for number in range(3)]
    await asyncio.gather(*waiting, noted("crops", urgent=True))
    assert order.index("crops") <= 1  # behind the one that had begun


async def test_an_image_given_up_while_waiting_is_not_decoded(pool: DecodePool, tmp_path: Path) -> None:
    running = asyncio.create_task(pool.run(child_work.nap, 0.3, read=facts))
    waiting = asyncio.create_task(pool.run(child_work.speak_pickle, tmp_path / "mark", read=facts))
    await asyncio.sleep(0)  # both are queued
    waiting.cancel()
    pid = (await running)["pid"]
    assert await pid_of(pool) == pid  # had the waiting work run, it would have cost the child its life
    assert waiting.cancelled()


async def test_closing_ends_all_children_and_answers_everyone() -> None:
    doomed = DecodePool(2)
    pids = {int(str((await doomed.run(child_work.nap, 0.1, read=facts))["pid"])) for _ in range(2)}
    calls = [asyncio.create_task(doomed.run(child_work.nap, 60, read=facts)) for _ in range(4)]
    await asyncio.sleep(0)
    await asyncio.to_thread(doomed.close)
    doomed.close()
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert {type(result) for result in results} == {TransientError}
    assert not any(psutil.pid_exists(pid) for pid in pids)
    with pytest.raises(TransientError, match="shutting down"):
        await doomed.prepare_scan(BODY, SCAN)


@pytest.mark.parametrize("work", ["tell_pid", "spin"])
def test_no_child_outlives_a_killed_worker(work: str) -> None:
    script = (
        "import asyncio, os, sys, psutil\n"
        "from tests.unit.images import child_work\n"
        "from worker.images.pool import DecodePool\n"
        "async def main():\n"
        "    pool = DecodePool(1)\n"
        "    await pool.run(child_work.tell_pid, read=lambda reply: print(reply.facts['pid'], flush=True))\n"
        f"    await pool.run({'child_work.spend_cpu, 60' if work == 'spin' else 'child_work.nap, 60'}, read=lambda reply: None)\n"
        "if __name__ == '__main__':\n"
        "    asyncio.run(main())\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, cwd=Path.cwd()) as worker:
        assert worker.stdout is not None
        pid = int(worker.stdout.readline())
        worker.kill()
    wait_until(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)


def test_children_import_neither_torch_nor_vllm() -> None:
    probe = "import sys, worker.images.serve; print(sorted({'torch', 'vllm', 'celery', 'sqlalchemy', 'numpy'} & set(sys.modules)))"
    listed = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert re.fullmatch(r"\[\]", listed.stdout.strip())
