"""Tasks with a free object or none: reach, push, pick-place."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from trunkline.envs.mujoco.shapes import ShapeFields
from trunkline.envs.mujoco.tabletop.gripper import (
    FINGER_HALF,
    OBJECT_COLOUR,
    STEP,
    Gripper,
    add_finger_pairs,
    add_geom,
    add_pair,
)
from trunkline.envs.mujoco.tabletop.task import (
    CLOSE,
    OPEN,
    Context,
    Params,
    Task,
    column,
    descend,
    draw_hand,
    nearness,
    norm,
    ramp,
    shapes_of,
    uniform,
)

FINGER_FRICTION = 1.5
GOALS = ((-0.12, -0.21), (0.18, 0.21))  # corners of the region of goals, x and y
_CAPSULE = 2


class Reach(Task):
    """Bring the point between the fingertips within 2 cm of a point in the air."""

    name = "reach"
    max_steps = 50
    has_object = False

    @classmethod
    def sample(cls, rng: np.random.Generator, context: Context) -> dict[str, Any]:
        hand = draw_hand(rng)
        while True:
            goal = [*context.place(rng, *GOALS), uniform(rng, 0.04, 0.26)]
            if math.dist(goal, hand) > 0.14:
                return {"hand": hand, "goal": goal}

    def build(self, spec: Any) -> None:
        pass  # there is nothing but the gripper

    def place(self, ids: np.ndarray, params: Sequence[Params]) -> None:
        self.gripper.place(ids, column(params, "hand", 3))
        self.goal[ids] = column(params, "goal", 3)

    def distances(self) -> tuple[np.ndarray, np.ndarray]:
        distance = norm(self.gripper.position - self.goal)
        return distance, distance

    def measure(self) -> tuple[np.ndarray, np.ndarray]:
        distance = norm(self.gripper.position - self.goal)
        success = distance < 0.02
        return np.where(success, 1.0, nearness(distance, self._start[:, 0])), success

    def expert(self) -> np.ndarray:
        return self.go(self.goal, CLOSE)


class FreeObject(Task):
    """A task with one free object; its shape, size, mass and friction are the episode's."""

    half_width: tuple[float, float]
    table_friction = 0.4

    @classmethod
    def draw_object(cls, rng: np.random.Generator, context: Context) -> dict[str, Any]:
        """Params of the object, except where it stands."""
        shape = context.shape(rng)
        width = uniform(rng, *cls.half_width)
        extents = {
            "box": [width, uniform(rng, *cls.half_width), uniform(rng, 0.016, 0.028)],
            "cylinder": [width, width, uniform(rng, 0.016, 0.028)],
            "capsule": [width, width, uniform(rng, 1.3, 1.8) * width],
            "ellipsoid": [uniform(rng, 1.0, 1.3) * width, width, 0.8 * width],
        }[shape]
        return {
            "shape": shape,
            "half_extents": [round(v, 4) for v in extents],
            "mass": uniform(rng, 0.06, 0.16),
            "friction": uniform(rng, 0.3, 0.6),
        }

    def build(self, spec: Any) -> None:
        body = spec.worldbody.add_body(name="object", pos=[0.1, 0, 0.02])
        joint = body.add_freejoint(name="object")
        # Stops rolling, as rolling friction would at the price of three more contact dimensions; sliding feels nothing.
        joint.damping = [0.001, 0, 0]
        add_geom(body, "object", "box", (0.03, 0.03, 0.03), (0, 0, 0), OBJECT_COLOUR, mass=0.1)
        add_pair(spec, "table", "object", self.table_friction)
        add_finger_pairs(spec, "object", FINGER_FRICTION, condim=4)

    def bind(self, batch: Any, gripper: Gripper) -> None:
        super().bind(batch, gripper)
        address = batch.model.joint("object").qposadr[0]
        dof = batch.model.joint("object").dofadr[0]
        qpos, qvel = batch.bind("qpos"), batch.bind("qvel")
        self.position, self.quaternion = qpos[:, address : address + 3], qpos[:, address + 3 : address + 7]
        self.velocity = qvel[:, dof : dof + 3]
        self._shape_fields = ShapeFields.of(batch, "object", "object")
        self._friction = batch.expand("pair_friction")[:, batch.model.pair("table-object").id]

    def place_object(self, ids: np.ndarray, params: Sequence[Params], positions: np.ndarray, yaw: np.ndarray) -> None:
        """Put objects down at positions (n, 3), turned by yaw (n,); capsules lie on their side along x."""
        shapes, extents = shapes_of(params), column(params, "half_extents", 3)
        self._shape_fields.write(ids, shapes, extents, column(params, "mass"))
        self._friction[ids, :2] = column(params, "friction")[:, None]
        self.set_shape(ids, shapes, extents)
        c, s = np.cos(yaw / 2), np.sin(yaw / 2)
        upright = np.stack([c, 0 * c, 0 * c, s], axis=1)
        lying = np.stack([c, -s, c, s], axis=1) * np.sqrt(0.5)
        self.position[ids] = positions
        self.quaternion[ids] = np.where((shapes == _CAPSULE)[:, None], lying, upright)
        self.batch.set_const(ids)

    @staticmethod
    def resting_height(shapes: np.ndarray, extents: np.ndarray) -> np.ndarray:
        """Height (n,) of the centres of objects that stand on the table."""
        height: np.ndarray = np.where(shapes == _CAPSULE, extents[:, 0], extents[:, 2])
        return height

    def distances(self) -> tuple[np.ndarray, np.ndarray]:
        return norm(self.gripper.position - self.position), norm(self.position - self.goal)


