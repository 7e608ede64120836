"""Villages: huts with a door and furniture, and fields. One thread a world, in a fixed order."""

import warp as wp

from trunkline.envs.minecraft.blocks import AIR, block_state
from trunkline.envs.minecraft.kernels.ground import DESERT, FOREST, HILLS, PLAINS, SNOWY, Ground, height, read, write
from trunkline.envs.minecraft.kernels.noise import hash2, hash3, purpose

wp.set_module_options({"enable_backward": False, "max_unroll": 0})

OAK_LOG, SPRUCE_LOG = block_state("oak_log"), block_state("spruce_log")
DIRT, GRASS_BLOCK, SANDSTONE = block_state("dirt"), block_state("grass_block"), block_state("sandstone")
WATER = block_state("water")
OAK_PLANKS, BIRCH_PLANKS = block_state("oak_planks"), block_state("birch_planks")
SPRUCE_PLANKS = block_state("spruce_planks")
OAK_SLAB, BIRCH_SLAB, SPRUCE_SLAB = block_state("oak_slab"), block_state("birch_slab"), block_state("spruce_slab")
SANDSTONE_SLAB, CUT_SANDSTONE = block_state("sandstone_slab"), block_state("cut_sandstone")
COBBLESTONE, MOSSY_COBBLESTONE = block_state("cobblestone"), block_state("mossy_cobblestone")
STONE_BRICKS, COBBLESTONE_SLAB = block_state("stone_bricks"), block_state("cobblestone_slab")
GLASS, BOOKSHELF, HAY = block_state("glass"), block_state("bookshelf"), block_state("hay_block")
CRAFTING_TABLE, TORCH = block_state("crafting_table"), block_state("torch")
FARMLAND, WHEAT = block_state("farmland", moisture="7"), block_state("wheat")

# States that differ by where they face come in Minecraft's order, north, south, west, east, this many numbers apart.
CHEST, CHEST_STEP = block_state("chest"), 1
FURNACE, FURNACE_STEP = block_state("furnace"), 2
DOOR_LOWER, DOOR_UPPER, DOOR_STEP = block_state("oak_door"), block_state("oak_door", half="upper"), 4
LEVER, LEVER_STEP = block_state("lever", face="wall"), 2
LADDER, LADDER_STEP = block_state("ladder"), 1
WALL_TORCH, WALL_TORCH_STEP = block_state("wall_torch"), 1

_VILLAGE, _HUT = 40, 41  # what a hash is for
PLOT = 13  # blocks between the places where a hut may stand
_WIDTH, _DEPTH, _ROOF = 7, 6, 4
_MOST_HUTS = 6


@wp.struct
class Plot:
    """Where a building stands: corner, floor, and the quarter turns of its front from north."""

    w: int
    x: int
    y: int
    z: int
    turn: int


@wp.func
def turned(plot: Plot, u: int, v: int):
    """Where a cell of a plot lies from its corner, along x and z."""
    x = u
    z = v
    if plot.turn == 1:
        x = wp.static(_DEPTH - 1) - v
        z = u
    elif plot.turn == 2:
        x = wp.static(_WIDTH - 1) - u
        z = wp.static(_DEPTH - 1) - v
    elif plot.turn == 3:
        x = v
        z = wp.static(_WIDTH - 1) - u
    return x, z


@wp.func
def place(ground: Ground, blocks: wp.array2d[wp.uint8], plot: Plot, u: int, v: int, j: int, block: int):
    """Set a cell of a plot: u along its front from the left of who comes out, v into its depth, j above its floor."""
    x, z = turned(plot, u, v)
    write(ground, blocks, plot.w, plot.x + x, plot.y + j, plot.z + z, block)


@wp.func
def peek(ground: Ground, blocks: wp.array2d[wp.uint8], plot: Plot, u: int, v: int, j: int):
    """State of a cell of a plot."""
    x, z = turned(plot, u, v)
    return read(ground, blocks, plot.w, plot.x + x, plot.y + j, plot.z + z)


@wp.func
def facing(plot: Plot, side: int):
    """Place in Minecraft's order of a plot's side: 0 its front, then clockwise from above."""
    direction = (side + plot.turn) & 3  # north, east, south, west
    if direction == 1:
        return 3
    if direction == 2:
        return 1
    if direction == 3:
        return 2
    return 0


