"""Terrains by (seed, biome, size), made once in a process: many tasks are set in the same one."""

import functools
from typing import Any

import numpy as np

from trunkline.envs.minecraft.clear import find_leaps
from trunkline.envs.minecraft.terrain import biome_number, check_size, generate
from trunkline.envs.warp import start_warp

BLOCKS_KEPT, PREPARED_KEPT = 256, 64  # terrains in memory

Size = tuple[int, int, int]


@functools.lru_cache(maxsize=BLOCKS_KEPT)
def terrain_blocks(seed: int, biome: str, size: Size) -> np.ndarray:
    """The block states (nx, nz, ny) uint8 of a terrain, read-only.

    Raises:
        InputError: an unknown biome, or a size that no world has.
    """
    wp = start_warp()
    nx, ny, nz = check_size(size)
    number = biome_number(biome)
    blocks = wp.zeros((1, nx * ny * nz), dtype=wp.uint8, device="cpu")
    generate(blocks, [0], [seed], [number], size)
    states: np.ndarray = blocks.numpy().reshape(nx, nz, ny)
    states.flags.writeable = False
    return states


@functools.lru_cache(maxsize=PREPARED_KEPT)
def prepared(seed: int, biome: str, size: Size) -> dict[str, np.ndarray]:
    """What a world needs to show a terrain: `blocks`, `leaps` and `ceiling` of one row of `state.Worlds`, read-only."""
    worlds, rules = _bench(size)
    worlds.view("blocks")[0] = terrain_blocks(seed, biome, size).ravel()
    find_leaps(worlds, rules, [0])
    fields = {name: worlds.view(name)[0].copy() for name in ("blocks", "leaps", "ceiling")}
    for value in fields.values():
        value.flags.writeable = False
    return fields


@functools.lru_cache(maxsize=1)
def _bench(size: Size) -> tuple[Any, Any]:
    """A world on the CPU in which terrains are prepared."""
    start_warp()
    from trunkline.envs.minecraft.rules import make_rules
    from trunkline.envs.minecraft.state import Worlds

    return Worlds(1, size, 1), make_rules("cpu")
