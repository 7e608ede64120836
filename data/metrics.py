"""Metrics of a run: `metrics.jsonl`, always, and TensorBoard events beside it.

A row is {"step": n, "<name>": value, …}; a value that is not finite is null, since JSON has no word for it.
"""

import json
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trunkline.errors import InputError
from trunkline.files import write_text

FILE = "metrics.jsonl"
EVENTS = "tensorboard"


def read_metrics(folder: str | Path) -> list[dict[str, Any]]:
    """Rows of a run's `metrics.jsonl`, in order; a last line that was cut off by a kill is left out.

    Raises:
        InputError: a line that is no row.
    """
    path = Path(folder) / FILE
    if not path.exists():
        return []
    rows: list[dict[str, Any]] = []
    for number, line in enumerate(path.read_bytes().split(b"\n")[:-1], 1):
        try:
            row = json.loads(line)
            rows.append({**row, "step": int(row["step"])})
        except (KeyError, TypeError, ValueError, OverflowError):  # also what is not JSON or not UTF-8
            raise InputError(f"{path}, line {number} is not a row of metrics; remove that line") from None
    return rows


class MetricsLog:
    """Appends rows to a run's folder; each is on disk when `log` returns.

    Args:
        folder: of the run; made if it is not there.
        tensorboard: whether to write TensorBoard events to `folder/tensorboard` too.
    """

    def __init__(self, folder: str | Path, tensorboard: bool = True) -> None:
        self.folder = Path(folder)
        self.path = self.folder / FILE
        self._tensorboard = tensorboard
        self._events: Any = None
        self.folder.mkdir(parents=True, exist_ok=True)
        rows = read_metrics(folder)
        if self.path.exists() and not self.path.read_bytes().endswith(b"\n"):
            self._rewrite(rows)
        self._file = self.path.open("a")

    def __enter__(self) -> "MetricsLog":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Write one row."""
        row = {name: float(value) for name, value in values.items()}
        finite = {name: value if math.isfinite(value) else None for name, value in row.items()}
        self._file.write(json.dumps({"step": step, **finite}) + "\n")
        self._file.flush()
        if self._tensorboard:
            self._write_events(step, row)

    def rewind(self, step: int) -> None:
        """Drop the rows after `step`, where a run resumes from a checkpoint of that step."""
        rows = read_metrics(self.folder)
        self._file.close()
        self._rewrite([row for row in rows if row["step"] <= step])
        self._file = self.path.open("a")
        if self._tensorboard and rows:
            from tensorboard.compat.proto.event_pb2 import SessionLog

            # TensorBoard hides what other files say of this step and later ones.
            self._add_event(step + 1, session_log=SessionLog(status=SessionLog.START))

    def close(self) -> None:
        """Close the files."""
        self._file.close()
        if self._events is not None:
            self._events.close()
            self._events = None

    def _rewrite(self, rows: list[dict[str, Any]]) -> None:
        write_text(self.path, "".join(json.dumps(row) + "\n" for row in rows))

    def _write_events(self, step: int, values: Mapping[str, float]) -> None:
        from tensorboard.compat.proto.summary_pb2 import Summary

        summary = Summary(value=[Summary.Value(tag=name, simple_value=value) for name, value in values.items()])
        self._add_event(step, summary=summary)

    def _add_event(self, step: int, **content: Any) -> None:
        # TensorBoard's own writer: torch, which has another, need not be imported.
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        if self._events is None:
            self._events = EventFileWriter(str(self.folder / EVENTS))
        self._events.add_event(Event(wall_time=time.time(), step=step, **content))
