"""What the agent does with its head and hands in a tick: MineDojo's action, held keys and all.

It acts before its body moves, on what it was shown last, turned by this tick's `turn`: so it is in Minecraft.
"""

import warp as wp

from trunkline.envs.minecraft.flags import BOW
from trunkline.envs.minecraft.kernels.combat import charged, drop_item, shoot, strike
from trunkline.envs.minecraft.kernels.craft import craft, take_from
from trunkline.envs.minecraft.kernels.dig import dig
from trunkline.envs.minecraft.kernels.handbook import Handbook
from trunkline.envs.minecraft.kernels.pick import eye_of, pick
from trunkline.envs.minecraft.kernels.place import interact, place
from trunkline.envs.minecraft.kernels.survival import FULL_FOOD
from trunkline.envs.minecraft.state import (
    ATTACK,
    CRAFT,
    CRAFTING,
    DESTROY,
    DROP,
    EQUIP,
    FUNCTION,
    NOTHING,
    PLACE,
    SLOT,
    SLOTS,
    USE,
    Game,
    Rules,
    look_vector,
)

wp.set_module_options({"enable_backward": False, "max_unroll": 0})

USE_DELAY = 4  # ticks between two uses while the key is held
EATING_TICKS = 32
DAY = 24000  # ticks
THROW_SPEED = 0.3
THROWN_DELAY = 40  # ticks before what was thrown can be picked up
_LONG = 100  # ticks of charge, more than any weapon needs


@wp.func
def begin(game: Game, w: int):
    """A new tick: nothing has happened yet, and all delays are shorter."""
    game.tick[w] = game.tick[w] + 1
    game.day[w] = (game.day[w] + 1) % wp.static(DAY)
    game.broken[w] = -1
    game.broken_state[w] = wp.uint8(0)
    game.placed[w] = -1
    game.used[w] = -1
    game.struck[w] = -1
    game.shot[w] = -1
    game.killed[w] = -1
    game.damage[w] = 0.0
    game.hurt[w] = wp.max(game.hurt[w] - 1, 0)
    game.charge[w] = wp.min(game.charge[w] + 1, wp.static(_LONG))
    game.use_delay[w] = wp.max(game.use_delay[w] - 1, 0)


@wp.func
def turn_head(game: Game, w: int):
    """Turn by the degrees that are asked for: pitch within ±90, yaw within [−180, 180)."""
    game.pitch[w] = wp.clamp(game.pitch[w] + game.turn[w, 0], -90.0, 90.0)
    yaw = game.yaw[w] + game.turn[w, 1]
    game.yaw[w] = yaw - 360.0 * wp.floor((yaw + 180.0) / 360.0)


@wp.func
def attack(game: Game, rules: Rules, book: Handbook, w: int, cell: int, body: int, pressed: bool, waits: bool):
    """Strike the mob that is looked at, or dig. A held key strikes again whenever the blow is fully charged."""
    target = int(-1)
    if body >= 0:
        if pressed or charged(game, rules, w) >= 1.0:
            strike(game, rules, w, body)
    elif cell >= 0:
        target = cell
        if not waits:
            dig(game, rules, book, w, cell)
    elif pressed:
        strike(game, rules, w, -1)
    if target < 0:
        game.dig_cell[w] = -1
        game.dig_progress[w] = 0.0


@wp.func
def finish_meal(game: Game, rules: Rules, w: int):
    """Eat what is in the hand."""
    item = int(game.item[w, 0])
    food = wp.min(game.food[w] + int(rules.item_food[item]), wp.static(FULL_FOOD))
    game.food[w] = food
    game.saturation[w] = wp.min(game.saturation[w] + rules.item_saturation[item], float(food))
    game.eating[w] = 0
    take_from(game, w, 0, 1)


