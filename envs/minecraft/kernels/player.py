"""How the agent's body moves in a tick: Minecraft 1.16's constants, in mineflayer's order.

It agrees with mineflayer's prismarine-physics 1.11.1. Not simulated: currents of water, and the swimming pose.
"""

import math

import numpy as np
import warp as wp

from trunkline.envs.minecraft.flags import CLIMBABLE, LAVA, LIQUID, SLIPPERY, WATER
from trunkline.envs.minecraft.kernels.collision import HIT_X, HIT_Y, HIT_Z, box_flags, box_free, cell_of, move_body
from trunkline.envs.minecraft.kernels.survival import land, survive
from trunkline.envs.minecraft.state import FORWARD, JUMP, STRAFE, Game, Rules, cell_index, inside

wp.set_module_options({"enable_backward": False, "max_unroll": 0})

HALF_WIDTH, HEIGHT, STEP_HEIGHT = 0.3, 1.8, 0.6
GRAVITY, DRAG = 0.08, float(np.float32(0.98))
JUMP_SPEED = float(np.float32(0.42))
JUMP_DELAY = 10  # ticks between jumps while the key is held
SPRINT_JUMP = 0.2
SPEED, SPRINT, SNEAK = 0.1, 1.3, 0.3
SLIPPERINESS, ICE = 0.6, 0.98
AIR_SPEED, AIR_INERTIA = 0.02, 0.91
LIQUID_SPEED, WATER_INERTIA, LAVA_INERTIA = 0.02, 0.8, 0.5
SWIM_UP, OUT_OF_LIQUID = 0.04, 0.3
LADDER_SPEED, CLIMB_SPEED = 0.15, 0.2
NEGLIGIBLE = 0.003
EDGE_STEP = 0.05  # by which a sneaking body draws back from an edge
SPRINT_FOOD = 6  # with no more than this nobody sprints
# Values of the factor JUMP.
JUMPING, SNEAKING, SPRINTING = 1, 2, 3


@wp.func
def body_corners(position: wp.vec3d, side: wp.float64, above: wp.float64):
    """Two corners of the body's box, shrunk by `side` all around and by `above` at its top and bottom."""
    half = wp.float64(wp.static(HALF_WIDTH)) - side
    low = position + wp.vec3d(-half, above, -half)
    high = position + wp.vec3d(half, wp.float64(wp.static(HEIGHT)) - above, half)
    return low, high


@wp.func
def stands_over(game: Game, rules: Rules, w: int, position: wp.vec3d, dx: wp.float64, dz: wp.float64):
    """Whether nothing would be below the body after a step, so that it would fall off an edge."""
    low, high = body_corners(position, wp.float64(0.0), wp.float64(0.0))
    moved = wp.vec3d(dx, -wp.float64(wp.static(STEP_HEIGHT)), dz)
    return box_free(game, rules, w, low + moved, high + moved)


@wp.func
def shorter(distance: wp.float64):
    """One step back from an edge."""
    step = wp.float64(wp.static(EDGE_STEP))
    if distance < step and distance >= -step:
        return wp.float64(0.0)
    return wp.where(distance > wp.float64(0.0), distance - step, distance + step)


@wp.func
def keep_off_edge(game: Game, rules: Rules, w: int, position: wp.vec3d, step: wp.vec3d):
    """The part of a step that does not lead a sneaking body over an edge."""
    zero = wp.float64(0.0)
    dx = step[0]
    dz = step[2]
    while dx != zero and stands_over(game, rules, w, position, dx, zero):
        dx = shorter(dx)
    while dz != zero and stands_over(game, rules, w, position, zero, dz):
        dz = shorter(dz)
    while dx != zero and dz != zero and stands_over(game, rules, w, position, dx, dz):
        dx = shorter(dx)
        dz = shorter(dz)
    return wp.vec3d(dx, step[1], dz)


@wp.func
def climbs(game: Game, rules: Rules, w: int, position: wp.vec3d):
    """Whether the cell of the feet is a ladder."""
    x = cell_of(position[0])
    y = cell_of(position[1])
    z = cell_of(position[2])
    if not inside(game, x, y, z):
        return False
    state = int(game.blocks[w, cell_index(game, x, y, z)])
    return (rules.flags[state] & wp.static(wp.uint32(CLIMBABLE))) != wp.uint32(0)


