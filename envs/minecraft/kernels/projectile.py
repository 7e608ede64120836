"""Straight lines among blocks and bodies, and the arrows that follow them."""

import warp as wp

from trunkline.envs.minecraft.flags import SOLID, WATER
from trunkline.envs.minecraft.kernels.combat import hurt_agent, hurt_body, is_mob
from trunkline.envs.minecraft.kernels.edit import clear_distance
from trunkline.envs.minecraft.kernels.inventory import take_item
from trunkline.envs.minecraft.kernels.random import AGENT, CRITICAL, draw_between
from trunkline.envs.minecraft.state import ARROW, FREE, Game, Rules, cell_index, inside

wp.set_module_options({"enable_backward": False, "max_unroll": 0})

STEPS = 64  # cells that a line passes, at most
STUCK_TICKS = 1200
SHAKE_TICKS = 7  # before a stuck arrow can be picked up
OWNER_TICKS = 5  # in which an arrow does not hit who shot it
MARGIN = 0.3  # by which boxes are larger for arrows
AGENT_HALF, AGENT_HEIGHT, AGENT_SNEAKING = 0.3, 1.8, 1.5


@wp.func
def box_entry(start: wp.vec3d, step: wp.vec3d, low: wp.vec3d, high: wp.vec3d):
    """The fraction of a step at which it enters a box: 0 from within, 2 if it does not."""
    enter = wp.float64(0.0)
    leave = wp.float64(1.0)
    for k in range(3):
        if wp.abs(step[k]) < wp.float64(1.0e-12):
            if start[k] < low[k] or start[k] > high[k]:
                enter = wp.float64(2.0)
        else:
            a = (low[k] - start[k]) / step[k]
            b = (high[k] - start[k]) / step[k]
            enter = wp.max(enter, wp.min(a, b))
            leave = wp.min(leave, wp.max(a, b))
    if enter > leave:
        enter = wp.float64(2.0)
    return enter


@wp.func
def flags_of(game: Game, rules: Rules, w: int, x: int, y: int, z: int):
    """Bits of the block of a cell; none outside the world."""
    bits = wp.uint32(0)
    if inside(game, x, y, z):
        bits = rules.flags[int(game.blocks[w, cell_index(game, x, y, z)])]
    return bits


@wp.func
def flags_at(game: Game, rules: Rules, w: int, place: wp.vec3d, above: float):
    """Bits of the block so far above a point."""
    y = int(wp.floor(place[1] + wp.float64(above)))
    return flags_of(game, rules, w, int(wp.floor(place[0])), y, int(wp.floor(place[2])))


@wp.func
def line_clear(game: Game, rules: Rules, w: int, start: wp.vec3d, step: wp.vec3d):
    """The fraction of a step that is free of solid blocks, 1 for all of it. Empty space is skipped."""
    one = wp.float64(1.0)
    t = wp.float64(0.0)
    longest = wp.max(wp.max(wp.abs(step[0]), wp.abs(step[1])), wp.abs(step[2]))
    if longest < wp.float64(1.0e-9):
        return one
    # What brings a point that lies on the face between two cells into the second.
    nudge = wp.float64(1.0e-7) / longest
    for _ in range(wp.static(STEPS)):
        if t >= one:
            return one
        p = start + t * step
        x = int(wp.floor(p[0]))
        y = int(wp.floor(p[1]))
        z = int(wp.floor(p[2]))
        if x < 0 or z < 0 or x >= game.nx or z >= game.nz:
            return one  # beyond the sides is sky
        if y < 0:
            return wp.max(t - nudge, wp.float64(0.0))
        reach = int(1)
        if y < game.ny:
            cell = cell_index(game, x, y, z)
            state = int(game.blocks[w, cell])
            if state == 0:
                reach = wp.max(clear_distance(game, w, cell), 1)
            elif (rules.flags[state] & wp.static(wp.uint32(SOLID))) != wp.uint32(0):
                corner = wp.vec3d(wp.float64(x), wp.float64(y), wp.float64(z))
                near = corner + wp.vec3d(rules.low[state])
                far = corner + wp.vec3d(rules.high[state])
                hit = box_entry(start, step, near, far)
                if hit <= one:
                    return hit
        # All cells nearer than `reach` are empty: go to the face where the line leaves them.
        leave = wp.float64(1.0e9)
        for k in range(3):
            c = wp.floor(p[k])
            if step[k] > wp.float64(0.0):
                leave = wp.min(leave, (c + wp.float64(reach) - start[k]) / step[k])
            elif step[k] < wp.float64(0.0):
                leave = wp.min(leave, (c - wp.float64(reach - 1) - start[k]) / step[k])
        t = wp.max(leave, t) + nudge
    return one