@wp.func
def level_ground(ground: Ground, blocks: wp.array2d[wp.uint8], plot: Plot, below: int):
    """Make a plot and one cell around it flat: what is lower is filled up, what is higher goes."""
    for u in range(-1, wp.static(_WIDTH + 1)):
        for v in range(-1, wp.static(_DEPTH + 1)):
            rim = u < 0 or v < 0 or u >= wp.static(_WIDTH) or v >= wp.static(_DEPTH)
            for j in range(1, wp.static(_ROOF + 3)):
                place(ground, blocks, plot, u, v, j, AIR)
            j = int(0)
            while j > -8 and (j == 0 or peek(ground, blocks, plot, u, v, j) == AIR):
                there = peek(ground, blocks, plot, u, v, j)
                if not rim or there == AIR or there == DIRT:
                    place(ground, blocks, plot, u, v, j, below if j == 0 or below != GRASS_BLOCK else DIRT)
                j -= 1
            if below == GRASS_BLOCK and peek(ground, blocks, plot, u, v, j) == GRASS_BLOCK:
                place(ground, blocks, plot, u, v, j, DIRT)


@wp.func
def build_hut(ground: Ground, blocks: wp.array2d[wp.uint8], plot: Plot, biome: int, h: wp.uint32):
    """Four walls, a door, windows and a roof; inside a chest, a crafting table, a furnace and a torch."""
    floor = OAK_PLANKS
    wall = OAK_PLANKS
    post = OAK_LOG
    slab = OAK_SLAB
    base = COBBLESTONE
    if biome == DESERT:
        floor = SANDSTONE
        wall = SANDSTONE
        post = CUT_SANDSTONE
        slab = SANDSTONE_SLAB
        base = SANDSTONE
    elif biome == SNOWY:
        floor = SPRUCE_PLANKS
        wall = SPRUCE_PLANKS
        post = SPRUCE_LOG
        slab = SPRUCE_SLAB
    elif biome == FOREST:
        floor = BIRCH_PLANKS
        wall = BIRCH_PLANKS
        slab = BIRCH_SLAB
    elif biome == HILLS:
        wall = COBBLESTONE
        post = STONE_BRICKS
        slab = COBBLESTONE_SLAB
    level_ground(ground, blocks, plot, base)
    last_u = wp.static(_WIDTH - 1)
    last_v = wp.static(_DEPTH - 1)
    for u in range(wp.static(_WIDTH)):
        for v in range(wp.static(_DEPTH)):
            side = u == 0 or u == last_u
            end = v == 0 or v == last_v
            place(ground, blocks, plot, u, v, 0, base if side or end else floor)
            place(ground, blocks, plot, u, v, wp.static(_ROOF), post if side and end else floor)
            if side or end:
                for j in range(1, wp.static(_ROOF)):
                    block = post if side and end else wall
                    if not (side and end) and j == 1 and base == COBBLESTONE:
                        block = MOSSY_COBBLESTONE if (hash3(h, u, v, j) & wp.uint32(7)) == wp.uint32(0) else COBBLESTONE
                    place(ground, blocks, plot, u, v, j, block)
            else:
                place(ground, blocks, plot, u, v, wp.static(_ROOF + 1), slab)
    # The front lets in by a door whose plate is flush with the wall's outside.
    place(ground, blocks, plot, 3, 0, 1, DOOR_LOWER + wp.static(DOOR_STEP) * facing(plot, 2))
    place(ground, blocks, plot, 3, 0, 2, DOOR_UPPER + wp.static(DOOR_STEP) * facing(plot, 2))
    place(ground, blocks, plot, 0, 2, 2, GLASS)
    place(ground, blocks, plot, 0, 3, 2, GLASS)
    place(ground, blocks, plot, last_u, 2, 2, GLASS)
    place(ground, blocks, plot, 3, last_v, 2, GLASS)
    place(ground, blocks, plot, 1, 4, 1, CHEST + wp.static(CHEST_STEP) * facing(plot, 0))
    place(ground, blocks, plot, 5, 4, 1, CRAFTING_TABLE)
    place(ground, blocks, plot, 5, 3, 1, FURNACE + wp.static(FURNACE_STEP) * facing(plot, 3))
    place(ground, blocks, plot, 3, 4, 3, WALL_TORCH + wp.static(WALL_TORCH_STEP) * facing(plot, 0))
    if (h & wp.uint32(1)) == wp.uint32(0):
        place(ground, blocks, plot, 1, 3, 1, BOOKSHELF)
        place(ground, blocks, plot, 1, 3, 2, BOOKSHELF)
    if (h & wp.uint32(2)) == wp.uint32(0):
        place(ground, blocks, plot, 5, -1, 2, LEVER + wp.static(LEVER_STEP) * facing(plot, 0))
    else:
        place(ground, blocks, plot, 5, -1, 2, WALL_TORCH + wp.static(WALL_TORCH_STEP) * facing(plot, 0))
    if (h & wp.uint32(4)) == wp.uint32(0):
        for j in range(1, wp.static(_ROOF + 1)):
            place(ground, blocks, plot, wp.static(_WIDTH), 3, j, LADDER + wp.static(LADDER_STEP) * facing(plot, 1))
    if (h & wp.uint32(24)) == wp.uint32(0):
        place(ground, blocks, plot, 0, -1, 1, HAY)


