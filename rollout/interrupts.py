"""Ctrl-C at a safe moment."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Hold back Ctrl-C while the body runs, so that it does not stop half-way; KeyboardInterrupt comes right after it.

    Outside the main thread, which alone is interrupted, it does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    held_back = False

    def note(number: int, frame: FrameType | None) -> None:
        nonlocal held_back
        held_back = True

    before = signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if held_back:
        raise KeyboardInterrupt
