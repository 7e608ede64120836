"""What cells are to a body on its way: room, water, a wall, ground that carries it, danger."""

import warp as wp

from trunkline.envs.minecraft.flags import DIGGABLE, HURTS, LAVA, REPLACEABLE, SOLID, WATER
from trunkline.envs.minecraft.kernels.edit import get_block
from trunkline.envs.minecraft.state import Game, Rules, cell_index, inside

wp.set_module_options({"enable_backward": False, "max_unroll": 0})

# What a cell is to a body.
FREE, WET, WALL, NEVER = range(4)
HALF = 0.31  # of the body's width, and a little


@wp.func
def room(game: Game, rules: Rules, w: int, x: int, y: int, z: int):
    """What a cell is to a body: FREE, WET, WALL (can be dug) or NEVER."""
    if x < 0 or z < 0 or x >= game.nx or z >= game.nz or y < 0:
        return wp.static(NEVER)
    if y >= game.ny:
        return wp.static(FREE)
    state = int(game.blocks[w, cell_index(game, x, y, z)])
    flags = rules.flags[state]
    if (flags & wp.static(wp.uint32(LAVA | HURTS))) != wp.uint32(0):
        return wp.static(NEVER)
    if (flags & wp.static(wp.uint32(WATER))) != wp.uint32(0):
        return wp.static(WET)
    if (flags & wp.static(wp.uint32(SOLID))) == wp.uint32(0):
        return wp.static(FREE)
    if (flags & wp.static(wp.uint32(DIGGABLE))) != wp.uint32(0) and rules.hardness[state] >= 0.0:
        return wp.static(WALL)
    return wp.static(NEVER)


@wp.func
def carries(game: Game, rules: Rules, w: int, x: int, y: int, z: int):
    """Whether one can stand on the block of a cell."""
    if y < 0:
        return True
    if not inside(game, x, y, z):
        return False
    state = int(game.blocks[w, cell_index(game, x, y, z)])
    flags = rules.flags[state]
    if (flags & wp.static(wp.uint32(SOLID))) == wp.uint32(0) or (flags & wp.static(wp.uint32(HURTS))) != wp.uint32(0):
        return False
    low = rules.low[state]
    high = rules.high[state]
    return high[1] > 0.9 and low[0] < 0.1 and low[2] < 0.1 and high[0] > 0.9 and high[2] > 0.9


@wp.func
def replaceable(game: Game, rules: Rules, w: int, x: int, y: int, z: int):
    """Whether a block can be placed into a cell."""
    if not inside(game, x, y, z):
        return False
    state = get_block(game, w, x, y, z)
    return (rules.flags[state] & wp.static(wp.uint32(REPLACEABLE))) != wp.uint32(0)


@wp.func
def stands(game: Game, rules: Rules, w: int, x: int, y: int, z: int):
    """Whether a body can be in a cell: it is free, so is the next above, and it stands or swims."""
    feet = room(game, rules, w, x, y, z)
    if feet > wp.static(WET) or room(game, rules, w, x, y + 1, z) > wp.static(WET):
        return False
    return feet == wp.static(WET) or carries(game, rules, w, x, y - 1, z)


@wp.func
def dangerous(game: Game, rules: Rules, w: int, x: int, y: int, z: int):
    """Whether something beside a cell hurts."""
    found = bool(False)
    for side in range(4):
        i = x + wp.where(side == 0, 1, 0) - wp.where(side == 1, 1, 0)
        k = z + wp.where(side == 2, 1, 0) - wp.where(side == 3, 1, 0)
        for dy in range(-1, 2):
            if inside(game, i, y + dy, k):
                flags = rules.flags[int(game.blocks[w, cell_index(game, i, y + dy, k)])]
                found = found or (flags & wp.static(wp.uint32(LAVA | HURTS))) != wp.uint32(0)
    return found


@wp.func
def passes(game: Game, rules: Rules, w: int, a: wp.vec2, b: wp.vec2, y: int):
    """Whether the body can walk straight from a to b, at one height, with the ground below it."""
    d = b - a
    count = int(wp.ceil(wp.length(d) / 0.25))
    for i in range(1, count + 1):
        p = a + d * (float(i) / float(count))
        if not carries(game, rules, w, int(wp.floor(p[0])), y - 1, int(wp.floor(p[1]))):
            return False
        for corner in range(4):
            x = int(wp.floor(p[0] + wp.where(corner % 2 == 0, -wp.static(HALF), wp.static(HALF))))
            z = int(wp.floor(p[1] + wp.where(corner < 2, -wp.static(HALF), wp.static(HALF))))
            if room(game, rules, w, x, y, z) != wp.static(FREE) or room(game, rules, w, x, y + 1, z) > wp.static(WET):
                return False
    return True
