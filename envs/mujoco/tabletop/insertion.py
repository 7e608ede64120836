"""The task peg-insert: a peg held by the gripper goes into a socket on the table."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from trunkline.envs.mujoco.tabletop.gripper import (
    MECHANISM_COLOUR,
    MECHANISM_DARK,
    Gripper,
    add_finger_pairs,
    add_geom,
    add_pair,
)
from trunkline.envs.mujoco.tabletop.objects import FreeObject
from trunkline.envs.mujoco.tabletop.task import (
    CLOSE,
    Context,
    Params,
    column,
    draw_hand,
    nearness,
    norm,
    ramp,
    uniform,
)

HOLE, OUTER, DEPTH = 0.021, 0.045, 0.045  # m, half widths of the hole and the socket, and its height
GRASP = 0.02  # m above the peg's middle, where the gripper holds it


class PegInsert(FreeObject):
    """Lower the peg until its bottom is within 1.2 cm of the bottom of the hole."""

    name = "peg-insert"
    goal_radius = 0.012
    table_friction = 0.5

    @classmethod
    def sample(cls, rng: np.random.Generator, context: Context) -> dict[str, Any]:
        shape = context.shape(rng)
        width = uniform(rng, 0.012, 0.015)
        other = width if shape in ("cylinder", "capsule") else uniform(rng, 0.012, 0.015)
        return {
            "hand": draw_hand(rng, (0.16, 0.24)),
            "goal": [*context.place(rng, (-0.06, -0.18), (0.18, 0.18)), 0.0],
            "shape": shape,
            "half_extents": [width, other, uniform(rng, 0.055, 0.065)],
            "mass": uniform(rng, 0.04, 0.1),
            "friction": uniform(rng, 0.3, 0.6),
        }

    def build(self, spec: Any) -> None:
        super().build(spec)
        socket = spec.worldbody.add_body(name="socket", pos=[0.1, 0, 0])
        middle, half = (OUTER + HOLE) / 2, (OUTER - HOLE) / 2
        for name, size, pos in (
            ("wall_front", (half, OUTER, DEPTH / 2), (-middle, 0, DEPTH / 2)),
            ("wall_back", (half, OUTER, DEPTH / 2), (middle, 0, DEPTH / 2)),
            ("wall_left", (HOLE, half, DEPTH / 2), (0, middle, DEPTH / 2)),
            ("wall_right", (HOLE, half, DEPTH / 2), (0, -middle, DEPTH / 2)),
        ):
            add_geom(socket, name, "box", size, pos, MECHANISM_COLOUR)
            add_pair(spec, name, "object", 0.2)
        add_geom(socket, "bottom", "box", (HOLE, HOLE, 0.0005), (0, 0, 0.0006), MECHANISM_DARK)
        hull = add_geom(socket, "hull", "box", (OUTER, OUTER, DEPTH / 2), (0, 0, DEPTH / 2), MECHANISM_COLOUR)
        hull.group = 3  # the fingers do not enter; drawn are the walls
        add_finger_pairs(spec, "hull", 0.4)

    def bind(self, batch: Any, gripper: Gripper) -> None:
        super().bind(batch, gripper)
        self._socket = batch.expand("body_pos")[:, batch.model.body("socket").id]

    def place(self, ids: np.ndarray, params: Sequence[Params]) -> None:
        hand, extents = column(params, "hand", 3), column(params, "half_extents", 3)
        self.goal[ids] = self._socket[ids] = column(params, "goal", 3)
        self.gripper.place(ids, hand, extents[:, 1:2])
        upright = np.zeros(len(ids))
        self.place_object(ids, params, hand - [0.0, 0.0, GRASP], upright)

    def place_object(self, ids: np.ndarray, params: Sequence[Params], positions: np.ndarray, yaw: np.ndarray) -> None:
        super().place_object(ids, params, positions, yaw)
        self.quaternion[ids] = [1.0, 0.0, 0.0, 0.0]  # a peg stands upright whatever its shape

    def _tip(self) -> np.ndarray:
        """The peg's bottom (E, 3)."""
        w, x, y, z = (self.quaternion[:, i] for i in range(4))
        length = self.extents[:, 2]
        tip = self.position.copy()
        tip[:, 0] -= length * 2 * (x * z + w * y)
        tip[:, 1] -= length * 2 * (y * z - w * x)
        tip[:, 2] -= length * (1 - 2 * (x * x + y * y))
        return tip

    def distances(self) -> tuple[np.ndarray, np.ndarray]:
        offset = self._tip() - self.goal
        lateral = norm(offset[:, :2])
        # Beside the hole the way leads over the rim.
        height = (DEPTH + 0.01) * ramp(lateral, 0.006, 0.02)
        return norm(self.gripper.position - self.position), lateral + np.abs(offset[:, 2] - height)

    def measure(self) -> tuple[np.ndarray, np.ndarray]:
        offset = self._tip() - self.goal
        success = (norm(offset[:, :2]) < 0.015) & (offset[:, 2] < 0.012)
        _, remaining = self.distances()
        return np.where(success, 1.0, nearness(remaining, self._start[:, 1])), success

    def expert(self) -> np.ndarray:
        """Carry the peg over the hole and lower it."""
        tip = self._tip()
        offset = self.goal - tip
        lateral = norm(offset[:, :2])
        target = self.gripper.position + offset
        target[:, 2] += (DEPTH + 0.025) * ramp(lateral, 0.004, 0.02)
        return self.go(target, CLOSE)
