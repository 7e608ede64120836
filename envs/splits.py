"""Contexts of training, validation and test, disjoint by construction.

A region is cut into square cells and every cell belongs to one part, in a fixed pattern: of five neighbours
three are for training, one for validation, one for test. A position drawn for a part lies in a cell of that part, so
no two parts can share a position, however many are drawn.
"""

import math

import numpy as np

PART_OF_COLOUR = ("train", "train", "train", "validation", "test")


def part_of(x: float, y: float, cell: float) -> str:
    """The part that the position (x, y) belongs to; `cell` is the cells' edge length."""
    return PART_OF_COLOUR[(math.floor(x / cell) + 2 * math.floor(y / cell)) % 5]


def draw_position(
    rng: np.random.Generator, part: str | None, low: tuple[float, float], high: tuple[float, float], cell: float
) -> tuple[float, float]:
    """A position within [low, high], uniform over the cells of `part` (by rejection); None for any cell."""
    while True:
        x = low[0] + (high[0] - low[0]) * rng.random()
        y = low[1] + (high[1] - low[1]) * rng.random()
        if part is None or part_of(x, y, cell) == part:
            return x, y
