"""`tactile/grip`: hold an object of unknown mass and friction under changing pulls, with no more force than it takes.

The gripper stands still; the action raises or lowers the force that closes it. What the object weighs, how slippery it
is and how it is pulled can only be felt: as shear on the pads, and as the contact's movement when it begins to slip.

Legend: E simulations, n episodes that start. Computed element by element: the same bits in a batch of any size.
"""

from collections.abc import Sequence
from typing import Any

import mujoco
import numpy as np

from trunkline.envs.mujoco.raycast import View
from trunkline.envs.mujoco.sensors import PROPRIO_SIZE
from trunkline.envs.mujoco.shapes import SHAPES, ShapeFields
from trunkline.envs.mujoco.tabletop.gripper import GRAVITY
from trunkline.envs.mujoco.tabletop.task import column, norm
from trunkline.envs.sampling import draw_tasks
from trunkline.envs.spec import ActionSpec, SensorSpec, TaskSpec
from trunkline.envs.tactile.grip_task import (
    CONTEXTS,
    FIRST_FORCE,
    GREATEST_FORCE,
    HEIGHT,
    TERMS,
    grip_force_sensor,
    grip_spec,
    held_state_sensor,
    sample_params,
)
from trunkline.envs.tactile.gripper import SUBSTEPS, TIMESTEP
from trunkline.envs.tactile.gripper_world import GripperWorld
from trunkline.errors import InputError

STEP = 1.5  # N that the grip changes by in a control step at action 1
MAX_STEPS = 120
SLIP_LIMIT = 0.003  # m; what has slid farther counts as lost
ECONOMY = 0.5  # least mean share of the force that was needed in the force that was used, for success
SETTLING = 40  # physics steps after the object is put between the pads
_START_INDENTATION = 0.0010  # m
_MARGIN = 1.2  # the expert's factor of safety
# MuJoCo scales a contact's stiffness by the masses that meet. The gel's must not tell what the object weighs: so it is
# this many N/m a contact point for any mass, about what the plug of `tactile/insertion` feels.
_POINT_STIFFNESS = 6500.0
_IMPEDANCE = 0.95  # of the pads' contacts
_DAMPING_RATIO = 0.75
_CAPSULE = SHAPES.index("capsule")


