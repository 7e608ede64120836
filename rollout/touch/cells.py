"""`touch/cells.parquet`: one row a cell, arm and seed, with the bootstrap's draws: every interval can be had again.

Legend: R resamples.

| column | meaning |
|---|---|
| `arm` | what was measured, see `ARMS` |
| `train_seed` | seed of the training run |
| `sensor`, `task` | the cell |
| `held_out` | whether the pair is withheld from training, in all arms but the upper bound |
| `through` | the sensor whose encoder read the touches |
| `metric`, `value`, `chance` | the task's metric over all test samples, and what knowing nothing reaches |
| `samples`, `trials` | how many |
| `draws` | the metric of R draws of trials; draw r of two arms is of the same trials |
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from trunkline.errors import InputError
from trunkline.files import replacing
from trunkline.pretrain.touch.evaluate import Cell
from trunkline.rollout.results import read_table
from trunkline.rollout.statistics import CONFIDENCE, Interval

ARMS = {
    "transfer": "Zero-shot through the shared trunk",
    "upper": "Trained on that pair",
    "nearest": "Nearest single-sensor model, as it is",
    "unshared": "No trunk sharing",
}
SCHEMA = pa.schema(
    [
        ("arm", pa.string()),
        ("train_seed", pa.int64()),
        ("sensor", pa.string()),
        ("task", pa.string()),
        ("held_out", pa.bool_()),
        ("through", pa.string()),
        ("metric", pa.string()),
        ("value", pa.float64()),
        ("chance", pa.float64()),
        ("samples", pa.int64()),
        ("trials", pa.int64()),
        ("draws", pa.list_(pa.float64())),
    ]
)
LEAST_SPAN = 0.1  # between chance and the upper bound, below which a cell has no normalised score


def cell_row(
    cell: Cell, arm: str, seed: int, through: str, *, held_out: bool = False, resamples: int = 500
) -> dict[str, Any]:
    """The row of a measured cell, with draws of its trials."""
    measured = cell.measure()
    return {
        "arm": arm,
        "train_seed": seed,
        "sensor": cell.sensor,
        "task": cell.task,
        "held_out": held_out,
        "through": through,
        "metric": measured.name,
        "value": float(measured.value),
        "chance": float(measured.chance),
        "samples": len(cell.target),
        "trials": len(set(cell.groups.tolist())),
        "draws": cell.resample(resamples).tolist(),
    }


def write_cells(path: Path, rows: Iterable[Mapping[str, Any]], schema: pa.Schema = SCHEMA) -> None:
    """Write rows, whole or not at all."""
    with replacing(path) as temporary:
        pq.write_table(pa.Table.from_pylist([dict(row) for row in rows], schema), temporary)


def read_cells(path: Path, schema: pa.Schema = SCHEMA) -> list[dict[str, Any]]:
    """Read what `write_cells` wrote.

    Raises:
        InputError: it is truncated or something else.
    """
    table = read_table(path, "run the touch part again")
    if table.schema.names != schema.names:
        raise InputError(f"{path} has columns {', '.join(table.schema.names)}; run the touch part again")
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows


class Matrix:
    """The cells of a benchmark, and scores normalised so that chance is 0 and the upper bound 1.

    Args:
        rows: of `read_cells`.
    """

    def __init__(self, rows: Sequence[Mapping[str, Any]]) -> None:
        self._rows: dict[tuple[str, str, str], list[Mapping[str, Any]]] = {}
        for row in sorted(rows, key=lambda row: row["train_seed"]):
            self._rows.setdefault((row["arm"], row["sensor"], row["task"]), []).append(row)
        self.arms = [arm for arm in ARMS if any(key[0] == arm for key in self._rows)]
        self.sensors = list(dict.fromkeys(row["sensor"] for row in rows))
        self.tasks = list(dict.fromkeys(row["task"] for row in rows))
        self.held_out = sorted({(row["sensor"], row["task"]) for row in rows if row["held_out"]})
        self.seeds = sorted({row["train_seed"] for row in rows})

    def rows(self, arm: str, sensor: str, task: str) -> list[Mapping[str, Any]]:
        """The cell's rows, one a seed; empty if it was not measured."""
        return self._rows.get((arm, sensor, task), [])

    def value(self, arm: str, sensor: str, task: str) -> Interval | None:
        """The metric itself, the mean over seeds."""
        rows = self.rows(arm, sensor, task)
        return mean_of(rows) if rows else None

    def chance(self, sensor: str, task: str) -> float | None:
        """What knowing nothing reaches."""
        return next((row["chance"] for arm in self.arms for row in self.rows(arm, sensor, task)), None)

    def normalised(self, arm: str, sensor: str, task: str) -> Interval | None:
        """(value − chance) / (upper bound − chance); None where the upper bound is not clearly above chance."""
        point, draws = self._normalised(arm, sensor, task)
        return None if draws is None else _interval(point, draws)

    def mean_normalised(self, arm: str, cells: Sequence[tuple[str, str]]) -> Interval | None:
        """The mean over cells, of those that have a score."""
        found = [(p, d) for sensor, task in cells for p, d in [self._normalised(arm, sensor, task)] if d is not None]
        if not found:
            return None
        return _interval(float(np.mean([point for point, _ in found])), np.mean([draws for _, draws in found], axis=0))

    def _normalised(self, arm: str, sensor: str, task: str) -> tuple[float, np.ndarray | None]:
        rows, upper = self.rows(arm, sensor, task), self.rows("upper", sensor, task)
        if not rows or not upper:
            return np.nan, None
        chance = upper[0]["chance"]
        span = float(np.mean([row["value"] for row in upper])) - chance
        if span < LEAST_SPAN:
            return np.nan, None
        point = (float(np.mean([row["value"] for row in rows])) - chance) / span
        spans = np.maximum(_draws(upper) - chance, LEAST_SPAN)
        return point, (_draws(rows) - chance) / spans


def mean_of(rows: Sequence[Mapping[str, Any]]) -> Interval:
    """The mean of a metric over the seeds of one cell."""
    return _interval(float(np.mean([row["value"] for row in rows])), _draws(rows))


def _draws(rows: Sequence[Mapping[str, Any]]) -> np.ndarray:
    """Draws (R,) of the mean over seeds: of trials, the same for all, and of the seeds themselves."""
    of_seeds = np.array([row["draws"] for row in rows])
    seeds, resamples = of_seeds.shape
    drawn = np.random.default_rng(0).integers(seeds, size=(seeds, resamples))
    means: np.ndarray = np.take_along_axis(of_seeds, drawn, axis=0).mean(0)
    return means


def _interval(value: float, draws: np.ndarray) -> Interval:
    low, high = np.quantile(draws, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Interval(value, float(low), float(high))
