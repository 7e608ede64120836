"""One tick of all entities of all worlds: mobs, arrows, drops. Falling blocks have kernels of their own.

The order within a world is that of the places, so that a world's course does not depend on its place in a batch.
"""

import warp as wp

from trunkline.envs.minecraft.flags import LAVA, WATER
from trunkline.envs.minecraft.kernels.collision import HIT_X, HIT_Y, HIT_Z, move_box
from trunkline.envs.minecraft.kernels.combat import is_mob
from trunkline.envs.minecraft.kernels.inventory import take_item
from trunkline.envs.minecraft.kernels.mob import tick_mob
from trunkline.envs.minecraft.kernels.projectile import flags_at, near_agent, tick_arrow
from trunkline.envs.minecraft.modules import inline_all
from trunkline.envs.minecraft.state import ARROW, FREE, ITEM, Game, Rules

inline_all(__name__)

GRAVITY, DRAG = 0.04, 0.98
GROUND_DRAG = 0.6 * 0.98
HALF, HEIGHT = 0.125, 0.25
LIFE = 6000  # ticks
MERGE_EVERY = 10  # ticks
MERGE_REACH, MERGE_HEIGHT = 0.75, 0.25


@wp.func
def merge_item(game: Game, rules: Rules, w: int, m: int):
    """A drop takes in what lies near it and is the same; the younger of the two ages stays."""
    here = game.body_position[w, m]
    item = game.body_item[w, m]
    stack = int(rules.item_stack[int(item)])
    for k in range(game.kind.shape[1]):
        if k != m and game.kind[w, k] == wp.uint8(wp.static(ITEM)) and game.body_item[w, k] == item:
            d = game.body_position[w, k] - here
            reach = wp.float64(wp.static(MERGE_REACH))
            near = wp.abs(d[0]) < reach and wp.abs(d[2]) < reach and wp.abs(d[1]) < wp.float64(wp.static(MERGE_HEIGHT))
            both = int(game.body_count[w, m]) + int(game.body_count[w, k])
            if near and both <= stack:
                game.body_count[w, m] = wp.int16(both)
                game.body_age[w, m] = wp.min(game.body_age[w, m], game.body_age[w, k])
                game.body_delay[w, m] = wp.max(game.body_delay[w, m], game.body_delay[w, k])
                game.kind[w, k] = wp.uint8(wp.static(FREE))


@wp.func
def move_item(game: Game, rules: Rules, w: int, m: int):
    """A drop falls, floats, slides and bounces."""
    zero = wp.float64(0.0)
    p = game.body_position[w, m]
    v = game.body_velocity[w, m]
    bits = flags_at(game, rules, w, p, 0.1)
    if (bits & wp.static(wp.uint32(WATER))) != wp.uint32(0):
        slow = wp.float64(0.99)
        rise = wp.where(v[1] < wp.float64(0.06), wp.float64(5.0e-4), zero)
        v = wp.vec3d(v[0] * slow, v[1] + rise, v[2] * slow)
    else:
        v = v - wp.vec3d(zero, wp.float64(wp.static(GRAVITY)), zero)
    half = wp.float64(wp.static(HALF))
    arrived, hit = move_box(game, rules, w, p, v, half, wp.float64(wp.static(HEIGHT)), zero)
    landed = (hit & wp.static(HIT_Y)) != 0 and v[1] < zero
    drag = wp.float64(wp.where(landed, wp.static(GROUND_DRAG), wp.static(DRAG)))
    x = wp.where((hit & wp.static(HIT_X)) != 0, zero, v[0])
    y = wp.where((hit & wp.static(HIT_Y)) != 0, zero, v[1])
    z = wp.where((hit & wp.static(HIT_Z)) != 0, zero, v[2])
    game.body_position[w, m] = arrived
    game.body_velocity[w, m] = wp.vec3d(x * drag, y * wp.float64(wp.static(DRAG)), z * drag)
    game.body_on_ground[w, m] = wp.where(landed, wp.uint8(1), wp.uint8(0))
    if (bits & wp.static(wp.uint32(LAVA))) != wp.uint32(0):
        game.kind[w, m] = wp.uint8(wp.static(FREE))


@wp.func
def tick_item(game: Game, rules: Rules, w: int, m: int):
    """One tick of a drop."""
    game.body_delay[w, m] = wp.max(game.body_delay[w, m] - 1, 0)
    v = game.body_velocity[w, m]
    lies = game.body_on_ground[w, m] != wp.uint8(0) and v[0] * v[0] + v[2] * v[2] < wp.float64(1.0e-5)
    # What lies is looked after in every fourth tick.
    if not lies or (game.body_age[w, m] + m) % 4 == 0:
        move_item(game, rules, w, m)
    if game.body_age[w, m] >= wp.static(LIFE):
        game.kind[w, m] = wp.uint8(wp.static(FREE))
    if game.kind[w, m] == wp.uint8(wp.static(ITEM)):
        if game.body_age[w, m] % wp.static(MERGE_EVERY) == 0:
            merge_item(game, rules, w, m)
        if game.body_delay[w, m] == 0 and near_agent(game, rules, w, m):
            count = int(game.body_count[w, m])
            left = take_item(game, rules, w, int(game.body_item[w, m]), count, game.body_timer[w, m])
            game.body_count[w, m] = wp.int16(left)
            if left == 0:
                game.kind[w, m] = wp.uint8(wp.static(FREE))


@wp.kernel
def tick_entities(game: Game, rules: Rules):
    """One tick of what lives, flies and lies in a world; one thread a world."""
    w = wp.tid()
    if game.active[w] == wp.uint8(0):
        return
    for m in range(game.kind.shape[1]):
        kind = int(game.kind[w, m])
        if kind != wp.static(FREE):
            if is_mob(kind):
                game.body_age[w, m] = game.body_age[w, m] + 1
                tick_mob(game, rules, w, m)
            elif kind == wp.static(ARROW):
                tick_arrow(game, rules, w, m)
                game.body_age[w, m] = game.body_age[w, m] + 1
            elif kind == wp.static(ITEM):
                tick_item(game, rules, w, m)
                game.body_age[w, m] = game.body_age[w, m] + 1
