"""What an episode is about: a place, a target, how it is to be dealt with, and a view of it from elsewhere.

`read_scene` turns the params of a TaskSpec, which are plain JSON, into a `Scene`, and refuses what cannot be played:

    version    of the worlds: `world_version()`
    world      seed of the terrain
    biome      of the terrain
    size       [nx, ny, nz] of the terrain
    blocks     [[x, y, z, "chest[facing=north]"], …], put into the terrain: the target, and others that are not it
    mobs       [["cow", x, y, z, yaw], …], the target first
    target     {"block": "oak_log", "cell": [x, y, z]}, or {"entity": "cow"}
    start      [x, y, z, yaw, pitch] of the agent's feet
    camera     [x, y, z, yaw, pitch] of the eye that sees the goal view
    items      [["iron_axe", 1], …], the first in the agent's hand
    distance   blocks from the start to the target
    path       steps of a walk from the start to where the target can be reached
    view       degrees, seen from the target, between the goal's camera and the start
    occlusion  share of the target that is hidden from the start

The last four describe, they decide nothing.
"""

import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from trunkline.envs.minecraft.blocks import block_state, block_states, states_of, version
from trunkline.envs.minecraft.entities import entity_kind
from trunkline.envs.minecraft.items import item
from trunkline.envs.spec import TaskSpec
from trunkline.errors import InputError, unknown

INTERACTIONS = ("approach", "break", "interact", "hunt", "shoot", "place")
MOBS = ("cow", "pig", "sheep", "zombie", "skeleton")
FAMILY = "minecraft"
EYE, EYE_SNEAKING = 1.62, 1.27  # m, the eye's height above the feet
CLUSTER = 32  # cells of a target at most
GENERATION = 1  # goes up when terrain or rules change so that a TaskSpec would be another episode

Cell = tuple[int, int, int]
Pose = tuple[float, float, float, float, float]

_STATE = re.compile(r"([a-z0-9_:]+)(?:\[([a-z0-9_=,]*)\])?")
_OFFSETS = ((1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0), (0, 0, 1), (0, 0, -1))


@functools.cache
def world_version() -> str:
    """Worlds of another version are not the same for the same TaskSpec."""
    return f"{GENERATION}-{version()}"


@dataclass(frozen=True)
class Mob:
    """An animal or a monster that an episode starts with: its number in `state.py`, feet, and yaw."""

    kind: int
    position: tuple[float, float, float]
    yaw: float


@dataclass(frozen=True)
class Goal:
    """The target, the interaction, and the camera of the goal view; exactly one of `cell` and `mob` is the target.

    Attributes:
        interaction: one of INTERACTIONS.
        camera: eye x, y, z, yaw, pitch.
        cell: one cell of the target, whose neighbours of the same block belong to it.
        block: that block's name.
        mob: place of the target among the scene's mobs.
    """

    interaction: str
    camera: Pose
    cell: Cell | None = None
    block: str = ""
    mob: int | None = None


@dataclass(frozen=True)
class Scene:
    """A TaskSpec's params, checked."""

    seed: int
    biome: str
    size: Cell
    blocks: tuple[tuple[Cell, int], ...]
    mobs: tuple[Mob, ...]
    start: Pose
    items: tuple[tuple[int, int], ...]
    goal: Goal


def parse_state(text: str) -> int:
    """Number of the block state that a text like "oak_door[facing=east,half=upper]" names.

    Raises:
        InputError: not of that form, or an unknown block, property or value.
    """
    match = _STATE.fullmatch(text)
    if match is None:
        raise InputError(f"block {text!r} is not of the form name[property=value,…]")
    return _parsed(text, match[1], match[2] or "")


@functools.cache
def _parsed(text: str, name: str, inside: str) -> int:
    properties = {}
    for part in inside.split(",") if inside else ():
        key, separator, value = part.partition("=")
        if not separator:
            raise InputError(f"block {text!r}: {part!r} is not of the form property=value")
        properties[key] = value
    return block_state(name, **properties)


