"""Stages of a run that are done once: each leaves a record, and a run that is started again skips what is done."""

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from trunkline.files import write_text
from trunkline.rollout.jobs import Job, job_events
from trunkline.rollout.stage_records import FILE, read_stages

Say = Callable[[str], None]


class Stages:
    """The record of a run's stages, in `stages.json`.

    Of each: whether it is done, its attempts (`spans`, [begin, end] in seconds since 1970), their seconds together, the
    environment or training frames it used, and the command.

    Args:
        folder: the run's folder.
        command: how the run was started, for the report.
        before_first: called once, before the first stage that is not done.
    """

    def __init__(self, folder: Path, command: str, before_first: Callable[[], None] = lambda: None) -> None:
        self._path = folder / FILE
        self._command = command
        self._before_first: Callable[[], None] | None = before_first
        self._records = read_stages(self._path)

    def reopen(self, name: str) -> None:
        """Take a stage as not done: what it made is no longer there."""
        self._records.get(name, {})["done"] = False

    def run(self, name: str, work: Callable[[], int], say: Say) -> None:
        """Do a stage unless it is done; `work` returns the frames it used."""
        if self._is_done(name, say):
            return
        self._prepare()
        begun = time.time()
        frames = None
        try:
            frames = work()
        finally:
            self._record(name, begun, frames, say)

    def run_all(self, jobs: Mapping[str, Job], say: Say, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Do stages side by side, but for those that are done; their jobs return the frames they used.

        Args:
            jobs: by stage.
            say: called when one ends.
            meanwhile: see `job_events`.
        """
        done = {name for name in jobs if self._is_done(name, say)}
        if len(done) == len(jobs):
            return
        self._prepare()
        begun: dict[str, float] = {}
        try:
            for event in job_events(jobs, done, meanwhile):
                if event.ended:
                    self._record(event.name, begun.pop(event.name), event.value, say)
                else:
                    begun[event.name] = time.time()
        finally:
            for name, start in begun.items():
                self._record(name, start, None, say)

    def _is_done(self, name: str, say: Say) -> bool:
        record = self._records.get(name, {})
        if record.get("done"):
            say(f"{name}: done before, {record['seconds']:.0f} s")
        return bool(record.get("done"))

    def _prepare(self) -> None:
        if self._before_first is not None:
            prepare, self._before_first = self._before_first, None
            prepare()

    def _record(self, name: str, begun: float, frames: int | None, say: Say) -> None:
        """Note an attempt; `frames` are None if it did not come to the stage's end."""
        record, now = self._records.get(name, {}), time.time()
        seconds = record.get("seconds", 0.0) + now - begun
        self._records[name] = {
            "done": frames is not None,
            "seconds": round(seconds, 2),
            "frames": frames or 0,
            "command": self._command,
            "spans": [*record.get("spans", []), [round(begun, 2), round(now, 2)]],
        }
        write_text(self._path, json.dumps(self._records, indent=1))
        if frames is not None:
            say(f"{name}: {seconds:.0f} s")
