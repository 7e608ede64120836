"""Blows, wounds, arrows that leave the bow and things that fall to the ground: after Minecraft 1.16.

Amounts are half hearts. A push is the horizontal direction in which what is hurt is thrown, of any length; (0, 0) is no
push. Who counts: `hurt` and `charge` of the agent are counted by the agent's own kernels, `body_hurt` by the entities';
`struck`, `shot`, `killed` and `damage` are cleared by whoever begins a tick.
"""

import warp as wp

from trunkline.envs.minecraft.flags import HOE, NO_TOOL, SWORD
from trunkline.envs.minecraft.kernels.random import (
    AGENT,
    LOOT,
    SCATTER,
    SPREAD,
    draw,
    draw_between,
    draw_normal,
)
from trunkline.envs.minecraft.state import (
    ARROW,
    COW,
    FREE,
    ITEM,
    PANIC,
    PURSUE,
    SKELETON,
    SLOTS,
    ZOMBIE,
    Game,
    Rules,
    look_vector,
)

wp.set_module_options({"enable_backward": False, "max_unroll": 0})

IMMUNE = 10  # ticks after a wound
PANIC_TICKS = 100
UNSEEN = 55  # ticks for which a monster pursues an agent that it does not see, having been hurt or lost sight of it
KNOCK_BACK = 0.4  # blocks a tick
SPRINT_KNOCK_BACK = 0.5
PICK_UP_DELAY = 10  # ticks
EYE = 1.62
EYE_SNEAKING = 1.27
BOW_SPEED = 3.0  # blocks a tick at full draw
SPREAD_UNIT = 0.0075  # standard deviation of each component of an arrow's direction, a unit of inaccuracy


@wp.func
def is_mob(kind: int):
    """Whether a kind of entity lives."""
    return kind >= wp.static(COW) and kind <= wp.static(SKELETON)


@wp.func
def knocked(velocity: wp.vec3d, on_ground: bool, strength: float, push_x: float, push_z: float):
    """The velocity after a knock: half of the old one and `strength` along the push, and upwards from the ground."""
    length = wp.sqrt(push_x * push_x + push_z * push_z)
    if length < 1.0e-4:
        return velocity
    half = wp.float64(0.5)
    s = wp.float64(strength)
    up = velocity[1]
    if on_ground:
        up = wp.min(wp.float64(wp.static(KNOCK_BACK)), up * half + s)
    x = velocity[0] * half + s * wp.float64(push_x / length)
    z = velocity[2] * half + s * wp.float64(push_z / length)
    return wp.vec3d(x, up, z)


@wp.func
def free_place(game: Game, w: int):
    """A place for a new entity: the first free one, else that of the oldest drop or arrow; −1 if all are mobs."""
    oldest = int(-1)
    age = int(-1)
    for m in range(game.kind.shape[1]):
        kind = int(game.kind[w, m])
        if kind == wp.static(FREE):
            return m
        if (kind == wp.static(ITEM) or kind == wp.static(ARROW)) and game.body_age[w, m] > age:
            age = game.body_age[w, m]
            oldest = m
    return oldest


@wp.func
def fill_place(game: Game, w: int, m: int, kind: int, position: wp.vec3d, velocity: wp.vec3d):
    """A new entity at a place, everything else at its first value."""
    game.kind[w, m] = wp.uint8(kind)
    game.body_position[w, m] = position
    game.body_velocity[w, m] = velocity
    game.body_yaw[w, m] = 0.0
    game.body_pitch[w, m] = 0.0
    game.body_health[w, m] = 0.0
    game.body_on_ground[w, m] = wp.uint8(0)
    game.body_age[w, m] = 0
    game.body_timer[w, m] = 0
    game.body_hurt[w, m] = 0
    game.body_goal[w, m] = wp.vec2(0.0, 0.0)
    game.body_item[w, m] = wp.int16(0)
    game.body_count[w, m] = wp.int16(0)
    game.body_owner[w, m] = -1
    game.body_task[w, m] = wp.uint8(0)
    game.body_delay[w, m] = 0
    game.body_fallen[w, m] = 0.0


@wp.func
def fill_item(game: Game, w: int, m: int, position: wp.vec3d, item: int, count: int):
    """A drop at a place, which hops a little to a random side."""
    x = 0.2 * draw(game.seed[w], game.tick[w], m, wp.static(SCATTER)) - 0.1
    z = 0.2 * draw(game.seed[w], game.tick[w], m, wp.static(SCATTER + 1)) - 0.1
    fill_place(game, w, m, wp.static(ITEM), position, wp.vec3d(wp.float64(x), wp.float64(0.2), wp.float64(z)))
    game.body_item[w, m] = wp.int16(item)
    game.body_count[w, m] = wp.int16(count)
    game.body_delay[w, m] = wp.static(PICK_UP_DELAY)


