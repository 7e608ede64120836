"""What the change of a block brings about: what hung on it breaks, sand and gravel above it fall."""

import warp as wp

from trunkline.envs.minecraft.flags import (
    CLIMBABLE,
    DOWN,
    EAST,
    GRAVITY,
    NEEDS_SUPPORT,
    NORTH,
    REPLACEABLE,
    SOLID,
    SOUTH,
    TWO_HIGH,
    UPPER,
    WEST,
)
from trunkline.envs.minecraft.kernels.collision import HIT_Y, cell_of, move_box
from trunkline.envs.minecraft.kernels.combat import drop_item, fill_place, free_place
from trunkline.envs.minecraft.kernels.edit import get_block, set_block
from trunkline.envs.minecraft.kernels.handbook import Handbook
from trunkline.envs.minecraft.kernels.random import draw, draw_between
from trunkline.envs.minecraft.state import FALLING, FREE, Game, Rules, cell_index, inside

wp.set_module_options({"enable_backward": False, "max_unroll": 0})

_CHANCE, _COUNT = 200, 210  # purposes of random draws
_FALL_GRAVITY, _FALL_DRAG = 0.04, 0.98
_HALF, _HEIGHT = 0.49, 0.98  # of a falling block's box
_FOLLOW = 2  # ticks after which what lay on a falling block follows it


@wp.func
def cell_flags(game: Game, rules: Rules, w: int, x: int, y: int, z: int):
    """Bits of a cell's block; SOLID beyond the sides and below, REPLACEABLE above."""
    if inside(game, x, y, z):
        return rules.flags[int(game.blocks[w, cell_index(game, x, y, z)])]
    if get_block(game, w, x, y, z) == 0:
        return wp.static(wp.uint32(REPLACEABLE))
    return wp.static(wp.uint32(SOLID))


@wp.func
def has(flags: wp.uint32, bits: int):
    """Whether any of some bits is set."""
    return (flags & wp.uint32(bits)) != wp.uint32(0)


@wp.func
def beside(x: int, y: int, z: int, face: int):
    """The cell at a face of another."""
    way = wp.where(face % 2 == 0, -1, 1)
    axis = face / 2
    return (
        x + wp.where(axis == 0, way, 0),
        y + wp.where(axis == 1, way, 0),
        z + wp.where(axis == 2, way, 0),
    )


@wp.func
def carrier_face(rules: Rules, state: int):
    """The face at which a block that needs support is held: what hangs on a wall touches it, the rest stands."""
    low = rules.low[state]
    high = rules.high[state]
    face = int(wp.static(DOWN))
    if low[1] > 0.0 or has(rules.flags[state], wp.static(CLIMBABLE)):
        if low[0] == 0.0 and high[0] < 1.0:
            face = wp.static(WEST)
        elif high[0] == 1.0 and low[0] > 0.0:
            face = wp.static(EAST)
        elif low[2] == 0.0 and high[2] < 1.0:
            face = wp.static(NORTH)
        elif high[2] == 1.0 and low[2] > 0.0:
            face = wp.static(SOUTH)
    return face


@wp.func
def leave_drops(game: Game, book: Handbook, w: int, x: int, y: int, z: int, state: int):
    """What a broken block leaves falls to the ground."""
    cell = cell_index(game, x, y, z)
    middle = wp.vec3d(wp.float64(x) + wp.float64(0.5), wp.float64(y) + wp.float64(0.3), wp.float64(z) + wp.float64(0.5))
    seed = game.seed[w]
    tick = game.tick[w]
    luck = draw(seed, tick, cell, wp.static(_CHANCE))
    for k in range(book.drop.shape[1]):
        chance = book.drop_chance[state, k]
        falls = bool(True)
        if chance < 1.0:  # a slice of the one draw
            falls = luck >= 0.0 and luck < chance
            luck = luck - chance
        if falls:
            low = int(book.drop_low[state, k])
            count = draw_between(seed, tick, cell, wp.static(_COUNT) + k, low, int(book.drop_high[state, k]))
            drop_item(game, w, middle, int(book.drop[state, k]), count)


