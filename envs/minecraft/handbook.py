"""The tables of `Handbook`: drops, the states in which blocks are placed, recipes and fuels."""

import functools
from typing import Any

import numpy as np

from trunkline.envs.minecraft.blocks import BlockState, block_state, block_states, states_of
from trunkline.envs.minecraft.flags import DOWN, FACES, UP
from trunkline.envs.minecraft.items import item, items
from trunkline.envs.minecraft.recipes import fuels, recipe_tables

# Where the agent looks, by floor(yaw / 90 + 1/2) & 3.
DIRECTIONS = ("south", "west", "north", "east")
_AXES = {"west": "x", "east": "x", "down": "y", "up": "y", "north": "z", "south": "z"}


def _placed(name: str, face: int, direction: int) -> int:
    """The state in which an item's block is put on a face of another, 0 where it cannot be."""
    side, ahead, behind = FACES[face], DIRECTIONS[direction], DIRECTIONS[(direction + 2) % 4]
    upright = face in (UP, DOWN)
    if name in ("torch", "ladder", "lever") and face == DOWN:
        return 0
    if name == "torch":
        return block_state("torch") if upright else block_state("wall_torch", facing=side)
    if name == "ladder":
        return 0 if upright else block_state("ladder", facing=side)
    if name == "lever":
        return block_state("lever", face="floor" if upright else "wall", facing=ahead if upright else side)
    known = states_of(name)[0].properties
    if "axis" in known:
        return block_state(name, axis=_AXES[side])
    if "half" in known:  # a door opens away from who places it
        return block_state(name, facing=ahead, half="lower", open="false")
    if "facing" in known:  # the rest show their front
        return block_state(name, facing=behind)
    return block_state(name)


def _partner(state: BlockState, key: str, value: str, other: str) -> int:
    """The state that differs in one property, 0 if this one does not have `value` there."""
    if state.properties.get(key) != value:
        return 0
    return block_state(state.name, **{**state.properties, key: other})


# Bits of `Handbook.soil`: what plants grow on. The last two carry more of their own kind as well.
EARTH, FARMLAND, SAND, CANE, CACTUS = 1, 2, 4, 8, 16
_SOILS = {"grass_block": EARTH, "dirt": EARTH, "coarse_dirt": EARTH, "podzol": EARTH, "farmland": EARTH | FARMLAND}
_SOILS |= {
    "sand": SAND,
    "red_sand": SAND,
    "sugar_cane": EARTH | SAND | CANE,
    "cactus": SAND | CACTUS,
    "dead_bush": SAND,
}
_SOILS |= dict.fromkeys(("wheat", "carrots", "potatoes"), FARMLAND)


def _soil(state: BlockState) -> int:
    grows = state.shape == "cross" and not state.name.endswith("mushroom")
    return _SOILS.get(state.name, EARTH if grows else 0)


@functools.cache
def handbook_tables() -> dict[str, np.ndarray]:
    """NumPy arrays by the names of `Handbook`."""
    states, every = block_states(), items()
    most = max(len(state.drops) for state in states)
    drops = np.zeros((3, len(states), most), np.int16)
    chance = np.zeros((len(states), most), np.float32)
    for state in states:
        for place, drop in enumerate(state.drops):
            drops[:, state.number, place] = item(drop.item), drop.least, drop.most
            chance[state.number, place] = drop.probability
    placing = np.zeros((len(every), 24), np.uint8)
    for thing in every:
        if thing.places:
            name = states[thing.places].name
            placing[thing.number] = [_placed(name, face, d) for face in range(6) for d in range(4)]
    fuel = np.zeros(len(every), np.float32)
    for number, pieces in fuels().items():
        fuel[number] = pieces
    return {
        "drop": drops[0],
        "drop_low": drops[1].astype(np.int8),
        "drop_high": drops[2].astype(np.int8),
        "drop_chance": chance,
        "itself": np.array([item(state.item) if state.item else 0 for state in states], np.int16),
        "placing": placing,
        "soil": np.array([_soil(state) for state in states], np.uint8),
        "doubled": np.array([_partner(state, "type", "bottom", "double") for state in states], np.uint8),
        "upper": np.array([_partner(state, "half", "lower", "upper") for state in states], np.uint8),
        "fuel": fuel,
        **recipe_tables(),
    }


def make_handbook(device: str) -> Any:
    """The tables on a device of Warp."""
    import warp as wp

    from trunkline.envs.minecraft.kernels.handbook import Handbook

    struct: Any = Handbook
    book, fields = struct(), struct.vars
    for name, value in handbook_tables().items():
        setattr(book, name, wp.array(value, dtype=fields[name].type.dtype, device=device))
    return book
