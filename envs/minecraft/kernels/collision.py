"""Boxes that move among blocks: Minecraft's clipping, one axis after the other.

The order of axes is y, x, z, that of the versions up to 1.13 and of mineflayer; later ones take the longer of x and z
first, which differs only where a box meets an outer corner. No block's box is higher than its cell.
"""

import warp as wp

from trunkline.envs.minecraft.flags import SOLID
from trunkline.envs.minecraft.state import Game, Rules, cell_index, inside

wp.set_module_options({"enable_backward": False, "max_unroll": 0})

# Bits of what `move_box` returns.
HIT_X, HIT_Y, HIT_Z = 1, 2, 4
# Boxes that overlap by less are apart, as in 1.14 and later: it covers the rounding of a box that rests at a block.
_EPSILON = 1e-7


@wp.func
def cell_of(coordinate: wp.float64):
    """The cell that a coordinate lies in."""
    return wp.int32(wp.floor(coordinate))


@wp.func
def solid_state(game: Game, rules: Rules, w: int, x: int, y: int, z: int):
    """State of a cell that bodies collide with, −1 where there is none, −2 for the full cubes outside: the barrier
    beyond the sides, and bedrock below."""
    if not inside(game, x, y, z):
        return wp.where(y >= 0 and x >= 0 and z >= 0 and x < game.nx and z < game.nz, -1, -2)
    state = wp.int32(game.blocks[w, cell_index(game, x, y, z)])
    if (rules.flags[state] & wp.static(wp.uint32(SOLID))) != wp.uint32(0):
        return state
    return -1


@wp.func
def clip(game: Game, rules: Rules, w: int, low: wp.vec3d, high: wp.vec3d, axis: int, distance: wp.float64):
    """How far a box can go along one axis, up to `distance`, before it meets a block."""
    zero = wp.float64(0.0)
    if distance == zero:
        return distance
    gap = wp.float64(wp.static(_EPSILON))
    first = low
    last = high
    if distance < zero:
        last[axis] = low[axis] + gap
        first[axis] = low[axis] + distance
    else:
        first[axis] = high[axis] - gap
        last[axis] = high[axis] + distance
    # Along the other axes, a cell is met only by more than the gap.
    for other in range(3):
        if other != axis:
            first[other] = low[other] + gap
            last[other] = high[other] - gap
    one = (axis + 1) % 3
    two = (axis + 2) % 3
    for x in range(cell_of(first[0]), cell_of(last[0]) + 1):
        for z in range(cell_of(first[2]), cell_of(last[2]) + 1):
            for y in range(cell_of(first[1]), cell_of(last[1]) + 1):
                state = solid_state(game, rules, w, x, y, z)
                if state != -1:
                    corner = wp.vec3d(wp.float64(x), wp.float64(y), wp.float64(z))
                    near = corner
                    far = corner + wp.vec3d(wp.float64(1.0), wp.float64(1.0), wp.float64(1.0))
                    if state >= 0:
                        near = corner + wp.vec3d(rules.low[state])
                        far = corner + wp.vec3d(rules.high[state])
                    if (
                        last[one] > near[one]
                        and first[one] < far[one]
                        and last[two] > near[two]
                        and first[two] < far[two]
                    ):
                        if distance > zero and near[axis] >= high[axis] - gap:
                            distance = wp.clamp(near[axis] - high[axis], zero, distance)
                        if distance < zero and far[axis] <= low[axis] + gap:
                            distance = wp.clamp(far[axis] - low[axis], distance, zero)
    return distance


@wp.func
def shift(box: wp.vec3d, axis: int, distance: wp.float64):
    """A corner moved along one axis."""
    moved = box
    moved[axis] = moved[axis] + distance
    return moved


@wp.func
def box_flags(game: Game, rules: Rules, w: int, low: wp.vec3d, high: wp.vec3d):
    """All bits that any cell has into which a box reaches."""
    bits = wp.uint32(0)
    for x in range(wp.max(cell_of(low[0]), 0), wp.min(cell_of(high[0]), game.nx - 1) + 1):
        for z in range(wp.max(cell_of(low[2]), 0), wp.min(cell_of(high[2]), game.nz - 1) + 1):
            for y in range(wp.max(cell_of(low[1]), 0), wp.min(cell_of(high[1]), game.ny - 1) + 1):
                bits = bits | rules.flags[int(game.blocks[w, cell_index(game, x, y, z)])]
    return bits


