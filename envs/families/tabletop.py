"""A parallel gripper over a table: seven tasks with one body, one action and one set of sensors."""

from collections.abc import Sequence
from typing import Any

import mujoco
import numpy as np
from mujoco.batch import Batch

from trunkline.envs.base import Observations, World
from trunkline.envs.mujoco.opengl import OpenGLRenderer
from trunkline.envs.mujoco.raycast import View, depth_and_normals, pictures
from trunkline.envs.mujoco.sensors import (
    OBJECT_STATE_SIZE,
    PROPRIO_SIZE,
    camera_sensor,
    checked_image_size,
    goal_sensor,
    object_state_sensor,
    proprio_sensor,
    rgb_sensor,
)
from trunkline.envs.mujoco.tabletop.gripper import Gripper, new_spec
from trunkline.envs.mujoco.tabletop.handles import DoorOpen, DrawerOpen
from trunkline.envs.mujoco.tabletop.insertion import PegInsert
from trunkline.envs.mujoco.tabletop.mechanisms import ButtonPress
from trunkline.envs.mujoco.tabletop.objects import PickPlace, Push, Reach
from trunkline.envs.mujoco.tabletop.task import CONTEXTS, Task
from trunkline.envs.registry import world
from trunkline.envs.sampling import draw_tasks
from trunkline.envs.spec import ActionSpec, SensorSpec, TaskSpec
from trunkline.errors import unknown

TIMESTEP = 0.005  # s
SUBSTEPS = 10
FRAME_RATE = 1.0 / (TIMESTEP * SUBSTEPS)
VIEW = View(position=(-0.62, -0.7, 0.74), target=(0.04, 0.01, 0.08), field_of_view=27.0)
TASKS: dict[str, type[Task]] = {
    task.name: task for task in (Reach, Push, PickPlace, DoorOpen, DrawerOpen, ButtonPress, PegInsert)
}