@wp.func
def negligible(speed: wp.float64):
    """A speed, 0 where it is too small to matter."""
    return wp.where(wp.abs(speed) < wp.float64(wp.static(NEGLIGIBLE)), wp.float64(0.0), speed)


@wp.func
def pushed(velocity: wp.vec3d, yaw: wp.float64, forward: wp.float64, right: wp.float64, speed: wp.float64):
    """Velocity after the legs have pushed for a tick."""
    length = wp.sqrt(forward * forward + right * right)
    if length < wp.float64(0.01):
        return velocity
    scale = speed / wp.max(length, wp.float64(1.0))
    f = forward * scale
    r = right * scale
    s = wp.sin(yaw)
    c = wp.cos(yaw)
    return velocity + wp.vec3d(-(r * c + f * s), wp.float64(0.0), f * c - r * s)


@wp.func
def ground_inertia(game: Game, rules: Rules, w: int, position: wp.vec3d):
    """The part of its speed that a body keeps on the block below."""
    x = cell_of(position[0])
    y = cell_of(position[1] - wp.float64(0.5000001))
    z = cell_of(position[2])
    slipperiness = wp.float64(wp.static(SLIPPERINESS))
    if inside(game, x, y, z):
        state = int(game.blocks[w, cell_index(game, x, y, z)])
        if (rules.flags[state] & wp.static(wp.uint32(SLIPPERY))) != wp.uint32(0):
            slipperiness = wp.float64(wp.static(ICE))
    return slipperiness * wp.float64(wp.static(AIR_INERTIA))


@wp.func
def signed(choice: int):
    """A factor's choice of none, first or second as 0, 1 or −1."""
    return wp.where(choice == 2, -1, choice)


