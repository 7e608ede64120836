"""Terrain, column by column: biomes, heights, layers, caves, ores, water.

Whole numbers and hashes only, so a world depends on nothing but its seed, its biome and its size. Heights are meant
for worlds 64 high and scale with the height.
"""

import warp as wp

from trunkline.envs.minecraft.blocks import AIR, block_state
from trunkline.envs.minecraft.kernels.ground import DESERT, FOREST, HILLS, PLAINS, SNOWY, Ground, field
from trunkline.envs.minecraft.kernels.noise import blend, hash2, hash3, level3, purpose, smooth

wp.set_module_options({"enable_backward": False, "max_unroll": 0})

BEDROCK = block_state("bedrock")
CLAY = block_state("clay")
COARSE_DIRT = block_state("coarse_dirt")
DIRT = block_state("dirt")
GRASS_BLOCK = block_state("grass_block")
GRAVEL = block_state("gravel")
ICE = block_state("ice")
LAVA = block_state("lava")
PODZOL = block_state("podzol")
SAND = block_state("sand")
SANDSTONE = block_state("sandstone")
SNOW_BLOCK = block_state("snow_block")
STONE = block_state("stone")
WATER = block_state("water")
COAL_ORE = block_state("coal_ore")
DIAMOND_ORE = block_state("diamond_ore")
EMERALD_ORE = block_state("emerald_ore")
GOLD_ORE = block_state("gold_ore")
IRON_ORE = block_state("iron_ore")
LAPIS_ORE = block_state("lapis_ore")
REDSTONE_ORE = block_state("redstone_ore")
GRANITE = block_state("granite")
DIORITE = block_state("diorite")
ANDESITE = block_state("andesite")

# What a hash is for.
_WARMTH, _DAMPNESS, _ROUGHNESS, _SWELL, _ROLL, _BUMP, _RIDGE, _CRAG = range(8)
_BED, _SOIL, _VEIN, _BLOB, _TUNNEL, _TWIST, _CAVERN, _MOUTH, _PATCH = range(10, 19)

_TUNNEL_WIDTH = 320  # of value noise within ±2048, where a tunnel lies along two zero surfaces
_CAVERN_FROM = 1150


@wp.kernel
def shape_columns(ground: Ground):
    """Biome and height of every column."""
    r, c = wp.tid()
    x = c // ground.nz
    z = c - x * ground.nz
    seed = ground.seed[r]
    biome = ground.forced[r]
    rough = field(seed, _ROUGHNESS, x, z, 6) + (field(seed, _ROUGHNESS, x, z, 5) >> 1)
    hilly = int(0)  # 0 to 256
    if biome < 0:
        warm = field(seed, _WARMTH, x, z, 6) + (field(seed, _WARMTH, x, z, 4) >> 3)
        damp = field(seed, _DAMPNESS, x, z, 6) + (field(seed, _DAMPNESS, x, z, 4) >> 3)
        biome = PLAINS
        if damp > 500:
            biome = FOREST
        if warm > 3000:
            biome = DESERT
        if warm < -3000:
            biome = SNOWY
        if rough > 4500:
            biome = HILLS
        hilly = wp.clamp((rough - 2500) >> 4, 0, 256)
    elif biome == HILLS:
        hilly = wp.clamp((rough + 6000) >> 5, 70, 256)
    swell = field(seed, _SWELL, x, z, 6)
    roll = field(seed, _ROLL, x, z, 5)
    bump = field(seed, _BUMP, x, z, 4)
    # Sixteenths of a block; noise of 16384 counts as 1.
    height = 28 * 16 + ((swell * 9 + roll * 5 + bump * 2) >> 10)
    crag = field(seed, _RIDGE, x, z, 5)
    ridge = 12288 - wp.abs(crag)
    relief = 4 * 16 + ((ridge * 13 + field(seed, _CRAG, x, z, 4) * 9 + field(seed, _CRAG, x, z, 3) * 3) >> 10)
    height += (relief * hilly) >> 8
    if height > 46 * 16:  # few peaks come near the sky
        height = 46 * 16 + ((height - 46 * 16) >> 2)
    ground.biome[r, c] = wp.uint8(biome)
    ground.top[r, c] = wp.int16(wp.clamp((height * ground.ny) >> 10, 4, ground.ny - 8))


