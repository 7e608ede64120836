"""`state.Worlds` and its agents' controls as a protocol server knows them, there and back."""

from typing import Any

import numpy as np

from trunkline.envs.minecraft.entities import ENTITIES
from trunkline.envs.minecraft.items import items
from trunkline.envs.minecraft.server_observation import ACTIONS, EVENTS, Entity, ServerObservation, control_bits
from trunkline.envs.minecraft.state import (
    ATTACK,
    FORWARD,
    FREE,
    FUNCTION,
    ITEM,
    JUMP,
    NOTHING,
    PLACE,
    STRAFE,
    USE,
)

_FORWARD = (0, control_bits("forward"), control_bits("back"))
_STRAFE = (0, control_bits("left"), control_bits("right"))
_JUMP = (0, control_bits("jump"), control_bits("sneak"), 0)  # the last is sprint, which lasts: see `Mirror.control`
_SNEAKING, _SPRINTING = 2, 3  # values of the factor JUMP
_SPRINT = control_bits("sprint")
_SPRINT_FOOD = 6  # with no more than this nobody sprints
_ACTION = {NOTHING: "none", USE: "use", ATTACK: "attack", PLACE: "place"}
_ROUNDED = 360 / 256 / 2 + 1e-3  # degrees by which the protocol rounds a mob's yaw at most
_NOTHING_NEW = ("broken", "placed", "used", "struck", "shot", "killed")
_LONGEST = 100  # ticks of charge


