"""The blocks that worlds are made of: states numbered 0 to 255, with Minecraft's names, properties and facts.

`data/blocks.yaml` lists them; a state's number is its place in that list, so a line added in the middle renumbers
what follows and is another world version: see `version`.
"""

import functools
import hashlib
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from types import MappingProxyType
from typing import Any, NamedTuple

import yaml

from trunkline.envs.minecraft.flags import INTERACTIONS, TOOLS
from trunkline.errors import InputError, unknown

AIR = 0
LIMIT = 256  # a cell is one byte
SHAPES = (
    "none",
    "full",
    "slab",  # the lower half
    "cross",  # a plant: two crossed pictures
    "torch",
    "wall_torch",
    "door",  # a thin plate on one side, another one when opened
    "ladder",
    "lever",
    "snow",
    "liquid",
    "farmland",  # 15/16 high
    "chest",
    "cactus",
)
_OPPOSITE = {"north": "south", "south": "north", "west": "east", "east": "west"}
_LEFT = {"north": "west", "west": "south", "south": "east", "east": "north"}
_FACE = {"west": 0, "east": 1, "north": 4, "south": 5}

Box = tuple[float, float, float, float, float, float]


class Drop(NamedTuple):
    """What a broken block leaves: `least` to `most` pieces of `item`.

    Drops whose probability is below one exclude each other: their probabilities share one draw.
    """

    item: str
    least: int
    most: int
    probability: float = 1.0


@dataclass(frozen=True)
class BlockState:
    """One state of a block.

    Attributes:
        number: ours, the byte in a cell.
        name: Minecraft's, such as "oak_log".
        properties: that tell the block's states apart, such as {"axis": "y"}.
        palette_id: number of the state in the protocol of 1.16.5.
        item: that places it, "" for none.
        hardness: -1 for unbreakable.
        tool: class that digs it faster, "" for none.
        harvest_level: tier without which it drops nothing: 0 wood, 1 stone, 2 iron, 3 diamond; -1 none needed.
        drops: what it leaves.
        shears: whether shears get the block itself.
        shape: one of SHAPES.
        box: that is seen and hit (x0, y0, z0, x1, y1, z1), in blocks.
        solid: whether bodies collide with the box.
        opaque: whether it is a full cube that hides what is behind it.
        replaceable: whether a block can be placed into it.
        gravity: whether it falls.
        climbable: whether one climbs in it.
        support: whether it breaks when the block that carries it goes.
        hurts: whether touching it hurts.
        slippery: whether it is ice.
        light: emitted, 0 to 15.
        interact: what using it does, "" for nothing.
        toggle: number of the state that it becomes when used; its own where nothing changes.
        texture: names of the pictures on its faces: west, east, down, up, north, south.
    """

    number: int
    name: str
    properties: Mapping[str, str]
    palette_id: int
    item: str
    hardness: float
    tool: str
    harvest_level: int
    drops: tuple[Drop, ...]
    shears: bool
    shape: str
    box: Box
    solid: bool
    opaque: bool
    replaceable: bool
    gravity: bool
    climbable: bool
    support: bool
    hurts: bool
    slippery: bool
    light: int
    interact: str
    toggle: int
    texture: tuple[str, str, str, str, str, str]

    @property
    def liquid(self) -> bool:
        """Whether it is water or lava."""
        return self.shape == "liquid"

    @property
    def diggable(self) -> bool:
        """Whether it can be hit and, unless its hardness is -1, broken."""
        return self.shape not in ("none", "liquid")

    def __str__(self) -> str:
        inside = ",".join(f"{name}={value}" for name, value in self.properties.items())
        return f"{self.name}[{inside}]" if inside else self.name


def load(name: str) -> Any:
    """What `data/<name>.yaml` holds."""
    text = resources.files(__package__).joinpath(f"data/{name}.yaml").read_text("utf-8")
    # The same loader in C where PyYAML has it, ten times faster; it builds nothing but plain values either.
    return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


@functools.cache
def version() -> str:
    """The first digits of the SHA-256 of all facts: worlds of another version hold other numbers."""
    folder = resources.files(__package__).joinpath("data")
    digest = hashlib.sha256()
    for name in ("blocks", "items", "recipes"):
        digest.update(folder.joinpath(f"{name}.yaml").read_bytes())
    return digest.hexdigest()[:16]