@wp.func
def ore(h: wp.uint32, height: int, hills: bool):
    """What a vein at a height (of 64) is of, stone for none."""
    u = int(h & wp.uint32(255))
    if u < 60:
        return COAL_ORE
    if u < 130:
        return IRON_ORE if height < 48 else STONE
    if u < 155:
        return GOLD_ORE if height < 24 else STONE
    if u < 185:
        return REDSTONE_ORE if height < 16 else STONE
    if u < 203:
        return LAPIS_ORE if height < 24 else STONE
    if u < 222:
        return DIAMOND_ORE if height < 16 else STONE
    if u < 240:
        return EMERALD_ORE if hills else STONE
    return STONE


@wp.func
def vein_size(block: int, h: wp.uint32):
    """Square of a vein's radius."""
    more = int((h >> wp.uint32(30)) & wp.uint32(3))
    if block == COAL_ORE:
        return 3 + more
    if block == IRON_ORE or block == REDSTONE_ORE:
        return 2 + (more >> 1)
    if block == EMERALD_ORE:
        return 0
    return 1 + (more >> 1)


@wp.func
def blob(h: wp.uint32):
    """What a large pocket in the stone is of."""
    u = int(h & wp.uint32(15))
    if u < 3:
        return GRANITE
    if u < 6:
        return DIORITE
    if u < 9:
        return ANDESITE
    if u < 11:
        return DIRT
    if u < 12:
        return GRAVEL
    return STONE


@wp.func
def top_at(ground: Ground, r: int, x: int, z: int):
    """Height of a column, or of the nearest one of the world."""
    i = wp.clamp(x, 0, ground.nx - 1)
    k = wp.clamp(z, 0, ground.nz - 1)
    return int(ground.top[r, i * ground.nz + k])


@wp.func
def crosses(below: int, above: int, width: int):
    """Whether what is interpolated between two values may come within `width` of 0."""
    return not ((below > width and above > width) or (below < -width and above < -width))


@wp.func
def layers(ground: Ground, r: int, x: int, z: int, steep: int):
    """The cap of a column, what lies below it for `soil` blocks, the rock that carries them, and `soil`."""
    seed = ground.seed[r]
    sea = ground.sea
    biome = int(ground.biome[r, x * ground.nz + z])
    top = int(ground.top[r, x * ground.nz + z])
    dice = hash2(purpose(seed, _SOIL), x, z)
    patch = field(seed, _PATCH, x, z, 4)
    cap = int(GRASS_BLOCK)
    under = int(DIRT)
    rock = int(STONE)
    soil = 2 + int(dice & wp.uint32(1))
    if top < sea - 1:
        cap = int(SAND)
        if patch < -5000 or biome == SNOWY:
            cap = int(GRAVEL)
        elif patch < -1000:
            cap = int(DIRT)
        elif field(seed, _PATCH, x, z, 3) > 7000:
            cap = int(CLAY)
        under = cap
        if cap == GRAVEL:
            under = int(DIRT)
    elif biome == DESERT or (top <= sea and biome != SNOWY and biome != HILLS):
        cap = int(SAND)
        under = int(SAND)
        rock = int(SANDSTONE)
    elif biome == HILLS:
        bare = sea + (ground.ny * 15) // 64 + int(dice & wp.uint32(3))
        if top > bare + ground.ny // 10:
            cap = int(SNOW_BLOCK)
            under = int(STONE)
        elif top > bare or steep >= 4:
            cap = int(STONE)
            under = int(STONE)
    elif biome == FOREST and patch > 6500:
        cap = int(PODZOL)
    elif biome == FOREST and patch < -7500:
        cap = int(COARSE_DIRT)
    return cap, under, rock, soil


@wp.func
def cave_limit(ground: Ground, r: int, x: int, z: int, cap: int):
    """The layer up to which caves go: below what would fall or flow into them, but for their mouths."""
    top = int(ground.top[r, x * ground.nz + z])
    limit = top - 4
    if cap == SAND or cap == GRAVEL:
        limit = top - 6
    elif top >= ground.sea and field(ground.seed[r], _MOUTH, x, z, 5) > 2500:
        limit = top
    for i in range(-1, 2):
        for k in range(-1, 2):
            beside = top_at(ground, r, x + i, z + k)
            if beside < ground.sea - 1:
                limit = wp.min(limit, beside - 2)
    return limit