@wp.func
def falls_into(game: Game, rules: Rules, w: int, x: int, y: int, z: int):
    """Whether a falling block can enter a cell."""
    flags = cell_flags(game, rules, w, x, y, z)
    return has(flags, wp.static(REPLACEABLE)) and not has(flags, wp.static(SOLID))


@wp.func
def start_fall(game: Game, rules: Rules, w: int, x: int, y: int, z: int):
    """Let the block in a cell fall if it is of the kind that falls and nothing carries it.

    It becomes an entity; where no place for one is left, it and what lies on it are at the ground at once.
    """
    waits = bool(True)
    gravity = wp.static(GRAVITY)
    while waits and has(cell_flags(game, rules, w, x, y, z), gravity) and falls_into(game, rules, w, x, y - 1, z):
        state = get_block(game, w, x, y, z)
        set_block(game, rules, w, x, y, z, 0)
        m = free_place(game, w)
        if m >= 0:
            foot = wp.vec3d(wp.float64(x) + wp.float64(0.5), wp.float64(y), wp.float64(z) + wp.float64(0.5))
            fill_place(game, w, m, wp.static(FALLING), foot, wp.vec3d())
            game.body_item[w, m] = wp.int16(state)
            waits = False
        else:
            ground = int(y - 1)
            while falls_into(game, rules, w, x, ground - 1, z):
                ground -= 1
            set_block(game, rules, w, x, ground, z, state)
            y += 1


@wp.func
def loosen(game: Game, rules: Rules, book: Handbook, w: int, x: int, y: int, z: int):
    """After a cell has changed: break what it carried, let fall what it held up, and itself."""
    start_fall(game, rules, w, x, y, z)
    if has(cell_flags(game, rules, w, x, y, z), wp.static(SOLID)):
        return
    for face in range(6):
        i, j, k = beside(x, y, z, face)
        hanging = bool(True)
        while hanging:  # what stands on what breaks, breaks too
            flags = cell_flags(game, rules, w, i, j, k)
            state = get_block(game, w, i, j, k)
            hanging = has(flags, wp.static(NEEDS_SUPPORT))
            if hanging:
                held = carrier_face(rules, state)
                hanging = held == wp.where(face % 2 == 0, face + 1, face - 1)
            if hanging:
                set_block(game, rules, w, i, j, k, 0)
                if not (has(flags, wp.static(TWO_HIGH)) and has(flags, wp.static(UPPER))):
                    leave_drops(game, book, w, i, j, k, state)
                if face == 3:
                    j += 1
                else:
                    hanging = False
        if face == 3:
            start_fall(game, rules, w, i, j, k)


@wp.kernel
def fall_blocks(game: Game, rules: Rules, book: Handbook):
    """One tick of every falling block."""
    w = wp.tid()
    if game.active[w] == wp.uint8(0):
        return
    for m in range(game.kind.shape[1]):
        if game.kind[w, m] == wp.uint8(wp.static(FALLING)):
            age = game.body_age[w, m] + 1
            game.body_age[w, m] = age
            p = game.body_position[w, m]
            x = cell_of(p[0])
            z = cell_of(p[2])
            if age == wp.static(_FOLLOW):
                loosen(game, rules, book, w, x, cell_of(p[1] + wp.float64(0.5)), z)
            pull = wp.vec3d(wp.float64(0.0), wp.float64(wp.static(_FALL_GRAVITY)), wp.float64(0.0))
            v = game.body_velocity[w, m] - pull
            place, hit = move_box(
                game,
                rules,
                w,
                p,
                v,
                wp.float64(wp.static(_HALF)),
                wp.float64(wp.static(_HEIGHT)),
                wp.float64(0.0),
            )
            game.body_position[w, m] = place
            game.body_velocity[w, m] = v * wp.float64(wp.static(_FALL_DRAG))
            if (hit & wp.static(HIT_Y)) != 0:
                y = cell_of(place[1] + wp.float64(1.0e-6))
                state = int(game.body_item[w, m])
                game.kind[w, m] = wp.uint8(wp.static(FREE))
                if falls_into(game, rules, w, x, y, z):
                    set_block(game, rules, w, x, y, z, state)
                else:
                    drop_item(game, w, place, int(book.itself[state]), 1)
