"""Stages of a run that are done once: each leaves a record, and a run that is started again skips what is done."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trunkline.errors import InputError
from trunkline.files import write_text


@dataclass(frozen=True)
class StageRecord:
    """A finished stage: its wall-clock seconds, over all attempts, and the environment or training frames it used."""

    seconds: float
    frames: int


class Stages:
    """The record of a run's stages, in `stages.json`.

    Args:
        folder: the run's folder.
        command: how the run was started, for the report.
        before_first: called once, before the first stage that is not done.
    """

    def __init__(self, folder: Path, command: str, before_first: Callable[[], None] = lambda: None) -> None:
        self._path = folder / "stages.json"
        self._command = command
        self._before_first: Callable[[], None] | None = before_first
        self._records: dict[str, dict[str, Any]] = {}
        if self._path.exists():
            try:
                self._records = json.loads(self._path.read_text())
            except json.JSONDecodeError as error:
                raise InputError(f"{self._path} is not JSON ({error}); delete it to run every stage again") from None

    def run(self, name: str, work: Callable[[], int], say: Callable[[str], None]) -> None:
        """Do a stage unless it is done; `work` returns the frames it used."""
        record = self._records.get(name, {})
        if record.get("done"):
            say(f"{name}: done before, {record['seconds']:.0f} s")
            return
        if self._before_first is not None:
            prepare, self._before_first = self._before_first, None
            prepare()
        start = time.perf_counter()
        frames, done = 0, False
        try:
            frames = work()
            done = True
        finally:
            seconds = record.get("seconds", 0.0) + time.perf_counter() - start
            self._records[name] = {
                "done": done,
                "seconds": round(seconds, 2),
                "frames": frames,
                "command": self._command,
            }
            write_text(self._path, json.dumps(self._records, indent=1))
        say(f"{name}: {seconds:.0f} s")