def read_scene(spec: TaskSpec) -> Scene:
    """The scene that a TaskSpec of this family describes.

    Raises:
        InputError: of another world version, unknown names, a missing or malformed part, or a place outside the world.
    """
    params = spec.params
    if params.get("version") != world_version():
        raise InputError(
            f"TaskSpec {spec.id} is of Minecraft worlds of version {params.get('version')!r}, these are "
            f"{world_version()!r}; synthesise its manifest again"
        )
    interaction = spec.task.partition("/")[2]
    if interaction not in INTERACTIONS:
        raise unknown("interaction", interaction, INTERACTIONS)
    try:
        return _read(params, interaction)
    except InputError as error:
        raise InputError(f"TaskSpec {spec.id}: {error}") from None
    except KeyError as error:
        raise InputError(f"TaskSpec {spec.id} has no {error} among its params; synthesise it again") from None
    except (TypeError, ValueError) as error:
        raise InputError(f"TaskSpec {spec.id} has malformed params: {error}; synthesise it again") from None


def _read(params: Mapping[str, Any], interaction: str) -> Scene:
    nx, ny, nz = params["size"]
    size = (int(nx), int(ny), int(nz))
    blocks = tuple((_inside((x, y, z), size, "block"), parse_state(name)) for x, y, z, name in params["blocks"])
    mobs = []
    for name, x, y, z, yaw in params["mobs"]:
        if name not in MOBS:
            raise unknown("entity", name, MOBS)
        _inside((x, y, z), size, name)
        mobs.append(Mob(entity_kind(name), (float(x), float(y), float(z)), float(yaw)))
    start = _pose(params["start"], size, "start")
    camera = _pose(params["camera"], size, "camera")
    target = params["target"]
    if "entity" in target:
        if target["entity"] not in MOBS:
            raise unknown("entity", target["entity"], MOBS)
        if not mobs or mobs[0].kind != entity_kind(target["entity"]):
            raise InputError(f"the target is a {target['entity']}, the first of its mobs is not")
        goal = Goal(interaction, camera, mob=0)
    else:
        states_of(target["block"])  # raises for an unknown name
        goal = Goal(interaction, camera, _inside(target["cell"], size, "target"), target["block"])
    if interaction != "approach" and (goal.mob is None) == (interaction in ("hunt", "shoot")):
        raise InputError(f"{interaction} needs {'an entity' if goal.mob is None else 'a block'} as its target")
    items = tuple((item(name), int(count)) for name, count in params["items"])
    return Scene(int(params["world"]), str(params["biome"]), size, blocks, tuple(mobs), start, items, goal)


def _inside(place: Sequence[float], size: Cell, what: str) -> Cell:
    x, y, z = (int(np.floor(float(v))) for v in place)
    if not (0 <= x < size[0] and 0 <= y < size[1] and 0 <= z < size[2]):
        raise InputError(f"the {what} at {[float(v) for v in place]} is outside the world of size {list(size)}")
    return x, y, z


def _pose(value: Sequence[float], size: Cell, what: str) -> Pose:
    x, y, z, yaw, pitch = (float(v) for v in value)
    _inside((x, y, z), size, what)
    if not np.isfinite(yaw) or not -90 <= pitch <= 90:
        raise InputError(f"the {what} looks to yaw {yaw}, pitch {pitch}; pitch lies in [-90, 90]")
    return x, y, z, yaw, pitch


@functools.cache
def kin() -> np.ndarray:
    """For every block state (256,) the first state of the same block: equal numbers are the same block."""
    table = np.arange(256, dtype=np.int32)
    first: dict[str, int] = {}
    for state in block_states():
        table[state.number] = first.setdefault(state.name, state.number)
    return table


def cluster(blocks: np.ndarray, cell: Cell, limit: int = CLUSTER) -> np.ndarray:
    """The cells of the same block that hang together with `cell` by their faces, nearest first.

    Args:
        blocks: states (nx, nz, ny) of a world.
        cell: x, y, z of one of them.
        limit: cells at most.

    Returns:
        x, y, z of the cells, (n, 3) int32.
    """
    nx, nz, ny = blocks.shape
    same = kin()
    wanted = same[blocks[cell[0], cell[2], cell[1]]]
    found = [cell]
    seen = {cell}
    for x, y, z in found:  # grows while it is walked
        for dx, dy, dz in _OFFSETS:
            near = (x + dx, y + dy, z + dz)
            if near in seen or not (0 <= near[0] < nx and 0 <= near[1] < ny and 0 <= near[2] < nz):
                continue
            seen.add(near)
            if same[blocks[near[0], near[2], near[1]]] == wanted:
                found.append(near)
                if len(found) == limit:
                    return np.asarray(found, np.int32)
    return np.asarray(found, np.int32)
