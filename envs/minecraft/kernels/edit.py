"""How a kernel reads and changes the blocks of a running world. Import it only after `envs.warp.start_warp`.

`Game.ceiling` may be 255 at most: worlds are lower than 256 blocks, or everything at 255 and above is in the light.
"""

import warp as wp

from trunkline.envs.minecraft.flags import FOLIAGE, OPAQUE
from trunkline.envs.minecraft.kernels.leaps import LONGEST_LEAP, update_leaps
from trunkline.envs.minecraft.state import Game, Rules, cell_index, inside

wp.set_module_options({"enable_backward": False, "max_unroll": 0})

# The state that lies below the world and beyond its sides: every table of `Rules` by state has a row for it.
# It is solid, cannot be dug, and is not seen.
BARRIER = 255
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
def clear_distance(game: Game, w: int, cell: int):
    """A lower bound on the Chebyshev distance from a cell to the nearest one that is not air or not in the world."""
    least = int(wp.static(LONGEST_LEAP))
    for quadrant in range(4):
        both = int(game.leaps[w, quadrant * game.nx * game.ny * game.nz + cell])
        least = wp.min(least, wp.min(both & 15, both >> 4))
    return least


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
    if (before == 0) != (state == 0):
        update_leaps(game.leaps, wp.vec3i(game.nx, game.ny, game.nz), w, x, y, z, wp.where(state != 0, 1, 0))
    column = x * game.nz + z
    top = int(game.ceiling[w, column])
    if casts_shadow(rules, state):
        game.ceiling[w, column] = wp.uint8(wp.min(wp.max(top, y + 1), 255))
    elif y + 1 == top:
        while top > 0 and not casts_shadow(rules, int(game.blocks[w, here - y + top - 1])):
            top -= 1
        game.ceiling[w, column] = wp.uint8(top)
