"""What grows across columns or in height: trees, cacti, sugar cane. One thread a world, in a fixed order."""

import warp as wp

from trunkline.envs.minecraft.blocks import AIR, block_state
from trunkline.envs.minecraft.kernels.ground import DESERT, FOREST, HILLS, SNOWY, Ground, height, read, write
from trunkline.envs.minecraft.kernels.hut import PLOT
from trunkline.envs.minecraft.kernels.noise import hash2, hash3, purpose

wp.set_module_options({"enable_backward": False, "max_unroll": 0})

OAK_LOG, BIRCH_LOG, SPRUCE_LOG = block_state("oak_log"), block_state("birch_log"), block_state("spruce_log")
OAK_LEAVES, BIRCH_LEAVES = block_state("oak_leaves"), block_state("birch_leaves")
SPRUCE_LEAVES = block_state("spruce_leaves")
CACTUS, SUGAR_CANE = block_state("cactus"), block_state("sugar_cane")
DIRT, GRASS_BLOCK, SAND, WATER = (block_state(name) for name in ("dirt", "grass_block", "sand", "water"))

_TREE, _STALK = 30, 31  # what a hash is for
_SPACING = 6  # blocks between the places where a tree may stand


@wp.func
def leave(ground: Ground, blocks: wp.array2d[wp.uint8], w: int, x: int, y: int, z: int, leaves: int):
    """Leaves where nothing else is."""
    if read(ground, blocks, w, x, y, z) == AIR:
        write(ground, blocks, w, x, y, z, leaves)


