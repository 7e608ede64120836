"""Progress of many episodes: a live table on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table

PLAIN_SECONDS = 10.0


@dataclass
class TaskCount:
    """What happened on one task: episodes planned, finished, successful, lost and begun anew, and steps made."""

    planned: int
    present: int = 0
    finished: int = 0
    successes: int = 0
    lost: int = 0
    reruns: int = 0
    steps: int = 0
    first: float | None = None
    last: float = 0.0

    @property
    def success_rate(self) -> float | None:
        """Share of this run's finished episodes that succeeded; None before the first."""
        return self.successes / self.finished if self.finished else None

    @property
    def steps_per_second(self) -> float:
        """Steps of finished episodes over the time since the task's first one was begun."""
        elapsed = 0.0 if self.first is None else self.last - self.first
        return self.steps / elapsed if elapsed > 0 else 0.0


class Progress:
    """Counts outcomes by task and shows them on standard error; a context manager.

    Args:
        title: what is going on.
        planned: episodes of each task.
        present: how many of these were there before.
        quiet: count only.
        stream: where plain lines go and whether it is a terminal is asked; None for standard error.
    """

    def __init__(
        self,
        title: str,
        planned: Mapping[str, int],
        present: Mapping[str, int] | None = None,
        quiet: bool = False,
        stream: Any = None,
    ) -> None:
        self.title = title
        self.tasks = {task: TaskCount(count, (present or {}).get(task, 0)) for task, count in planned.items()}
        self._quiet = quiet
        self._stream = stream or sys.stderr
        self._live: Any = None
        self._begun = self._shown = time.monotonic()

    def __enter__(self) -> "Progress":
        self._begun = self._shown = time.monotonic()
        if not self._quiet and self._stream.isatty():
            from rich.console import Console
            from rich.live import Live

            self._live = Live(get_renderable=self.table, console=Console(file=self._stream), refresh_per_second=4)
            self._live.start()
        elif not self._quiet:
            self._line()
        return self

    def __exit__(self, *error: object) -> None:
        if self._live is not None:
            self._live.stop()
        elif not self._quiet:
            self._line()

    @property
    def seconds(self) -> float:
        """Wall-clock since the start."""
        return time.monotonic() - self._begun

    def finished(self, task: str, success: bool, steps: int, reruns: int = 0) -> None:
        """One more episode, which had been begun anew `reruns` times because its simulation broke down."""
        count = self.tasks[task]
        count.reruns += reruns
        count.finished += 1
        count.successes += success
        count.steps += steps
        self._tick(count)

    def lost(self, task: str, reason: str) -> None:
        """One more episode that was dropped; the reasons are said, once for each task and then counted."""
        count = self.tasks[task]
        count.lost += 1
        if count.lost == 1:
            self.note(f"lost: {reason}")
        self._tick(count)

    def note(self, text: str) -> None:
        """A line of its own."""
        if self._live is not None:
            self._live.console.print(text, highlight=False, markup=False)
        elif not self._quiet:
            print(text, file=self._stream, flush=True)

    def _tick(self, count: TaskCount) -> None:
        now = time.monotonic()
        if count.first is None:  # its work began when the episode before it, of any task, was done
            count.first = max((c.last for c in self.tasks.values() if c.last), default=self._begun)
        count.last = now
        if self._live is None and not self._quiet and now - self._shown >= PLAIN_SECONDS:
            self._line()

    def _line(self) -> None:
        self._shown = time.monotonic()
        counts = self.tasks.values()
        done, planned = sum(c.present + c.finished for c in counts), sum(c.planned for c in counts)
        finished, successes = sum(c.finished for c in counts), sum(c.successes for c in counts)
        parts = [f"{self.title}: {done}/{planned} episodes"]
        if finished:
            parts += [
                f"{successes / finished:.0%} success",
                f"{sum(c.steps for c in counts) / max(self.seconds, 1e-9):,.0f} steps/s",
            ]
        if lost := sum(c.lost for c in counts):
            parts.append(f"{lost} lost")
        if reruns := sum(c.reruns for c in counts):
            parts.append(f"{reruns} rerun")
        print(", ".join(parts), file=self._stream, flush=True)

    def table(self) -> "Table":
        """The table that a terminal shows."""
        from rich.table import Table

        table = Table(title=f"{self.title}  {self.seconds:.0f} s", title_justify="left")
        table.add_column("task")
        for name in ("episodes", "success", "steps/s", "lost"):
            table.add_column(name, justify="right")
        for task, c in self.tasks.items():
            rate = "" if c.success_rate is None else f"{c.success_rate:.0%}"
            speed = f"{c.steps_per_second:,.0f}" if c.steps else ""
            table.add_row(task, f"{c.present + c.finished}/{c.planned}", rate, speed, str(c.lost or ""))
        return table
