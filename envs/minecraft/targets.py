"""What tasks are about: kinds of targets, which of them are kept for tests, and what the agent holds to deal with them.

A block is found in the terrain where it grows there, or is put there; so every kind exists in every biome.
"""

import functools

from trunkline.envs.minecraft.blocks import block_state, block_states, states_of
from trunkline.envs.minecraft.items import items
from trunkline.errors import InputError

# What the terrain may hold anyway is a target where it is found; the rest is always put there.
FOUND = ("oak_log", "spruce_log", "acacia_log", "coal_ore", "iron_ore", "poppy", "dandelion")
_SOLID = {
    "train": (
        *("oak_log", "spruce_log", "acacia_log", "coal_ore", "iron_ore", "pumpkin", "hay_block", "bookshelf"),
        *("white_wool", "yellow_wool", "light_blue_wool", "gold_block", "bricks", "oak_planks"),
    ),
    "test": ("birch_log", "melon", "red_wool", "lime_wool", "diamond_ore", "emerald_block"),
}
_PLANTS = {"train": ("poppy", "dandelion"), "test": ("cornflower",)}
PLANTS = frozenset(_PLANTS["train"] + _PLANTS["test"])
_USED = {"train": ("chest", "crafting_table", "oak_door", "lever"), "test": ("furnace",)}
_MOBS = {"train": ("cow", "pig", "zombie"), "test": ("sheep",)}
HARMLESS = ("cow", "pig", "sheep")

BLOCKS = {
    "approach": {part: _SOLID[part] + _USED[part] for part in _SOLID},
    "break": {part: _SOLID[part] + _PLANTS[part] for part in _SOLID},
    "interact": _USED,
    "place": _SOLID,
}
MOBS = {"approach": {"train": ("cow", "pig"), "test": ("sheep",)}, "hunt": _MOBS, "shoot": _MOBS}
MOB_SHARE = 0.25  # of approach's targets
FACINGS = ("north", "south", "west", "east")
# Held by who is to place something; not one of the targets.
PLACED = "cobblestone"

Offset = tuple[int, int, int]


def structure(name: str, tall: float, turn: float) -> list[tuple[Offset, str]]:
    """The cells of a target that is put into a world, the lowest first, each with its block state as text.

    Args:
        name: of the block.
        tall, turn: draws from [0, 1) that decide its height and where it faces.
    """
    states = states_of(name)
    properties = states[0].properties
    facing = f"facing={FACINGS[int(4 * turn)]}" if "facing" in properties else ""
    if "half" in properties:
        return [((0, 0, 0), f"{name}[{facing},half=lower]"), ((0, 1, 0), f"{name}[{facing},half=upper]")]
    height = 1
    if name.endswith("_log"):
        height = 2 + int(3 * tall)
    elif states[0].opaque and not states[0].interact:
        height = 1 + int(2 * tall)
    return [((0, dy, 0), f"{name}[{facing}]" if facing else name) for dy in range(height)]


@functools.cache
def equipment(interaction: str, block: str) -> tuple[tuple[str, int], ...]:
    """What the agent starts with, the first in its hand: what the interaction needs with that block ("" for a mob).

    Raises:
        InputError: the block cannot be broken.
    """
    if interaction == "hunt":
        return (("diamond_sword", 1),)
    if interaction == "shoot":
        return (("bow", 1), ("arrow", 64))
    if interaction == "place":
        return ((PLACED, 16),)
    if interaction != "break":
        return ()
    state = block_states()[block_state(block)]
    if state.hardness < 0:
        raise InputError(f"block {block!r} cannot be broken; choose another target")
    tool = f"diamond_{state.tool}" if state.harvest_level > 2 else f"iron_{state.tool}"
    tool = "shears" if state.tool == "shears" else tool
    return ((tool, 1),) if tool in {item.name for item in items()} else ()