@functools.cache
def block_states() -> tuple[BlockState, ...]:
    """All states; the index is the number."""
    states: list[BlockState] = []
    for name, entry in load("blocks").items():
        states += _states_of(name, entry, len(states))
    if len(states) > LIMIT:
        raise InputError(f"data/blocks.yaml lists {len(states)} states; a cell holds {LIMIT}")
    return tuple(states)


@functools.cache
def block_names() -> tuple[str, ...]:
    """Names of all blocks, in the order of their first states."""
    return tuple(dict.fromkeys(state.name for state in block_states()))


@functools.cache
def _numbers() -> dict[str, tuple[BlockState, ...]]:
    found: dict[str, list[BlockState]] = {}
    for state in block_states():
        found.setdefault(state.name, []).append(state)
    return {name: tuple(states) for name, states in found.items()}


def states_of(name: str) -> tuple[BlockState, ...]:
    """All states of one block.

    Raises:
        InputError: no such block, with the nearest match.
    """
    states = _numbers().get(name.removeprefix("minecraft:"))
    if states is None:
        raise unknown("block", name, block_names())
    return states


@functools.cache
def block_state(name: str, **properties: str) -> int:
    """Number of a block's state: `block_state("oak_log", axis="x")`.

    A property left out has its usual value: upright logs, closed doors, lower halves, faces to the north.

    Raises:
        InputError: no such block, property or value, with the nearest match.
    """
    states = states_of(name)
    for key, value in properties.items():
        known = {state.properties[key] for state in states if key in state.properties}
        if not known:
            raise unknown(f"property of {name}", key, states[0].properties)
        if value not in known:
            raise unknown(f"{key} of {name}", value, known)
    wanted = {**_USUAL, **properties}
    return max(states, key=lambda s: sum(wanted.get(k) == v for k, v in s.properties.items())).number


# Bit for bit what a block has when it is placed without a thought.
_USUAL = {"axis": "y", "open": "false", "half": "lower", "facing": "north", "powered": "false", "lit": "false"}
_USUAL |= {"snowy": "false", "level": "0", "age": "0", "moisture": "0", "face": "floor", "type": "bottom"}


def _values(text: str | Sequence[str]) -> list[str]:
    if not isinstance(text, str):
        return list(text)
    if text == "bool":
        return ["true", "false"]  # Minecraft's order
    first, dots, last = text.partition("..")
    return [str(i) for i in range(int(first), int(last) + 1)] if dots else [text]


def _states_of(name: str, entry: dict[str, Any], start: int) -> list[BlockState]:
    layout = {key: _values(values) for key, values in entry.get("properties", {}).items()}
    keep = {key: _values(values) for key, values in entry.get("keep", {}).items()}
    kept = []
    for offset, values in enumerate(itertools.product(*layout.values())):
        properties = dict(zip(layout, values, strict=True))
        if all(value in keep.get(key, layout[key]) for key, value in properties.items()):
            kept.append((entry["palette"] + offset, properties))
    # A property of which we know one value tells nothing apart.
    told = [key for key in layout if len(keep.get(key, layout[key])) > 1]
    numbers = {tuple(p[key] for key in told): start + i for i, (_, p) in enumerate(kept)}
    states = []
    for palette_id, every in kept:
        properties = {key: every[key] for key in told}
        toggled = dict(properties)
        if "toggle" in entry:
            toggled[entry["toggle"]] = "false" if toggled[entry["toggle"]] == "true" else "true"
        number = numbers[tuple(properties.values())]
        states.append(_state(name, entry, number, palette_id, properties, numbers[tuple(toggled.values())]))
    return states


