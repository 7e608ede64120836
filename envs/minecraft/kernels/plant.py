"""What grows in one column: grass, flowers, mushrooms, fruit; and the snow on top of all."""

import warp as wp

from trunkline.envs.minecraft.blocks import AIR, block_state
from trunkline.envs.minecraft.kernels.ground import DESERT, FOREST, HILLS, PLAINS, SNOWY, Ground, field
from trunkline.envs.minecraft.kernels.noise import hash2, purpose

wp.set_module_options({"enable_backward": False, "max_unroll": 0})

COARSE_DIRT = block_state("coarse_dirt")
DEAD_BUSH = block_state("dead_bush")
FERN = block_state("fern")
GRASS = block_state("grass")
GRASS_BLOCK = block_state("grass_block")
PODZOL = block_state("podzol")
PUMPKIN = block_state("pumpkin")
SAND = block_state("sand")
SNOW_LAYER = block_state("snow")
SNOWY_GRASS = block_state("grass_block", snowy="true")
MELON = block_state("melon")
ALLIUM = block_state("allium")
AZURE_BLUET = block_state("azure_bluet")
BROWN_MUSHROOM = block_state("brown_mushroom")
CORNFLOWER = block_state("cornflower")
DANDELION = block_state("dandelion")
LILY_OF_THE_VALLEY = block_state("lily_of_the_valley")
OXEYE_DAISY = block_state("oxeye_daisy")
POPPY = block_state("poppy")
RED_MUSHROOM = block_state("red_mushroom")
RED_TULIP = block_state("red_tulip")

_PLANT, _MEADOW = 20, 21  # what a hash is for


@wp.func
def flower(h: wp.uint32):
    """One of the flowers of meadows."""
    u = int(h & wp.uint32(15))
    if u < 5:
        return DANDELION
    if u < 9:
        return POPPY
    if u < 11:
        return OXEYE_DAISY
    if u < 12:
        return AZURE_BLUET
    if u < 14:
        return CORNFLOWER
    if u < 15:
        return RED_TULIP
    return ALLIUM


@wp.func
def plant(biome: int, ground_block: int, h: wp.uint32, meadow: int, depth: int):
    """What grows on a block under the open sky (depth 0) or below leaves, air for nothing."""
    u = int(h & wp.uint32(1023))
    more = h >> wp.uint32(10)
    if ground_block == SAND or ground_block == COARSE_DIRT:
        return DEAD_BUSH if biome == DESERT and u < 12 else AIR
    if ground_block == PODZOL:
        return FERN if u < 150 else (BROWN_MUSHROOM if u < 165 else AIR)
    if ground_block != GRASS_BLOCK:
        return AIR
    if biome == PLAINS:
        if meadow > 5500 and u < 120:
            return flower(more)
        if u < 230:
            return GRASS
        if u < 238:
            return flower(more)
        if u == 1000:
            return PUMPKIN
        if u == 1001:
            return MELON
        return AIR
    if biome == FOREST:
        if u < 110:
            return GRASS
        if u < 125:
            return FERN
        if u < 140:
            return LILY_OF_THE_VALLEY if (more & wp.uint32(3)) == wp.uint32(0) else flower(more >> wp.uint32(2))
        if depth > 0 and u < 160:
            return RED_MUSHROOM if (more & wp.uint32(1)) == wp.uint32(0) else BROWN_MUSHROOM
        return AIR
    if biome == HILLS:
        return GRASS if u < 70 else (POPPY if u < 74 else AIR)
    return AIR


@wp.kernel
def grow_plants(ground: Ground, carries_snow: wp.array[wp.uint8], blocks: wp.array2d[wp.uint8]):
    """Grass, flowers and mushrooms on the ground, snow on what is uppermost; a thread writes to its column alone."""
    r, c = wp.tid()
    x = c // ground.nz
    z = c - x * ground.nz
    seed = ground.seed[r]
    w = ground.row[r]
    start = c * ground.ny
    biome = int(ground.biome[r, c])
    top = int(ground.top[r, c])
    below = int(blocks[w, start + top])
    highest = ground.ny - 2
    while highest > 0 and int(blocks[w, start + highest]) == AIR:
        highest -= 1
    if biome == SNOWY:
        block = int(blocks[w, start + highest])
        if carries_snow[block] == wp.uint8(1):
            blocks[w, start + highest + 1] = wp.uint8(SNOW_LAYER)
            if block == GRASS_BLOCK:
                blocks[w, start + highest] = wp.uint8(SNOWY_GRASS)
        return
    if top + 1 < ground.ny and int(blocks[w, start + top + 1]) == AIR:
        h = hash2(purpose(seed, _PLANT), x, z)
        block = plant(biome, below, h, field(seed, _MEADOW, x, z, 4), highest - top)
        if block != AIR:
            blocks[w, start + top + 1] = wp.uint8(block)
