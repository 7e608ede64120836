"""Where one can stand in a world, and what hides what: bits by cell, made once for all tasks of a terrain.

Blocks come as (nx, nz, ny); a cell (x, y, z) has the index (x·nz + z)·ny + y, as in `state.py`.
"""

import functools
from dataclasses import dataclass

import numpy as np

from trunkline.envs.minecraft.blocks import block_states, states_of
from trunkline.envs.minecraft.goals import kin
from trunkline.envs.minecraft.targets import FOUND

OPEN = 1  # a body can be in the cell
SEEN = 2  # hides nothing
TARGET = 4  # part of a target: set by synthesis
VEIL = 64  # a plant, a layer of snow, a slab: hides some of what is behind it
_FLOOR = 8  # carries a body that stands above it
_BAD = 16  # hurts a body beside it
_COVER = 32  # keeps the sky out


@functools.cache
def state_bits() -> np.ndarray:
    """Bits of every block state (256,) uint8."""
    table = np.zeros(256, np.uint8)
    for state in block_states():
        dense = state.shape in ("full", "liquid", "cactus")
        bad = state.hurts or state.name == "lava"
        leaves = state.name.endswith("_leaves")
        x0, _, z0, x1, top, z1 = state.box
        flat = state.solid and not leaves and (x0, z0, x1, z1) == (0, 0, 1, 1)
        for bit, holds in (
            (OPEN, not state.solid and not state.liquid and not bad),
            (SEEN, state.shape == "none"),
            (VEIL, not dense and state.shape != "none"),
            (_FLOOR, flat and top > 0.9 and not bad),
            (_BAD, bad),
            (_COVER, dense and not leaves),
        ):
            table[state.number] |= bit if holds else 0
    return table


@dataclass(frozen=True)
class Survey:
    """A terrain as synthesis sees it: its N nodes are the cells under the open sky, or trees, where one can stand.

    Attributes:
        blocks: states (nx, nz, ny).
        bits: OPEN, SEEN and VEIL by cell, (V,) uint8.
        nodes: x, y, z of every node, (N, 3) int32.
        index: of the node in a cell, −1 for none, (V,) int32.
    """

    blocks: np.ndarray
    bits: np.ndarray
    nodes: np.ndarray
    index: np.ndarray

    @property
    def size(self) -> tuple[int, int, int]:
        """Its blocks (nx, ny, nz)."""
        nx, nz, ny = self.blocks.shape
        return nx, ny, nz

    @functools.cached_property
    def near(self) -> np.ndarray:
        """Cells that lie beside, or up to four above, a cell where one can stand, (nx, nz, ny) bool."""
        stand = (self.index >= 0).reshape(self.blocks.shape)
        column = stand.copy()
        for up in range(1, 5):
            column[:, :, up:] |= stand[:, :, :-up]
        found = column.copy()
        found[1:] |= column[:-1]
        found[:-1] |= column[1:]
        found[:, 1:] |= column[:, :-1]
        found[:, :-1] |= column[:, 1:]
        return found

    @functools.cached_property
    def found(self) -> dict[str, np.ndarray]:
        """Cells x, y, z (n, 3) of the blocks that are targets where they grow, by name, if they lie beside a node."""
        numbers = {name: states_of(name)[0].number for name in FOUND}
        wanted = np.zeros(256, bool)
        wanted[list(numbers.values())] = True
        same = kin()
        x, z, y = np.nonzero(wanted[same][self.blocks] & self.near)
        states = same[self.blocks[x, z, y]]
        cells = np.stack([x, y, z], 1).astype(np.int32)
        return {name: cells[states == number] for name, number in numbers.items() if (states == number).any()}


def survey(blocks: np.ndarray) -> Survey:
    """The survey of a terrain (nx, nz, ny)."""
    _, nz, ny = blocks.shape
    bits = state_bits()[blocks]
    free = (bits & OPEN) > 0
    stand = np.zeros(blocks.shape, bool)
    stand[:, :, 1:-1] = free[:, :, 1:-1] & free[:, :, 2:] & ((bits[:, :, :-2] & _FLOOR) > 0)
    # Under the sky: nothing that covers lies above.
    cover = (bits & _COVER) > 0
    top = np.where(cover.any(2), ny - 1 - np.argmax(cover[:, :, ::-1], axis=2), -1)
    stand &= np.arange(ny) > top[:, :, None]
    bad = (bits & _BAD) > 0
    bad[:, :, :-1] |= bad[:, :, 1:]  # at the head
    stand[1:] &= ~bad[:-1]
    stand[:-1] &= ~bad[1:]
    stand[:, 1:] &= ~bad[:, :-1]
    stand[:, :-1] &= ~bad[:, 1:]
    stand[[0, -1]] = stand[:, [0, -1]] = False
    cells = np.flatnonzero(stand)
    index = np.full(blocks.size, -1, np.int32)
    index[cells] = np.arange(len(cells), dtype=np.int32)
    column, y = np.divmod(cells, ny)
    x, z = np.divmod(column, nz)
    nodes = np.stack([x, y, z], 1).astype(np.int32)
    return Survey(blocks, (bits & (OPEN | SEEN | VEIL)).ravel(), nodes, index)
