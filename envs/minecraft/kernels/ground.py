"""What all kernels of terrain know: the worlds that are made, and how their cells are read and written.

Legend: R worlds that are made, C = nx·nz columns of each, in the order x·nz + z.
"""

import warp as wp

from trunkline.envs.minecraft.blocks import AIR
from trunkline.envs.minecraft.kernels.noise import noise2, purpose

wp.set_module_options({"enable_backward": False, "max_unroll": 0})

# Biomes, in the order of `terrain.BIOMES`.
HILLS, PLAINS, DESERT, FOREST, SNOWY = range(5)


@wp.struct
class Ground:
    """What is known of R worlds before their blocks are."""

    nx: int
    ny: int
    nz: int
    sea: int  # water fills the cells below this height
    row: wp.array[wp.int32]  # (R,) its place among the worlds in memory
    seed: wp.array[wp.uint32]  # (R,)
    forced: wp.array[wp.int32]  # (R,) the biome, −1 for several
    biome: wp.array2d[wp.uint8]  # (R, C)
    top: wp.array2d[wp.int16]  # (R, C) height of the uppermost block of the ground, before caves
    built: wp.array2d[wp.uint8]  # (R, plots) plots (`kernels.hut`) with a building


@wp.func
def field(seed: wp.uint32, what: int, x: int, z: int, k: int):
    """Gradient noise of one kind, whose lattice lies elsewhere in every world."""
    own = purpose(seed, what)
    return noise2(own, x + int(own & wp.uint32(255)), z + int((own >> wp.uint32(8)) & wp.uint32(255)), k)


@wp.func
def read(ground: Ground, blocks: wp.array2d[wp.uint8], w: int, x: int, y: int, z: int):
    """A cell's state; air outside."""
    if x < 0 or y < 0 or z < 0 or x >= ground.nx or y >= ground.ny or z >= ground.nz:
        return AIR
    return int(blocks[w, (x * ground.nz + z) * ground.ny + y])


@wp.func
def write(ground: Ground, blocks: wp.array2d[wp.uint8], w: int, x: int, y: int, z: int, block: int):
    """Set a cell's state; nothing outside."""
    if x >= 0 and y >= 0 and z >= 0 and x < ground.nx and y < ground.ny and z < ground.nz:
        blocks[w, (x * ground.nz + z) * ground.ny + y] = wp.uint8(block)


@wp.func
def height(ground: Ground, r: int, x: int, z: int):
    """Of the ground."""
    return int(ground.top[r, x * ground.nz + z])
