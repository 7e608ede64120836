"""Breaking blocks: Minecraft 1.16's times, drops by tier, and the wear of tools."""

import warp as wp

from trunkline.envs.minecraft.flags import FOLIAGE, NO_TOOL, SHEARS, SHEARS_TOOL, SWORD, TWO_HIGH, UPPER
from trunkline.envs.minecraft.kernels.combat import drop_item, wear
from trunkline.envs.minecraft.kernels.edit import set_block
from trunkline.envs.minecraft.kernels.falling import has, leave_drops, loosen
from trunkline.envs.minecraft.kernels.handbook import Handbook
from trunkline.envs.minecraft.kernels.survival import eyes_in_water
from trunkline.envs.minecraft.state import Game, Rules

wp.set_module_options({"enable_backward": False, "max_unroll": 0})

DIG_DELAY = 5  # ticks between two blocks
DIG_EXHAUSTION = 0.005
_SHEARS_SPEED, _SWORD_SPEED = 15.0, 1.5  # on leaves


@wp.func
def harvests(game: Game, rules: Rules, w: int, state: int):
    """Whether what the agent holds makes a block leave its drops."""
    item = int(game.item[w, 0])
    level = int(rules.harvest[state])
    return level < 0 or (rules.item_tool[item] == rules.tool[state] and int(rules.item_tier[item]) >= level)


@wp.func
def dig_speed(game: Game, rules: Rules, w: int, state: int):
    """The part of a block that one tick digs: speed / hardness / 30, or / 100 with a tool that leaves no drop.

    A fifth of it in the air, and a fifth with the eyes under water. 1 or more breaks at once, 0 never.
    """
    hardness = rules.hardness[state]
    if hardness < 0.0:
        return 0.0
    if hardness == 0.0:
        return 1.0
    item = int(game.item[w, 0])
    tool = rules.item_tool[item]
    speed = float(1.0)
    if tool != wp.uint8(wp.static(NO_TOOL)) and tool == rules.tool[state]:
        speed = rules.item_speed[item]
    if has(rules.flags[state], wp.static(FOLIAGE)):
        if tool == wp.uint8(wp.static(SHEARS_TOOL)):
            speed = wp.static(_SHEARS_SPEED)
        if tool == wp.uint8(wp.static(SWORD)):
            speed = wp.static(_SWORD_SPEED)
    if eyes_in_water(game, rules, w):
        speed = speed / 5.0
    if game.on_ground[w] == wp.uint8(0):
        speed = speed / 5.0
    return speed / hardness / wp.where(harvests(game, rules, w, state), 30.0, 100.0)


@wp.func
def break_block(game: Game, rules: Rules, book: Handbook, w: int, cell: int):
    """The agent breaks a block."""
    state = int(game.blocks[w, cell])
    y = cell % game.ny
    z = (cell / game.ny) % game.nz
    x = cell / (game.ny * game.nz)
    flags = rules.flags[state]
    game.broken[w] = cell
    game.broken_state[w] = wp.uint8(state)
    leaves = harvests(game, rules, w, state)
    item = int(game.item[w, 0])
    shorn = rules.item_tool[item] == wp.uint8(wp.static(SHEARS_TOOL)) and has(flags, wp.static(SHEARS))
    set_block(game, rules, w, x, y, z, 0)
    if has(flags, wp.static(TWO_HIGH)):
        other = wp.where(has(flags, wp.static(UPPER)), y - 1, y + 1)
        set_block(game, rules, w, x, other, z, 0)
        loosen(game, rules, book, w, x, other, z)
    if shorn:
        middle = wp.vec3d(wp.float64(x), wp.float64(y), wp.float64(z)) + wp.vec3d(
            wp.float64(0.5), wp.float64(0.3), wp.float64(0.5)
        )
        drop_item(game, w, middle, int(book.itself[state]), 1)
    elif leaves:
        leave_drops(game, book, w, x, y, z, state)
    loosen(game, rules, book, w, x, y, z)
    game.exhaustion[w] = game.exhaustion[w] + wp.static(DIG_EXHAUSTION)
    if rules.hardness[state] > 0.0:
        wear(game, rules, w, 0, wp.where(rules.item_tool[item] == wp.uint8(wp.static(SWORD)), 2, 1))


@wp.func
def dig(game: Game, rules: Rules, book: Handbook, w: int, cell: int):
    """One tick of digging at a cell; another cell than before begins anew."""
    progress = wp.where(game.dig_cell[w] == cell, game.dig_progress[w], 0.0)
    speed = dig_speed(game, rules, w, int(game.blocks[w, cell]))
    progress = progress + speed
    # A sum of n times 1 / n may be a little less than 1.
    if progress >= 0.9999:
        break_block(game, rules, book, w, cell)
        game.dig_delay[w] = wp.where(speed >= 1.0, 0, wp.static(DIG_DELAY))
        cell = -1
        progress = 0.0
    game.dig_cell[w] = cell
    game.dig_progress[w] = progress