@wp.func
def build_field(ground: Ground, blocks: wp.array2d[wp.uint8], plot: Plot, h: wp.uint32):
    """Rows of wheat along a ditch, with a frame of logs."""
    level_ground(ground, blocks, plot, GRASS_BLOCK)
    ripe = int(h & wp.uint32(3))
    for u in range(wp.static(_WIDTH)):
        for v in range(wp.static(_DEPTH)):
            frame = u == 0 or u == wp.static(_WIDTH - 1) or v == 0 or v == wp.static(_DEPTH - 1)
            place(ground, blocks, plot, u, v, -1, DIRT)
            if frame:
                place(ground, blocks, plot, u, v, 0, OAK_LOG)
            elif u == 3:
                place(ground, blocks, plot, u, v, 0, WATER)
            else:
                place(ground, blocks, plot, u, v, 0, FARMLAND)
                age = wp.min(4 + ripe + int(hash3(h, u, v, 0) & wp.uint32(1)), 7)
                place(ground, blocks, plot, u, v, 1, WHEAT + age)
    place(ground, blocks, plot, 0, 0, 1, TORCH)


@wp.kernel
def build_villages(ground: Ground, blocks: wp.array2d[wp.uint8]):
    """The huts of a world around one place, if it has any."""
    r = wp.tid()
    seed = purpose(ground.seed[r], _VILLAGE)
    own = hash2(seed, 0, 0)
    if (own & wp.uint32(255)) >= wp.uint32(170):
        return
    cx = ground.nx // 4 + int((own >> wp.uint32(8)) % wp.uint32(ground.nx // 2))
    cz = ground.nz // 4 + int((own >> wp.uint32(16)) % wp.uint32(ground.nz // 2))
    built = int(0)
    for i in range(ground.nx // PLOT):
        for k in range(ground.nz // PLOT):
            h = hash2(purpose(seed, _HUT), i, k)
            plot = Plot()
            plot.w = ground.row[r]
            plot.x = i * PLOT + 2 + int(h & wp.uint32(1))
            plot.z = k * PLOT + 2 + int((h >> wp.uint32(1)) & wp.uint32(1))
            plot.turn = int((h >> wp.uint32(2)) & wp.uint32(3))
            inside = plot.x + 9 < ground.nx and plot.z + 9 < ground.nz
            near = wp.abs(plot.x - cx) <= 26 and wp.abs(plot.z - cz) <= 26
            if built < _MOST_HUTS and inside and near and int((h >> wp.uint32(8)) & wp.uint32(255)) < 200:
                low = int(10000)
                high = int(0)
                for a in range(-1, 8):
                    for b in range(-1, 8):
                        there = height(ground, r, plot.x + a, plot.z + b)
                        low = wp.min(low, there)
                        high = wp.max(high, there)
                biome = int(ground.biome[r, (plot.x + 3) * ground.nz + plot.z + 3])
                plot.y = (low + high + 1) // 2
                if low >= ground.sea - 1 and high - low <= 3 and plot.y + _ROOF + 4 < ground.ny:
                    field = built > 0 and (h >> wp.uint32(16)) % wp.uint32(4) == wp.uint32(0)
                    if field and (biome == PLAINS or biome == FOREST):
                        build_field(ground, blocks, plot, h >> wp.uint32(20))
                    else:
                        build_hut(ground, blocks, plot, biome, h >> wp.uint32(20))
                    ground.built[r, i * (ground.nz // PLOT) + k] = wp.uint8(1)
                    built += 1