@wp.kernel
def fill_columns(ground: Ground, blocks: wp.array2d[wp.uint8]):
    """Every cell of a column: ground with ores and caves, water, air."""
    r, c = wp.tid()
    x = c // ground.nz
    z = c - x * ground.nz
    seed = ground.seed[r]
    w = ground.row[r]
    start = c * ground.ny
    ny = ground.ny
    sea = ground.sea
    biome = int(ground.biome[r, c])
    top = int(ground.top[r, c])

    west = top_at(ground, r, x - 1, z)
    east = top_at(ground, r, x + 1, z)
    north = top_at(ground, r, x, z - 1)
    south = top_at(ground, r, x, z + 1)
    lowest = wp.min(wp.min(wp.min(west, east), wp.min(north, south)), top)
    steep = top - lowest
    cap, under, rock, soil = layers(ground, r, x, z, steep)
    limit = cave_limit(ground, r, x, z, cap)
    lava = 1 + (ny * 5) // 64
    tunnels = purpose(seed, _TUNNEL)
    twists = purpose(seed, _TWIST)
    caverns = purpose(seed, _CAVERN)
    tunnel_above = level3(tunnels, x, 0, z, 4)
    twist_above = level3(twists, x, 0, z, 4)
    cavern_above = level3(caverns, x, 0, z, 5)
    before = int(BEDROCK)  # the block below
    for part in range(top // 8 + 1):
        tunnel = tunnel_above
        twist = twist_above
        cavern = cavern_above
        tunnel_above = level3(tunnels, x, part + 1, z, 4)
        twist_above = level3(twists, x, part + 1, z, 4)
        cavern_above = level3(caverns, x, part + 1, z, 5)
        winding = crosses(tunnel, tunnel_above, _TUNNEL_WIDTH) and crosses(twist, twist_above, _TUNNEL_WIDTH)
        wide = wp.max(cavern, cavern_above) > _CAVERN_FROM

        vein = hash3(purpose(seed, _VEIN), x >> 3, part, z >> 3)
        kind = ore(vein, (part * 8 + 4) * 64 // ny, biome == HILLS)
        ore_dx = (x & 7) - 2 - int((vein >> wp.uint32(8)) & wp.uint32(3))
        ore_dz = (z & 7) - 2 - int((vein >> wp.uint32(10)) & wp.uint32(3))
        ore_y = part * 8 + 2 + int((vein >> wp.uint32(12)) & wp.uint32(3))
        ore_left = vein_size(kind, vein) - ore_dx * ore_dx - ore_dz * ore_dz
        pocket = hash3(purpose(seed, _BLOB), x >> 4, part >> 1, z >> 4)
        filler = blob(pocket)
        dx = (x & 15) - 5 - int((pocket >> wp.uint32(8)) & wp.uint32(3))
        dz = (z & 15) - 5 - int((pocket >> wp.uint32(10)) & wp.uint32(3))
        pocket_y = (part >> 1) * 16 + 5 + int((pocket >> wp.uint32(12)) & wp.uint32(3))
        pocket_left = 10 + int((pocket >> wp.uint32(14)) & wp.uint32(15)) - dx * dx - dz * dz

        for y in range(part * 8, wp.min(part * 8 + 8, top + 1)):
            depth = top - y
            block = int(STONE)
            if depth == 0:
                block = cap
            elif depth <= soil:
                block = under
            elif depth <= soil + 4:
                block = rock
            if block == STONE and depth > 0:
                dy = y - pocket_y
                if pocket_left >= dy * dy:
                    block = filler
                dy = y - ore_y
                if ore_left >= dy * dy and kind != STONE:
                    block = kind
            if y < 3 and int(hash3(purpose(seed, _BED), x, y, z) & wp.uint32(3)) >= y + wp.min(y, 1):
                block = int(BEDROCK)
            elif y <= limit and y > 0 and (winding or wide):
                weight = smooth((y & 7) << 5)
                hollow = wide and blend(cavern, cavern_above, weight) > _CAVERN_FROM
                if winding and not hollow:
                    a = wp.abs(blend(tunnel, tunnel_above, weight))
                    b = wp.abs(blend(twist, twist_above, weight))
                    hollow = a + b < _TUNNEL_WIDTH
                if hollow:
                    block = int(LAVA) if y <= lava else int(AIR)
            if block == GRAVEL and (before == AIR or before == LAVA):
                block = int(STONE)
            blocks[w, start + y] = wp.uint8(block)
            before = block
    for y in range(top + 1, ny):
        block = int(AIR)
        if y < sea:
            block = int(ICE) if y == sea - 1 and biome == SNOWY else int(WATER)
        blocks[w, start + y] = wp.uint8(block)