@wp.func
def box_free(game: Game, rules: Rules, w: int, low: wp.vec3d, high: wp.vec3d):
    """Whether no block's box overlaps this one."""
    gap = wp.float64(wp.static(_EPSILON))
    grow = wp.vec3d(gap, gap, gap)
    first = low + grow
    last = high - grow
    for x in range(cell_of(first[0]), cell_of(last[0]) + 1):
        for z in range(cell_of(first[2]), cell_of(last[2]) + 1):
            for y in range(cell_of(first[1]), cell_of(last[1]) + 1):
                state = solid_state(game, rules, w, x, y, z)
                if state == -2:
                    return False
                if state >= 0:
                    corner = wp.vec3d(wp.float64(x), wp.float64(y), wp.float64(z))
                    near = corner + wp.vec3d(rules.low[state])
                    far = corner + wp.vec3d(rules.high[state])
                    if (
                        last[0] > near[0]
                        and first[0] < far[0]
                        and last[1] > near[1]
                        and first[1] < far[1]
                        and last[2] > near[2]
                        and first[2] < far[2]
                    ):
                        return False
    return True


@wp.func
def stride(
    game: Game, rules: Rules, w: int, low: wp.vec3d, high: wp.vec3d, up: wp.float64, dx: wp.float64, dz: wp.float64
):
    """A box lifted by `up` and moved as far as it can: how far along x and z."""
    low = shift(low, 1, up)
    high = shift(high, 1, up)
    gone_x = clip(game, rules, w, low, high, 0, dx)
    low = shift(low, 0, gone_x)
    high = shift(high, 0, gone_x)
    gone_z = clip(game, rules, w, low, high, 2, dz)
    return gone_x, gone_z


@wp.func
def move_body(
    game: Game,
    rules: Rules,
    w: int,
    position: wp.vec3d,
    step: wp.vec3d,
    half_width: wp.float64,
    height: wp.float64,
    step_height: wp.float64,
    grounded: bool,
):
    """Move a body, and lift it onto what is not higher than `step_height` if it stands on the ground or lands.

    Args:
        game: all worlds.
        rules: of blocks.
        w: row of the world.
        position: of the middle of its bottom.
        step: how far it wants to go.
        half_width: of its square bottom.
        height: of its box.
        step_height: 0 for a body that does not step up.
        grounded: whether it stood on the ground before.

    Returns:
        where it arrives, and the bits HIT_X, HIT_Y, HIT_Z of the axes along which it did not get as far as it wanted.
    """
    zero = wp.float64(0.0)
    low = position - wp.vec3d(half_width, zero, half_width)
    high = position + wp.vec3d(half_width, height, half_width)
    start_low = low
    start_high = high
    dy = clip(game, rules, w, low, high, 1, step[1])
    low = shift(low, 1, dy)
    high = shift(high, 1, dy)
    dx = clip(game, rules, w, low, high, 0, step[0])
    low = shift(low, 0, dx)
    high = shift(high, 0, dx)
    dz = clip(game, rules, w, low, high, 2, step[2])
    if step_height > zero and (dx != step[0] or dz != step[2]) and (grounded or (dy != step[1] and step[1] < zero)):
        # Two heights are tried: what is free above the whole way, and what is free above the start.
        wide_low = start_low + wp.vec3d(wp.min(dx, zero), zero, wp.min(dz, zero))
        wide_high = start_high + wp.vec3d(wp.max(dx, zero), zero, wp.max(dz, zero))
        up = clip(game, rules, w, wide_low, wide_high, 1, step_height)
        step_x, step_z = stride(game, rules, w, start_low, start_high, up, step[0], step[2])
        other_up = clip(game, rules, w, start_low, start_high, 1, step_height)
        if other_up != up:
            other_x, other_z = stride(game, rules, w, start_low, start_high, other_up, step[0], step[2])
            if step_x * step_x + step_z * step_z <= other_x * other_x + other_z * other_z:
                up = other_up
                step_x = other_x
                step_z = other_z
        if step_x * step_x + step_z * step_z > dx * dx + dz * dz:
            moved = wp.vec3d(step_x, up, step_z)
            dx = step_x
            dz = step_z
            dy = up + clip(game, rules, w, start_low + moved, start_high + moved, 1, -up)
    bits = wp.where(dx != step[0], wp.static(HIT_X), 0)
    bits = bits | wp.where(dy != step[1], wp.static(HIT_Y), 0)
    bits = bits | wp.where(dz != step[2], wp.static(HIT_Z), 0)
    return position + wp.vec3d(dx, dy, dz), bits


@wp.func
def move_box(
    game: Game,
    rules: Rules,
    w: int,
    position: wp.vec3d,
    step: wp.vec3d,
    half_width: wp.float64,
    height: wp.float64,
    step_height: wp.float64,
):
    """`move_body` for a body that steps up only when it lands, as a walking one does in every tick."""
    place, bits = move_body(game, rules, w, position, step, half_width, height, step_height, False)
    return place, bits
