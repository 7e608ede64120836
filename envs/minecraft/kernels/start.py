"""Kernels that begin episodes."""

import warp as wp

from trunkline.envs.minecraft.kernels.edit import set_block
from trunkline.envs.minecraft.kernels.goal import Targets
from trunkline.envs.minecraft.modules import inline_all
from trunkline.envs.minecraft.state import Game, Rules

inline_all(__name__)


@wp.kernel
def put_blocks(
    game: Game,
    rules: Rules,
    rows: wp.array[wp.int32],
    first: wp.array[wp.int32],
    cells: wp.array[wp.vec3i],
    states: wp.array[wp.int32],
):
    """Put the blocks first[i] to first[i + 1] − 1 into the world rows[i]."""
    i = wp.tid()
    for b in range(first[i], first[i + 1]):
        cell = cells[b]
        set_block(game, rules, rows[i], cell[0], cell[1], cell[2], states[b])


@wp.kernel
def mark(targets: Targets, cells: int, rows: wp.array[wp.int32], value: int):
    """Write the marks of the targets of some worlds; `cells` is V."""
    w = rows[wp.tid()]
    for b in range(targets.boxes[w]):
        targets.marks[w, targets.cells[w, b]] = wp.uint8(value)
    if targets.mob[w] >= 0:
        targets.marks[w, cells + targets.mob[w]] = wp.uint8(value)
