"""Ctrl-C, and SIGTERM, at a safe moment."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Hold back Ctrl-C and SIGTERM while the body runs, so that it does not stop half-way; they come right after it.

    Outside the main thread, which alone is interrupted, it does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    held_back: set[int] = set()

    def note(number: int, frame: FrameType | None) -> None:
        held_back.add(number)

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if signal.SIGTERM in held_back:
        signal.raise_signal(signal.SIGTERM)  # what it means is the command line's
    if signal.SIGINT in held_back:
        raise KeyboardInterrupt
