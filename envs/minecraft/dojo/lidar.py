"""MineDojo's rays: the first block and the first entity in some directions from the agent's eye."""

import functools
from typing import Any

import numpy as np

from trunkline.envs.minecraft.blocks import block_states
from trunkline.envs.minecraft.dojo.game import Game, direction
from trunkline.envs.minecraft.dojo.names import block_facts
from trunkline.envs.minecraft.entities import ENTITIES

_STEEPEST = 89.0  # degrees; MineDojo's rays do not pass the zenith
_CHANNELS = ("block_name", "block_meta", "harvest_level", "is_tool_not_required", "blocks_movement", "is_liquid")


@functools.cache
def _boxes() -> np.ndarray:
    """(256, 2, 3) corners of the box of a block that a ray meets; empty for air."""
    boxes = np.zeros((256, 2, 3))
    boxes[255] = (0, 0, 0), (1, 1, 1)
    for state in block_states():
        if state.diggable or state.liquid:
            boxes[state.number] = state.box[:3], state.box[3:]
    return boxes


def _entry(start: np.ndarray, way: np.ndarray, low: np.ndarray, high: np.ndarray) -> float:
    """How far along a line of direction `way` it enters a box; infinity if it misses it."""
    with np.errstate(divide="ignore", invalid="ignore"):
        a, b = (low - start) / way, (high - start) / way
    still = way == 0
    inside = (start >= low) & (start <= high)
    near = np.where(still, np.where(inside, -np.inf, np.inf), np.minimum(a, b)).max()
    far = np.where(still, np.where(inside, np.inf, -np.inf), np.maximum(a, b)).min()
    return float(max(near, 0.0)) if near <= far and far >= 0 else float("inf")


def _first_block(game: Game, eye: np.ndarray, way: np.ndarray, most: float) -> tuple[float, np.ndarray]:
    """Distance to the first block along a ray, and its cell; `most` and the cell at the end where there is none."""
    cell = np.floor(eye).astype(np.int64)
    step = np.sign(way).astype(np.int64)
    with np.errstate(divide="ignore", invalid="ignore"):
        pace = np.where(way != 0, 1.0 / np.abs(way), np.inf)
        ahead = np.where(way > 0, cell + 1 - eye, eye - cell) * np.where(way != 0, pace, 0.0)
    ahead = np.where(way != 0, ahead, np.inf)
    while True:
        state = int(game.grid(cell.tolist(), cell.tolist())[0, 0, 0])
        low, high = _boxes()[state]
        if high[1] > 0 and (far := _entry(eye, way, cell + low, cell + high)) <= most:
            return far, cell
        axis = int(np.argmin(ahead))
        if ahead[axis] > most:
            return most, np.floor(eye + way * most).astype(np.int64)
        cell[axis] += step[axis]
        ahead[axis] += pace[axis]


def _first_entity(game: Game, eye: np.ndarray, way: np.ndarray, most: float) -> tuple[float, str]:
    """Distance to the first entity along a ray, and its name; `most` and "null" where there is none."""
    found = most, "null"
    for place in np.flatnonzero(game.read("kind")):
        entity = ENTITIES[int(game.read("kind")[place])]
        feet, half = np.asarray(game.read("body_position")[place], np.float64), entity.width / 2
        low, high = np.array([-half, 0.0, -half]), np.array([half, entity.height, half])
        far = _entry(eye, way, feet + low, feet + high)
        if far < found[0]:
            found = far, entity.name.replace("_", "")
    return found


def cast_rays(game: Game, rays: np.ndarray) -> dict[str, Any]:
    """MineDojo's observation `rays`.

    Args:
        game: the world.
        rays: (N, 3) of pitch and yaw, radians from the gaze upwards and to the left, and distance in blocks.

    Returns:
        arrays (N,). A ray that meets nothing tells of the block at its end and of its length.
    """
    eye, yaw, pitch = game.eye, float(game.read("yaw")), float(game.read("pitch"))
    distance, cells, entities, names = np.zeros(len(rays)), np.zeros((len(rays), 3)), np.zeros(len(rays)), []
    states = np.zeros(len(rays), np.int64)
    for i, (up, left, most) in enumerate(rays):
        tilt = float(np.clip(pitch - np.degrees(up), -_STEEPEST, _STEEPEST))
        way = direction(yaw - float(np.degrees(left)), tilt)
        distance[i], cell = _first_block(game, eye, way, float(most))
        cells[i], states[i] = cell, game.grid(cell.tolist(), cell.tolist())[0, 0, 0]
        entities[i], name = _first_entity(game, eye, way, float(distance[i]))
        names.append(name)
    facts = block_facts()
    return {name: facts[name][states] for name in (*_CHANNELS, "is_solid", "can_burn")} | {
        "block_distance": distance.astype(np.float32),
        "entity_name": np.array(names, dtype=np.str_),
        "entity_distance": entities.astype(np.float32),
        "ray_pitch": rays[:, 0].astype(np.float32),
        "ray_yaw": rays[:, 1].astype(np.float32),
        "traced_block_x": cells[:, 0].astype(np.float32),
        "traced_block_y": cells[:, 1].astype(np.float32),
        "traced_block_z": cells[:, 2].astype(np.float32),
    }