class Push(FreeObject):
    """Push an object along the table until it is within 3.5 cm of the goal."""

    name = "push"
    goal_radius = 0.03
    half_width = (0.02, 0.03)

    @classmethod
    def sample(cls, rng: np.random.Generator, context: Context) -> dict[str, Any]:
        thing = cls.draw_object(rng, context)
        height = thing["half_extents"][0 if thing["shape"] == "capsule" else 2]
        goal = [*context.place(rng, *GOALS), height]
        while True:
            start = [uniform(rng, -0.08, 0.14), uniform(rng, -0.16, 0.16)]
            if 0.1 < math.dist(start, goal[:2]) < 0.28:
                break
        yaw = uniform(rng, -math.pi, math.pi)
        return {"hand": draw_hand(rng), "goal": goal, "position": start, "yaw": yaw, **thing}

    def place(self, ids: np.ndarray, params: Sequence[Params]) -> None:
        self.gripper.place(ids, column(params, "hand", 3))
        self.goal[ids] = column(params, "goal", 3)
        height = self.resting_height(shapes_of(params), column(params, "half_extents", 3))
        positions = np.concatenate([column(params, "position", 2), height[:, None]], axis=1)
        self.place_object(ids, params, positions, column(params, "yaw"))

    def measure(self) -> tuple[np.ndarray, np.ndarray]:
        success = norm((self.position - self.goal)[:, :2]) < 0.035
        return np.where(success, 1.0, self.staged(0.25)), success

    def expert(self) -> np.ndarray:
        """Stand behind the object on the line to the goal, then push along that line, steering back onto it."""
        thing, hand = self.position[:, :2], self.gripper.position
        offset = self.goal[:, :2] - thing
        distance = norm(offset)
        ahead = offset / np.maximum(distance, 1e-6)[:, None]
        radius = np.max(self.extents, axis=1)
        relative = hand[:, :2] - thing
        along = relative[:, 0] * ahead[:, 0] + relative[:, 1] * ahead[:, 1]
        across = relative - along[:, None] * ahead
        low = np.minimum(self.position[:, 2], 0.028)
        behind = thing - (radius + FINGER_HALF[1] + 0.025)[:, None] * ahead
        approach = self.go(descend(np.column_stack([behind, low]), hand, 0.07), CLOSE)
        # Beside the object straight up first, or the fingers take it along.
        beside = (norm(relative) < radius + 0.03) & (norm(hand[:, :2] - behind) > 0.02)
        clear = ramp(hand[:, 2] - self.position[:, 2] - np.max(self.extents, axis=1), 0.0, 0.03)
        approach[:, :2] *= np.where(beside, clear, 1.0)[:, None]
        push = np.empty_like(approach)
        speed = np.minimum(0.013, 0.004 + 0.1 * distance)
        push[:, :2] = (hand[:, :2] + speed[:, None] * ahead - across - self.gripper.command[:, :2]) / STEP
        push[:, 2] = (low - self.gripper.command[:, 2]) / STEP
        push[:, 3] = CLOSE
        ready = (along < -0.3 * radius) & (norm(across) < 0.02) & (hand[:, 2] < low + 0.015)
        return np.where(ready[:, None], push, approach)


class PickPlace(FreeObject):
    """Grasp an object and carry it to within 3 cm of a goal on or above the table."""

    name = "pick-place"
    goal_radius = 0.025
    half_width = (0.015, 0.022)
    table_friction = 0.6

    @classmethod
    def sample(cls, rng: np.random.Generator, context: Context) -> dict[str, Any]:
        thing = cls.draw_object(rng, context)
        rest = thing["half_extents"][0 if thing["shape"] == "capsule" else 2]
        height = rest if rng.random() < 0.25 else uniform(rng, 0.07, 0.2)
        goal = [*context.place(rng, *GOALS), height]
        while True:
            start = [uniform(rng, -0.08, 0.14), uniform(rng, -0.16, 0.16)]
            if math.dist(start, goal[:2]) > 0.1:
                break
        return {"hand": draw_hand(rng), "goal": goal, "position": start, "yaw": uniform(rng, -0.35, 0.35), **thing}

    place = Push.place

    def measure(self) -> tuple[np.ndarray, np.ndarray]:
        success = norm(self.position - self.goal) < 0.03
        return np.where(success, 1.0, self.staged(0.3)), success

    def expert(self) -> np.ndarray:
        """Come down around the object, close, and carry once the fingers have met it."""
        hand = self.gripper.position
        width = 2 * self.extents[:, 1]
        around = (norm(hand[:, :2] - self.position[:, :2]) < 0.014) & (np.abs(hand[:, 2] - self.position[:, 2]) < 0.014)
        held = around & (self.gripper.opening < width + 0.012) & (norm(self.gripper.finger_rates) < 0.05)
        target = descend(self.position, hand, 0.08)
        carry = self.goal + hand - self.position
        # Lift first: an object that is dragged along the table turns in the grasp.
        lift = ramp(norm((self.goal - self.position)[:, :2]), 0.02, 0.06) * ramp(0.05 - self.position[:, 2], 0.0, 0.01)
        carry[:, 2] += 0.04 * lift
        return self.go(np.where(held[:, None], carry, target), np.where(around, CLOSE, OPEN))
