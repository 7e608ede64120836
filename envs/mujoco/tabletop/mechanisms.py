"""Tasks with a mechanism of one joint, and the simplest of them: button-press.

The mechanism stands where the episode's params say; its handle (or button) has the episode's shape. The
mechanism's body positions, handle shapes and handle heights are per-simulation model fields.
"""

from collections.abc import Sequence
from typing import Any

import mujoco
import numpy as np

from trunkline.envs.mujoco.shapes import ShapeFields
from trunkline.envs.mujoco.tabletop.gripper import (
    GRAVITY,
    HANDLE_COLOUR,
    MECHANISM_COLOUR,
    MECHANISM_DARK,
    Gripper,
    add_finger_pairs,
    add_geom,
)
from trunkline.envs.mujoco.tabletop.task import (
    CLOSE,
    Context,
    Params,
    Task,
    column,
    descend,
    draw_hand,
    nearness,
    norm,
    shapes_of,
    uniform,
)

FRICTION = 0.4


class Mechanism(Task):
    """A task with a placed body `base` and a moving body with one joint `joint` and one geom `handle`."""

    def bind(self, batch: Any, gripper: Gripper) -> None:
        super().bind(batch, gripper)
        qpos, qvel = batch.bind("qpos"), batch.bind("qvel")
        joint = batch.model.joint("joint")
        self.joint, self.joint_velocity = qpos[:, joint.qposadr[0]], qvel[:, joint.dofadr[0]]
        self._base = batch.expand("body_pos")[:, batch.model.body("base").id]
        self._handle = ShapeFields.of(batch, "handle")
        self._amount = np.ones(self.num_envs)
        self.quaternion[:, 0] = 1.0

    def place(self, ids: np.ndarray, params: Sequence[Params]) -> None:
        self.gripper.place(ids, column(params, "hand", 3))
        self._base[ids] = column(params, "place", 3)
        self._amount[ids] = column(params, "amount")
        shapes, extents = shapes_of(params), column(params, "half_extents", 3)
        self._handle.write(ids, shapes, extents)
        self.set_shape(ids, shapes, extents)

    def opened(self) -> np.ndarray:
        """How much of the amount is done, (E,) in [0, 1]."""
        done: np.ndarray = np.minimum(np.maximum(self.joint / self._amount, 0.0), 1.0)
        return done

    def measure(self) -> tuple[np.ndarray, np.ndarray]:
        success = self.joint >= self._amount
        near, _ = self.distances()
        return np.where(success, 1.0, 0.3 * nearness(near, self._start[:, 0]) + 0.7 * self.opened()), success


class ButtonPress(Mechanism):
    """Press a button, on a pedestal, down by the episode's depth against its spring."""

    name = "button-press"
    max_steps = 50
    STIFFNESS, MASS = 150.0, 0.05

    @classmethod
    def sample(cls, rng: np.random.Generator, context: Context) -> dict[str, Any]:
        place = [*context.place(rng, (-0.06, -0.21), (0.18, 0.21)), uniform(rng, 0.03, 0.1)]
        shape = context.shape(rng)
        width = uniform(rng, 0.016, 0.024)
        extents = {
            "box": [width, uniform(rng, 0.016, 0.024), 0.02],
            "cylinder": [width, width, 0.02],
            "capsule": [width, width, width + 0.006],
            "ellipsoid": [width, uniform(rng, 0.016, 0.024), 0.026],
        }[shape]
        return {
            "hand": draw_hand(rng, (0.18, 0.24)),
            "place": place,
            "amount": uniform(rng, 0.016, 0.022),
            "shape": shape,
            "half_extents": [round(v, 4) for v in extents],
        }

    def build(self, spec: Any) -> None:
        base = spec.worldbody.add_body(name="base", pos=[0.05, 0, 0.05])
        add_geom(base, "pedestal", "cylinder", (0.045, 0.1), (0, 0, -0.1), MECHANISM_COLOUR)
        add_geom(base, "collar", "cylinder", (0.036, 0.006), (0, 0, 0), MECHANISM_DARK)
        button = base.add_body(name="button", pos=[0, 0, 0.012])
        # The spring's rest is above 0 by what the button's weight presses it down.
        joint = button.add_joint(name="joint", type=mujoco.mjtJoint.mjJNT_SLIDE, axis=[0, 0, -1], damping=[3, 0, 0])
        joint.stiffness = [self.STIFFNESS, 0, 0]
        joint.springref = -self.MASS * GRAVITY / self.STIFFNESS
        add_geom(button, "handle", "box", (0.025, 0.025, 0.03), (0, 0, 0), HANDLE_COLOUR, mass=self.MASS)
        add_finger_pairs(spec, "handle", FRICTION)
        add_finger_pairs(spec, "pedestal", FRICTION)

    def place(self, ids: np.ndarray, params: Sequence[Params]) -> None:
        super().place(ids, params)
        self.goal[ids] = self._base[ids]
        self.goal[ids, 2] += 0.012 + self.extents[ids, 2] - self._amount[ids]

    def refresh(self) -> None:
        self.position[:] = self._base
        self.position[:, 2] += 0.012 + self.extents[:, 2] - self.joint
        np.negative(self.joint_velocity, out=self.velocity[:, 2])

    def distances(self) -> tuple[np.ndarray, np.ndarray]:
        tip = self.gripper.position - self.position
        tip[:, 2] -= 0.015
        return norm(tip), self._amount

    def expert(self) -> np.ndarray:
        """Come over the button and press."""
        hand = self.gripper.position
        target = self.position.copy()
        over = norm(hand[:, :2] - target[:, :2]) < 0.012
        target[:, 2] += np.where(over, -0.02, 0.015)
        return self.go(descend(target, hand, 0.05), CLOSE)
