"""Training metrics of a run, found by their place: `<run>/checkpoints/<arm or stage>/seed<k>/metrics.jsonl`.

Every line is `{"step": int, name: number, …}`. Also found: any other `metrics.jsonl` under the run folder. The stage is
the first folder below the run (or below `checkpoints/`), the seed is the number in a folder called `seed<k>`, else 0.
RL logs `success/<task>` (and may log `success`, else it is their mean) over `env_steps` or `total_steps`, the
environment steps so far (over `step` where it logs neither); what has only `loss` is pretraining or imitation. A
resumed run may repeat steps: the later line counts. A line cut off by a kill is skipped.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from trunkline.rollout.statistics import Floats

_SEED = re.compile(r"seed[-_]?(\d+)$")


@dataclass(frozen=True)
class Log:
    """One training run's metrics.

    Attributes:
        stage: the arm or stage it trained.
        seed: its training seed.
        rows: by step, ascending.
        skipped: lines that were no metrics.
    """

    stage: str
    seed: int
    rows: tuple[Mapping[str, float], ...]
    skipped: int = 0

    def names(self) -> set[str]:
        """Every metric it has."""
        return {name for row in self.rows for name in row}

    def series(self, name: str, over: str | None = None) -> tuple[Floats, Floats]:
        """A metric's x and y; x is `over` where given and logged, else the step."""
        at = over if over is not None and over in self.names() else "step"
        points = [(row[at], row[name]) for row in self.rows if name in row and at in row]
        x, y = np.asarray(points, np.float64).reshape(-1, 2).T
        return x, y


@dataclass(frozen=True)
class Curve:
    """Seeds of one stage on a common grid: x (N,), the mean, and the lowest and highest seed."""

    stage: str
    seeds: int
    x: Floats
    mean: Floats
    low: Floats
    high: Floats


def load_logs(run: Path) -> list[Log]:
    """Every training run's metrics under a run folder; of several files for one stage and seed the shallowest.

    Those of a part that has results of its own, in a folder of this one, are that part's.
    """
    found: dict[tuple[str, int], Path] = {}
    parts_of_run = [path.parent for name in ("results", "cells") for path in run.glob(f"*/{name}.parquet")]
    for path in sorted(run.rglob("metrics.jsonl"), key=lambda path: (len(path.parts), path)):
        if any(path.is_relative_to(part) for part in parts_of_run):
            continue
        parts = [part for part in path.relative_to(run).parts[:-1] if part != "checkpoints"]
        seed = next((int(match[1]) for part in parts if (match := _SEED.match(part))), 0)
        stage = next((part for part in parts if not _SEED.match(part)), "run")
        found.setdefault((stage, seed), path)
    return [_read(path, stage, seed) for (stage, seed), path in sorted(found.items())]


def _read(path: Path, stage: str, seed: int) -> Log:
    rows: dict[int, dict[str, float]] = {}
    skipped = 0
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            step = int(row["step"])
        except (json.JSONDecodeError, KeyError, TypeError, ValueError):
            skipped += 1
            continue
        numbers = {name: float(v) for name, v in row.items() if isinstance(v, int | float) and np.isfinite(v)}
        rows.setdefault(step, {}).update(numbers)
    tasks = {name for row in rows.values() for name in row if name.startswith("success/")}
    for row in rows.values():
        if tasks and tasks <= row.keys():  # a mean over the tasks that happened to end would jump about
            row.setdefault("success", float(np.mean([row[task] for task in tasks])))
        if "total_steps" in row:
            row.setdefault("env_steps", row["total_steps"])
    return Log(stage, seed, tuple(rows[step] for step in sorted(rows)), skipped)


def success_metrics(logs: Iterable[Log]) -> list[str]:
    """The tasks with a logged success rate, sorted: the part after "success/"."""
    return sorted(
        {name.removeprefix("success/") for log in logs for name in log.names() if name.startswith("success/")}
    )


def loss_metric(logs: Iterable[Log]) -> str:
    """The name of the loss: "loss", else the first with such a part ("train/loss", "loss/inverse_dynamics"), or ""."""
    names = {name for log in logs for name in log.names()}
    return "loss" if "loss" in names else min((name for name in names if "loss" in name.split("/")), default="")


def curve(logs: Iterable[Log], name: str, over: str | None = None, points: int = 80) -> Curve | None:
    """A metric of one stage's seeds, averaged in bins over the range that all of them have reached; None if absent."""
    series = [log.series(name, over) for log in logs]
    series = [(x, y) for x, y in series if len(x)]
    stages = [log.stage for log in logs]
    if not series:
        return None
    start, end = max(x[0] for x, _ in series), min(x[-1] for x, _ in series)
    count = min(points, max(len(x) for x, _ in series))
    if end <= start or count < 2:
        x, y = min(series, key=lambda one: len(one[0]))
        return Curve(stages[0], 1, x, y, y, y)  # they have too little in common for a mean
    grid = np.linspace(start, end, count)
    lines = np.stack([_binned(x, y, grid) for x, y in series])
    return Curve(stages[0], len(series), grid, lines.mean(0), lines.min(0), lines.max(0))


def _binned(x: Floats, y: Floats, grid: Floats) -> Floats:
    """Means of y in bins centred on the grid; empty bins are interpolated."""
    half = (grid[1] - grid[0]) / 2
    index = np.clip(((x - grid[0] + half) / (2 * half)).astype(int), -1, len(grid))
    inside = (x >= grid[0] - half) & (index >= 0) & (index < len(grid))
    total = np.bincount(index[inside], y[inside], len(grid))
    count = np.bincount(index[inside], minlength=len(grid))
    filled = count > 0
    if not filled.any():
        return np.interp(grid, x, y)
    return np.interp(grid, grid[filled], total[filled] / count[filled])
