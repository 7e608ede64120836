"""Batches read and merged in a thread while the step before them runs."""

import queue
import threading
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

T = TypeVar("T")


def prefetched(produce: Callable[[], T], count: int, ahead: int = 2) -> Iterator[tuple[T, float]]:
    """Call `produce` `count` times in a thread and yield its results in order, each with the seconds waited for it.

    Exactly `count` calls are made by the time the iterator is exhausted, so the producer's state can be saved
    then; there is nothing in flight that a checkpoint would have to account for.

    Args:
        produce: makes the next item; called by one thread only.
        count: how many.
        ahead: how many finished items may wait.

    Raises:
        Exception: whatever `produce` raised, in the caller's thread.
    """
    ready: queue.Queue[T | BaseException] = queue.Queue(maxsize=ahead)
    stopped = threading.Event()

    def put(item: T | BaseException) -> None:
        while not stopped.is_set():
            try:
                return ready.put(item, timeout=0.1)
            except queue.Full:
                continue

    def work() -> None:
        try:
            for _ in range(count):
                if stopped.is_set():
                    return
                put(produce())
        except Exception as error:  # handed to the caller, who raises it
            put(error)

    thread = threading.Thread(target=work, name="prefetch", daemon=True)
    thread.start()
    try:
        for _ in range(count):
            began = time.perf_counter()
            item = ready.get()
            waited = time.perf_counter() - began
            if isinstance(item, BaseException):
                raise item
            yield item, waited
    finally:
        stopped.set()
        thread.join()
