"""What mobs do: they wander, flee, pursue, strike and shoot, and move after Minecraft 1.16's rules for the living.

A mob has one task at a time. It walks towards a goal in a straight line, jumps onto what is one block high, and does
not go where it would fall further than 3 blocks or into lava; a pursuer tries the directions beside its own too.
"""

import warp as wp

from trunkline.envs.minecraft.flags import LAVA, LIQUID
from trunkline.envs.minecraft.kernels.collision import HIT_X, HIT_Y, HIT_Z, box_free, move_box
from trunkline.envs.minecraft.kernels.combat import hurt_body
from trunkline.envs.minecraft.kernels.gait import SAFE_FALL, STEP, face, flat, turned, way_on
from trunkline.envs.minecraft.kernels.projectile import flags_at
from trunkline.envs.minecraft.kernels.pursuit import AGENT_EYE, EYE, attack, watch
from trunkline.envs.minecraft.kernels.random import (
    PANIC_GOAL,
    STROLL,
    STROLL_GOAL,
    SWIM,
    draw,
)
from trunkline.envs.minecraft.state import IDLE, PANIC, PURSUE, SKELETON, ZOMBIE, Game, Rules
from trunkline.envs.minecraft.state import STROLL as STROLLING

wp.set_module_options({"enable_backward": False, "max_unroll": 0})

GRAVITY, DRAG = 0.08, 0.98  # blocks a tick squared; a tick
GROUND_DRAG, AIR_DRAG = 0.546, 0.91
WATER_DRAG, LAVA_DRAG = 0.8, 0.5
AIR_PUSH = 0.02  # of a walk's acceleration off the ground
JUMP = 0.42
LAVA_DAMAGE = 4.0

STROLL_CHANCE = 1.0 / 120.0  # a tick
STROLL_REACH = 10.0  # blocks
STROLL_TICKS = 200
PANIC_REACH = 6.0
ARRIVED = 0.7


@wp.func
def new_goal(game: Game, w: int, m: int, reach: float, middle: float, spread: float, purpose: int):
    """A goal at up to `reach` blocks in a direction within `spread` of `middle` (radians, from +x to +z)."""
    a = middle + spread * (2.0 * draw(game.seed[w], game.tick[w], m, purpose) - 1.0)
    r = reach * (0.4 + 0.6 * draw(game.seed[w], game.tick[w], m, purpose + 1))
    game.body_goal[w, m] = flat(game.body_position[w, m]) + wp.vec2(r * wp.cos(a), r * wp.sin(a))


@wp.func
def decide(game: Game, rules: Rules, w: int, m: int):
    """Where a mob wants to walk in this tick: a direction whose length is the share of its speed; (0, 0) to stand."""
    kind = int(game.kind[w, m])
    if kind == wp.static(ZOMBIE) or kind == wp.static(SKELETON):
        watch(game, rules, w, m)
    task = int(game.body_task[w, m])
    want = wp.vec2(0.0, 0.0)
    if task == wp.static(IDLE):
        if draw(game.seed[w], game.tick[w], m, wp.static(STROLL)) < wp.static(STROLL_CHANCE):
            game.body_task[w, m] = wp.uint8(wp.static(STROLLING))
            game.body_timer[w, m] = wp.static(STROLL_TICKS)
            new_goal(game, w, m, wp.static(STROLL_REACH), 0.0, wp.static(3.14159265), wp.static(STROLL_GOAL))
        return want
    timer = game.body_timer[w, m] - 1
    game.body_timer[w, m] = timer
    if timer <= 0:
        game.body_task[w, m] = wp.uint8(wp.static(IDLE))
        return want
    if task == wp.static(PURSUE):
        return attack(game, rules, w, m)
    way = game.body_goal[w, m] - flat(game.body_position[w, m])
    distance = wp.length(way)
    if distance > wp.static(ARRIVED):
        want = way / distance
    elif task == wp.static(PANIC):
        # Away from the agent, within a sixth of a circle to either side.
        away = flat(game.body_position[w, m] - game.position[w])
        new_goal(game, w, m, wp.static(PANIC_REACH), wp.atan2(away[1], away[0]), 1.05, wp.static(PANIC_GOAL))
    else:
        game.body_task[w, m] = wp.uint8(wp.static(IDLE))
    return want


@wp.func
def steer(game: Game, rules: Rules, w: int, m: int, want: wp.vec2, height: float, half: float):
    """The direction in which a walking mob can go, and whether it has to jump; (0, 0) where there is no way."""
    size = wp.length(want)
    heading = want / size
    feet = game.body_position[w, m]
    # Far enough ahead to stop before an edge: it glides for 1.2 ticks' worth of its speed.
    ahead = half + 0.15 + 1.2 * wp.length(flat(game.body_velocity[w, m]))
    task = int(game.body_task[w, m])
    found = way_on(game, rules, w, feet, height, half, heading, ahead)
    best = heading
    if found == 2 and task == wp.static(PURSUE):
        # To the side that it already goes to, so that it does not turn back and forth before a wall.
        v = flat(game.body_velocity[w, m])
        side = wp.where(heading[0] * v[1] - heading[1] * v[0] < 0.0, -1, 1)
        for k in range(4):
            if found == 2:
                best = turned(heading, wp.where(k < 2, side, -side) * (1 + k % 2))
                found = way_on(game, rules, w, feet, height, half, best, ahead)
    if found == 2:
        best = wp.vec2(0.0, 0.0)
        size = 0.0
        if task == wp.static(STROLLING):
            game.body_task[w, m] = wp.uint8(wp.static(IDLE))
        if task == wp.static(PANIC):
            new_goal(game, w, m, wp.static(PANIC_REACH), 0.0, wp.static(3.14159265), wp.static(PANIC_GOAL))
    return best * size, found == 1


