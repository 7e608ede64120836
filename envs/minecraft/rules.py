"""The facts about blocks and items as arrays that kernels index: the fields of `state.Rules`."""

import functools
from typing import Any

import numpy as np

from trunkline.envs.minecraft import flags as bits
from trunkline.envs.minecraft.blocks import LIMIT, BlockState, block_states
from trunkline.envs.minecraft.entities import entity_tables
from trunkline.envs.minecraft.items import items


@functools.cache
def texture_names() -> tuple[str, ...]:
    """Names of all pictures on blocks; `face_textures()` holds their indices."""
    return tuple(sorted({name for state in block_states() for name in state.texture}))


def _flags(state: BlockState) -> int:
    value = 0
    for bit, holds in (
        (bits.SOLID, state.solid),
        (bits.OPAQUE, state.opaque),
        (bits.WATER, state.name == "water"),
        (bits.LAVA, state.name == "lava"),
        (bits.SOURCE, state.liquid and state.properties["level"] == "0"),
        (bits.REPLACEABLE, state.replaceable),
        (bits.GRAVITY, state.gravity),
        (bits.CLIMBABLE, state.climbable),
        (bits.NEEDS_SUPPORT, state.support),
        (bits.CROSS, state.shape == "cross"),
        (bits.HURTS, state.hurts),
        (bits.SLIPPERY, state.slippery),
        (bits.SHEARS, state.shears),
        (bits.FULL, state.shape == "full"),
        (bits.FOLIAGE, state.name.endswith("_leaves")),
        (bits.DIGGABLE, state.diggable),
        (bits.AXIS_X, state.properties.get("axis") == "x"),
        (bits.AXIS_Z, state.properties.get("axis") == "z"),
        (bits.TWO_HIGH, "half" in state.properties),
        (bits.UPPER, state.properties.get("half") == "upper"),
    ):
        value |= bit if holds else 0
    return value


@functools.cache
def face_textures() -> np.ndarray:
    """(S, 6) uint8: the picture on each face, west, east, down, up, north, south, turned as the block is."""
    texture = {name: i for i, name in enumerate(texture_names())}
    return np.asarray([[texture[name] for name in state.texture] for state in block_states()], np.uint8)


@functools.cache
def tables() -> dict[str, np.ndarray]:
    """NumPy arrays by the names of `state.Rules`: (S,) by block state, (I,) by item; vectors (S, 3)."""
    states, every = block_states(), items()

    def by_state(values: list[float] | list[int], dtype: type) -> np.ndarray:
        return np.asarray(values, dtype)

    return {
        "flags": by_state([_flags(s) for s in states], np.uint32),
        "low": np.asarray([s.box[:3] for s in states], np.float32),
        "high": np.asarray([s.box[3:] for s in states], np.float32),
        "hardness": by_state([s.hardness for s in states], np.float32),
        "tool": by_state([bits.TOOLS.index(s.tool) for s in states], np.uint8),
        "harvest": by_state([s.harvest_level for s in states], np.int8),
        "interact": by_state([bits.INTERACTIONS.index(s.interact) for s in states], np.uint8),
        "toggle": by_state([s.toggle for s in states], np.uint8),
        "item_tool": by_state([bits.TOOLS.index(i.tool) for i in every], np.uint8),
        "item_tier": by_state([i.tier for i in every], np.int8),
        "item_speed": by_state([i.speed for i in every], np.float32),
        "item_damage": by_state([i.damage for i in every], np.float32),
        "item_attack_speed": by_state([i.attack_speed for i in every], np.float32),
        "item_durability": by_state([i.durability for i in every], np.int16),
        "item_stack": by_state([i.stack for i in every], np.int16),
        "item_food": by_state([i.food for i in every], np.int16),
        "item_saturation": by_state([i.saturation for i in every], np.float32),
        "item_places": by_state([i.places for i in every], np.uint8),
    }


def make_rules(device: str) -> Any:
    """A `state.Rules` on a device of Warp.

    Tables by block state have all 256 rows; the last is `kernels.edit.BARRIER`: solid, full, never dug.
    """
    import warp as wp

    from trunkline.envs.minecraft.state import Rules

    struct: Any = Rules
    rules, fields = struct(), struct.vars
    barrier = {"flags": bits.SOLID | bits.FULL, "high": 1.0, "hardness": -1.0, "harvest": -1, "toggle": LIMIT - 1}
    count = len(block_states())
    for name, table in {**tables(), **entity_tables()}.items():
        if name not in fields:
            continue
        rows = table
        if len(table) == count and not name.startswith(("item_", "body_", "loot")):
            rows = np.zeros((LIMIT, *table.shape[1:]), table.dtype)
            rows[:count] = table
            rows[-1] = barrier.get(name, 0)
        setattr(rules, name, wp.array(rows, dtype=fields[name].type.dtype, device=device))
    return rules