class Grip(GripperWorld):
    """The world `tactile/grip`; see the module.

    Every control step earns the share of the force that was needed in the force that was used; progress is what was
    earned, over the number of control steps. The episode succeeds if at its end the object is still held and that mean
    is at least `ECONOMY`; it fails when the object has slid by more than `SLIP_LIMIT`.
    """

    view = View(position=(0.20, -0.07, 0.13), target=(0.0, 0.0, HEIGHT + 0.024), field_of_view=30.0)

    @classmethod
    def task_names(cls) -> tuple[str, ...]:
        return ("grip",)

    @classmethod
    def splits(cls, task: str) -> tuple[str, ...]:
        return tuple(CONTEXTS)

    @classmethod
    def sample_tasks(cls, task: str, count: int, seed: int, split: str) -> list[TaskSpec]:
        context = CONTEXTS[split]
        return draw_tasks(cls.family, task, count, seed, split, MAX_STEPS, lambda rng: sample_params(rng, context))

    def default_sensors(self) -> tuple[str, ...]:
        return ("touch_left", "touch_right", "proprio", "grip_force")

    def make_action_spec(self) -> ActionSpec:
        return ActionSpec("grip", (1,))

    def _own_sensors(self) -> list[SensorSpec]:
        return [grip_force_sensor(), held_state_sensor()]

    def _build(self) -> Any:
        return grip_spec()

    def _bind(self) -> None:
        batch, count = self.batch, self.num_envs
        self._fingers: np.ndarray = self._qpos[:, 0:2]
        self._finger_rates: np.ndarray = self._qvel[:, 0:2]
        self._object: np.ndarray = self._qpos[:, 2:9]
        self._grip: np.ndarray = self._ctrl[:, self.model.actuator("grip").id]
        self._pull: np.ndarray = batch.bind("xfrc_applied")[:, self.model.body("object").id]
        self._shape = ShapeFields.of(batch, "handle", "object")
        self._pair_friction, self._softness = batch.expand("pair_friction"), batch.expand("pair_solref")
        self._finger_weight = float(self.model.body("finger_left").invweight0[0])
        self._mass, self._friction = np.ones(count), np.ones(count)
        self._capsule = np.ones((count, 2))  # radius and half length
        self._first = np.zeros((count, 3))  # where the object was put
        self._terms = np.zeros((count, TERMS, 4))
        self._time = np.zeros(count)
        self._share = np.zeros(count)  # sum of the shares of needed in used force

    def _start(self, ids: np.ndarray, tasks: Sequence[TaskSpec]) -> None:
        params = [t.params for t in tasks]
        mass, radius, half = (column(params, name) for name in ("mass", "radius", "half_length"))
        friction, grasp = column(params, "friction"), column(params, "grasp", 3)
        if min(mass.min(), radius.min(), half.min(), friction.min()) <= 0:
            raise InputError("TaskSpec params 'mass', 'friction', 'radius' and 'half_length' must be positive")
        self.batch.reset(ids, stage=mujoco.mjtStage.mjSTAGE_NONE)
        extents = np.stack([radius, radius, half + radius], 1)
        self._shape.write(ids, np.full(len(ids), _CAPSULE), extents, mass)
        self._capsule[ids] = np.stack([radius, half], 1)
        self._mass[ids], self._friction[ids] = mass, friction
        self._pair_friction[ids, :, :2] = friction[:, None, None]
        stiffness = _POINT_STIFFNESS * (1 - _IMPEDANCE) / _IMPEDANCE * (1 / mass + self._finger_weight)
        self._softness[ids] = -np.stack([stiffness, 2 * _DAMPING_RATIO * np.sqrt(stiffness)], 1)[:, None]
        self.batch.set_const(ids)
        self._terms[ids] = self._read_pulls(params)
        self._time[ids] = self._share[ids] = 0.0
        self._fingers[ids] = radius[:, None] - _START_INDENTATION
        self._grip[ids] = -FIRST_FORCE
        self._object[ids, :3] = np.stack([grasp[:, 0], 0 * radius, HEIGHT + grasp[:, 1]], 1)
        turn = (np.pi / 2 + grasp[:, 2]) / 2  # lies along x, turned about y
        self._object[ids, 3], self._object[ids, 5] = np.cos(turn), np.sin(turn)
        self._pull[ids] = 0.0
        self._simulate(ids, SETTLING)
        self._first[ids] = self._object[ids, :3]
        self._apply_pulls()

    @staticmethod
    def _read_pulls(params: Sequence[Any]) -> np.ndarray:
        try:
            terms = np.array([p["pulls"] for p in params], np.float64)
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"TaskSpec param 'pulls': {error}; give {TERMS} rows of 4 numbers") from None
        if terms.shape != (len(params), TERMS, 4) or not np.isfinite(terms).all():
            raise InputError(f"TaskSpec param 'pulls' has shape {terms.shape[1:]}; give {TERMS} rows of 4 numbers")
        return terms

    def _apply_pulls(self) -> None:
        """Set the force on the object for the next control step: sinusoids along x and z that grow from 0."""
        wave = np.sin(2 * np.pi * self._terms[:, :, 2] * self._time[:, None] + self._terms[:, :, 3])
        onset = np.minimum(self._time / 0.25, 1.0)
        for axis, place in ((0, 0), (1, 2)):
            product = self._terms[:, :, axis] * wave
            self._pull[:, place] = onset * (product[:, 0] + product[:, 1] + product[:, 2])

    def _load(self) -> np.ndarray:
        """What the grip must hold along the pads, x and z, (E, 2), N."""
        load: np.ndarray = np.stack([self._pull[:, 0], self._pull[:, 2] - self._mass * GRAVITY], 1)
        return load

    def _needed(self) -> np.ndarray:
        """The least grip force that holds the load, (E,), N: both pads share it."""
        needed: np.ndarray = norm(self._load()) / (2.0 * self._friction)
        return needed

    def _advance(self, actions: np.ndarray, ids: np.ndarray | None) -> None:
        rows = slice(None) if ids is None else ids
        force = -self._grip + STEP * actions[:, 0].astype(np.float64)
        self._grip[:] = -np.minimum(np.maximum(force, 0.0), GREATEST_FORCE)
        needed = self._needed()
        self._simulate(ids)
        used = np.maximum(-self._grip, 1e-6)
        share = np.where(self._lost(), 0.0, np.minimum(needed / used, 1.0))
        self._share[rows] += share[rows]
        self._time[rows] += TIMESTEP * SUBSTEPS
        self._apply_pulls()

    def _lost(self) -> np.ndarray:
        """Whether the object has slid out of the grasp, (E,)."""
        lost: np.ndarray = norm(self._object[:, :3] - self._first) > SLIP_LIMIT
        return lost

    def _measure(self) -> tuple[np.ndarray, np.ndarray]:
        progress = np.minimum(self._share / np.maximum(self._limit, 1), 1.0)
        over = self._time > (self._limit - 0.5) * (TIMESTEP * SUBSTEPS)
        return progress, over & ~self._lost() & (self._share >= ECONOMY * self._limit)

    def _over(self, success: np.ndarray) -> np.ndarray:
        over: np.ndarray = success | self._lost()
        return over

    def _pitch(self) -> np.ndarray:
        return np.zeros(self.num_envs)

    def _finger_positions(self) -> np.ndarray:
        return self._fingers

    def _held(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        w, x, y, z = (self._object[:, i] for i in range(3, 7))
        axis = np.stack([2 * (x * z + w * y), 2 * (y * z - w * x), 1 - 2 * (x * x + y * y)], 1)
        return self._object[:, :3] - [0.0, 0.0, HEIGHT], axis * self._capsule[:, 1:], self._capsule[:, 0]

    def _read_proprio(self) -> np.ndarray:
        value = np.zeros((self.num_envs, PROPRIO_SIZE), np.float32)
        value[:, 2] = HEIGHT
        value[:, 9] = self._fingers[:, 0] + self._fingers[:, 1]
        value[:, 10] = self._finger_rates[:, 0] + self._finger_rates[:, 1]
        return value

    def _read_own(self, name: str) -> np.ndarray:
        if name == "proprio":
            return self._read_proprio()
        if name == "grip_force":
            force: np.ndarray = -self._grip[:, None]
            return force.astype(np.float32)
        value = np.empty((self.num_envs, 7), np.float32)
        value[:, 0], value[:, 1] = self._mass, self._friction
        value[:, 2:4] = self._load()
        value[:, 4] = self._needed()
        value[:, 5:7] = (self._object[:, :3] - self._first)[:, [0, 2]]
        return value

    def expert_actions(self) -> np.ndarray:
        """The force that the present load needs, with a margin."""
        target = _MARGIN * self._needed() + 0.1
        actions: np.ndarray = np.clip((target + self._grip) / STEP, -1.0, 1.0)[:, None].astype(np.float32)
        return actions
