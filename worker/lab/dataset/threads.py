"""Work done several items at a time. Threads suffice: decoding happens in children, and networks let Python go on while they compute."""

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def results_as_they_come(work: Callable[[Item], Result], items: Iterable[Item], threads: int, stop: threading.Event) -> Iterator[Result]:
    """`work` of each item, in no order.

    The first error, an interrupt too, sets `stop`, drops what waits, and is raised when what had begun has ended.
    """
    with ThreadPoolExecutor(threads, thread_name_prefix="dataset") as executor:
        futures = [executor.submit(work, item) for item in items]
        try:
            for future in as_completed(futures):
                yield future.result()
        except BaseException:
            stop.set()
            executor.shutdown(wait=False, cancel_futures=True)
            raise