@wp.func
def grow_tree(
    ground: Ground, blocks: wp.array2d[wp.uint8], w: int, x: int, y: int, z: int, log: int, leaves: int, h: wp.uint32
):
    """A tree that stands on the block at (x, y, z); nothing where there is no room."""
    conifer = log == SPRUCE_LOG
    trunk = 4 + int(h & wp.uint32(1)) + int((h >> wp.uint32(1)) & wp.uint32(1))
    if log == BIRCH_LOG:
        trunk += 1
    if conifer:
        trunk += 2
    if y + trunk + 2 >= ground.ny:
        return
    for j in range(1, trunk + 2):
        there = read(ground, blocks, w, x, y + j, z)
        if there != AIR and there != leaves:
            return
    first = 2 + int((h >> wp.uint32(4)) & wp.uint32(1)) if conifer else trunk - 2
    for j in range(first, trunk + 2):
        below_tip = trunk + 1 - j
        if conifer:  # a cone of skirts, wider every second level
            radius = wp.min((below_tip + 1) // 2, 3) - (1 - (below_tip & 1)) * int(below_tip > 1)
            radius = wp.max(radius, int(below_tip > 0))
            if radius > 2:
                radius = 2
        else:
            radius = 2 if below_tip > 1 else 1
        for i in range(-radius, radius + 1):
            for k in range(-radius, radius + 1):
                corner = wp.abs(i) == radius and wp.abs(k) == radius and radius > 0
                kept = not corner
                if corner and not conifer and below_tip > 0:
                    kept = (hash3(h, i, j, k) & wp.uint32(3)) == wp.uint32(0)
                if kept:
                    leave(ground, blocks, w, x + i, y + j, z + k, leaves)
    for j in range(1, trunk + 1):
        write(ground, blocks, w, x, y + j, z, log)
    write(ground, blocks, w, x, y, z, DIRT)


@wp.func
def tree_chance(biome: int):
    """Of 256, that a tree stands where one may."""
    if biome == FOREST:
        return 190
    if biome == SNOWY:
        return 60
    if biome == HILLS:
        return 40
    return 12


@wp.func
def beside_hut(ground: Ground, r: int, x: int, z: int):
    """Whether a tree would reach into a building."""
    per_row = ground.nz // PLOT
    for i in range(2):
        for k in range(2):
            a = (x + i) // PLOT
            b = (z + k) // PLOT
            if a < ground.nx // PLOT and b < per_row and ground.built[r, a * per_row + b] == wp.uint8(1):
                return True
    return False


@wp.func
def grow_trees(ground: Ground, blocks: wp.array2d[wp.uint8], r: int):
    """Every tree of a world."""
    w = ground.row[r]
    seed = purpose(ground.seed[r], _TREE)
    for i in range(ground.nx // _SPACING):
        for k in range(ground.nz // _SPACING):
            h = hash2(seed, i, k)
            x = i * _SPACING + 1 + int(h & wp.uint32(3))
            z = k * _SPACING + 1 + int((h >> wp.uint32(2)) & wp.uint32(3))
            biome = int(ground.biome[r, x * ground.nz + z])
            y = height(ground, r, x, z)
            fits = int((h >> wp.uint32(8)) & wp.uint32(255)) < tree_chance(biome)
            if fits and read(ground, blocks, w, x, y, z) == GRASS_BLOCK and not beside_hut(ground, r, x, z):
                kind = int((h >> wp.uint32(16)) & wp.uint32(7))
                log = OAK_LOG
                leaves = OAK_LEAVES
                if biome == SNOWY or (biome == HILLS and kind < 5):
                    log = SPRUCE_LOG
                    leaves = SPRUCE_LEAVES
                elif biome == FOREST and kind < 3:
                    log = BIRCH_LOG
                    leaves = BIRCH_LEAVES
                grow_tree(ground, blocks, w, x, y, z, log, leaves, h >> wp.uint32(20))


@wp.func
def open_around(ground: Ground, blocks: wp.array2d[wp.uint8], w: int, x: int, y: int, z: int):
    """Whether the four cells beside one are air."""
    return (
        read(ground, blocks, w, x - 1, y, z) == AIR
        and read(ground, blocks, w, x + 1, y, z) == AIR
        and read(ground, blocks, w, x, y, z - 1) == AIR
        and read(ground, blocks, w, x, y, z + 1) == AIR
    )


@wp.func
def by_water(ground: Ground, blocks: wp.array2d[wp.uint8], w: int, x: int, y: int, z: int):
    """Whether a block has water beside it."""
    return (
        read(ground, blocks, w, x - 1, y, z) == WATER
        or read(ground, blocks, w, x + 1, y, z) == WATER
        or read(ground, blocks, w, x, y, z - 1) == WATER
        or read(ground, blocks, w, x, y, z + 1) == WATER
    )


@wp.func
def grow_stalks(ground: Ground, blocks: wp.array2d[wp.uint8], r: int):
    """Cacti in deserts, sugar cane on shores."""
    w = ground.row[r]
    seed = purpose(ground.seed[r], _STALK)
    for x in range(ground.nx):
        for z in range(ground.nz):
            h = hash2(seed, x, z)
            u = int(h & wp.uint32(255))
            y = height(ground, r, x, z)
            if u < 48 and y + 4 < ground.ny and (y == ground.sea - 1 or u < 3):
                below = read(ground, blocks, w, x, y, z)
                tall = 1 + int((h >> wp.uint32(8)) % wp.uint32(3))
                if y == ground.sea - 1 and (below == SAND or below == GRASS_BLOCK or below == DIRT):
                    if by_water(ground, blocks, w, x, y, z):
                        j = int(1)
                        while j <= tall and read(ground, blocks, w, x, y + j, z) == AIR:
                            write(ground, blocks, w, x, y + j, z, SUGAR_CANE)
                            j += 1
                elif below == SAND and int(ground.biome[r, x * ground.nz + z]) == DESERT and y >= ground.sea:
                    free = bool(True)
                    for j in range(1, tall + 1):
                        free = free and read(ground, blocks, w, x, y + j, z) == AIR
                        free = free and open_around(ground, blocks, w, x, y + j, z)
                    if free:
                        for j in range(1, tall + 1):
                            write(ground, blocks, w, x, y + j, z, CACTUS)


@wp.kernel
def grow(ground: Ground, blocks: wp.array2d[wp.uint8]):
    """Every tree, cactus and cane of a world."""
    r = wp.tid()
    grow_trees(ground, blocks, r)
    grow_stalks(ground, blocks, r)
