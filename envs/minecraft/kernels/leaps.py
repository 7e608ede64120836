"""Leaps over empty space, and how they follow the change of a block. Import it only after `envs.warp.start_warp`.

A ray goes to one of eight octants: to larger or smaller x, y and z. The leap L of a cell in an octant promises that the
cube of L³ cells which has this cell as its corner and extends into the octant holds nothing but air and lies within the
world; 0 for a cell that is not air, 15 at most. Along the ground such cubes are far larger than those centred at a
cell, because what lies behind a ray does not count.

`Game.leaps` has four planes of V bytes, one a quadrant: q = (x grows) + 2·(z grows). The lower four bits of a byte are
the leap downwards, the upper four upwards. Three things always hold: a leap is never too long; it exceeds that of each
of the seven neighbours ahead by at most 1; a block that goes lets those around it grow, within `REGROWTH` cells.

These functions take the array and the world's size instead of `Game`, so that the large one can stay out of line:
inlined wherever a block changes, it is most of what the compiler has to read.
"""

import warp as wp

wp.set_module_options({"enable_backward": False, "max_unroll": 0})

LONGEST_LEAP = 15
REGROWTH = 5
LEAPS = wp.array2d(dtype=wp.uint8)


@wp.func
def get_leap(leaps: LEAPS, size: wp.vec3i, w: int, quadrant: int, up: int, x: int, y: int, z: int):
    """The leap of a cell, 0 outside the world."""
    leap = int(0)
    if x >= 0 and y >= 0 and z >= 0 and x < size[0] and y < size[1] and z < size[2]:
        both = int(leaps[w, ((quadrant * size[0] + x) * size[2] + z) * size[1] + y])
        leap = (both >> (4 * up)) & 15
    return leap


@wp.func
def put_leap(leaps: LEAPS, size: wp.vec3i, w: int, quadrant: int, up: int, x: int, y: int, z: int, leap: int):
    """Write the leap of a cell within the world."""
    place = ((quadrant * size[0] + x) * size[2] + z) * size[1] + y
    both = int(leaps[w, place])
    leaps[w, place] = wp.uint8((both & (240 >> (4 * up))) | (leap << (4 * up)))


@wp.func
def grown_leap(leaps: LEAPS, size: wp.vec3i, w: int, quadrant: int, up: int, x: int, y: int, z: int):
    """The leap of an empty cell: one more than the least of the seven cells ahead of it."""
    a = x + 2 * (quadrant & 1) - 1
    b = y + 2 * up - 1
    c = z + 2 * (quadrant >> 1) - 1
    least = int(wp.static(LONGEST_LEAP - 1))
    least = wp.min(least, get_leap(leaps, size, w, quadrant, up, a, y, z))
    least = wp.min(least, get_leap(leaps, size, w, quadrant, up, x, b, z))
    least = wp.min(least, get_leap(leaps, size, w, quadrant, up, x, y, c))
    least = wp.min(least, get_leap(leaps, size, w, quadrant, up, a, b, z))
    least = wp.min(least, get_leap(leaps, size, w, quadrant, up, a, y, c))
    least = wp.min(least, get_leap(leaps, size, w, quadrant, up, x, b, c))
    return wp.min(least, get_leap(leaps, size, w, quadrant, up, a, b, c)) + 1


@wp.func(inline=False)
def update_leaps(leaps: LEAPS, size: wp.vec3i, w: int, x: int, y: int, z: int, came: int):
    """After a block came (1), what looks towards it must not leap over it; after it went (0), it may leap farther.

    Shell by shell: where a shell is not changed, the third promise of leaps leaves nothing to change behind it.
    """
    shells = wp.where(came == 1, wp.static(LONGEST_LEAP - 1), wp.static(REGROWTH))
    for octant in range(8):
        quadrant = octant >> 1
        up = octant & 1
        sx = 1 - 2 * (quadrant & 1)
        sy = 1 - 2 * up
        sz = 1 - 2 * (quadrant >> 1)
        here = int(0)
        if came == 0:
            here = grown_leap(leaps, size, w, quadrant, up, x, y, z)
        put_leap(leaps, size, w, quadrant, up, x, y, z, here)
        for r in range(1, shells + 1):
            changed = int(0)
            for i in range(r + 1):
                for k in range(r + 1):
                    j = wp.where(i == r or k == r, 0, r)
                    while j <= r:
                        a = x + sx * i
                        b = y + sy * j
                        c = z + sz * k
                        before = get_leap(leaps, size, w, quadrant, up, a, b, c)
                        after = before
                        if came == 1:
                            after = wp.min(before, r)
                        elif before > 0:
                            after = wp.max(before, grown_leap(leaps, size, w, quadrant, up, a, b, c))
                        if after != before:
                            put_leap(leaps, size, w, quadrant, up, a, b, c, after)
                            changed = 1
                        j += 1
            if changed == 0:
                break
