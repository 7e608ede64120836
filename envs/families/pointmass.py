"""A point mass on a plane that must come to a goal it may not see (the inverse-dynamics setting's simplest world).

State (x, y) in metres within ±0.3, force actuators, 20 control steps a second. The expert is a PD controller.
"""

from collections.abc import Sequence
from typing import Any

import mujoco
import numpy as np
from mujoco.batch import Batch

from trunkline.envs.base import Observations, World
from trunkline.envs.mujoco.raycast import Marker, View, depth_and_normals, pictures
from trunkline.envs.mujoco.sensors import camera_sensor, goal_sensor
from trunkline.envs.registry import world
from trunkline.envs.sampling import draw_tasks
from trunkline.envs.spec import ActionSpec, SensorSpec, TaskSpec
from trunkline.envs.splits import draw_position
from trunkline.errors import unknown

ARENA = 0.3  # m, half the edge
CELL = 0.06  # m, edge of the cells that split contexts
TOLERANCE = 0.02  # m
MAX_STEPS = 60
SUBSTEPS = 5
TIMESTEP = 0.01  # s
FRAME_RATE = 1.0 / (SUBSTEPS * TIMESTEP)
FORCE = 2.0  # N at action 1
# Mass in kg and damping in N·s/m of the body; the object axis tests bodies lighter and heavier than any in training.
MASSES = {"train": (0.8, 1.25), "validation": (0.65, 0.75), "test": (0.4, 0.6)}
DAMPING = 3.0
EYE = View((0.0, -0.001, 0.9), (0.0, 0.0, 0.0), 42.0)  # the camera sensor, straight above
VIEW = View((0.0, -0.62, 0.62), (0.0, -0.03, 0.0), 45.0)  # pictures for people
CAMERA_SIZE = 32  # pixels a side
PROPORTIONAL, DERIVATIVE = 20.0, 5.0  # the expert's gains, 1/m and s/m


def _model() -> mujoco.MjModel:
    spec = mujoco.MjSpec()
    spec.option.timestep = TIMESTEP
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    spec.option.disableflags = mujoco.mjtDisableBit.mjDSBL_CONTACT | mujoco.mjtDisableBit.mjDSBL_GRAVITY
    spec.worldbody.add_geom(
        name="floor",
        type=mujoco.mjtGeom.mjGEOM_PLANE,
        size=[0.34, 0.34, 0.01],
        pos=[0, 0, -0.02],
        rgba=[0.85, 0.87, 0.9, 1],
    )
    body = spec.worldbody.add_body(name="point")
    body.add_geom(type=mujoco.mjtGeom.mjGEOM_SPHERE, size=[0.02, 0, 0], mass=1.0, rgba=[0.16, 0.38, 0.75, 1])
    for name, axis in (("x", [1, 0, 0]), ("y", [0, 1, 0])):
        body.add_joint(
            name=name,
            type=mujoco.mjtJoint.mjJNT_SLIDE,
            axis=axis,
            damping=[DAMPING, 0, 0],
            range=[-ARENA, ARENA],
            limited=1,
        )
        spec.add_actuator(name=name, target=name, trntype=mujoco.mjtTrn.mjTRN_JOINT, gear=[FORCE, 0, 0, 0, 0, 0])
    return spec.compile()


