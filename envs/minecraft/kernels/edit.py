"""How a kernel reads and changes the blocks of a running world. Import it only after `envs.warp.start_warp`.

Empty space is skipped by *leaps*. A ray goes to one of eight octants: to larger or smaller x, y and z. The leap L of a
cell in an octant promises that the cube of L³ cells which has this cell as its corner and extends into the octant holds
nothing but air and lies within the world; 0 for a cell that is not air, 15 at most. Along the ground such cubes are far
larger than those centred at a cell, because what lies behind a ray does not count.

`Game.leaps` has four planes of V bytes, one a quadrant: q = (x grows) + 2·(z grows). The lower four bits of a byte are
the leap downwards, the upper four upwards. Three things always hold: a leap is never too long; it exceeds that of each
of the seven neighbours ahead by at most 1; a block that goes lets those around it grow, within `REGROWTH` cells.

`Game.ceiling` may be 255 at most: worlds are lower than 256 blocks, or everything at 255 and above is in the light.
"""

import warp as wp

from trunkline.envs.minecraft.flags import FOLIAGE, OPAQUE
from trunkline.envs.minecraft.state import Game, Rules, cell_index, inside

wp.set_module_options({"enable_backward": False})

# The state that lies below the world and beyond its sides: every table of `Rules` by state has a row for it.
# It is solid, cannot be dug, and is not seen.
BARRIER = 255
LONGEST_LEAP = 15
REGROWTH = 5
SHADING = OPAQUE | FOLIAGE


@wp.func
def get_block(game: Game, w: int, x: int, y: int, z: int):
    """The state of a cell anywhere: air above the world, BARRIER below it and beyond its sides."""
    state = int(wp.static(BARRIER))
    if x >= 0 and z >= 0 and x < game.nx and z < game.nz and y >= 0:
        state = 0
        if y < game.ny:
            state = int(game.blocks[w, cell_index(game, x, y, z)])
    return state


@wp.func
def get_leap(game: Game, w: int, quadrant: int, up: int, x: int, y: int, z: int):
    """The leap of a cell, 0 outside the world."""
    leap = int(0)
    if inside(game, x, y, z):
        both = int(game.leaps[w, quadrant * game.nx * game.ny * game.nz + cell_index(game, x, y, z)])
        leap = (both >> (4 * up)) & 15
    return leap


@wp.func
def put_leap(game: Game, w: int, quadrant: int, up: int, x: int, y: int, z: int, leap: int):
    """Write the leap of a cell within the world."""
    place = quadrant * game.nx * game.ny * game.nz + cell_index(game, x, y, z)
    both = int(game.leaps[w, place])
    game.leaps[w, place] = wp.uint8((both & (240 >> (4 * up))) | (leap << (4 * up)))


@wp.func
def clear_distance(game: Game, w: int, cell: int):
    """A lower bound on the Chebyshev distance from a cell to the nearest one that is not air or not in the world."""
    least = int(wp.static(LONGEST_LEAP))
    for quadrant in range(4):
        both = int(game.leaps[w, quadrant * game.nx * game.ny * game.nz + cell])
        least = wp.min(least, wp.min(both & 15, both >> 4))
    return least


@wp.func
def grown_leap(game: Game, w: int, quadrant: int, up: int, x: int, y: int, z: int):
    """The leap of an empty cell: one more than the least of the seven cells ahead of it."""
    a = x + 2 * (quadrant & 1) - 1
    b = y + 2 * up - 1
    c = z + 2 * (quadrant >> 1) - 1
    least = int(wp.static(LONGEST_LEAP - 1))
    least = wp.min(least, get_leap(game, w, quadrant, up, a, y, z))
    least = wp.min(least, get_leap(game, w, quadrant, up, x, b, z))
    least = wp.min(least, get_leap(game, w, quadrant, up, x, y, c))
    least = wp.min(least, get_leap(game, w, quadrant, up, a, b, z))
    least = wp.min(least, get_leap(game, w, quadrant, up, a, y, c))
    least = wp.min(least, get_leap(game, w, quadrant, up, x, b, c))
    return wp.min(least, get_leap(game, w, quadrant, up, a, b, c)) + 1


@wp.func
def shrink_leaps(game: Game, w: int, x: int, y: int, z: int):
    """After a block came: what looks towards it must not leap over it.

    Shell by shell: where a shell is not changed, the third promise of leaps leaves nothing to change behind it.
    """
    for octant in range(8):
        quadrant = octant >> 1
        up = octant & 1
        sx = 1 - 2 * (quadrant & 1)
        sy = 1 - 2 * up
        sz = 1 - 2 * (quadrant >> 1)
        put_leap(game, w, quadrant, up, x, y, z, 0)
        for r in range(1, wp.static(LONGEST_LEAP)):
            changed = int(0)
            for i in range(r + 1):
                for k in range(r + 1):
                    j = wp.where(i == r or k == r, 0, r)
                    while j <= r:
                        a = x + sx * i
                        b = y + sy * j
                        c = z + sz * k
                        if get_leap(game, w, quadrant, up, a, b, c) > r:
                            put_leap(game, w, quadrant, up, a, b, c, r)
                            changed = 1
                        j += 1
            if changed == 0:
                break


@wp.func
def grow_leaps(game: Game, w: int, x: int, y: int, z: int):
    """After a block went: what looks towards it may leap farther."""
    for octant in range(8):
        quadrant = octant >> 1
        up = octant & 1
        sx = 1 - 2 * (quadrant & 1)
        sy = 1 - 2 * up
        sz = 1 - 2 * (quadrant >> 1)
        put_leap(game, w, quadrant, up, x, y, z, grown_leap(game, w, quadrant, up, x, y, z))
        for r in range(1, wp.static(REGROWTH + 1)):
            changed = int(0)
            for i in range(r + 1):
                for k in range(r + 1):
                    j = wp.where(i == r or k == r, 0, r)
                    while j <= r:
                        a = x + sx * i
                        b = y + sy * j
                        c = z + sz * k
                        before = get_leap(game, w, quadrant, up, a, b, c)
                        if before > 0:
                            after = grown_leap(game, w, quadrant, up, a, b, c)
                            if after > before:
                                put_leap(game, w, quadrant, up, a, b, c, after)
                                changed = 1
                        j += 1
            if changed == 0:
                break


@wp.func
def casts_shadow(rules: Rules, state: int):
    """Whether it is dark below a block."""
    return (rules.flags[state] & wp.static(wp.uint32(SHADING))) != wp.uint32(0)


@wp.func
def set_block(game: Game, rules: Rules, w: int, x: int, y: int, z: int, state: int):
    """Change one cell; outside the world nothing happens. The only way in which a running world changes a block."""
    if not inside(game, x, y, z):
        return
    here = cell_index(game, x, y, z)
    before = int(game.blocks[w, here])
    game.blocks[w, here] = wp.uint8(state)
    if before == 0 and state != 0:
        shrink_leaps(game, w, x, y, z)
    if before != 0 and state == 0:
        grow_leaps(game, w, x, y, z)
    column = x * game.nz + z
    top = int(game.ceiling[w, column])
    if casts_shadow(rules, state):
        game.ceiling[w, column] = wp.uint8(wp.min(wp.max(top, y + 1), 255))
    elif y + 1 == top:
        while top > 0 and not casts_shadow(rules, int(game.blocks[w, here - y + top - 1])):
            top -= 1
        game.ceiling[w, column] = wp.uint8(top)