def _state(
    name: str, entry: dict[str, Any], number: int, palette_id: int, properties: dict[str, str], toggle: int
) -> BlockState:
    fact = dict(entry)
    for condition, change in entry.get("variants", {}).items():
        key, _, value = condition.partition("=")
        if properties[key] == value:
            fact |= change
    shape, tool, interact = fact.get("shape", "full"), fact.get("tool", ""), fact.get("interact", "")
    if shape not in SHAPES or tool not in TOOLS or interact not in INTERACTIONS:
        raise InputError(f"data/blocks.yaml, {name}: unknown shape {shape!r}, tool {tool!r} or interact {interact!r}")
    item = fact.get("item", name)
    drops = fact.get("drops", [item])
    return BlockState(
        number=number,
        name=name,
        properties=MappingProxyType(properties),
        palette_id=palette_id,
        item=item,
        hardness=float(fact["hardness"]),
        tool=tool,
        harvest_level=fact.get("level", -1),
        drops=tuple(Drop(drop, 1, 1) if isinstance(drop, str) else Drop(*drop) for drop in drops),
        shears=fact.get("shears", False),
        shape=shape,
        box=_box(shape, properties),
        solid=shape in ("full", "slab", "door", "ladder", "farmland", "chest", "cactus"),
        opaque=fact.get("opaque", shape == "full"),
        replaceable=fact.get("replaceable", False),
        gravity=fact.get("gravity", False),
        climbable=fact.get("climbable", False),
        support=fact.get("support", False),
        hurts=fact.get("hurts", False),
        slippery=fact.get("slippery", False),
        light=fact.get("light", 0),
        interact=interact,
        toggle=toggle,
        texture=_texture(fact.get("texture", name), properties),
    )


def _plate(side: str, thick: float, y0: float = 0.0, y1: float = 1.0, margin: float = 0.0) -> Box:
    """A plate on one side of the cell; with a margin, a knob on that side."""
    low, high = margin, 1.0 - margin
    x0, x1, z0, z1 = low, high, low, high
    if side == "west":
        x0, x1 = 0.0, thick
    elif side == "east":
        x0, x1 = 1.0 - thick, 1.0
    elif side == "north":
        z0, z1 = 0.0, thick
    else:
        z0, z1 = 1.0 - thick, 1.0
    return (x0, y0, z0, x1, y1, z1)


def _box(shape: str, properties: Mapping[str, str]) -> Box:
    """Minecraft's outline of a shape, in blocks."""
    facing = properties.get("facing", "north")
    behind = _OPPOSITE[facing]  # what hangs on a wall has it behind itself
    if shape == "none":
        return (0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    if shape == "door":  # closed: at the back; opened: where its hinge is, on the left of who looks as it faces
        return _plate(_LEFT[facing] if properties["open"] == "true" else behind, 3 / 16)
    if shape == "ladder":
        return _plate(behind, 3 / 16)
    if shape == "wall_torch":
        return _plate(behind, 5 / 16, 3 / 16, 13 / 16, margin=5.5 / 16)
    if shape == "lever" and properties["face"] == "wall":
        return _plate(behind, 6 / 16, 4 / 16, 12 / 16, margin=5 / 16)
    if shape == "lever":
        across = facing in ("west", "east")
        x, z = (4 / 16, 5 / 16) if across else (5 / 16, 4 / 16)
        return (x, 0.0, z, 1.0 - x, 6 / 16, 1.0 - z)
    margin, height = {
        "full": (0.0, 1.0),
        "slab": (0.0, 0.5),
        "cross": (0.1, 0.8),
        "torch": (6 / 16, 10 / 16),
        "snow": (0.0, 2 / 16),
        "liquid": (0.0, 1.0),
        "farmland": (0.0, 15 / 16),
        "chest": (1 / 16, 14 / 16),
        "cactus": (1 / 16, 15 / 16),
    }[shape]
    if shape == "liquid":  # a source reaches 8/9 of the cell; level n, (8 − n)/9; falling fills it
        level = int(properties["level"])
        height = 1.0 if level == 8 else (8 - level) / 9
    return (margin, 0.0, margin, 1.0 - margin, height, 1.0 - margin)


def _texture(given: str | dict[str, str], properties: Mapping[str, str]) -> tuple[str, str, str, str, str, str]:
    if isinstance(given, str):
        name = given.format(**properties)
        return (name, name, name, name, name, name)
    side, top, bottom = given["side"], given["top"], given["bottom"]
    axis = properties.get("axis", "y")
    if axis == "x":
        return (bottom, top, side, side, side, side)
    if axis == "z":
        return (side, side, side, side, bottom, top)
    faces = [side, side, bottom, top, side, side]
    if "front" in given:
        faces[_FACE[properties["facing"]]] = given["front"]
    west, east, down, up, north, south = faces
    return (west, east, down, up, north, south)
