"""Depth fields on another grid: Catmull-Rom between cells, averages where the new grid is coarser."""

import functools

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]


class Resample:
    """Fields of any size over the whole gel, on rows × cols pixels."""

    def __init__(self, rows: int, cols: int) -> None:
        self.rows, self.cols = rows, cols

    def __call__(self, fields: Floats) -> Floats:
        """(B, h, w) to (B, rows, cols); values stay ≥ 0."""
        rows, cols = fields.shape[1:]
        if (rows, cols) == (self.rows, self.cols):
            return fields
        down, across = _weights(rows, self.rows), _weights(cols, self.cols)
        # One product an image: a batched one may round differently with the size of the batch.
        return np.stack([np.maximum(down @ (field @ across.T), 0.0) for field in fields])


@functools.lru_cache(maxsize=256)
def _weights(old: int, new: int) -> Floats:
    """(new, old): each new cell as a weighted mean of old ones; the kernel widens when the new grid is coarser."""
    width = max(1.0, old / new)
    centres = (np.arange(new) + 0.5) * old / new - 0.5
    distance = np.abs(centres[:, None] - np.arange(-2 * int(np.ceil(width)), old + 2 * int(np.ceil(width)))) / width
    near = (1.5 * distance - 2.5) * distance**2 + 1
    far = ((-0.5 * distance + 2.5) * distance - 4) * distance + 2
    weights = np.where(distance < 1, near, np.where(distance < 2, far, 0.0))
    # Cells beyond the border repeat it.
    edge = 2 * int(np.ceil(width))
    weights[:, edge] += weights[:, :edge].sum(-1)
    weights[:, edge + old - 1] += weights[:, edge + old :].sum(-1)
    inside = weights[:, edge : edge + old]
    return np.ascontiguousarray(inside / inside.sum(-1, keepdims=True), np.float32)