@world("tabletop")
class Tabletop(World):
    """The family `tabletop`.

    Sensors: `proprio`, `object_state` (privileged) and `goal` by default; `camera` (depth and normals by ray casting)
    and `rgb` (OpenGL). The goal is hidden by not naming it.

    Args:
        task: one of `TASKS`.
        num_envs: simulations in the batch.
        sensors: names of sensors; None for the default ones.
        num_threads: physics threads; 0 for one a core.
        image_size: pixels a side of `camera` and `rgb`.

    Attributes:
        batch: the `mujoco.batch.Batch`.
        substeps: physics steps in one control step.

    Raises:
        InputError: an unknown option, an image size out of range, or `rgb` without OpenGL.
    """

    family = "tabletop"
    fps = round(FRAME_RATE)

    def __init__(
        self,
        task: str,
        num_envs: int,
        sensors: Sequence[str] | None = None,
        num_threads: int = 1,
        image_size: int = 64,
        **options: Any,
    ) -> None:
        self._opengl: OpenGLRenderer | None = None  # first: `close` runs even if the rest fails
        if options:
            raise unknown("option of tabletop", next(iter(options)), ["image_size"])
        self.image_size = checked_image_size(image_size)
        super().__init__(task, num_envs, sensors, num_threads)
        spec = new_spec(TIMESTEP)
        self._task = TASKS[task](num_envs)
        self._task.build(spec)
        self.model: mujoco.MjModel = spec.compile()
        self.substeps = SUBSTEPS
        self.batch = Batch(self.model, num_envs, num_threads)
        self._gripper = Gripper(self.batch)
        self._task.bind(self.batch, self._gripper)
        self._goal = np.zeros((num_envs, 3), np.float32)
        self._object_state = np.zeros((num_envs, OBJECT_STATE_SIZE), np.float32)
        if "rgb" in self.sensors:
            self._opengl = OpenGLRenderer(self.batch, VIEW, image_size)

    @classmethod
    def task_names(cls) -> tuple[str, ...]:
        return tuple(TASKS)

    @classmethod
    def splits(cls, task: str) -> tuple[str, ...]:
        return tuple(s for s in CONTEXTS if TASKS[task].has_object or not s.endswith("/object"))

    @classmethod
    def sample_tasks(cls, task: str, count: int, seed: int, split: str) -> list[TaskSpec]:
        kind, context = TASKS[task], CONTEXTS[split]
        return draw_tasks(cls.family, task, count, seed, split, kind.max_steps, lambda rng: kind.sample(rng, context))

    def available_sensors(self) -> list[SensorSpec]:
        size = self.image_size
        return [
            proprio_sensor(),
            object_state_sensor(),
            goal_sensor(),
            camera_sensor(size, VIEW, FRAME_RATE),
            rgb_sensor(size, VIEW, FRAME_RATE),
        ]

    def default_sensors(self) -> tuple[str, ...]:
        return ("proprio", "object_state", "goal")

    def make_action_spec(self) -> ActionSpec:
        return ActionSpec("gripper", (4,))

    def _start(self, ids: np.ndarray, tasks: Sequence[TaskSpec]) -> None:
        self.batch.reset(ids, stage=mujoco.mjtStage.mjSTAGE_NONE)
        self._task.place(ids, [t.params for t in tasks])
        self._task.refresh()
        self._task.begin(ids)
        self._goal[ids] = self._task.goal[ids]
        self._object_state[ids, 13:16] = self._task.extents[ids]
        self._object_state[ids, 16:20] = self._task.shape[ids]

    def _advance(self, actions: np.ndarray, ids: np.ndarray | None) -> None:
        self._gripper.apply(actions)
        self.batch.step(ids, nstep=SUBSTEPS)
        self._task.refresh()

    def _measure(self) -> tuple[np.ndarray, np.ndarray]:
        return self._task.measure()

    def _observe(self, ids: np.ndarray | None) -> Observations:
        return {name: self._read(name, ids) for name in self.sensors}

    def _read(self, name: str, ids: np.ndarray | None) -> np.ndarray:
        if name == "proprio":
            return self._read_proprio()
        if name == "object_state":
            return self._read_object_state()
        if name == "goal":
            return self._goal.copy()
        rows = np.arange(self.num_envs) if ids is None else ids
        if name == "camera":
            image = depth_and_normals(self.batch, VIEW, self.image_size, rows)
        else:
            assert self._opengl is not None
            image = self._opengl.render(rows)
        if ids is None:
            return image
        images = np.zeros((self.num_envs, *image.shape[1:]), image.dtype)
        images[ids] = image
        return images

    def _read_proprio(self) -> np.ndarray:
        gripper = self._gripper
        value = np.empty((self.num_envs, PROPRIO_SIZE), np.float32)
        value[:, 0:3] = gripper.position
        value[:, 3:6] = gripper.velocity
        value[:, 6:9] = gripper.command - gripper.position
        value[:, 9] = gripper.opening
        value[:, 10] = gripper.finger_rates[:, 0] + gripper.finger_rates[:, 1]
        return value

    def _read_object_state(self) -> np.ndarray:
        value = self._object_state.copy()
        task = self._task
        if task.has_object:
            value[:, 0:3] = task.position
            value[:, 3:7] = task.quaternion
            value[:, 7:10] = task.velocity
            value[:, 10:13] = task.position - self._gripper.position
            value[:, 20] = task.joint
            value[:, 21] = task.joint_velocity
        return value

    def expert_actions(self) -> np.ndarray:
        actions: np.ndarray = np.clip(self._task.expert(), -1.0, 1.0).astype(np.float32)
        return actions

    def render_images(self, ids: Sequence[int], size: int = 128) -> np.ndarray:
        images: np.ndarray = pictures(self.batch, ids, VIEW, size, self._task.markers(np.asarray(ids)))
        return images

    def close_extras(self, **kwargs: Any) -> None:
        """Free the OpenGL context."""
        if self._opengl is not None:
            self._opengl.close()
            self._opengl = None
