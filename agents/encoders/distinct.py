"""Rows that are there more than once, found so that they need to be encoded once only.

What a sensor reads over a whole episode, such as its goal, fills batches with copies: of 768 rows of an update over
episodes of 70 steps two thirds.
"""

import torch
from torch import Tensor


def distinct_rows(rows: Tensor) -> tuple[Tensor, Tensor] | None:
    """Which rows to compute, and which of them each row is: `rows[first][inverse]` equals `rows`, to the bit.

    Args:
        rows: (B, …), on a CPU.

    Returns:
        `first` (K,), the first of each kind in the order of their appearance, and `inverse` (B,); None if all differ,
        or where looking would cost more than it saves: on a GPU, and while torch traces the computation.
    """
    if rows.device.type != "cpu" or torch.compiler.is_compiling():
        return None
    known: dict[bytes, int] = {}
    first: list[int] = []
    inverse: list[int] = []
    for index, row in enumerate(rows.detach().numpy()):
        kind = known.setdefault(row.tobytes(), len(known))
        inverse.append(kind)
        if kind == len(first):
            first.append(index)
    if len(first) == len(rows):
        return None
    return torch.tensor(first), torch.tensor(inverse)
