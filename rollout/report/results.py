"""`results.parquet`: one row an episode, read and checked.

| column | type | meaning |
|---|---|---|
| `arm` | string | what acted: `pretrained_rl`, `rl_scratch`, `random`, … (an open set) |
| `train_seed` | integer | seed of the training run |
| `task` | string | "family/task" |
| `axis` | string | what was new: `seen`, `goal`, `object`, `task`, … (an open set) |
| `split` | string | split of the TaskSpec, e.g. "test/goal" |
| `task_id` | string | `TaskSpec.id` |
| `manifest` | string | SHA-256 of the manifest |
| `success` | bool | whether it was solved |
| `progress` | float | 0–1 |
| `steps` | integer | control steps |
| `return` | float | sum of rewards |
| `lost` | string or null | why the episode was dropped, e.g. a sensor failed; such are counted, never scored |

Other columns are ignored. Episodes of a validation split are kept apart from those of the test split: their axis is
shown as "goal (validation)".
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from trunkline.errors import InputError
from trunkline.rollout.report import arms
from trunkline.rollout.results import read_table
from trunkline.rollout.statistics import Floats, Scores

_TEXT, _REAL = "text", "numbers"
COLUMNS = {
    "arm": _TEXT,
    "train_seed": _REAL,
    "task": _TEXT,
    "axis": _TEXT,
    "split": _TEXT,
    "task_id": _TEXT,
    "manifest": _TEXT,
    "success": _REAL,
    "progress": _REAL,
    "steps": _REAL,
    "return": _REAL,
}

Cell = tuple[str, str]  # (task, axis)


@dataclass(frozen=True)
class CellScores:
    """One arm's episodes in one cell: (S, C) success and progress, NaN where there is none."""

    seeds: tuple[int, ...]
    contexts: tuple[str, ...]
    success: Floats
    progress: Floats
    lost: int

    @property
    def episodes(self) -> int:
        """The fewest episodes that any seed has."""
        return int((~np.isnan(self.success)).sum(axis=1).min())


class Results:
    """The episodes of a run.

    Args:
        columns: one array for each of `COLUMNS`, and `lost` (bool), all of one length.
    """

    def __init__(self, columns: dict[str, np.ndarray]) -> None:
        self.columns = columns
        split = np.array([name.partition("/")[0] for name in columns["split"].tolist()], object)
        apart = ~np.isin(split, ("test", "train"))
        shown = columns["axis"].astype(object)
        shown[apart] = [f"{a} ({s})" for a, s in zip(shown[apart], split[apart], strict=True)]
        self._axis = shown
        self.arms = arms.order(columns["arm"].tolist(), arms.ARMS)
        self.axes = arms.order(shown.tolist(), arms.AXES)
        self.tasks = sorted(set(columns["task"].tolist()))
        self.episodes = len(shown)
        self.lost = int(columns["lost"].sum())

    @classmethod
    def none(cls) -> "Results":
        """No episodes at all."""
        columns = {name: np.empty(0, object if kind == _TEXT else np.float64) for name, kind in COLUMNS.items()}
        return cls({**columns, "lost": np.empty(0, bool)})

    @cached_property
    def _rows(self) -> dict[tuple[str, Cell], np.ndarray]:
        keys = list(zip(self.columns["arm"], self.columns["task"], self._axis, strict=True))
        groups: dict[tuple[str, Cell], list[int]] = {}
        for row, (arm, task, axis) in enumerate(keys):
            groups.setdefault((arm, (task, axis)), []).append(row)
        return {key: np.asarray(rows) for key, rows in groups.items()}

    @cached_property
    def cells(self) -> dict[tuple[str, Cell], CellScores]:
        """Every (arm, (task, axis)) that has an episode which was not lost."""
        return {key: cell for key, rows in self._rows.items() if (cell := self._cell(rows)) is not None}

    def rows(self, arm: str, cell: Cell) -> dict[str, np.ndarray]:
        """The columns of one arm's episodes in one cell."""
        rows = self._rows[arm, cell]
        return {name: column[rows] for name, column in self.columns.items()}

    def _cell(self, rows: np.ndarray) -> CellScores | None:
        lost = self.columns["lost"][rows]
        if lost.all():
            return None
        # A lost episode stays as a context without a score, so that the arm is still paired with the others.
        contexts, context_of = np.unique(self.columns["task_id"][rows].astype(str), return_inverse=True)
        # A seed that is still being evaluated says nothing yet of what the others are judged by.
        of_seed = self.columns["train_seed"][rows]
        begun, counts = np.unique(of_seed, return_counts=True)
        counted = ~lost & np.isin(of_seed, begun[counts >= len(contexts)])
        if not counted.any():
            counted = ~lost
        seeds, seed_of = np.unique(of_seed[counted], return_inverse=True)
        context_of, rows = context_of[counted], rows[counted]
        shape = (len(seeds), len(contexts))
        count = np.zeros(shape)
        np.add.at(count, (seed_of, context_of), 1)
        values = {}
        for name in ("success", "progress"):
            total = np.zeros(shape)
            np.add.at(total, (seed_of, context_of), self.columns[name][rows])
            values[name] = np.where(count > 0, total / np.maximum(count, 1), np.nan)
        ids = tuple(map(str, contexts))
        return CellScores(tuple(map(int, seeds)), ids, values["success"], values["progress"], int(lost.sum()))

    def cells_of(self, arm: str, axis: str | None = None, task: str | None = None) -> list[Cell]:
        """The cells an arm has episodes in, optionally of one axis or task, sorted."""
        return sorted(
            cell for name, cell in self.cells if name == arm and axis in (None, cell[1]) and task in (None, cell[0])
        )

    def seeds(self, arm: str) -> list[int]:
        """Training seeds of an arm."""
        return sorted({seed for (name, _), cell in self.cells.items() if name == arm for seed in cell.seeds})

    def scores(self, arm: str, cells: list[Cell], metric: str = "success") -> Scores | None:
        """An arm's scores on some cells, of the seeds that have episodes in all of them; None if no seed has."""
        found = [self.cells.get((arm, cell)) for cell in cells]
        present = [cell for cell in found if cell is not None]
        if not present or len(present) < len(found):
            return None
        seeds = sorted(set.intersection(*(set(cell.seeds) for cell in present)))
        if not seeds:
            return None
        values = tuple(getattr(cell, metric)[[cell.seeds.index(seed) for seed in seeds]] for cell in present)
        # The key holds the contexts, so that arms are paired exactly where they met the same ones.
        keys = tuple("\n".join((*name, *cell.contexts)) for name, cell in zip(cells, present, strict=True))
        return Scores(arm, values, keys)


