"""Targets of tasks that are being made: found in a terrain or put into it, and things beside them that are not it."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from trunkline.envs.minecraft import targets
from trunkline.envs.minecraft.blocks import block_states
from trunkline.envs.minecraft.entities import ENTITIES, entity_kind
from trunkline.envs.minecraft.goals import Cell, cluster, kin, parse_state
from trunkline.envs.minecraft.survey import OPEN, Survey
from trunkline.envs.minecraft.tasks import Context

FOUND_SHARE = 0.5  # of targets that are tried first where they grow; many of them cannot be reached
MARGIN = 3  # cells between a target and the sides of the world
MIDDLE = np.array([0.5, 0.0, 0.5])  # of a cell's floor

Params = dict[str, Any]


@dataclass
class Draft:
    """A task that is being made.

    Attributes:
        target: as in the params.
        low, high: corners of the target's boxes, (B, 3).
        cells: of the target, (n, 3); none for a mob.
        blocks: cell and state of what is put into the terrain.
        mobs: as in the params.
    """

    target: Params
    low: np.ndarray
    high: np.ndarray
    cells: np.ndarray
    blocks: list[tuple[Cell, str]] = field(default_factory=list)
    mobs: list[list[Any]] = field(default_factory=list)

    @property
    def centre(self) -> np.ndarray:
        """Middle of the target's box (3,)."""
        middle: np.ndarray = (self.low.min(0) + self.high.max(0)) / 2
        return middle


def draw_target(land: Survey, interaction: str, what: Context, rng: np.random.Generator) -> Draft | None:
    """A target for an interaction, or None where what was drawn has no room."""
    blocks, mobs = targets.BLOCKS.get(interaction), targets.MOBS.get(interaction)
    if mobs and (not blocks or rng.random() < targets.MOB_SHARE):
        return _draft_mob(land, mobs[what.targets], rng)
    assert blocks is not None
    return _draft_block(land, blocks[what.targets], rng)


def _pick(rng: np.random.Generator, things: Sequence[Any] | np.ndarray) -> Any:
    return things[int(rng.random() * len(things))]


def _put(land: Survey, name: str, node: np.ndarray, rng: np.random.Generator) -> list[tuple[Cell, str]] | None:
    """The cells of a block that is put on a node, or None if there is no room."""
    x, y, z = (int(v) for v in node)
    nx, ny, nz = land.size
    if not (MARGIN <= x < nx - MARGIN and MARGIN <= z < nz - MARGIN):
        return None
    put = []
    for (dx, dy, dz), text in targets.structure(name, rng.random(), rng.random()):
        cell = (x + dx, y + dy, z + dz)
        if cell[1] + 2 >= ny or not land.bits[(cell[0] * nz + cell[2]) * ny + cell[1]] & OPEN:
            return None
        put.append((cell, text))
    return put


def _around(land: Survey, centre: np.ndarray, low: float, high: float, rng: np.random.Generator) -> np.ndarray | None:
    """A node that lies so far from a place, over the ground."""
    away = np.hypot(land.nodes[:, 0] + 0.5 - centre[0], land.nodes[:, 2] + 0.5 - centre[2])
    places = np.flatnonzero((away >= low) & (away <= high) & (np.abs(land.nodes[:, 1] - centre[1]) < 5))
    return land.nodes[_pick(rng, places)] if len(places) else None


def _draft_mob(land: Survey, names: Sequence[str], rng: np.random.Generator) -> Draft | None:
    name = _pick(rng, names)
    node = _pick(rng, land.nodes)
    nx, _, nz = land.size
    if not (MARGIN <= node[0] < nx - MARGIN and MARGIN <= node[2] < nz - MARGIN):
        return None
    feet = node + MIDDLE
    entity = ENTITIES[entity_kind(name)]
    half = np.array([entity.width / 2, 0.0, entity.width / 2])
    low, high = feet - half, feet + half + np.array([0.0, entity.height, 0.0])
    draft = Draft({"entity": name}, low[None], high[None], np.zeros((0, 3), np.int32))
    draft.mobs.append([name, *rounded(feet), _angle(rng)])
    for other in _others(targets.HARMLESS, name, names, rng):
        beside = _around(land, feet, 2.0, 8.0, rng)
        if beside is not None:
            draft.mobs.append([other, *rounded(beside + MIDDLE), _angle(rng)])
    return draft


def _draft_block(land: Survey, names: Sequence[str], rng: np.random.Generator) -> Draft | None:
    draft = Draft({}, np.zeros((0, 3)), np.zeros((0, 3)), np.zeros((0, 3), np.int32))
    grown = [name for name in names if name in land.found]
    if grown and rng.random() < FOUND_SHARE:
        name = _pick(rng, grown)
        cell = _pick(rng, land.found[name])
        anchor: Cell = (int(cell[0]), int(cell[1]), int(cell[2]))
        draft.cells = cluster(land.blocks, anchor)
        states = land.blocks[draft.cells[:, 0], draft.cells[:, 2], draft.cells[:, 1]]
    else:
        name = _pick(rng, names)
        put = _put(land, name, _pick(rng, land.nodes), rng)
        if put is None or _touches(land, put):
            return None
        anchor = put[0][0]
        draft.blocks += put
        draft.cells = np.asarray([cell for cell, _ in put], np.int32)
        states = np.asarray([parse_state(text) for _, text in put])
    draft.target = {"block": name, "cell": list(anchor)}
    boxes = _boxes()[states]
    draft.low, draft.high = draft.cells + boxes[:, 0], draft.cells + boxes[:, 1]
    for other in _others(names, name, names, rng):
        node = _around(land, draft.centre, 2.5, 8.0, rng)
        put = None if node is None else _put(land, other, node, rng)
        if put and not {cell for cell, _ in put} & {cell for cell, _ in draft.blocks} and not _touches(land, put):
            draft.blocks += put
    return draft


def _others(pool: Sequence[str], name: str, names: Sequence[str], rng: np.random.Generator) -> list[str]:
    """One or two things that are not the target."""
    rest = [other for other in pool if other != name]
    count = 1 + int(rng.random() < 0.5)
    return [_pick(rng, rest) for _ in range(count)] if rest else []


def _touches(land: Survey, put: Sequence[tuple[Cell, str]]) -> bool:
    """Whether what is put lies beside the same block of the terrain, and so would be more than was put."""
    same = kin()
    kind = same[parse_state(put[0][1])]
    for (x, y, z), _ in put:
        near = land.blocks[max(x - 1, 0) : x + 2, max(z - 1, 0) : z + 2, max(y - 1, 0) : y + 2]
        if (same[near] == kind).any():
            return True
    return False


@functools.cache
def _boxes() -> np.ndarray:
    """Corners of every block state's box, (256, 2, 3)."""
    boxes = np.zeros((256, 2, 3))
    for state in block_states():
        boxes[state.number] = np.reshape(state.box, (2, 3))
    return boxes


def rounded(values: np.ndarray, digits: int = 3) -> list[float]:
    """Numbers for JSON."""
    return [round(float(v), digits) for v in values]


def _angle(rng: np.random.Generator) -> float:
    return round(float(rng.uniform(-180.0, 180.0)), 1)
