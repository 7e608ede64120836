"""`results.parquet`: one row for every evaluated episode, of all arms of a run.

A cell is (arm, training seed, TaskSpec): it is evaluated once, and an arm is evaluated on one manifest only, so that
any two rows of an arm can be compared. `rollout/report/results.py` says what each column means to the report.
"""

from collections.abc import Sequence
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
    ]
)


def read_results(path: Path) -> list[Row]:
    """The rows of a table; none if there is no such file.

    Raises:
        InputError: the file is damaged or of another form.
    """
    if not path.exists():
        return []
    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(
            f"{path} is truncated or no parquet file ({reason}); restore it, or choose another folder"
        ) from None
    if not table.schema.equals(SCHEMA):
        other = sorted(set(SCHEMA.names) ^ set(table.schema.names))
        what = f"column {other[0]!r}" if other else "the columns' types"
        raise InputError(f"{path} is of another form ({what}); move it away, or choose another folder")
    rows: list[Row] = table.to_pylist()
    return rows


def write_results(path: Path, rows: Sequence[Row]) -> None:
    """Write the whole table, or leave the one that is there."""
    table = pa.Table.from_pylist(list(rows), SCHEMA)
    with replacing(path) as temporary:
        pq.write_table(table, temporary)


def success_rates(rows: Sequence[Row]) -> dict[tuple[str, str], float]:
    """Share of successes by (task, axis); lost episodes are not counted."""
    outcomes: dict[tuple[str, str], list[bool]] = {}
    for row in rows:
        if row["lost"] is None:
            outcomes.setdefault((row["task"], row["axis"]), []).append(row["success"])
    return {cell: sum(values) / len(values) for cell, values in outcomes.items()}