@world("pointmass")
class PointMass(World):
    """The family `pointmass` with its one task, `reach`: come within 2 cm of the goal.

    Sensors: `point_state` (position and velocity), `goal`, `camera` (depth and normals from above). TaskSpec params:
    `start`, `goal` (x, y in metres), `mass` (kg).
    """

    family = "pointmass"
    fps = round(FRAME_RATE)

    def __init__(
        self, task: str, num_envs: int, sensors: Sequence[str] | None = None, num_threads: int = 1, **options: Any
    ):
        if options:
            raise unknown("option of pointmass", next(iter(options)), [])
        super().__init__(task, num_envs, sensors, num_threads)
        self.model = _model()
        self.substeps = SUBSTEPS
        self.batch = Batch(self.model, num_envs, num_threads)
        self._qpos, self._qvel, self._ctrl = (self.batch.bind(name) for name in ("qpos", "qvel", "ctrl"))
        self._warmstart = self.batch.bind("qacc_warmstart")
        self._mass = self.batch.expand("body_mass")
        self._point = self.model.body("point").id
        self._goal = np.zeros((num_envs, 2))

    @classmethod
    def task_names(cls) -> tuple[str, ...]:
        return ("reach",)

    @classmethod
    def splits(cls, task: str) -> tuple[str, ...]:
        return ("train", "validation/goal", "test/goal", "validation/object", "test/object", "test/task")

    @classmethod
    def sample_tasks(cls, task: str, count: int, seed: int, split: str) -> list[TaskSpec]:
        part, _, axis = split.partition("/")

        def draw(rng: np.random.Generator) -> dict[str, Any]:
            goal = draw_position(rng, part if axis != "object" else "train", (-0.27, -0.27), (0.27, 0.27), CELL)
            start = rng.uniform(-0.27, 0.27, 2)
            mass = rng.uniform(*MASSES[part if axis == "object" else "train"])
            return {"start": [float(v) for v in start], "goal": list(goal), "mass": float(mass)}

        return draw_tasks(cls.family, task, count, seed, split, MAX_STEPS, draw)

    def available_sensors(self) -> list[SensorSpec]:
        state = SensorSpec("point_state", "proprio", (4,), low=-1.0, high=1.0, units="m, m/s")
        return [state, goal_sensor(), camera_sensor(CAMERA_SIZE, EYE, FRAME_RATE)]

    def default_sensors(self) -> tuple[str, ...]:
        return ("point_state", "goal")

    def make_action_spec(self) -> ActionSpec:
        return ActionSpec("point", (2,))

    def _start(self, ids: np.ndarray, tasks: Sequence[TaskSpec]) -> None:
        self._qpos[ids] = [t.params["start"] for t in tasks]
        self._qvel[ids] = self._ctrl[ids] = self._warmstart[ids] = 0.0
        self._mass[ids, self._point] = [t.params["mass"] for t in tasks]
        self._goal[ids] = [t.params["goal"] for t in tasks]

    def _advance(self, actions: np.ndarray, ids: np.ndarray | None) -> None:
        self._ctrl[:] = actions
        self.batch.step(ids, nstep=SUBSTEPS)

    def _measure(self) -> tuple[np.ndarray, np.ndarray]:
        offset = self._qpos - self._goal
        distance = np.sqrt(offset[:, 0] ** 2 + offset[:, 1] ** 2)
        return np.clip(1.0 - distance / (2 * ARENA), 0.0, 1.0), distance < TOLERANCE

    def _observe(self, ids: np.ndarray | None) -> Observations:
        observations: Observations = {}
        for name in self.sensors:
            if name == "camera":
                value = np.zeros((self.num_envs, CAMERA_SIZE, CAMERA_SIZE, 4), np.float32)
                rows = slice(None) if ids is None else ids
                value[rows] = depth_and_normals(self.batch, EYE, CAMERA_SIZE, ids)
            elif name == "goal":
                value = np.zeros((self.num_envs, 3), np.float32)
                value[:, :2] = self._goal
            else:
                value = np.empty((self.num_envs, 4), np.float32)
                value[:, :2] = self._qpos
                value[:, 2:] = self._qvel
            observations[name] = value
        return observations

    def expert_actions(self) -> np.ndarray:
        action = PROPORTIONAL * (self._goal - self._qpos) - DERIVATIVE * self._qvel
        clipped: np.ndarray = np.clip(action, -1.0, 1.0).astype(np.float32)
        return clipped

    def render_images(self, ids: Sequence[int], size: int = 128) -> np.ndarray:
        centres = np.concatenate([self._goal[ids], np.zeros((len(ids), 1))], axis=1)
        return pictures(self.batch, ids, VIEW, size, [Marker(centres, TOLERANCE, (0.2, 0.65, 0.35, 0.8))])