@wp.func
def drop_item(game: Game, w: int, position: wp.vec3d, item: int, count: int):
    """Let `count` of an item fall; returns its place, −1 if there is none.

    A caller that throws it sets `body_velocity` and `body_delay` (40 ticks) of that place.
    """
    m = int(-1)
    if item > 0 and count > 0:
        m = free_place(game, w)
        if m >= 0:
            fill_item(game, w, m, position, item, count)
    return m


@wp.func
def die(game: Game, rules: Rules, w: int, m: int):
    """A mob leaves its loot. The last of it may take the mob's own place if there is no other."""
    kind = int(game.kind[w, m])
    position = game.body_position[w, m]
    taken = bool(False)
    for k in range(2):
        low = int(rules.loot_low[kind, k])
        count = draw_between(game.seed[w], game.tick[w], m, wp.static(LOOT) + k, low, int(rules.loot_high[kind, k]))
        item = int(rules.loot[kind, k])
        if item > 0 and count > 0 and not taken:
            place = free_place(game, w)
            if place < 0:
                place = m
                taken = True
            fill_item(game, w, place, position, item, count)
    if not taken:
        game.kind[w, m] = wp.uint8(wp.static(FREE))


@wp.func
def hurt_body(game: Game, rules: Rules, w: int, m: int, amount: float, push_x: float, push_z: float, by_agent: bool):
    """Hurt a mob, unless it was hurt within the last 10 ticks; returns whether it was hurt.

    It is pushed, panics or turns on the agent; at no health it dies and `killed` is set if the agent did it.
    """
    kind = int(game.kind[w, m])
    if not is_mob(kind) or game.body_hurt[w, m] > 0 or amount <= 0.0:
        return False
    health = game.body_health[w, m] - amount
    game.body_health[w, m] = health
    game.body_hurt[w, m] = wp.static(IMMUNE)
    game.body_velocity[w, m] = knocked(
        game.body_velocity[w, m], game.body_on_ground[w, m] != wp.uint8(0), wp.static(KNOCK_BACK), push_x, push_z
    )
    if health <= 0.0:
        if by_agent:
            game.killed[w] = m
        die(game, rules, w, m)
    elif kind == wp.static(ZOMBIE) or kind == wp.static(SKELETON):
        if by_agent:
            game.body_task[w, m] = wp.uint8(wp.static(PURSUE))
            game.body_timer[w, m] = wp.max(game.body_timer[w, m], wp.static(UNSEEN))
    else:
        if game.body_task[w, m] != wp.uint8(wp.static(PANIC)):
            # Its goal is where it stands, so that it looks for a new one at once.
            game.body_goal[w, m] = wp.vec2(float(game.body_position[w, m][0]), float(game.body_position[w, m][2]))
        game.body_task[w, m] = wp.uint8(wp.static(PANIC))
        game.body_timer[w, m] = wp.static(PANIC_TICKS)
    return True


@wp.func
def hurt_agent(game: Game, rules: Rules, w: int, amount: float, push_x: float, push_z: float):
    """Hurt the agent, unless it was hurt within the last 10 ticks or is dead; returns whether it was hurt."""
    if game.hurt[w] > 0 or game.health[w] <= 0.0 or amount <= 0.0:
        return False
    game.health[w] = wp.max(game.health[w] - amount, 0.0)
    game.damage[w] = game.damage[w] + amount
    game.exhaustion[w] = game.exhaustion[w] + 0.1
    game.hurt[w] = wp.static(IMMUNE)
    game.velocity[w] = knocked(
        game.velocity[w], game.on_ground[w] != wp.uint8(0), wp.static(KNOCK_BACK), push_x, push_z
    )
    return True


@wp.func
def wear(game: Game, rules: Rules, w: int, slot: int, uses: int):
    """Take uses off what is in a slot; it breaks at none."""
    item = int(game.item[w, slot])
    if int(rules.item_durability[item]) > 0:
        left = int(game.durability[w, slot]) - uses
        if left <= 0:
            left = 0
            game.item[w, slot] = wp.int16(0)
            game.count[w, slot] = wp.int16(0)
        game.durability[w, slot] = wp.int16(left)


@wp.func
def charged(game: Game, rules: Rules, w: int):
    """How far the agent's next blow is charged, 0 to 1."""
    item = int(game.item[w, 0])
    return wp.clamp((float(game.charge[w]) + 0.5) * rules.item_attack_speed[item] / 20.0, 0.0, 1.0)


