"""Worlds from a seed: hills, plains, deserts, forests and snow, with caves, ores, water, trees and huts.

A world depends on its seed, its biome and its size alone, to the bit, on every device and at every place in a batch.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

from trunkline.envs.minecraft.blocks import block_states
from trunkline.envs.warp import start_warp
from trunkline.errors import InputError, unknown

BIOMES = ("hills", "plains", "desert", "forest", "snow")
MIXED = -1  # several biomes in one world
_LEAST = (32, 32, 32)
_MOST = (1024, 256, 1024)


@dataclass(frozen=True)
class Land:
    """What worlds were made from, as Warp arrays: R worlds, nx × nz columns.

    Attributes:
        biomes: (R, nx·nz) uint8, indices of BIOMES.
        tops: (R, nx·nz) int16, height of the uppermost block of the ground, before caves and buildings.
        size: (nx, ny, nz).
    """

    biomes: Any
    tops: Any
    size: tuple[int, int, int]

    def biome_map(self, world: int = 0) -> np.ndarray:
        """(nx, nz) uint8, indices of BIOMES."""
        nx, _, nz = self.size
        return np.asarray(self.biomes.numpy()[world].reshape(nx, nz))

    def ground_heights(self, world: int = 0) -> np.ndarray:
        """(nx, nz) int16."""
        nx, _, nz = self.size
        return np.asarray(self.tops.numpy()[world].reshape(nx, nz))


def sea_level(ny: int) -> int:
    """Water fills the cells below this height."""
    return ny * 3 // 8


def biome_number(name: str) -> int:
    """Index of a biome, or MIXED for "mixed".

    Raises:
        InputError: no such biome, with the nearest match.
    """
    if name == "mixed":
        return MIXED
    if name not in BIOMES:
        raise unknown("biome", name, [*BIOMES, "mixed"])
    return BIOMES.index(name)


@functools.cache
def _kernels() -> SimpleNamespace:
    start_warp()
    from trunkline.envs.minecraft.kernels.ground import Ground
    from trunkline.envs.minecraft.kernels.hut import PLOT, build_villages
    from trunkline.envs.minecraft.kernels.plant import grow_plants
    from trunkline.envs.minecraft.kernels.terrain import fill_columns, shape_columns
    from trunkline.envs.minecraft.kernels.tree import grow

    return SimpleNamespace(
        Ground=Ground,
        PLOT=PLOT,
        shape_columns=shape_columns,
        fill_columns=fill_columns,
        build_villages=build_villages,
        grow=grow,
        grow_plants=grow_plants,
    )


@functools.cache
def _carries_snow(device: str) -> Any:
    states = block_states()
    bare = [s.shape == "full" and (s.opaque or s.name.endswith("_leaves")) and not s.slippery for s in states]
    table = np.zeros(256, np.uint8)
    table[: len(bare)] = bare
    return start_warp().array(table, dtype=start_warp().uint8, device=device)


def _seeds(seeds: Sequence[int] | np.ndarray) -> np.ndarray:
    """Seeds of any 64 bits, mixed down to 32 (SplitMix64, Steele et al. 2014)."""
    z = np.asarray([int(seed) & 0xFFFFFFFFFFFFFFFF for seed in seeds], np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((z ^ (z >> np.uint64(31))) >> np.uint64(32)).astype(np.uint32)


def check_size(size: Sequence[int]) -> tuple[int, int, int]:
    """Blocks (nx, ny, nz) of a world.

    Raises:
        InputError: out of bounds.
    """
    nx, ny, nz = (int(n) for n in size)
    if not all(low <= n <= high for low, n, high in zip(_LEAST, (nx, ny, nz), _MOST, strict=True)):
        raise InputError(f"world size {nx}×{ny}×{nz}: choose 32×32×32 to 1024×256×1024")
    return nx, ny, nz


def generate(
    blocks: Any,
    rows: Sequence[int] | np.ndarray,
    seeds: Sequence[int] | np.ndarray,
    biomes: Sequence[int] | np.ndarray,
    size: Sequence[int],
    device: str = "cpu",
) -> Land:
    """Fill worlds with terrain.

    Args:
        blocks: Warp array (W, nx·ny·nz) uint8 of states, cells in the order (x·nz + z)·ny + y.
        rows: R worlds of the W.
        seeds: (R,) integers of 64 bits.
        biomes: (R,) indices of BIOMES; MIXED for several in one world.
        size: (nx, ny, nz).
        device: of Warp, where `blocks` is.

    Raises:
        InputError: a size out of bounds, a row or biome that there is not, or lengths that differ.
    """
    nx, ny, nz = check_size(size)
    count = len(rows)
    if len(seeds) != count or len(biomes) != count:
        raise InputError(f"{count} worlds, {len(seeds)} seeds, {len(biomes)} biomes: give one of each a world")
    if blocks.shape[1] != nx * ny * nz:
        raise InputError(f"worlds hold {blocks.shape[1]} cells; {nx}×{ny}×{nz} has {nx * ny * nz}")
    if any(not 0 <= int(row) < blocks.shape[0] for row in rows):
        raise InputError(f"rows {list(rows)} of {blocks.shape[0]} worlds: choose 0 to {blocks.shape[0] - 1}")
    if any(not MIXED <= int(biome) < len(BIOMES) for biome in biomes):
        raise InputError(f"biomes {list(biomes)}: choose {MIXED} to {len(BIOMES) - 1}")
    wp, kernels = start_warp(), _kernels()
    columns = nx * nz
    ground = kernels.Ground()
    ground.nx, ground.ny, ground.nz, ground.sea = nx, ny, nz, sea_level(ny)
    ground.row = wp.array(np.asarray(rows, np.int32), device=device)
    ground.seed = wp.array(_seeds(seeds), device=device)
    ground.forced = wp.array(np.asarray(biomes, np.int32), device=device)
    ground.biome = wp.zeros((count, columns), dtype=wp.uint8, device=device)
    ground.top = wp.zeros((count, columns), dtype=wp.int16, device=device)
    plots = (nx // kernels.PLOT) * (nz // kernels.PLOT)
    ground.built = wp.zeros((count, plots), dtype=wp.uint8, device=device)
    if count:
        wp.launch(kernels.shape_columns, (count, columns), [ground], device=device)
        wp.launch(kernels.fill_columns, (count, columns), [ground, blocks], device=device)
        wp.launch(kernels.build_villages, count, [ground, blocks], device=device)
        wp.launch(kernels.grow, count, [ground, blocks], device=device)
        wp.launch(kernels.grow_plants, (count, columns), [ground, _carries_snow(device), blocks], device=device)
    return Land(ground.biome, ground.top, (nx, ny, nz))


def surface_heights(world: np.ndarray, size: Sequence[int]) -> np.ndarray:
    """Height of the uppermost block that bodies stand on, in every column, leaves left out.

    Args:
        world: (nx·ny·nz,) uint8 states of one world.
        size: (nx, ny, nz).

    Returns:
        (nx, nz) int16, −1 where a column has none.
    """
    nx, ny, nz = (int(n) for n in size)
    carries = np.zeros(256, bool)
    for state in block_states():
        carries[state.number] = state.solid and not state.name.endswith("_leaves")
    solid = carries[world.reshape(nx, nz, ny)]
    highest = ny - 1 - np.argmax(solid[:, :, ::-1], axis=2)
    return np.where(solid.any(axis=2), highest, -1).astype(np.int16)