class Mirror:
    """Keeps the rows of a `state.Worlds` as their servers tell, all but blocks.

    Args:
        worlds: `state.Worlds` on a CPU, whose arrays are written in place.
    """

    def __init__(self, worlds: Any) -> None:
        self.size = worlds.size
        self.fields = {name: worlds.view(name) for name in worlds.fields}
        self._bodies = [name for name in worlds.fields if name.startswith("body_")]
        self._places: list[dict[int, int]] = [{} for _ in range(worlds.count)]  # of each entity's id
        self._clicked = [-1] * worlds.count
        self._ours = {item.name: number for number, item in enumerate(items())}
        self._kinds = {entity.name: number for number, entity in enumerate(ENTITIES) if entity.health > 0}

    def control(self, row: int) -> tuple[int, int]:
        """The control byte and the action that the server takes, for what the agent is told to do."""
        f = self.fields
        control = f["control"][row]
        key = int(control[JUMP])
        bits = _FORWARD[control[FORWARD]] | _STRAFE[control[STRAFE]] | _JUMP[key]
        # The key starts a sprint, which lasts until the agent no longer goes forward, hits a wall, sneaks or swims.
        lasts = f["sprinting"][row] and not (f["blocked"][row] or f["in_water"][row] or key == _SNEAKING)
        if control[FORWARD] == 1 and (key == _SPRINTING or lasts) and f["food"][row] > _SPRINT_FOOD:
            bits |= _SPRINT
        f["sprinting"][row] = bool(bits & _SPRINT)
        f["sneaking"][row] = key == _SNEAKING
        return bits, ACTIONS.index(_ACTION[int(control[FUNCTION])])

    def turn(self, row: int) -> tuple[float, float]:
        """Yaw and pitch after this tick's turn of the head."""
        f = self.fields
        pitch = np.clip(f["pitch"][row] + f["turn"][row, 0], -90, 90)
        yaw = f["yaw"][row] + f["turn"][row, 1]
        return float(yaw - 360 * np.floor((yaw + 180) / 360)), float(pitch)

    def begin(self, row: int, told: ServerObservation) -> None:
        """An episode begins: find its mobs among the server's."""
        self._places[row] = {}
        self._clicked[row] = -1
        self._agent(row, told)
        self._entities(row, told)

    def follow(self, row: int, told: ServerObservation, changes: np.ndarray) -> None:
        """After a tick, in which the blocks `changes` (n, 4: x, y, z, state) became what they are."""
        f = self.fields
        f["tick"][row] += 1
        f["day"][row] = (f["day"][row] + 1) % 24000
        f["charge"][row] = min(f["charge"][row] + 1, _LONGEST)
        for name in _NOTHING_NEW:
            f[name][row] = -1
        health, height = f["health"][row], f["position"][row, 1]
        self._agent(row, told)
        f["damage"][row] = max(health - f["health"][row], 0)
        rests = told.on_ground[0] or told.in_water[0]
        f["fallen"][row] = 0 if rests else f["fallen"][row] + max(height - f["position"][row, 1], 0)
        self._hands(row, told, changes)
        self._entities(row, told)

    def _agent(self, row: int, told: ServerObservation) -> None:
        f = self.fields
        f["position"][row] = told.pose[0, :3]
        f["yaw"][row], f["pitch"][row] = told.pose[0, 3:]
        f["velocity"][row] = told.velocity[0]
        f["blocked"][row] = told.collided[0]
        for name in ("on_ground", "in_water", "in_lava", "health", "food"):
            f[name][row] = getattr(told, name)[0]
        f["item"][row] = f["count"][row] = 0
        for slot, (name, count) in told.items(0).items():
            if name in self._ours:
                f["item"][row, slot], f["count"][row, slot] = self._ours[name], count

    def _hands(self, row: int, told: ServerObservation, changes: np.ndarray) -> None:
        """What the agent did in this tick, and what it is at."""
        f, events = self.fields, int(told.events[0])
        x, y, z, progress = told.digging[0].tolist()
        digs = progress > 0 and self._inside(x, y, z)
        f["dig_cell"][row], f["dig_progress"][row] = (self._cell(x, y, z), progress) if digs else (-1, 0.0)
        if events & EVENTS["hit"]:
            f["charge"][row] = 0
            struck = self._places[row].get(int(told.struck[0]), -1)
            f["struck"][row] = struck
            if struck >= 0:
                f["body_health"][row, struck] = told.struck_health[0]
        touches, x, y, z = told.touched[0].tolist()
        if touches and self._inside(x, y, z):
            cell = self._cell(x, y, z)
            state = next((now for i, j, k, now in changes[::-1].tolist() if (i, j, k) == (x, y, z)), None)
            if events & EVENTS["dug"] and state is not None:
                f["broken"][row], f["broken_state"][row] = cell, f["blocks"][row, cell]
            elif events & EVENTS["placed"] and state:
                f["placed"][row] = cell
            elif events & EVENTS["used"]:
                self._clicked[row] = cell
        if events & EVENTS["opened"]:
            f["used"][row] = self._clicked[row]

    def _entities(self, row: int, told: ServerObservation) -> None:
        f, places = self.fields, self._places[row]
        died = places.pop(int(told.killed[0]), None)
        if died is not None:
            f["killed"][row] = died
            f["kind"][row, died] = FREE
        seen = [entity for entity in told.entities(0) if entity.type == "item" or entity.type in self._kinds]
        for number in places.keys() - {entity.id for entity in seen}:
            if f["kind"][row, places[number]] == ITEM:  # a mob that is out of sight is not gone
                f["kind"][row, places.pop(number)] = FREE
        for entity in seen:
            place = places.get(entity.id)
            if place is None:
                place = self._place(row, entity)
            if place is not None:
                places[entity.id] = place
                self._move(row, place, entity)

    def _move(self, row: int, place: int, entity: Entity) -> None:
        f = self.fields
        position = np.asarray(entity.position)
        f["body_velocity"][row, place] = position - f["body_position"][row, place]
        f["body_position"][row, place] = position
        f["body_age"][row, place] += 1
        if abs((entity.yaw - f["body_yaw"][row, place] + 180) % 360 - 180) > _ROUNDED:
            f["body_yaw"][row, place] = entity.yaw

    def _place(self, row: int, entity: Entity) -> int | None:
        """Where an entity goes that was not seen before; None if there is no room, or no item of ours like it."""
        f = self.fields
        kinds = f["kind"][row]
        position = np.asarray(entity.position)
        if entity.type in self._kinds:  # one of those that the episode began with, seen for the first time
            known = set(self._places[row].values())
            like = [m for m in np.flatnonzero(kinds == self._kinds[entity.type]).tolist() if m not in known]
            if like:
                return min(like, key=lambda m: float(np.linalg.norm(f["body_position"][row, m] - position)))
        elif entity.item not in self._ours:
            return None
        free = np.flatnonzero(kinds == FREE)
        if not len(free):
            return None
        place = int(free[0])
        for name in self._bodies:
            f[name][row, place] = 0
        f["kind"][row, place] = self._kinds.get(entity.type, ITEM)
        f["body_position"][row, place] = position
        f["body_owner"][row, place] = -1
        if entity.type == "item":
            f["body_item"][row, place], f["body_count"][row, place] = self._ours[entity.item], 1
        return place

    def _inside(self, *cell: float) -> bool:
        return all(0 <= c < n for c, n in zip(cell, self.size, strict=True))

    def _cell(self, x: float, y: float, z: float) -> int:
        _, ny, nz = self.size
        index: int = (int(x) * nz + int(z)) * ny + int(y)
        return index
