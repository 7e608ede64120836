"""MineDojo's names (Minecraft 1.11.2) and ours, and what MineDojo says of blocks."""

import difflib
import functools
from collections.abc import Iterable
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from trunkline.envs.minecraft.blocks import block_state, block_states, load
from trunkline.envs.minecraft.items import items
from trunkline.envs.minecraft.recipes import craft_list, items_of_minedojo, minedojo_name
from trunkline.errors import InputError

BARRIER = 255  # the number that stands for what is beyond the sides of a world
SLOTS = 36  # of the inventory
HAND = "mainhand"
_WORN = {"feet": 36, "legs": 37, "chest": 38, "head": 39, "offhand": 40}
_AXES = {"x": 4, "z": 8}  # added to the meta of a trunk that lies


class NotSimulatedError(InputError, NotImplementedError):
    """Something that MineDojo has and the voxel worlds have not; one line that names it."""


class InventoryItem(NamedTuple):
    """What a slot of the inventory is to hold, as MineDojo takes it.

    Attributes:
        slot: 0 to 35, or "mainhand" for 0.
        name: MineDojo's.
        variant: such as the kind of wood; 0 where left out.
        quantity: 1 where left out.
    """

    slot: int | str
    name: str
    variant: int | None = None
    quantity: int | None = None


def not_simulated(kind: str, name: object, known: Iterable[str]) -> NotSimulatedError:
    """The error for a name that means nothing to the voxel worlds, with the nearest that does."""
    close = difflib.get_close_matches(str(name), list(known), n=1, cutoff=0.6)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    return NotSimulatedError(f"{kind} {str(name)!r} is not simulated{hint}")


@functools.cache
def item_names() -> tuple[tuple[str, int], ...]:
    """MineDojo's name and variant of every item of ours, by number."""
    return tuple(minedojo_name(thing.number) for thing in items())


def item_number(name: str, variant: int = 0) -> int:
    """Our item of a name of MineDojo's.

    Raises:
        NotSimulatedError: there is none.
    """
    name = name.removeprefix("minecraft:")
    found = items_of_minedojo(name)
    for thing in found:
        if item_names()[thing.number] == (name, variant):
            return thing.number
    if found and variant == 0:
        return found[0].number
    if found:
        raise NotSimulatedError(f"variant {variant} of item {name!r} is not simulated")
    raise not_simulated("item", name, {known for known, _ in item_names()})


def placed_state(name: str, meta: int = 0) -> int:
    """Our state of a block of MineDojo's name, as `/setblock` takes it.

    Raises:
        NotSimulatedError: there is none.
    """
    name = name.removeprefix("minecraft:")
    if name in ("air", "water", "lava", "bedrock"):
        return block_state(name)
    if name in ("flowing_water", "flowing_lava"):
        return block_state(name.removeprefix("flowing_"))
    if name in ("log", "log2") and meta // 4 in (1, 2):
        return block_state(block_states()[placed_state(name, meta % 4)].name, axis=" xz"[meta // 4])
    names = {state.name for state in block_states()}
    found = items_of_minedojo(name)
    if not found and name in names:
        return block_state(name)
    if not found:
        raise not_simulated("block", name, names)
    thing = items()[item_number(name, meta)]
    if not thing.places:
        raise not_simulated("block", name, names)
    return thing.places


def slot_of(slot: int | str) -> int:
    """Index of a slot of the inventory.

    Raises:
        InputError: there is no such slot.
        NotSimulatedError: armour and the other hand.
    """
    if slot == HAND:
        return 0
    if slot in _WORN or slot in _WORN.values():
        raise NotSimulatedError(f"inventory slot {slot!r} is not simulated: neither armour nor the off hand is")
    if isinstance(slot, str) or not 0 <= int(slot) < SLOTS:
        raise InputError(f"inventory slot {slot!r}: choose 0 to {SLOTS - 1} or {HAND!r}")
    return int(slot)


@functools.cache
def _facts() -> Any:
    return load("minedojo_blocks")


@functools.cache
def biomes() -> MappingProxyType[str, int]:
    """The id of every biome that MineDojo knows (its BIOMES_MAP)."""
    return MappingProxyType({name: id for name, id, _, _ in _facts()["biomes"].values()} | _facts()["other_biomes"])


def our_biome(biome: str | int) -> str:
    """Our biome of a name or id of MineDojo's.

    Raises:
        InputError: MineDojo has none of that name or id.
        NotSimulatedError: we have none.
    """
    for ours, (name, id, _, _) in _facts()["biomes"].items():
        if biome in (name, id):
            return str(ours)
    if biome in biomes() or biome in biomes().values():
        ours = ", ".join(entry[0] for entry in _facts()["biomes"].values())
        raise NotSimulatedError(f"biome {biome!r} is not simulated; there are: {ours}")
    raise InputError(f"specified_biome={biome!r}: MineDojo has no such biome")


def biome_facts(ours: str) -> tuple[str, int, float, float]:
    """MineDojo's name, id, temperature and rainfall of a biome of ours."""
    name, id, temperature, rainfall = _facts()["biomes"][ours]
    return name, id, temperature, rainfall


@functools.cache
def block_facts() -> MappingProxyType[str, np.ndarray]:
    """What voxels and rays say of blocks, (256,) by our state, by the names of MineDojo's channels."""
    materials, listed = _facts()["materials"], _facts()["blocks"]
    names = np.full(256, "barrier", dtype="<U32")
    metas = np.zeros(256, np.int64)
    flags = np.zeros((5, 256), bool)
    flags[:, BARRIER] = materials["rock"]
    liquid, harvest = np.zeros(256, bool), np.full(256, -1, np.int64)
    for state in block_states():
        material, name, meta = (*listed[state.name], None, None)[:3]
        names[state.number] = name or state.name.replace("_", " ")
        metas[state.number] = (meta or 0) + _AXES.get(state.properties.get("axis", ""), 0)
        if state.liquid:
            metas[state.number] = int(state.properties["level"])
        flags[:, state.number] = materials[material]
        liquid[state.number] = state.liquid
        harvest[state.number] = state.harvest_level
    return MappingProxyType(
        {
            "block_name": names,
            "block_meta": metas,
            "is_collidable": np.ones(256, bool),  # of all blocks of 1.11.2 but fire
            "is_tool_not_required": flags[0],
            "blocks_movement": flags[1],
            "is_liquid": liquid,
            "is_solid": flags[2],
            "can_burn": flags[3],
            "blocks_light": flags[4],
            "harvest_level": harvest,
        }
    )


@functools.cache
def states_by_name() -> MappingProxyType[tuple[str, int], int]:
    """Our state by MineDojo's name and meta of a block; of those that look alike to it, a block's usual one."""
    facts = block_facts()
    found: dict[tuple[str, int], int] = {}
    for state in sorted(block_states(), key=lambda state: state.number != block_state(state.name)):
        found.setdefault((str(facts["block_name"][state.number]), int(facts["block_meta"][state.number])), state.number)
    return MappingProxyType(found)


@functools.cache
def craft_names() -> tuple[str, ...]:
    """What the action's factor "craft" chooses from (MineDojo's ALL_CRAFT_SMELT_ITEMS)."""
    return tuple(entry.name for entry in craft_list())
