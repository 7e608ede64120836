"""Lines that say how far a training is."""

import sys
import time
from collections.abc import Mapping
from typing import Any

from trunkline.rollout.progress import PLAIN_SECONDS


class TrainingLines:
    """What `pretrain` and `finetune` may be given as `progress`: prints a line now and then on standard error.

    Args:
        name: of the training.
        steps: updates in all.
        stream: where lines go; None for standard error.
    """

    def __init__(self, name: str, steps: int, stream: Any = None) -> None:
        self.name = name
        self.steps = steps
        self._stream = stream or sys.stderr
        self._begun = self._said = time.monotonic()
        self._first: int | None = None

    def __call__(self, step: int, values: Mapping[str, Any]) -> None:
        """Take the figures of an update."""
        now = time.monotonic()
        if self._first is None:  # a run that goes on begins with some updates done; the first one's time is start-up
            self._first, self._begun = step, now
        if now - self._said < PLAIN_SECONDS and step < self.steps:
            return
        self._said = now
        line = f"{self.name}: {training_line(step, self.steps, values)}"
        if self._first < step < self.steps:
            line += f"; {duration((now - self._begun) / (step - self._first) * (self.steps - step))} left"
        print(line, file=self._stream, flush=True)


def training_line(step: int, steps: int, values: Mapping[str, Any]) -> str:
    """Updates done, and what a row of metrics says of success, or of the loss."""
    done = f"{step}/{steps} updates"
    solved = [f"{key.removeprefix('success/')} {value:.0%}" for key, value in values.items() if _is_success(key, value)]
    if solved:
        return f"{done}; solved: {', '.join(solved)}"
    return done if values.get("loss") is None else f"{done}; loss {values['loss']:.3g}"


def _is_success(key: str, value: float | None) -> bool:
    return key.startswith("success/") and value is not None and value == value  # NaN: no episode ended


def duration(seconds: float) -> str:
    """Seconds for people: "48 s", "3 min 20 s", "2 h 05 min"."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