@wp.func
def strike(game: Game, rules: Rules, w: int, m: int):
    """The agent's blow at the entity at place m, −1 for a blow at the air; returns whether it hurt.

    Damage d·(0.2 + 0.8·c²) at a charge c; half as much again when falling; further back when sprinting.
    """
    c = charged(game, rules, w)
    game.charge[w] = 0
    if m < 0:
        return False
    item = int(game.item[w, 0])
    amount = rules.item_damage[item] * (0.2 + 0.8 * c * c)
    sprinting = game.sprinting[w] != wp.uint8(0)
    falling = game.fallen[w] > 0.0 and game.on_ground[w] == wp.uint8(0) and game.in_water[w] == wp.uint8(0)
    if c > 0.9 and falling and not sprinting:
        amount = amount * 1.5
    target = game.body_position[w, m]
    own = game.position[w]
    hit = hurt_body(game, rules, w, m, amount, float(target[0] - own[0]), float(target[2] - own[2]), True)
    if hit:
        game.struck[w] = m
        game.exhaustion[w] = game.exhaustion[w] + 0.1
        if rules.item_tool[item] == wp.uint8(wp.static(SWORD)):
            wear(game, rules, w, 0, 1)
        elif rules.item_tool[item] > wp.uint8(wp.static(NO_TOOL)) and rules.item_tool[item] <= wp.uint8(wp.static(HOE)):
            wear(game, rules, w, 0, 2)
        if c > 0.9 and sprinting:
            if game.killed[w] != m:
                gaze = look_vector(game.yaw[w], 0.0)
                ground = game.body_on_ground[w, m] != wp.uint8(0)
                game.body_velocity[w, m] = knocked(
                    game.body_velocity[w, m], ground, wp.static(SPRINT_KNOCK_BACK), gaze[0], gaze[2]
                )
            v = game.velocity[w]
            slower = wp.float64(0.6)
            game.velocity[w] = wp.vec3d(v[0] * slower, v[1], v[2] * slower)
            game.sprinting[w] = wp.uint8(0)
    return hit


@wp.func
def fill_arrow(
    game: Game, w: int, m: int, position: wp.vec3d, direction: wp.vec3, speed: float, inaccuracy: float, owner: int
):
    """An arrow at a place, flying along `direction` (any length) with some spread; `owner` −1 is the agent."""
    d = wp.normalize(direction)
    seed = game.seed[w]
    tick = game.tick[w]
    s = inaccuracy * wp.static(SPREAD_UNIT)
    d = wp.vec3(
        d[0] + s * draw_normal(seed, tick, m, wp.static(SPREAD)),
        d[1] + s * draw_normal(seed, tick, m, wp.static(SPREAD + 2)),
        d[2] + s * draw_normal(seed, tick, m, wp.static(SPREAD + 4)),
    )
    v = wp.vec3d(wp.float64(d[0] * speed), wp.float64(d[1] * speed), wp.float64(d[2] * speed))
    fill_place(game, w, m, wp.static(ARROW), position, v)
    game.body_owner[w, m] = owner
    game.body_yaw[w, m] = wp.degrees(wp.atan2(-d[0], d[2]))
    game.body_pitch[w, m] = -wp.degrees(wp.atan2(d[1], wp.sqrt(d[0] * d[0] + d[2] * d[2])))


@wp.func
def shoot(game: Game, rules: Rules, w: int, draw_ticks: int):
    """Let go of the bow after so many ticks; returns the arrow's place, −1 where none flew.

    It needs an arrow in the inventory and uses it up; its speed is 3·min(1, (t² + 2t)/3), t = draw_ticks/20, and a
    draw that would give less than a tenth of that gives nothing.
    """
    t = float(draw_ticks) / 20.0
    power = wp.min((t * t + 2.0 * t) / 3.0, 1.0)
    slot = int(-1)
    for s in range(wp.static(SLOTS)):
        if slot < 0 and game.item[w, s] == rules.arrow[0] and game.count[w, s] > wp.int16(0):
            slot = s
    if power < 0.1 or slot < 0:
        return -1
    m = free_place(game, w)
    if m < 0:
        return -1
    eye = wp.where(game.sneaking[w] != wp.uint8(0), wp.static(EYE_SNEAKING), wp.static(EYE))
    own = game.position[w]
    start = wp.vec3d(own[0], own[1] + wp.float64(eye - 0.1), own[2])
    gaze = look_vector(game.yaw[w], game.pitch[w])
    fill_arrow(game, w, m, start, gaze, power * wp.static(BOW_SPEED), 1.0, wp.static(AGENT))
    v = game.velocity[w]
    up = wp.where(game.on_ground[w] != wp.uint8(0), wp.float64(0.0), v[1])
    game.body_velocity[w, m] = game.body_velocity[w, m] + wp.vec3d(v[0], up, v[2])
    if power >= 1.0:
        game.body_count[w, m] = wp.int16(1)  # critical
    left = int(game.count[w, slot]) - 1
    game.count[w, slot] = wp.int16(left)
    if left == 0:
        game.item[w, slot] = wp.int16(0)
    wear(game, rules, w, 0, 1)
    return m
