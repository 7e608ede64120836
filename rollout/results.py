"""`results.parquet`: one row for every evaluated episode, of all arms of a run.

A cell is (arm, training seed, TaskSpec): it is evaluated once, an arm is evaluated on one manifest only, and an arm and
seed are one policy, so that any two rows of an arm can be compared. Evaluations into one folder may run side by side.
`rollout/report/results.py` says what each column means to the report.
"""

import fcntl
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from trunkline.errors import InputError
from trunkline.files import replacing

Row = dict[str, Any]

SCHEMA = pa.schema(
    [
        ("arm", pa.string()),  # what acted
        ("train_seed", pa.int64()),  # of the training run it came from
        ("task", pa.string()),  # "family/task"
        ("axis", pa.string()),  # what was new: "goal", "object", "task"; "seen"
        ("split", pa.string()),
        ("task_id", pa.string()),  # TaskSpec.id
        ("manifest", pa.string()),  # SHA-256
        ("success", pa.bool_()),
        ("progress", pa.float64()),  # 0-1, at the end
        ("steps", pa.int64()),
        ("return", pa.float64()),  # sum of rewards
        ("seconds", pa.float64()),  # wall-clock: its share of each batch step's time
        ("lost", pa.string()),  # why it was dropped; null if it was not
        ("video", pa.string()),  # file, relative to this table's folder; null if there is none
        ("policy", pa.string()),  # what acted, see `rollout/identity.py`; null in tables from before it was noted
    ]
)
LATER = ("policy",)  # columns that older tables lack


class ArmResults:
    """The rows of one arm and training seed in a table that other evaluations may be adding to.

    Args:
        path: the table; None keeps nothing.
        about: what all these rows have in common: `arm`, `train_seed`, `manifest`, `policy`.
    """

    def __init__(self, path: Path | None, about: Mapping[str, Any]) -> None:
        self.path = path
        self.about = about

    def read(self) -> dict[str, Row]:
        """The rows that are there, by TaskSpec id.

        Raises:
            InputError: the arm's rows are of another manifest or policy, or the table is damaged.
        """
        return {} if self.path is None else self._read(self.path)[0]

    def prepare(self) -> None:
        """Make the folder.

        Raises:
            InputError: it cannot be written.
        """
        if self.path is not None:
            with _locked(self.path):
                pass

    def save(self, rows: Mapping[str, Row]) -> None:
        """Write these rows, beside those that others have written meanwhile.

        Raises:
            InputError: as `read`, or the folder cannot be written.
        """
        if self.path is None:
            return
        with _locked(self.path):
            mine, others = self._read(self.path)
            try:
                _write(self.path, [*others, *{**rows, **mine, **rows}.values()])
            except OSError as error:
                raise InputError(f"cannot write {self.path}: {error.strerror or error}; make room, run again") from None

    def _read(self, path: Path) -> tuple[dict[str, Row], list[Row]]:
        mine: dict[str, Row] = {}
        others: list[Row] = []
        arm, seed = self.about["arm"], self.about["train_seed"]
        for row in read_results(path):
            same = (row["arm"], row["train_seed"]) == (arm, seed)
            self._refuse_other(path, row, ("manifest", "policy") if same else ("manifest",))
            if same:
                mine[row["task_id"]] = row
            else:
                others.append(row)
        return mine, others

    def _refuse_other(self, path: Path, row: Row, names: tuple[str, ...]) -> None:
        for name in names if row["arm"] == self.about["arm"] else ():
            there, here = row[name], self.about[name]
            if there not in (here, None):
                what = "policy or world options" if name == "policy" else name
                seed = f", training seed {row['train_seed']}," if name == "policy" else ""
                raise InputError(
                    f"{path} holds {row['arm']!r}{seed} of {what} {there[:16]}…, this one is {here[:16]}…; "
                    "choose another arm name or folder"
                )


def read_table(path: Path, remedy: str) -> pa.Table:
    """A parquet file.

    Raises:
        InputError: the file is damaged.
    """
    try:
        return pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{path} is truncated or no parquet file ({reason}); {remedy}") from None


def read_results(path: Path, remedy: str = "restore it, or choose another folder") -> list[Row]:
    """The rows of a table; none if there is no such file.

    Args:
        path: the table.
        remedy: what to do where it is damaged.

    Raises:
        InputError: the file is damaged or of another form.
    """
    if not path.exists():
        return []
    table = read_table(path, remedy)
    for name in LATER:
        if name not in table.schema.names:
            table = table.append_column(SCHEMA.field(name), pa.nulls(len(table), SCHEMA.field(name).type))
    if not table.schema.equals(SCHEMA):
        other = sorted(set(SCHEMA.names) ^ set(table.schema.names))
        what = f"column {other[0]!r}" if other else "the columns' types"
        raise InputError(f"{path} is of another form ({what}); move it away, or choose another folder")
    rows: list[Row] = table.to_pylist()
    return rows


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Keep other evaluations from writing the table; the system lets go when the process ends, however it does."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = path.with_name(f".{path.name}.lock").open("w")
        fcntl.flock(lock, fcntl.LOCK_EX)
    except OSError as error:
        raise InputError(f"cannot write to {path.parent}: {error.strerror}; choose another folder") from None
    with lock:
        yield


def _write(path: Path, rows: list[Row]) -> None:
    table = pa.Table.from_pylist(rows, SCHEMA)
    with replacing(path) as temporary:
        pq.write_table(table, temporary)


def success_rates(rows: Iterable[Row]) -> dict[tuple[str, str], float]:
    """Share of successes by (task, axis); lost episodes are not counted."""
    outcomes: dict[tuple[str, str], list[bool]] = {}
    for row in rows:
        if row["lost"] is None:
            outcomes.setdefault((row["task"], row["axis"]), []).append(row["success"])
    return {cell: sum(values) / len(values) for cell, values in outcomes.items()}
