"""What entities are, and how one is put into a world: facts of Minecraft 1.16."""

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np

from trunkline.envs.minecraft.items import item
from trunkline.errors import InputError, unknown


@dataclass(frozen=True)
class Loot:
    """What a mob leaves when it dies: `least` to `most` of an item, each number as likely."""

    item: str
    least: int
    most: int


@dataclass(frozen=True)
class Entity:
    """One kind of entity.

    Attributes:
        name: Minecraft's.
        width: of its box, blocks; the bottom is square.
        height: of its box, blocks.
        health: half hearts; 0 for what does not live.
        speed: attribute of movement s; on the ground it walks at 0.98·s²/0.454 blocks a tick.
        panic: the same while it flees.
        damage: half hearts of its blow, or of an arrow of its at full speed.
        loot: at most two kinds.
    """

    name: str
    width: float = 0.0
    height: float = 0.0
    health: float = 0.0
    speed: float = 0.0
    panic: float = 0.0
    damage: float = 0.0
    loot: tuple[Loot, ...] = ()


# The index is the number of the kind, as `state.ENTITY_NAMES` has it.
ENTITIES = (
    Entity(""),
    Entity("cow", 0.9, 1.4, 10, 0.2, 0.4, loot=(Loot("beef", 1, 3), Loot("leather", 0, 2))),
    Entity("pig", 0.9, 0.9, 10, 0.25, 0.3125, loot=(Loot("porkchop", 1, 3),)),
    Entity("sheep", 0.9, 1.3, 8, 0.23, 0.2875, loot=(Loot("mutton", 1, 2), Loot("white_wool", 1, 1))),
    Entity("zombie", 0.6, 1.95, 20, 0.23, 0.23, damage=3, loot=(Loot("rotten_flesh", 0, 2),)),
    Entity("skeleton", 0.6, 1.99, 20, 0.25, 0.25, damage=4, loot=(Loot("bone", 0, 2), Loot("arrow", 0, 2))),
    Entity("item", 0.25, 0.25),
    Entity("arrow", 0.5, 0.5),
    Entity("falling_block", 0.98, 0.98),
)


def entity_kind(name: str) -> int:
    """The number of a kind of entity.

    Raises:
        InputError: no kind has this name (with the nearest match).
    """
    for number, entity in enumerate(ENTITIES):
        if number and entity.name == name:
            return number
    raise unknown("entity", name, [entity.name for entity in ENTITIES[1:]])


@functools.cache
def entity_tables() -> dict[str, np.ndarray]:
    """What kernels know of entities: arrays (K,) and (K, 2) by the names of `state.Rules`, and `arrow` (1,)."""
    loot = np.zeros((3, len(ENTITIES), 2), np.int16)
    for number, entity in enumerate(ENTITIES):
        for place, drop in enumerate(entity.loot):
            loot[:, number, place] = item(drop.item), drop.least, drop.most
    return {
        "arrow": np.array([item("arrow")], np.int16),
        "loot": loot[0],
        "loot_low": loot[1].astype(np.int8),
        "loot_high": loot[2].astype(np.int8),
        "body_width": np.array([e.width for e in ENTITIES], np.float32),
        "body_height": np.array([e.height for e in ENTITIES], np.float32),
        "body_speed": np.array([e.speed for e in ENTITIES], np.float32),
        "body_panic": np.array([e.panic for e in ENTITIES], np.float32),
    }


def spawn(
    worlds: Any, row: int, kind: str | int, position: Any, yaw: float = 0.0, *, item: int = 0, count: int = 1
) -> int:
    """Put an entity into a world, at the first free place; whether blocks are in its way is not asked.

    Args:
        worlds: `state.Worlds`.
        row: of the world.
        kind: its name or number.
        position: (3,) of the middle of its bottom, blocks.
        yaw: degrees.
        item: number of the item of a drop, or of the block state of a falling block.
        count: of a drop.

    Returns:
        Its place.

    Raises:
        InputError: an unknown kind, a position outside the world, or no free place.
    """
    number = entity_kind(kind) if isinstance(kind, str) else int(kind)
    if not 0 < number < len(ENTITIES):
        raise InputError(f"entity kind {kind}: the kinds are 1 to {len(ENTITIES) - 1}")
    entity = ENTITIES[number]
    if not 0 <= row < worlds.count:
        raise InputError(f"world {row}: there are {worlds.count}, from 0")
    feet = np.asarray(position, np.float64)
    limits = np.asarray(worlds.size, np.float64)
    margin = np.array([entity.width / 2, 0.0, entity.width / 2])
    if feet.shape != (3,) or not bool(np.all((feet >= margin) & (feet <= limits - margin))):
        raise InputError(f"{entity.name} at {feet.tolist()}: outside the world of {worlds.size} blocks")
    free = np.flatnonzero(worlds.view("kind")[row] == 0)
    if len(free) == 0:
        raise InputError(f"{entity.name}: all {worlds.entities} places of world {row} are taken; make worlds with more")
    place = int(free[0])
    first = {
        "kind": number,
        "body_position": feet,
        "body_yaw": yaw,
        "body_health": entity.health,
        "body_item": item,
        "body_count": count if item else 0,
        "body_owner": -1,
        "body_goal": feet[[0, 2]],
    }
    for name in worlds.fields:
        if name == "kind" or name.startswith("body_"):
            values = worlds.view(name)
            values[row, place] = first.get(name, 0)
            if worlds.device != "cpu":
                worlds.put(name, values)
    return place