def load_results(path: Path) -> Results:
    """Read `results.parquet`.

    Raises:
        InputError: there is none, it is truncated, no parquet, of another form, or empty.
    """
    if not path.is_file():
        raise InputError(
            f"no {path.name} in {path.parent}; run `trunkline evaluate` first, or name a run folder that has it"
        )
    remedy = "evaluate again with `trunkline evaluate`"
    table = read_table(path, remedy)
    missing = [name for name in (*COLUMNS, "lost") if name not in table.column_names]
    if missing:
        raise InputError(
            f"{path} is not a table of evaluated episodes: it lacks the column {missing[0]!r} "
            f"(has {', '.join(table.column_names[:8]) or 'none'}); {remedy}"
        )
    if not table.num_rows:
        raise InputError(f"{path} holds no episodes; {remedy}")
    lost = np.asarray(table["lost"].is_valid())
    columns = {"lost": lost}
    for name, kind in COLUMNS.items():
        columns[name] = _column(table[name], name, kind, lost, path)
    return Results(columns)


def _column(column: pa.ChunkedArray, name: str, kind: str, lost: np.ndarray, path: Path) -> np.ndarray:
    """One column, checked; what a lost episode leaves empty is filled with zero."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    of_kind: dict[str, Any] = {
        _TEXT: pa.types.is_string(column.type) or pa.types.is_large_string(column.type),
        _REAL: pa.types.is_boolean(column.type)
        or pa.types.is_integer(column.type)
        or pa.types.is_floating(column.type),
    }
    if not of_kind[kind]:
        raise InputError(
            f"{path}: column {name!r} is of type {column.type}, not {kind}; evaluate again with `trunkline evaluate`"
        )
    if kind == _TEXT:
        values = np.asarray(column.to_pylist(), dtype=object)
        bad = np.asarray([value is None for value in values])
        if bad.any():
            raise InputError(
                f"{path}: column {name!r} is empty in row {int(bad.argmax())}; evaluate again with `trunkline evaluate`"
            )
        return values
    values = np.asarray([np.nan if value is None else value for value in column.to_pylist()], np.float64)
    bad = ~np.isfinite(values) & ~lost
    if name in ("success", "progress"):
        bad |= ((values < -1e-6) | (values > 1 + 1e-6)) & ~lost
    if bad.any():
        row = int(bad.argmax())
        raise InputError(
            f"{path}: column {name!r} is {values[row]} in row {row}; evaluate again with `trunkline evaluate`"
        )
    values[~np.isfinite(values)] = 0.0
    return values