@wp.func
def use(game: Game, rules: Rules, book: Handbook, w: int, cell: int, face: int, body: int, pressed: bool):
    """Use the block that is looked at, else place, eat or draw what is in the hand."""
    item = int(game.item[w, 0])
    if game.draw[w] > 0:
        game.draw[w] = game.draw[w] + 1
        return
    if game.eating[w] > 0:
        game.eating[w] = game.eating[w] + 1
        if game.eating[w] >= wp.static(EATING_TICKS):
            finish_meal(game, rules, w)
        return
    if not pressed and game.use_delay[w] > 0:
        return
    game.use_delay[w] = wp.static(USE_DELAY)
    if cell >= 0 and body < 0:
        # Who sneaks with something in the hand wants to place it.
        if (game.sneaking[w] == wp.uint8(0) or item == 0) and interact(game, rules, w, cell):
            return
        if place(game, rules, book, w, 0, cell, face):
            return
    if rules.item_food[item] > wp.int16(0) and game.food[w] < wp.static(FULL_FOOD):
        game.eating[w] = 1
    elif rules.item_tool[item] == wp.uint8(wp.static(BOW)):
        for slot in range(wp.static(SLOTS)):
            if game.item[w, slot] == rules.arrow[0] and game.count[w, slot] > wp.int16(0):
                game.draw[w] = 1


@wp.func
def throw(game: Game, w: int):
    """Throw one piece of what is in the hand."""
    item = int(game.item[w, 0])
    if item == 0 or take_from(game, w, 0, 1) == 0:
        return
    down = wp.vec3d(wp.float64(0.0), wp.float64(-0.3), wp.float64(0.0))
    m = drop_item(game, w, eye_of(game, w) + down, item, 1)
    if m >= 0:
        gaze = wp.vec3d(look_vector(game.yaw[w], game.pitch[w]))
        up = wp.vec3d(wp.float64(0.0), wp.float64(0.1), wp.float64(0.0))
        game.body_velocity[w, m] = gaze * wp.float64(wp.static(THROW_SPEED)) + up
        game.body_delay[w, m] = wp.static(THROWN_DELAY)


@wp.func
def swap(game: Game, w: int, slot: int):
    """Exchange what is in the hand with what is in a slot."""
    item = game.item[w, 0]
    count = game.count[w, 0]
    durability = game.durability[w, 0]
    game.item[w, 0] = game.item[w, slot]
    game.count[w, 0] = game.count[w, slot]
    game.durability[w, 0] = game.durability[w, slot]
    game.item[w, slot] = item
    game.count[w, slot] = count
    game.durability[w, slot] = durability
    game.charge[w] = 0  # a new thing in the hand is not charged


@wp.kernel
def act(game: Game, rules: Rules, book: Handbook):
    """The first part of a tick of every world: time goes on, heads turn, hands do what they are told."""
    w = wp.tid()
    if game.active[w] == wp.uint8(0):
        return
    begin(game, w)
    waits = game.dig_delay[w] > 0
    game.dig_delay[w] = wp.max(game.dig_delay[w] - 1, 0)
    function = int(wp.static(NOTHING))
    if game.health[w] > 0.0:
        turn_head(game, w)
        function = game.control[w, wp.static(FUNCTION)]
    slot = game.control[w, wp.static(SLOT)]
    pressed = function != game.held[w]
    game.held[w] = function
    if function != wp.static(ATTACK):
        game.dig_cell[w] = -1
        game.dig_progress[w] = 0.0
    if function != wp.static(USE):
        if game.draw[w] > 0 and game.health[w] > 0.0:
            shoot(game, rules, w, game.draw[w])
        game.draw[w] = 0
        game.eating[w] = 0
    if function == wp.static(ATTACK) or function == wp.static(USE) or function == wp.static(PLACE):
        cell, face, body, distance = pick(game, rules, w)
        if function == wp.static(ATTACK):
            attack(game, rules, book, w, cell, body, pressed, waits)
        elif function == wp.static(USE):
            use(game, rules, book, w, cell, face, body, pressed)
        elif body < 0:
            place(game, rules, book, w, slot, cell, face)
    elif function == wp.static(DROP):
        throw(game, w)
    elif function == wp.static(EQUIP):
        swap(game, w, slot)
    elif function == wp.static(DESTROY):
        take_from(game, w, slot, int(game.count[w, slot]))
    elif function == wp.static(CRAFTING):
        craft(game, rules, book, w, game.control[w, wp.static(CRAFT)])