@wp.func
def sees(game: Game, rules: Rules, w: int, m: int, eye: float, height: float):
    """Whether the eye of a body has a free line to a height of the agent's body."""
    start = game.body_position[w, m] + wp.vec3d(wp.float64(0.0), wp.float64(eye), wp.float64(0.0))
    end = game.position[w] + wp.vec3d(wp.float64(0.0), wp.float64(height), wp.float64(0.0))
    return line_clear(game, rules, w, start, end - start) >= wp.float64(1.0)


@wp.func
def body_entry(rules: Rules, kind: int, feet: wp.vec3d, start: wp.vec3d, step: wp.vec3d):
    """The fraction of an arrow's step at which it hits a body, 2 for not."""
    half = wp.float64(0.5 * rules.body_width[kind] + wp.static(MARGIN))
    up = wp.float64(rules.body_height[kind] + wp.static(MARGIN))
    low = feet - wp.vec3d(half, wp.float64(wp.static(MARGIN)), half)
    return box_entry(start, step, low, feet + wp.vec3d(half, up, half))


@wp.func
def agent_entry(game: Game, w: int, start: wp.vec3d, step: wp.vec3d):
    """The fraction of an arrow's step at which it hits the agent, 2 for not."""
    half = wp.float64(wp.static(AGENT_HALF + MARGIN))
    tall = wp.where(game.sneaking[w] != wp.uint8(0), wp.static(AGENT_SNEAKING), wp.static(AGENT_HEIGHT))
    low = game.position[w] - wp.vec3d(half, wp.float64(wp.static(MARGIN)), half)
    return box_entry(start, step, low, game.position[w] + wp.vec3d(half, wp.float64(tall + wp.static(MARGIN)), half))


@wp.func
def near_agent(game: Game, rules: Rules, w: int, m: int):
    """Whether an entity lies where the agent picks it up: in its box, a block wider and half a block higher."""
    kind = int(game.kind[w, m])
    reach = wp.float64(0.5 * rules.body_width[kind] + wp.static(AGENT_HALF + 1.0))
    d = game.body_position[w, m] - game.position[w]
    low = wp.float64(-0.5 - rules.body_height[kind])
    return (
        game.health[w] > 0.0
        and wp.abs(d[0]) < reach
        and wp.abs(d[2]) < reach
        and d[1] > low
        and d[1] < wp.float64(wp.static(AGENT_HEIGHT + 0.5))
    )


@wp.func
def turn_along(game: Game, w: int, m: int, v: wp.vec3d):
    """Point an arrow along its flight."""
    x = float(v[0])
    y = float(v[1])
    z = float(v[2])
    game.body_yaw[w, m] = wp.degrees(wp.atan2(-x, z))
    game.body_pitch[w, m] = -wp.degrees(wp.atan2(y, wp.sqrt(x * x + z * z)))


@wp.func
def rest_arrow(game: Game, rules: Rules, w: int, m: int):
    """A stuck arrow: falls when its block goes, is picked up, and is gone after a minute."""
    stuck = game.body_timer[w, m] + 1
    game.body_timer[w, m] = stuck
    v = game.body_velocity[w, m]  # kept as the direction in which it sticks, of length 0.1
    if line_clear(game, rules, w, game.body_position[w, m], v) >= wp.float64(1.0):
        game.body_on_ground[w, m] = wp.uint8(0)
        game.body_velocity[w, m] = wp.vec3d()
    elif stuck >= wp.static(STUCK_TICKS) or (
        stuck > wp.static(SHAKE_TICKS)
        and game.body_owner[w, m] == wp.static(AGENT)
        and near_agent(game, rules, w, m)
        and take_item(game, rules, w, int(rules.arrow[0]), 1, 0) == 0
    ):
        game.kind[w, m] = wp.uint8(wp.static(FREE))


