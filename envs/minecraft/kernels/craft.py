"""Crafting and smelting out of the inventory: MineDojo's 244 things, where our recipes know them."""

import warp as wp

from trunkline.envs.minecraft.flags import CRAFTING_TABLE, FURNACE
from trunkline.envs.minecraft.kernels.collision import cell_of
from trunkline.envs.minecraft.kernels.combat import drop_item
from trunkline.envs.minecraft.kernels.handbook import Handbook
from trunkline.envs.minecraft.kernels.inventory import take_item
from trunkline.envs.minecraft.kernels.pick import REACH, eye_of
from trunkline.envs.minecraft.state import SLOTS, Game, Rules, cell_index, inside

wp.set_module_options({"enable_backward": False, "max_unroll": 0})

_CELLS = 5  # around the eye, that its reach can touch
_HAND, _TABLE = 0, 1  # numbers of `recipes.STATIONS`


@wp.func
def station_near(game: Game, rules: Rules, w: int, station: int):
    """Whether a station of a recipe is within reach: the nearest point of its cell, from the eye."""
    if station == wp.static(_HAND):
        return True
    wanted = wp.where(station == wp.static(_TABLE), wp.static(CRAFTING_TABLE), wp.static(FURNACE))
    eye = eye_of(game, w)
    reach = wp.float64(wp.static(REACH))
    around = wp.static(_CELLS)
    for x in range(cell_of(eye[0]) - around, cell_of(eye[0]) + around + 1):
        for z in range(cell_of(eye[2]) - around, cell_of(eye[2]) + around + 1):
            for y in range(cell_of(eye[1]) - around, cell_of(eye[1]) + around + 1):
                if inside(game, x, y, z):
                    state = int(game.blocks[w, cell_index(game, x, y, z)])
                    if int(rules.interact[state]) == wanted:
                        low = wp.vec3d(wp.float64(x), wp.float64(y), wp.float64(z))
                        one = wp.float64(1.0)
                        near = wp.vec3d(
                            wp.clamp(eye[0], low[0], low[0] + one),
                            wp.clamp(eye[1], low[1], low[1] + one),
                            wp.clamp(eye[2], low[2], low[2] + one),
                        )
                        if wp.length(near - eye) <= reach:
                            return True
    return False


@wp.func
def is_needed(book: Handbook, r: int, k: int, item: int):
    """Whether an item does for an ingredient of a recipe."""
    needed = bool(False)
    for g in range(book.need.shape[2]):
        if item > 0 and int(book.need[r, k, g]) == item:
            needed = True
    return needed


@wp.func
def in_stock(game: Game, book: Handbook, w: int, r: int):
    """Whether the inventory holds all ingredients of a recipe."""
    for k in range(book.need_count.shape[1]):
        missing = int(book.need_count[r, k])
        for slot in range(wp.static(SLOTS)):
            if missing > 0 and is_needed(book, r, k, int(game.item[w, slot])):
                missing -= int(game.count[w, slot])
        if missing > 0:
            return False
    return True


@wp.func
def take_from(game: Game, w: int, slot: int, most: int):
    """Take up to `most` pieces out of a slot; returns how many."""
    taken = wp.min(int(game.count[w, slot]), most)
    left = int(game.count[w, slot]) - taken
    game.count[w, slot] = wp.int16(left)
    if left == 0:
        game.item[w, slot] = wp.int16(0)
        game.durability[w, slot] = wp.int16(0)
    return taken


@wp.func
def fuel_value(game: Game, book: Handbook, w: int, r: int, slot: int):
    """Pieces that one piece in a slot smelts; 0 where it is no fuel, or is what shall be smelted."""
    item = int(game.item[w, slot])
    if item == 0 or is_needed(book, r, 0, item):
        return 0.0
    return book.fuel[item]


@wp.func
def heated(game: Game, book: Handbook, w: int, r: int):
    """Burn fuel until the furnace can smelt one piece; returns whether it can. Nothing is burnt where it cannot."""
    heat = game.heat[w]
    reserve = heat
    for slot in range(wp.static(SLOTS)):
        reserve = reserve + fuel_value(game, book, w, r, slot) * float(game.count[w, slot])
    if reserve < 1.0:
        return False
    for slot in range(wp.static(SLOTS)):
        value = fuel_value(game, book, w, r, slot)
        while heat < 1.0 and value > 0.0 and game.count[w, slot] > wp.int16(0):
            heat = heat + value * float(take_from(game, w, slot, 1))
    game.heat[w] = heat - 1.0
    return True


@wp.func
def craft(game: Game, rules: Rules, book: Handbook, w: int, entry: int):
    """Make an entry of the craft list by the first of its recipes that can be followed; returns whether it was made."""
    for r in range(book.first[entry], book.first[entry + 1]):
        station = int(book.station[r])
        if in_stock(game, book, w, r) and station_near(game, rules, w, station):
            can = bool(True)
            if station > wp.static(_TABLE):
                can = heated(game, book, w, r)
            if can:
                for k in range(book.need_count.shape[1]):
                    missing = int(book.need_count[r, k])
                    for slot in range(wp.static(SLOTS)):
                        if missing > 0 and is_needed(book, r, k, int(game.item[w, slot])):
                            missing -= take_from(game, w, slot, missing)
                left = take_item(game, rules, w, int(book.made[r]), int(book.made_count[r]), 0)
                if left > 0:
                    drop_item(game, w, game.position[w], int(book.made[r]), left)
                return True
    return False