@wp.func
def tick_mob(game: Game, rules: Rules, w: int, m: int):
    """One tick of a cow, pig, sheep, zombie or skeleton."""
    zero = wp.float64(0.0)
    kind = int(game.kind[w, m])
    game.body_hurt[w, m] = wp.max(game.body_hurt[w, m] - 1, 0)
    game.body_delay[w, m] = wp.max(game.body_delay[w, m] - 1, 0)
    height = rules.body_height[kind]
    half = 0.5 * rules.body_width[kind]
    p = game.body_position[w, m]
    grounded = game.body_on_ground[w, m] != wp.uint8(0)
    liquid = flags_at(game, rules, w, p, 0.1) & wp.static(wp.uint32(LIQUID))
    wet = liquid != wp.uint32(0)
    burning = (liquid & wp.static(wp.uint32(LAVA))) != wp.uint32(0)
    want = decide(game, rules, w, m)
    jump = bool(False)
    walking = wp.length_sq(want) > 0.0
    if walking and grounded and not wet:
        want, jump = steer(game, rules, w, m, want, height, half)
        walking = wp.length_sq(want) > 0.0
    task = int(game.body_task[w, m])
    if task == wp.static(PURSUE):
        d = game.position[w] - p
        face(game, w, m, flat(d), float(d[1]) + wp.static(AGENT_EYE - EYE))
    elif walking:
        face(game, w, m, want, 0.0)
    v = game.body_velocity[w, m]
    # What stands still is looked after in every fourth tick.
    still = v[0] * v[0] + v[2] * v[2] < wp.float64(9.0e-6) and v[1] <= zero and not walking and not wet and grounded
    if still and (game.tick[w] + m) % 4 != 0:
        return
    speed = rules.body_speed[kind]
    if task == wp.static(PANIC):
        speed = rules.body_panic[kind]
    push = wp.static(AIR_PUSH)
    if grounded and not wet:
        push = speed
    push = 0.98 * push * speed
    v = v + wp.vec3d(wp.float64(want[0] * push), zero, wp.float64(want[1] * push))
    if jump:
        v = wp.vec3d(v[0], wp.float64(wp.static(JUMP)), v[2])
    if wet:
        deep = flags_at(game, rules, w, p, 0.4) & wp.static(wp.uint32(LIQUID))
        if deep != wp.uint32(0) and draw(game.seed[w], game.tick[w], m, wp.static(SWIM)) < 0.8:
            v = v + wp.vec3d(zero, wp.float64(0.04), zero)
    wide = wp.float64(half)
    tall = wp.float64(height)
    arrived, bits = move_box(game, rules, w, p, v, wide, tall, wp.float64(wp.static(STEP)))
    game.body_position[w, m] = arrived
    hit_y = (bits & wp.static(HIT_Y)) != 0
    hit_side = (bits & wp.static(HIT_X | HIT_Z)) != 0
    landed = hit_y and v[1] < zero
    game.body_on_ground[w, m] = wp.where(landed, wp.uint8(1), wp.uint8(0))
    if (bits & wp.static(HIT_X)) != 0:
        v = wp.vec3d(zero, v[1], v[2])
    if (bits & wp.static(HIT_Z)) != 0:
        v = wp.vec3d(v[0], v[1], zero)
    if hit_y:
        v = wp.vec3d(v[0], zero, v[2])
    fallen = game.body_fallen[w, m] + wp.max(float(p[1] - arrived[1]), 0.0)
    if wet:
        fallen = 0.0
        drag = wp.float64(wp.where(burning, wp.static(LAVA_DRAG), wp.static(WATER_DRAG)))
        sink = wp.float64(wp.where(burning, 0.02, 0.005))
        v = wp.vec3d(v[0] * drag, v[1] * drag - sink, v[2] * drag)
        if hit_side:
            # Out of the water onto its edge.
            up = v + wp.vec3d(zero, wp.float64(0.6) + p[1] - arrived[1], zero)
            low = arrived + up - wp.vec3d(wide, zero, wide)
            if box_free(game, rules, w, low, arrived + up + wp.vec3d(wide, tall, wide)):
                v = wp.vec3d(v[0], wp.float64(0.3), v[2])
    else:
        drag = wp.float64(wp.where(grounded, wp.static(GROUND_DRAG), wp.static(AIR_DRAG)))
        sunk = (v[1] - wp.float64(wp.static(GRAVITY))) * wp.float64(wp.static(DRAG))
        v = wp.vec3d(v[0] * drag, sunk, v[2] * drag)
    game.body_velocity[w, m] = v
    game.body_fallen[w, m] = fallen
    if landed:
        game.body_fallen[w, m] = 0.0
        if fallen > wp.static(float(SAFE_FALL)):
            hurt_body(game, rules, w, m, wp.ceil(fallen - wp.static(float(SAFE_FALL))), 0.0, 0.0, False)
    if burning and game.kind[w, m] == wp.uint8(kind):
        hurt_body(game, rules, w, m, wp.static(LAVA_DAMAGE), 0.0, 0.0, False)
