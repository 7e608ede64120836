"""Parquet files, whole or absent when written, checked when read; and the small tables under `meta/`."""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from trunkline.data.lerobot import RESTORE, TASKS
from trunkline.errors import InputError
from trunkline.files import replacing


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn what goes wrong while a parquet file is read into an InputError that names it."""
    try:
        yield
    except FileNotFoundError:
        raise InputError(f"{path} is missing; {RESTORE}") from None
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(
            f"{path} is not a whole parquet file ({reason}); restore it, or make the data set again"
        ) from None


def read_table(path: Path) -> pa.Table:
    """A whole table.

    Raises:
        InputError: the file is missing, truncated or no parquet.
    """
    with reading(path):
        return pq.read_table(path, partitioning=None)


def write_table(
    path: Path, schema: pa.Schema, groups: Iterable[Sequence[pa.Array]], dictionary: bool | list[str] = True
) -> None:
    """Write a parquet file whole or not at all, one row group for each sequence of columns.

    Args:
        path: where.
        schema: of the columns.
        groups: the columns of each row group; asked for one at a time.
        dictionary: leaf paths that are dictionary-encoded, or whether all are.
    """
    with (
        replacing(path) as temporary,
        pq.ParquetWriter(temporary, schema, compression="zstd", use_dictionary=dictionary) as writer,
    ):
        for columns in groups:
            writer.write_table(pa.Table.from_arrays(list(columns), schema=schema))


def read_tasks(root: Path) -> list[str]:
    """Names of the tasks by task_index, from `meta/tasks.parquet`; empty if there is no such file.

    Raises:
        InputError: it is damaged or has other columns.
    """
    path = root / TASKS
    if not path.exists():
        return []
    table = read_table(path)
    # Pandas calls an index without a name `__index_level_0__`.
    name = next((n for n in ("task", "__index_level_0__") if n in table.column_names), None)
    if name is None or "task_index" not in table.column_names:
        raise InputError(f"{path} has no columns `task` and `task_index`; restore it from its source")
    pairs = sorted(zip(table["task_index"].to_pylist(), table[name].to_pylist(), strict=True))
    return [str(task) for _, task in pairs]


def write_tasks(root: Path, tasks: Sequence[str]) -> None:
    """Write `meta/tasks.parquet`, which pandas reads as a frame with the index `task`."""
    columns = [
        _pandas_column("task_index", "int64", "int64"),
        _pandas_column("task", "unicode", "object"),
    ]
    description = {"index_columns": ["task"], "column_indexes": [], "columns": columns, "pandas_version": "2.0.0"}
    schema = pa.schema([("task_index", pa.int64()), ("task", pa.string())], {"pandas": json.dumps(description)})
    write_table(root / TASKS, schema, [[pa.array(range(len(tasks)), pa.int64()), pa.array(list(tasks), pa.string())]])


def _pandas_column(name: str, pandas_type: str, numpy_type: str) -> dict[str, Any]:
    return {"name": name, "field_name": name, "pandas_type": pandas_type, "numpy_type": numpy_type, "metadata": None}
