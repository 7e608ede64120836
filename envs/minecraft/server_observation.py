"""What the players of a protocol server do and see.

Legend: A agents, n voxels along each side.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trunkline.errors import unknown

CONTROLS = ("forward", "back", "left", "right", "jump", "sneak", "sprint")
ACTIONS = ("none", "attack", "use", "place")
EVENTS = {"dug": 1, "placed": 2, "hit": 4, "opened": 8, "collected": 16, "used": 32}
INVENTORY_SLOTS = 36

_NOBODY = np.zeros((0, 4), np.int32)
_NOWHERE = np.zeros((0, 5))
_UNCHANGED = np.zeros((0, 5), np.int32)
_COLUMNS = 30  # of a player's state


def control_bits(*held: str) -> int:
    """The control byte of the keys that are held down, by their names in `CONTROLS`.

    Raises:
        InputError: an unknown name.
    """
    bits = 0
    for name in held:
        if name not in CONTROLS:
            raise unknown("control", name, CONTROLS)
        bits |= 1 << CONTROLS.index(name)
    return bits


@dataclass(frozen=True)
class Entity:
    """Another player ("player"), a mob, or a drop ("item") that an agent sees.

    Attributes:
        id: its number in this game.
        type: Minecraft's name for it.
        item: of a drop, the item's name; else "".
        position: its feet.
        yaw: degrees.
        pitch: degrees, positive down.
    """

    id: int
    type: str
    item: str
    position: tuple[float, float, float]
    yaw: float
    pitch: float


@dataclass(frozen=True)
class ServerObservation:
    """What there is to know of the agents after a tick.

    Attributes:
        tick: ticks since the beginning.
        pose: (A, 5) float64, x y z of the feet, yaw in [−180, 180), pitch.
        velocity: (A, 3) float64, blocks a tick.
        on_ground, in_water, in_lava: (A,) bool.
        health, food: (A,) float64, 0 to 20.
        slot: (A,) the hotbar slot in hand, 0 to 8.
        events: (A,) bits of `EVENTS` that this tick brought about.
        digging: (A, 4) float64, the block that is being dug and how far in [0, 1]; zeros if none.
        inventory: (A, 36, 2) int16, number of the item and count; the hotbar first.
        collided: (A,) whether a wall stopped it in this tick.
        touched: (A, 4) int32, 1 and the block that it dug, used or put there in this tick; zeros if none.
        struck, killed: (A,) int32, ids of the entities that it hit and that died in this tick, −1 for none.
        struck_health: (A,) float64, half hearts that are left to what it hit.
        changes: (N, 5) int32, blocks that players saw change: player, coordinates and the new palette number, in order.
        voxels: (A, n, n, n) uint16 palette numbers, indexed x, y, z; None if n is 0. The block at the feet is
            [n/2, n/2, n/2].
        origin: (A, 3) int32, the coordinates of voxels[0, 0, 0].
    """

    tick: int
    pose: NDArray[np.float64]
    velocity: NDArray[np.float64]
    on_ground: NDArray[np.bool_]
    health: NDArray[np.float64]
    food: NDArray[np.float64]
    in_water: NDArray[np.bool_]
    in_lava: NDArray[np.bool_]
    slot: NDArray[np.int32]
    events: NDArray[np.int32]
    digging: NDArray[np.float64]
    inventory: NDArray[np.int16]
    collided: NDArray[np.bool_]
    touched: NDArray[np.int32]
    struck: NDArray[np.int32]
    struck_health: NDArray[np.float64]
    killed: NDArray[np.int32]
    changes: NDArray[np.int32]
    voxels: NDArray[np.uint16] | None
    origin: NDArray[np.int32] | None
    _entities: NDArray[np.int32]
    _entity_pose: NDArray[np.float64]
    _names: Mapping[str, Sequence[str]]

    def entities(self, agent: int) -> list[Entity]:
        """What one agent sees within range, in the order it appeared."""
        found = []
        for (owner, number, kind, item), (x, y, z, yaw, pitch) in zip(
            self._entities.tolist(), self._entity_pose.tolist(), strict=True
        ):
            if owner == agent:
                name = self._names["items"][item] if item else ""
                found.append(Entity(number, self._names["entities"][kind], name, (x, y, z), yaw, pitch))
        return found

    def items(self, agent: int) -> dict[int, tuple[str, int]]:
        """One agent's inventory: slot -> (item's name, count); empty slots are left out."""
        rows = enumerate(self.inventory[agent].tolist())
        return {slot: (self._names["items"][item], count) for slot, (item, count) in rows if count > 0}

    @classmethod
    def read(
        cls,
        answer: Mapping[str, Any],
        inventory: NDArray[np.int16],
        voxels: NDArray[np.uint16] | None,
        names: Mapping[str, Sequence[str]],
    ) -> "ServerObservation":
        """From the server's answer, inventories and voxels as they are now, and its names of items and entities.

        Raises:
            KeyError, TypeError, ValueError: an answer that is not the server's.
        """
        state = answer["state"]
        if state.shape != (len(inventory), _COLUMNS) or not np.isfinite(state).all():
            raise ValueError(f"state of players {state.shape} that are not finite numbers {len(inventory), _COLUMNS}")
        flags = state[:, 8:15].astype(np.int32)
        hands = state[:, 22:].astype(np.int32)
        return cls(
            tick=answer["tick"],
            pose=state[:, :5],
            velocity=state[:, 5:8],
            on_ground=flags[:, 0] != 0,
            health=state[:, 9],
            food=state[:, 10],
            in_water=flags[:, 3] != 0,
            in_lava=flags[:, 4] != 0,
            slot=flags[:, 5],
            events=flags[:, 6],
            digging=state[:, 15:19],
            inventory=inventory,
            collided=hands[:, 0] != 0,
            touched=hands[:, 1:5],
            struck=hands[:, 5],
            struck_health=state[:, 28],
            killed=hands[:, 7],
            changes=answer.get("changes", _UNCHANGED),
            voxels=voxels,
            origin=state[:, 19:22].astype(np.int32) if voxels is not None else None,
            _entities=answer.get("entities", _NOBODY),
            _entity_pose=answer.get("entity_pose", _NOWHERE),
            _names=names,
        )
