"""Placing blocks on the face that the agent looks at, and using what is there."""

import warp as wp

from trunkline.envs.minecraft.flags import NEEDS_SUPPORT, NO_INTERACTION, REPLACEABLE, SOLID, TWO_HIGH, UPPER
from trunkline.envs.minecraft.handbook import CACTUS, CANE
from trunkline.envs.minecraft.kernels.combat import is_mob
from trunkline.envs.minecraft.kernels.edit import get_block, set_block
from trunkline.envs.minecraft.kernels.falling import beside, carrier_face, cell_flags, has, start_fall
from trunkline.envs.minecraft.kernels.handbook import Handbook
from trunkline.envs.minecraft.state import Game, Rules, cell_index, inside

wp.set_module_options({"enable_backward": False, "max_unroll": 0})

_BODY_HALF, _BODY_HEIGHT = 0.3, 1.8
_UP = 3


@wp.func
def overlaps(low: wp.vec3d, high: wp.vec3d, feet: wp.vec3d, half: wp.float64, height: wp.float64):
    """Whether a box overlaps a body by more than rounding."""
    gap = wp.float64(1.0e-7)
    return (
        feet[0] + half > low[0] + gap
        and feet[0] - half < high[0] - gap
        and feet[1] + height > low[1] + gap
        and feet[1] < high[1] - gap
        and feet[2] + half > low[2] + gap
        and feet[2] - half < high[2] - gap
    )


@wp.func
def bodies_in(game: Game, rules: Rules, w: int, x: int, y: int, z: int, state: int):
    """Whether the agent or a mob is where a block is to be."""
    if not has(rules.flags[state], wp.static(SOLID)):
        return False
    corner = wp.vec3d(wp.float64(x), wp.float64(y), wp.float64(z))
    low = corner + wp.vec3d(rules.low[state])
    high = corner + wp.vec3d(rules.high[state])
    half = wp.float64(wp.static(_BODY_HALF))
    if overlaps(low, high, game.position[w], half, wp.float64(wp.static(_BODY_HEIGHT))):
        return True
    for m in range(game.kind.shape[1]):
        kind = int(game.kind[w, m])
        if is_mob(kind):
            half = wp.float64(0.5 * rules.body_width[kind])
            if overlaps(low, high, game.body_position[w, m], half, wp.float64(rules.body_height[kind])):
                return True
    return False


@wp.func
def can_hold(game: Game, rules: Rules, book: Handbook, w: int, x: int, y: int, z: int, state: int):
    """Whether a block that needs support has it in a cell: something solid, or the soil that a plant grows on."""
    if not has(rules.flags[state], wp.static(NEEDS_SUPPORT)):
        return True
    i, j, k = beside(x, y, z, carrier_face(rules, state))
    below = cell_flags(game, rules, w, i, j, k)
    wants = book.soil[state]
    if wants != wp.uint8(0) and inside(game, i, j, k):
        if has(below, wp.static(NEEDS_SUPPORT)):  # a plant
            wants = wants & wp.uint8(wp.static(CANE | CACTUS))
        return (wants & book.soil[get_block(game, w, i, j, k)]) != wp.uint8(0)
    return has(below, wp.static(SOLID))


@wp.func
def place(game: Game, rules: Rules, book: Handbook, w: int, slot: int, cell: int, face: int):
    """Place what a slot holds at the face of a cell that is looked at, or in a cell of grass itself.

    Nothing happens where there is a block or a body, or where it would not hold; returns whether it was placed.
    """
    item = int(game.item[w, slot])
    if cell < 0 or game.count[w, slot] <= wp.int16(0) or rules.item_places[item] == wp.uint8(0):
        return False
    direction = int(wp.floor(game.yaw[w] / 90.0 + 0.5)) & 3
    y = cell % game.ny
    z = (cell / game.ny) % game.nz
    x = cell / (game.ny * game.nz)
    seen = int(game.blocks[w, cell])
    state = int(0)
    if book.itself[seen] == wp.int16(item) and book.doubled[seen] != wp.uint8(0) and face == wp.static(_UP):
        state = int(book.doubled[seen])
    else:
        if has(rules.flags[seen], wp.static(REPLACEABLE)):
            face = wp.static(_UP)
        else:
            x, y, z = beside(x, y, z, face)
        if not inside(game, x, y, z):
            return False
        there = int(game.blocks[w, cell_index(game, x, y, z)])
        state = int(book.placing[item, face * 4 + direction])
        if book.itself[there] == wp.int16(item) and book.doubled[there] != wp.uint8(0):
            state = int(book.doubled[there])
        elif not has(rules.flags[there], wp.static(REPLACEABLE)):
            return False
    if state == 0 or bodies_in(game, rules, w, x, y, z, state) or not can_hold(game, rules, book, w, x, y, z, state):
        return False
    upper = int(book.upper[state])
    if upper != 0:
        above = y + 1 < game.ny and has(cell_flags(game, rules, w, x, y + 1, z), wp.static(REPLACEABLE))
        if not above or bodies_in(game, rules, w, x, y + 1, z, upper):
            return False
        set_block(game, rules, w, x, y + 1, z, upper)
    set_block(game, rules, w, x, y, z, state)
    left = game.count[w, slot] - wp.int16(1)
    game.count[w, slot] = left
    if left == wp.int16(0):
        game.item[w, slot] = wp.int16(0)
    game.placed[w] = cell_index(game, x, y, z)
    start_fall(game, rules, w, x, y, z)
    return True


@wp.func
def interact(game: Game, rules: Rules, w: int, cell: int):
    """Use a block: doors and levers change, chests, tables and furnaces note it; returns whether it can be used."""
    state = int(game.blocks[w, cell])
    if rules.interact[state] == wp.uint8(wp.static(NO_INTERACTION)):
        return False
    game.used[w] = cell
    toggled = int(rules.toggle[state])
    if toggled != state:
        y = cell % game.ny
        z = (cell / game.ny) % game.nz
        x = cell / (game.ny * game.nz)
        set_block(game, rules, w, x, y, z, toggled)
        flags = rules.flags[state]
        if has(flags, wp.static(TWO_HIGH)):
            other = wp.where(has(flags, wp.static(UPPER)), y - 1, y + 1)
            half = get_block(game, w, x, other, z)
            if has(cell_flags(game, rules, w, x, other, z), wp.static(TWO_HIGH)):
                set_block(game, rules, w, x, other, z, int(rules.toggle[half]))
    return True
