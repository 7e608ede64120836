"""How mobs walk: what lies ahead of them, and how they turn."""

import warp as wp

from trunkline.envs.minecraft.flags import LAVA, SOLID, WATER
from trunkline.envs.minecraft.kernels.collision import solid_state
from trunkline.envs.minecraft.kernels.projectile import flags_of
from trunkline.envs.minecraft.state import Game, Rules

wp.set_module_options({"enable_backward": False, "max_unroll": 0})

CLIMB = 1.25  # blocks that a jump gains
STEP = 0.6  # blocks that are walked up without a jump
SAFE_FALL = 3  # blocks
TURN = 30.0  # degrees a tick


@wp.func
def step_at(game: Game, rules: Rules, w: int, x: wp.float64, feet: wp.float64, z: wp.float64, height: float):
    """What a column of blocks is to a body that walks into it: 0 free, 1 a block to jump onto, 2 a wall."""
    i = int(wp.floor(x))
    j = int(wp.floor(feet + wp.float64(1.0e-3)))
    k = int(wp.floor(z))
    state = solid_state(game, rules, w, i, j, k)
    up = solid_state(game, rules, w, i, j + 1, k)
    if state == -2 or up == -2 or (up >= 0 and (state >= 0 or height > 1.0)):
        return 2
    if state < 0:
        return 0
    rise = float(wp.float64(j) - feet) + rules.high[state][1]
    if rise > wp.static(CLIMB) or (height > 1.0 and solid_state(game, rules, w, i, j + 2, k) != -1):
        return 2
    return wp.where(rise > wp.static(STEP), 1, 0)


@wp.func
def drops_off(game: Game, rules: Rules, w: int, x: wp.float64, feet: wp.float64, z: wp.float64):
    """Whether a free column leads into lava, or further down than is safe."""
    i = int(wp.floor(x))
    j = int(wp.floor(feet + wp.float64(1.0e-3)))
    k = int(wp.floor(z))
    for depth in range(wp.static(SAFE_FALL + 2)):
        if j - depth < 0:
            return False
        below = flags_of(game, rules, w, i, j - depth, k)
        if (below & wp.static(wp.uint32(LAVA))) != wp.uint32(0):
            return True
        if (below & wp.static(wp.uint32(SOLID | WATER))) != wp.uint32(0):
            return False
    return True


@wp.func
def way_on(
    game: Game, rules: Rules, w: int, feet: wp.vec3d, height: float, half: float, heading: wp.vec2, distance: float
):
    """What lies ahead of a body and its two sides: 0 a way, 1 a block to jump onto, 2 no way."""
    x = feet[0] + wp.float64(heading[0] * distance)
    z = feet[2] + wp.float64(heading[1] * distance)
    found = step_at(game, rules, w, x, feet[1], z, height)
    if found == 0 and drops_off(game, rules, w, x, feet[1], z):
        found = 2
    side_x = wp.float64(-heading[1] * half)
    side_z = wp.float64(heading[0] * half)
    if found < 2:
        found = wp.max(found, step_at(game, rules, w, x + side_x, feet[1], z + side_z, height))
    if found < 2:
        found = wp.max(found, step_at(game, rules, w, x - side_x, feet[1], z - side_z, height))
    return found


@wp.func
def turned(heading: wp.vec2, eighths: int):
    """A heading turned by so many eighths of a circle."""
    a = float(eighths) * wp.static(0.7853981633974483)
    c = wp.cos(a)
    s = wp.sin(a)
    return wp.vec2(c * heading[0] - s * heading[1], s * heading[0] + c * heading[1])


@wp.func
def flat(v: wp.vec3d):
    """The horizontal part of a vector."""
    return wp.vec2(float(v[0]), float(v[2]))


@wp.func
def face(game: Game, w: int, m: int, heading: wp.vec2, up: float):
    """Turn a mob towards a direction, 30 degrees a tick at most."""
    yaw = game.body_yaw[w, m]
    left = wp.degrees(wp.atan2(-heading[0], heading[1])) - yaw
    left = left - 360.0 * wp.floor((left + 180.0) / 360.0)
    yaw = yaw + wp.clamp(left, -wp.static(TURN), wp.static(TURN))
    game.body_yaw[w, m] = yaw - 360.0 * wp.floor((yaw + 180.0) / 360.0)
    game.body_pitch[w, m] = -wp.degrees(wp.atan2(up, wp.length(heading)))
