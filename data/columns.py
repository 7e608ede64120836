"""Frames as Arrow columns: scalars, fixed-length lists, and arrays of 2-5 dimensions.

Arrays are nested lists that carry the extension name of the `datasets` library in the schema, so that it reads them as
its Array2D … Array5D; that library itself is not needed.
"""

import json
from typing import Any

import numpy as np
import pyarrow as pa

from trunkline.data.lerobot import RESTORE, Feature
from trunkline.errors import InputError


def arrow_field(feature: Feature) -> pa.Field:
    """The schema field of a feature that is stored in parquet."""
    value = pa.from_numpy_dtype(feature.numpy_dtype)
    shape = feature.shape or (1,)
    if shape == (1,):
        return pa.field(feature.key, value)
    if len(shape) == 1:
        return pa.field(feature.key, pa.list_(value, shape[0]))
    nested = value
    for _ in shape:
        nested = pa.list_(nested)
    metadata = {
        "ARROW:extension:name": f"datasets.features.features.Array{len(shape)}DExtensionType",
        "ARROW:extension:metadata": json.dumps([list(shape), feature.dtype]),
    }
    return pa.field(feature.key, nested, metadata=metadata)


def leaf_path(feature: Feature) -> str:
    """The parquet path of a feature's innermost values."""
    shape = feature.shape or (1,)
    return feature.key if shape == (1,) else feature.key + ".list.element" * len(shape)


def to_arrow(feature: Feature, values: np.ndarray) -> pa.Array:
    """(T, *shape) as a column of T rows; the values are not copied where they lie in one piece."""
    shape = feature.shape or (1,)
    values = np.ascontiguousarray(values, feature.numpy_dtype)
    column = pa.array(values.reshape(-1))
    if shape == (1,):
        return column
    if len(shape) == 1:
        return pa.FixedSizeListArray.from_arrays(column, shape[0])
    for size in reversed(shape):
        offsets = pa.array(np.arange(0, len(column) + 1, size, dtype=np.int32))
        column = pa.ListArray.from_arrays(offsets, column)
    return column


def to_numpy(feature: Feature, column: Any, path: object) -> np.ndarray:
    """A column (one chunk of T rows) as (T, *shape), a view into the Arrow buffer where the type allows.

    Raises:
        InputError: rows that are missing or of another shape than info.json states.
    """
    rows = len(column)
    if isinstance(column, pa.ExtensionArray):
        column = column.storage
    complete = column.null_count == 0
    while isinstance(column, pa.FixedSizeListArray | pa.ListArray | pa.LargeListArray):
        column = column.flatten()
        complete = complete and column.null_count == 0
    if not complete or len(column) != rows * int(np.prod(feature.shape)):
        raise InputError(f"{path}: column {feature.key!r} has rows not of shape {list(feature.shape)}; {RESTORE}")
    if pa.types.is_primitive(column.type):
        values = column.to_numpy(zero_copy_only=not pa.types.is_boolean(column.type))
        if np.can_cast(values.dtype, feature.numpy_dtype, casting="same_kind"):
            return np.asarray(values).reshape(rows, *feature.shape)
    raise InputError(f"{path}: column {feature.key!r} holds {column.type}, info.json says {feature.dtype}; {RESTORE}")
