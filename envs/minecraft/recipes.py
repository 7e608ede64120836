"""What can be made of what: by hand, at a crafting table, in a furnace; and MineDojo's numbers for it."""

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from trunkline.envs.minecraft.blocks import load
from trunkline.envs.minecraft.items import Item, item, items
from trunkline.errors import unknown

# Where a recipe works, by number.
STATIONS = ("hand", "crafting_table", "furnace")


@dataclass(frozen=True)
class Recipe:
    """One way to make an item.

    Attributes:
        item: number of what is made.
        count: how many pieces.
        station: one of STATIONS.
        ingredients: for each, the items of which any do, and how many pieces are used up in all.
    """

    item: int
    count: int
    station: str
    ingredients: tuple[tuple[tuple[int, ...], int], ...]


@dataclass(frozen=True)
class CraftEntry:
    """One of the 244 things that MineDojo's action "craft" names.

    Attributes:
        name: MineDojo's, that of Minecraft 1.11.2.
        station: where MineDojo makes it.
        recipes: ours, in the order in which they are tried; none where its ingredients are not ours.
    """

    name: str
    station: str
    recipes: tuple[Recipe, ...]


@functools.cache
def recipes() -> tuple[Recipe, ...]:
    """All recipes."""
    data = load("recipes")
    groups = {name: tuple(item(member) for member in members) for name, members in data["groups"].items()}

    def members(name: str) -> tuple[int, ...]:
        return groups.get(name) or (item(name),)

    return tuple(
        Recipe(item(made), count, station, tuple((members(name), pieces) for name, pieces in needs.items()))
        for station in STATIONS
        for made, count, needs in data[station]
    )


def recipes_for(name: str) -> tuple[Recipe, ...]:
    """All ways to make an item.

    Raises:
        InputError: no such item, or nothing makes it; with the nearest match.
    """
    number = item(name)
    found = tuple(recipe for recipe in recipes() if recipe.item == number)
    if not found:
        made = {items()[recipe.item].name for recipe in recipes()}
        raise unknown("recipe for", name, made)
    return found


@functools.cache
def fuels() -> dict[int, float]:
    """How many pieces one piece of an item smelts."""
    data = load("recipes")
    groups = data["groups"]
    return {item(member): float(n) for name, n in data["fuel"].items() for member in groups.get(name, [name])}


@functools.cache
def _minedojo() -> Any:
    return load("minedojo")


@functools.cache
def craft_list() -> tuple[CraftEntry, ...]:
    """MineDojo's 244 craft and smelt items, in its order."""
    return tuple(
        CraftEntry(name, station, tuple(_recipes_of_entry(name, station)))
        for station in STATIONS
        for name in _minedojo()[station]
    )


def _recipes_of_entry(name: str, station: str) -> Iterator[Recipe]:
    for made in items_of_minedojo(name):
        for recipe in recipes():
            # What a furnace makes of an ore is listed apart from what hands make of a block of it.
            if recipe.item == made.number and (recipe.station == "furnace") == (station == "furnace"):
                yield recipe


def craft_index(name: str) -> int:
    """Place of a name in MineDojo's list.

    Raises:
        InputError: not in it, with the nearest match.
    """
    names = [entry.name for entry in craft_list()]
    if name not in names:
        raise unknown("recipe of MineDojo", name, names)
    return names.index(name)


def items_of_minedojo(name: str) -> tuple[Item, ...]:
    """Our items that bear a name of Minecraft 1.11.2, by variant; empty where there is none."""
    listed = _minedojo()["names"].get(name)
    if listed is not None:
        return tuple(items()[item(ours)] for ours in listed if ours is not None)
    return tuple(thing for thing in items() if thing.name == name)


@functools.cache
def minedojo_name(number: int) -> tuple[str, int]:
    """MineDojo's name and variant of one of our items; an item unknown to 1.11.2 keeps its own name."""
    data = _minedojo()
    name = items()[number].name
    name = data["aliases"].get(name, name)
    for old, listed in data["names"].items():
        if name in listed:
            return old, listed.index(name)
    return name, 0


@functools.cache
def recipe_tables() -> dict[str, np.ndarray]:
    """The craft list as arrays for kernels: R recipes, K ingredients at most, G members of a group at most.

    Returns:
        "first" (245,) int32: recipes of craft entry i are first[i] to first[i + 1] − 1;
        "made" (R,) int16, "made_count" (R,) int16, "station" (R,) uint8 (index of STATIONS);
        "need" (R, K, G) int16, padded with 0; "need_count" (R, K) int16, 0 where there is no ingredient.
    """
    listed = [recipe for entry in craft_list() for recipe in entry.recipes]
    first = np.cumsum([0, *(len(entry.recipes) for entry in craft_list())]).astype(np.int32)
    most = max(len(recipe.ingredients) for recipe in listed)
    widest = max(len(members) for recipe in listed for members, _ in recipe.ingredients)
    need = np.zeros((len(listed), most, widest), np.int16)
    need_count = np.zeros((len(listed), most), np.int16)
    for r, recipe in enumerate(listed):
        for k, (members, pieces) in enumerate(recipe.ingredients):
            need[r, k, : len(members)] = members
            need_count[r, k] = pieces
    return {
        "first": first,
        "made": np.asarray([recipe.item for recipe in listed], np.int16),
        "made_count": np.asarray([recipe.count for recipe in listed], np.int16),
        "station": np.asarray([STATIONS.index(recipe.station) for recipe in listed], np.uint8),
        "need": need,
        "need_count": need_count,
    }
