"""Decoding at the speed of N processes, from any event loop, with every image's failure its own."""

import asyncio
import atexit
import functools
import itertools
import queue
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from worker.images.child import DecodeChild
from worker.images.confine import ChildLimits
from worker.images.crossing import crops_reply, read_crops, read_scan, scan_reply, shrunk_reply
from worker.images.mask import Mask
from worker.images.prepare import Crop, ScanImage
from worker.images.reply import Reply
from worker.images.resize import PixelLimits
from worker.moderation.boxes import Box
from worker.moderation.errors import TransientError

Result = TypeVar("Result")


class DecodePool:
    """`processes` confined children, each spoken to by one thread at a time. Safe to call from any thread's event loop.

    Spawned children import the parent's `__main__` (without running it) before they confine themselves: keep that module light.
    """

    def __init__(self, processes: int, limits: ChildLimits | None = None) -> None:
        self._children = [DecodeChild(limits or ChildLimits()) for _ in range(processes)]
        self._idle: queue.SimpleQueue[DecodeChild] = queue.SimpleQueue()
        for child in self._children:
            self._idle.put(child)
        # Children die with the thread that spawned them (see confine): these threads last until close().
        self._threads = ThreadPoolExecutor(processes, thread_name_prefix="decode")
        self._waiting: queue.PriorityQueue[tuple[bool, int, Future[Any], Callable[[DecodeChild], Any]]] = queue.PriorityQueue()
        self._arrivals = itertools.count()
        self._closed = False
        atexit.register(self.close)  # before multiprocessing's own exit, which would wait for the children

    async def prepare_scan(self, body: bytes, limits: PixelLimits) -> ScanImage:
        """The whole image as the model is sent it. Raises RejectedError, TransientError, MisconfiguredError."""
        return await self.run(scan_reply, body, limits, read=read_scan)

    async def shrink(self, body: bytes, limits: PixelLimits, mask: Mask | None = None) -> ScanImage:
        """The same without its estimates, for images that are known. Raises as `prepare_scan`."""
        return await self.run(shrunk_reply, body, limits, mask, read=read_scan)

    async def cut_crops(self, body: bytes, boxes: Sequence[Box], limits: PixelLimits, mask: Mask | None = None) -> tuple[Crop, ...]:
        """One crop per box (whole original pixels, padded, inside the image), in order. Raises as `prepare_scan`.

        Goes before waiting scans: a zoom that comes late finds its image's KV cache evicted.
        """
        read = functools.partial(read_crops, boxes=tuple(boxes))
        return await self.run(crops_reply, body, tuple(boxes), limits, mask, read=read, urgent=True)

    async def network_isolated(self) -> bool:
        """Whether the kernel lets children be cut off from the network; for readiness. Starts one when none runs."""
        return await self._queued(DecodeChild.network_isolated, urgent=True)

    async def run(self, work: Callable[..., Reply], *arguments: object, read: Callable[[Reply], Result], urgent: bool = False) -> Result:
        """`read(work(*arguments))`, with `work`, an importable function, in a child."""
        return await self._queued(lambda child: child.call(work, arguments, read), urgent=urgent)

    def close(self) -> None:
        """Ends all children. Images in progress or waiting raise TransientError. Idempotent."""
        self._closed = True
        atexit.unregister(self.close)
        for child in self._children:
            child.kill()
        self._threads.shutdown()
        for child in self._children:
            child.close()

    async def _queued(self, job: Callable[[DecodeChild], Result], *, urgent: bool) -> Result:
        if self._closed:
            raise _closing()
        future: Future[Result] = Future()
        self._waiting.put((not urgent, next(self._arrivals), future, job))
        self._threads.submit(self._run_most_urgent)  # one turn per job, so all get theirs
        return await asyncio.wrap_future(future)

    def _run_most_urgent(self) -> None:
        *_, future, job = self._waiting.get_nowait()
        if not future.set_running_or_notify_cancel():
            return  # its image was given up
        child = self._idle.get_nowait()  # there are as many as threads
        try:
            if self._closed:
                raise _closing()  # noqa: TRY301
            future.set_result(job(child))
        except BaseException as error:  # noqa: BLE001  raised where it is awaited
            future.set_exception(error)
        finally:
            self._idle.put(child)


def _closing() -> TransientError:
    return TransientError("decoder_closed", "The worker is shutting down; the image will be tried again.")