@wp.func
def hit_by_arrow(game: Game, rules: Rules, w: int, m: int, target: int, v: wp.vec3d):
    """An arrow has met a mob, or the agent if `target` is −1: ceil(2·speed), more if critical; then it is gone."""
    owner = game.body_owner[w, m]
    amount = int(wp.ceil(float(wp.length(v)) * 2.0))
    if game.body_count[w, m] != wp.int16(0):
        amount += draw_between(game.seed[w], game.tick[w], m, wp.static(CRITICAL), 0, amount / 2 + 1)
    # Its place is free before the loot looks for one.
    game.kind[w, m] = wp.uint8(wp.static(FREE))
    hurt = bool(False)
    if target == wp.static(AGENT):
        hurt = hurt_agent(game, rules, w, float(amount), float(v[0]), float(v[2]))
    else:
        by_agent = owner == wp.static(AGENT)
        hurt = hurt_body(game, rules, w, target, float(amount), float(v[0]), float(v[2]), by_agent)
        if hurt and by_agent:
            game.shot[w] = target
    if not hurt:
        game.kind[w, m] = wp.uint8(wp.static(ARROW))
        game.body_velocity[w, m] = v * wp.float64(-0.1)
    return hurt


@wp.func
def fly_arrow(game: Game, rules: Rules, w: int, m: int):
    """One tick of a flying arrow: p' = p + v, v' = 0.99·v − (0, 0.05, 0), 0.6·v in water."""
    p = game.body_position[w, m]
    v = game.body_velocity[w, m]
    drag = wp.float64(0.99)
    if (flags_at(game, rules, w, p, 0.0) & wp.static(wp.uint32(WATER))) != wp.uint32(0):
        drag = wp.float64(0.6)
    free = line_clear(game, rules, w, p, v)
    nearest = free
    target = int(-2)
    owner = game.body_owner[w, m]
    young = game.body_age[w, m] < wp.static(OWNER_TICKS)
    for k in range(game.kind.shape[1]):
        kind = int(game.kind[w, k])
        if is_mob(kind) and not (young and k == owner):
            entry = body_entry(rules, kind, game.body_position[w, k], p, v)
            if entry < nearest:
                nearest = entry
                target = k
    if game.health[w] > 0.0 and not (young and owner == wp.static(AGENT)):
        entry = agent_entry(game, w, p, v)
        if entry < nearest:
            nearest = entry
            target = wp.static(AGENT)
    if target != -2:
        if hit_by_arrow(game, rules, w, m, target, v):
            return
        v = game.body_velocity[w, m]
        free = wp.float64(1.0)
        if line_clear(game, rules, w, p, v) < free:
            v = wp.vec3d()
    if free < wp.float64(1.0):
        along = wp.normalize(v)
        game.body_position[w, m] = p + free * v - wp.float64(0.05) * along
        game.body_velocity[w, m] = wp.float64(0.1) * along
        game.body_on_ground[w, m] = wp.uint8(1)
        game.body_timer[w, m] = 0
        game.body_count[w, m] = wp.int16(0)
    else:
        p = p + v
        game.body_position[w, m] = p
        v = v * drag - wp.vec3d(wp.float64(0.0), wp.float64(0.05), wp.float64(0.0))
        game.body_velocity[w, m] = v
        outside = p[0] < wp.float64(0.0) or p[0] >= wp.float64(game.nx) or p[2] < wp.float64(0.0)
        if outside or p[2] >= wp.float64(game.nz) or game.body_age[w, m] >= wp.static(STUCK_TICKS):
            game.kind[w, m] = wp.uint8(wp.static(FREE))
    turn_along(game, w, m, game.body_velocity[w, m])


@wp.func
def tick_arrow(game: Game, rules: Rules, w: int, m: int):
    """One tick of an arrow."""
    if game.body_on_ground[w, m] != wp.uint8(0):
        rest_arrow(game, rules, w, m)
    else:
        fly_arrow(game, rules, w, m)