@wp.kernel
def move_players(game: Game, rules: Rules):
    """One tick of every agent's body, and of what its body suffers."""
    w = wp.tid()
    if game.active[w] == wp.uint8(0):
        return
    zero = wp.float64(0.0)
    start = game.position[w]
    low, high = body_corners(start, wp.float64(0.001), wp.float64(0.4))
    near = box_flags(game, rules, w, low, high)
    in_water = bool(False)
    in_lava = bool(False)
    if (near & wp.static(wp.uint32(LIQUID))) != wp.uint32(0):  # which seldom is
        low, high = body_corners(start, wp.float64(0.001), wp.float64(0.401))
        in_water = (box_flags(game, rules, w, low, high) & wp.static(wp.uint32(WATER))) != wp.uint32(0)
        low, high = body_corners(start, wp.float64(0.1), wp.float64(0.4))
        in_lava = (box_flags(game, rules, w, low, high) & wp.static(wp.uint32(LAVA))) != wp.uint32(0)
    on_ground = game.on_ground[w] != wp.uint8(0)

    # What the keys say; the dead press none.
    forward = int(0)
    right = int(0)
    key = int(0)
    if game.health[w] > 0.0:
        forward = signed(game.control[w, wp.static(FORWARD)])
        right = -signed(game.control[w, wp.static(STRAFE)])
        key = game.control[w, wp.static(JUMP)]
    jumps = key == wp.static(JUMPING)
    sneaks = key == wp.static(SNEAKING)
    # The key starts a sprint, which lasts until the agent no longer goes forward, hits a wall, sneaks or swims.
    lasting = key == wp.static(SPRINTING) or (
        game.sprinting[w] != wp.uint8(0) and game.blocked[w] == wp.uint8(0) and not in_water and not sneaks
    )
    sprints = forward > 0 and lasting and game.food[w] > wp.static(SPRINT_FOOD)

    v = game.velocity[w]
    v = wp.vec3d(negligible(v[0]), negligible(v[1]), negligible(v[2]))
    yaw = wp.float64(game.yaw[w]) * wp.float64(wp.static(math.pi / 180.0))
    if jumps:
        delay = wp.max(game.jump_delay[w] - 1, 0)
        if in_water or in_lava:
            v = v + wp.vec3d(zero, wp.float64(wp.static(SWIM_UP)), zero)
        elif on_ground and delay == 0:
            v = wp.vec3d(v[0], wp.float64(wp.static(JUMP_SPEED)), v[2])
            if sprints:
                boost = wp.float64(wp.static(SPRINT_JUMP))
                v = v + wp.vec3d(-wp.sin(yaw) * boost, zero, wp.cos(yaw) * boost)
            game.exhaustion[w] = game.exhaustion[w] + wp.where(sprints, 0.2, 0.05)
            delay = wp.static(JUMP_DELAY)
        game.jump_delay[w] = delay
    else:
        game.jump_delay[w] = 0

    push = wp.where(sneaks, wp.float64(wp.static(0.98 * SNEAK)), wp.float64(0.98))
    push_forward = wp.float64(forward) * push
    push_right = wp.float64(right) * push
    inertia = wp.float64(wp.static(AIR_INERTIA))
    climbing = bool(False)
    if in_water or in_lava:
        v = pushed(v, yaw, push_forward, push_right, wp.float64(wp.static(LIQUID_SPEED)))
    else:
        speed = wp.where(sprints, wp.float64(wp.static(AIR_SPEED * SPRINT)), wp.float64(wp.static(AIR_SPEED)))
        if on_ground:
            inertia = ground_inertia(game, rules, w, start)
            speed = wp.where(sprints, wp.float64(wp.static(SPEED * SPRINT)), wp.float64(wp.static(SPEED)))
            speed = speed * wp.float64(0.1627714) / (inertia * inertia * inertia)
        v = pushed(v, yaw, push_forward, push_right, speed)
        climbing = climbs(game, rules, w, start)
        if climbing:
            most = wp.float64(wp.static(LADDER_SPEED))
            least = wp.where(sneaks, zero, -most)
            v = wp.vec3d(wp.clamp(v[0], -most, most), wp.max(v[1], least), wp.clamp(v[2], -most, most))

    step = v
    if sneaks and on_ground and (v[0] != zero or v[2] != zero):
        step = keep_off_edge(game, rules, w, start, v)
    place, hit = move_body(
        game,
        rules,
        w,
        start,
        step,
        wp.float64(wp.static(HALF_WIDTH)),
        wp.float64(wp.static(HEIGHT)),
        wp.float64(wp.static(STEP_HEIGHT)),
        on_ground,
    )
    walled = (hit & wp.static(HIT_X | HIT_Z)) != 0
    lands = (hit & wp.static(HIT_Y)) != 0 and step[1] < zero
    vx = wp.where((hit & wp.static(HIT_X)) != 0, zero, v[0])
    vy = wp.where((hit & wp.static(HIT_Y)) != 0, zero, v[1])
    vz = wp.where((hit & wp.static(HIT_Z)) != 0, zero, v[2])
    if in_water or in_lava:
        keeps = wp.where(in_water, wp.float64(wp.static(WATER_INERTIA)), wp.float64(wp.static(LAVA_INERTIA)))
        sinks = wp.where(in_water, wp.float64(wp.static(GRAVITY / 16.0)), wp.float64(wp.static(GRAVITY / 4.0)))
        v = wp.vec3d(vx * keeps, vy * keeps - sinks, vz * keeps)
        if walled:
            low, high = body_corners(place, zero, zero)
            ahead = wp.vec3d(v[0], v[1] + wp.float64(0.6) - place[1] + start[1], v[2])
            low = low + ahead
            high = high + ahead
            wet = (box_flags(game, rules, w, low, high) & wp.static(wp.uint32(WATER))) != wp.uint32(0)
            if not wet and box_free(game, rules, w, low, high):
                v = wp.vec3d(v[0], wp.float64(wp.static(OUT_OF_LIQUID)), v[2])
    else:
        if (walled or jumps) and climbs(game, rules, w, place):
            vy = wp.float64(wp.static(CLIMB_SPEED))
        v = wp.vec3d(vx * inertia, (vy - wp.float64(wp.static(GRAVITY))) * wp.float64(wp.static(DRAG)), vz * inertia)
    game.position[w] = place
    game.velocity[w] = v
    game.on_ground[w] = wp.uint8(lands)
    game.blocked[w] = wp.uint8(walled)
    game.in_water[w] = wp.uint8(in_water)
    game.in_lava[w] = wp.uint8(in_lava)
    game.sneaking[w] = wp.uint8(sneaks)
    game.sprinting[w] = wp.uint8(sprints)
    if game.health[w] > 0.0:
        land(game, rules, w, place[1] - start[1], in_water, in_lava, climbing, lands)
        survive(game, rules, w, place - start)
