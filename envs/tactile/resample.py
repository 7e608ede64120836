"""Depth fields on another grid: Catmull-Rom between cells, averages where the new grid is coarser."""

import functools

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]


def resample(fields: Floats, size: tuple[int, int]) -> Floats:
    """Fields (B, h, w) over the same area on a grid of `size` rows and columns; values stay ≥ 0."""
    if fields.shape[1:] == size:
        return fields
    down, across = _weights(fields.shape[1], size[0]), _weights(fields.shape[2], size[1]).T
    # One product an image: a batched one may round differently with the size of the batch.
    return np.stack([np.maximum(down @ (field @ across), 0.0) for field in fields])


@functools.lru_cache(maxsize=256)
def _weights(old: int, new: int) -> Floats:
    """(new, old): each new cell as a weighted mean of old ones; the kernel widens where the new grid is coarser."""
    width = max(1.0, old / new)
    edge = int(np.ceil(2 * width))
    centres = (np.arange(new) + 0.5) * old / new - 0.5
    away = np.abs(centres[:, None] - np.arange(-edge, old + edge)) / width
    near = (1.5 * away - 2.5) * away**2 + 1
    far = ((-0.5 * away + 2.5) * away - 4) * away + 2
    weights = np.where(away < 1, near, np.where(away < 2, far, 0.0))
    # Beyond the border the outermost cells are repeated.
    weights[:, edge] += weights[:, :edge].sum(-1)
    weights[:, edge + old - 1] += weights[:, edge + old :].sum(-1)
    inside = weights[:, edge : edge + old]
    return np.ascontiguousarray(inside / inside.sum(-1, keepdims=True), np.float32)
