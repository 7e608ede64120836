"""Which of MineDojo's actions would do something now, and what the last one changed in the inventory."""

import functools
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from trunkline.envs.minecraft.blocks import block_states
from trunkline.envs.minecraft.dojo.game import Game, stack_counts
from trunkline.envs.minecraft.dojo.names import item_names
from trunkline.envs.minecraft.dojo.spaces import DECREASED, INCREASED
from trunkline.envs.minecraft.items import items
from trunkline.envs.minecraft.recipes import STATIONS, craft_list, fuels, recipe_tables

REACH = 4.5  # blocks from the eye, of a crafting table and a furnace
_CELLS = 5
_WITH_ARGUMENT = (False, False, False, False, True, True, True, True)  # craft, equip, place, destroy
NO_OP, USE, DROP, ATTACK, CRAFT, EQUIP, PLACE, DESTROY = range(8)


@functools.cache
def _stations() -> np.ndarray:
    """(256,) what a block is for: 1 a crafting table, 2 a furnace."""
    kinds = np.zeros(256, np.int8)
    for state in block_states():
        kinds[state.number] = {"crafting_table": 1, "furnace": 2}.get(state.interact, 0)
    return kinds


def nearby_tools(game: Game) -> dict[str, np.ndarray]:
    """Whether the agent reaches a crafting table, and a furnace."""
    eye = game.eye
    low = np.floor(eye).astype(np.int64) - _CELLS
    kinds = _stations()[game.grid(low.tolist(), (low + 2 * _CELLS).tolist())]
    found = np.argwhere(kinds > 0)
    corner = low + found
    near = np.linalg.norm(np.clip(eye, corner, corner + 1) - eye, axis=1) <= REACH
    there = set(kinds[tuple(found[near].T)].tolist())
    return {"table": np.array(1 in there), "furnace": np.array(2 in there)}


@functools.cache
def _fuel_values() -> np.ndarray:
    """(I,) pieces that one piece of an item smelts."""
    values = np.zeros(len(items()))
    for number, value in fuels().items():
        values[number] = value
    return values


def craft_mask(game: Game, tools: Mapping[str, np.ndarray]) -> np.ndarray:
    """(244,) what can be made now: all is there, the station is near, and a furnace has fuel for one piece."""
    table = recipe_tables()
    counts = stack_counts(game)
    there = (counts[table["need"]].sum(axis=2) >= table["need_count"]).all(axis=1)
    there &= np.array([True, bool(tools["table"]), bool(tools["furnace"])])[table["station"]]
    heat = _fuel_values() * counts
    # What is smelted is not burnt.
    fuel = float(game.read("heat")) + heat.sum() - heat[table["need"][:, 0]].sum(axis=1)
    there &= (table["station"] != STATIONS.index("furnace")) | (fuel >= 1.0)
    so_far = np.concatenate([[0], np.cumsum(there)])
    possible: np.ndarray = so_far[table["first"][1:]] > so_far[table["first"][:-1]]
    return possible


def masks(game: Game, tools: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """MineDojo's masks; `action_arg` says which functions have an argument."""
    full = game.read("count") > 0
    placeable = np.array([items()[number].places > 0 for number in game.read("item")])
    craft, equip, place = craft_mask(game, tools), full.copy(), full & placeable
    equip[0] = False  # it is in the hand already
    types = np.ones(len(_WITH_ARGUMENT), bool)
    types[DROP] = full[0]
    types[CRAFT] = craft.any() and not full.all()
    types[EQUIP], types[PLACE], types[DESTROY] = equip.any(), place.any(), full.any()
    return {
        "action_type": types,
        "action_arg": np.array(_WITH_ARGUMENT)[:, None],
        "equip": equip,
        "place": place,
        "destroy": full.copy(),
        "craft_smelt": craft,
    }


def named_counts(game: Game) -> Counter[str]:
    """How many pieces the agent carries, by MineDojo's names; their variants are counted together."""
    counts = stack_counts(game)
    found: Counter[str] = Counter()
    for number in np.flatnonzero(counts):
        found[item_names()[number][0]] += int(counts[number])
    return found


def no_changes() -> dict[str, np.ndarray]:
    """MineDojo's `delta_inv` of a first observation."""
    return _changes({}, {}, by_craft=False, consumed=False)


def changes(before: Counter[str], after: Counter[str], crafted: int | None, possible: bool) -> dict[str, np.ndarray]:
    """MineDojo's `delta_inv`.

    Args:
        before: of `named_counts`.
        after: likewise.
        crafted: the entry of the craft list that the action asked for, if it did.
        possible: whether the mask allowed it.
    """
    names = sorted(before.keys() | after.keys())  # MineDojo's list of items is sorted by name
    more = {name: after[name] - before[name] for name in names if after[name] > before[name]}
    less = {name: before[name] - after[name] for name in names if before[name] > after[name]}
    made = used = False
    if crafted is not None and possible:
        entry = craft_list()[crafted]
        made = entry.name in list(more)[:INCREASED]
        gone = set(list(less)[:DECREASED])
        used = any(
            all(gone & {item_names()[number][0] for number in members} for members, _ in recipe.ingredients)
            for recipe in entry.recipes
        )
    return _changes(more, less, by_craft=made, consumed=used)


def _changes(more: Mapping[str, int], less: Mapping[str, int], *, by_craft: bool, consumed: bool) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for way, changed, most, crafted in (("inc", more, INCREASED, by_craft), ("dec", less, DECREASED, consumed)):
        for cause, counts in (("craft", changed if crafted else {}), ("other", {} if crafted else changed)):
            names, quantities = list(counts)[:most], list(counts.values())[:most]
            rest = most - len(names)
            found[f"{way}_name_by_{cause}"] = np.array(names + ["air"] * rest, dtype=np.str_)
            found[f"{way}_quantity_by_{cause}"] = np.array(quantities + [0] * rest, np.float32)
    return found
