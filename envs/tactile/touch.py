"""The world `tactile/touch`: bring an object down on a soft pad, press it, and shear, twist or roll it there.

Legend: E simulations of the batch, n episodes that start. Axes of the stage: x, y, z (m), then turns about the
object's own z, y and x (rad).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from trunkline.envs.base import Observations, World
from trunkline.envs.mujoco.raycast import View, pictures
from trunkline.envs.mujoco.sensors import checked_image_size
from trunkline.envs.mujoco.tabletop.task import column
from trunkline.envs.sampling import draw_tasks
from trunkline.envs.spec import ActionSpec, SensorSpec, TaskSpec
from trunkline.envs.tactile.objects import object_names, touch_object, touch_objects
from trunkline.envs.tactile.readings import Readings, contact_seeds
from trunkline.envs.tactile.sensor import load_touch_sensor, touch_sensor_names
from trunkline.envs.tactile.touch_rig import STIFFNESS, SUBSTEPS, TIMESTEP, Rig
from trunkline.envs.tactile.touch_task import MAX_STEPS, SPLITS, sample
from trunkline.errors import unknown

FRAME_RATE = 1.0 / (TIMESTEP * SUBSTEPS)
# What the stage's command moves along each axis in one control step at action 1; it stays within `LAG` of the stage.
STEP = np.array([0.0004, 0.0004, 0.0004, 0.03, 0.02, 0.02])
LAG = np.array([0.002, 0.002, 0.006, 0.05, 0.05, 0.05])
HIGHEST = 0.008  # m
PLACE_TOLERANCE, TURN_TOLERANCE, FORCE_TOLERANCE = 0.00015, 0.015, 0.12  # m, rad, share of the force
TOUCHING = 0.02  # N from which the object counts as touching
VIEW = View(position=(0.035, -0.055, 0.035), target=(0.0, 0.0, 0.003), field_of_view=36.0)
_GAIN = 0.5  # of the expert's corrections
_EXTENT = 0.004  # m, of the movements that progress is measured by


class Touch(World):
    """The task `tactile/touch`.

    Success: since the first touch the object has moved and turned as told, within 0.15 mm and 0.015 rad, and is
    pressed with the told force within 12%. It fails when the object leaves the pad after it was pressed.

    Sensors: every touch sensor of the catalogue by its name, `touch_arm` (the stage's own state), `touch_command`
    (what to do) and `touch_state` (privileged). The action moves the stage's command: x, y, z, and turns about z, y,
    x.

    Args:
        task: "touch".
        num_envs: simulations in the batch.
        sensors: names of sensors; None for `touch_arm`, `touch_command` and `digit`.
        num_threads: physics threads; 0 for one a core.
        image_size: pixels a side of optical sensors.

    Attributes:
        rig: the simulated pads, stages and objects.

    Raises:
        InputError: an unknown option, or an image size out of range.
    """

    family = "tactile"
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
        if options:
            raise unknown("option of tactile/touch", next(iter(options)), ["image_size"])
        self.image_size = checked_image_size(image_size)
        super().__init__(task, num_envs, sensors, num_threads)
        self.rig = Rig(touch_objects(), num_envs, num_threads)
        catalogue = set(touch_sensor_names())
        felt = {name: load_touch_sensor(name) for name in self.sensors if name in catalogue}
        self._readings = Readings(self.rig, felt, (image_size, image_size)) if felt else None
        self._felt = tuple(felt)
        self._force = np.zeros(num_envs)  # to press with
        self._move = np.zeros((num_envs, 5))  # x, y and the turns to make from touch-down on
        self._touch_down = np.zeros((num_envs, 6))
        self._touched = np.zeros(num_envs, bool)
        self._pressed = np.zeros(num_envs, bool)
        self._lost = np.zeros(num_envs, bool)
        self._start_height = np.ones(num_envs)
        self._seeds = np.zeros(num_envs, np.uint64)

    @classmethod
    def task_names(cls) -> tuple[str, ...]:
        return ("touch",)

    @classmethod
    def splits(cls, task: str) -> tuple[str, ...]:
        return SPLITS

    @classmethod
    def sample_tasks(cls, task: str, count: int, seed: int, split: str) -> list[TaskSpec]:
        return draw_tasks(cls.family, task, count, seed, split, MAX_STEPS, lambda rng: sample(rng, split))

    def available_sensors(self) -> list[SensorSpec]:
        size = (self.image_size, self.image_size)
        touch = [load_touch_sensor(name) for name in touch_sensor_names()]
        return [
            SensorSpec("touch_arm", "proprio", (24,), units="mm, rad, mm/s, rad/s", frame_rate=FRAME_RATE),
            SensorSpec("touch_command", "goal", (6,), units="N, mm, rad"),
            SensorSpec("touch_state", "state", (14,), units="N, N·mm, mm, rad, mm/s", privileged=True),
            *(sensor.spec(size if sensor.kind == "optical" else None) for sensor in touch),
        ]

    def default_sensors(self) -> tuple[str, ...]:
        return ("touch_arm", "touch_command", "digit")

    def make_action_spec(self) -> ActionSpec:
        return ActionSpec("touch_stage", (6,))

    def _start(self, ids: np.ndarray, tasks: Sequence[TaskSpec]) -> None:
        params = [t.params for t in tasks]
        names = [str(p.get("object")) for p in params]
        for name in names:
            touch_object(name)  # an unknown one answers with the nearest
        kinds = np.array([object_names().index(name) for name in names])
        start = column(params, "start", 6)
        self.rig.place(ids, kinds, start, column(params, "friction"))
        self._force[ids] = column(params, "force")
        self._move[ids] = column(params, "move", 5)
        self._touch_down[ids] = start
        self._start_height[ids] = start[:, 2]
        self._touched[ids] = self._pressed[ids] = self._lost[ids] = False
        self._seeds[ids] = [t.seed for t in tasks]

    def _advance(self, actions: np.ndarray, ids: np.ndarray | None) -> None:
        rig = self.rig
        pose = rig.pose.copy()
        command = rig.command + STEP * actions.astype(np.float64)
        np.minimum(np.maximum(command, pose - LAG, out=command), pose + LAG, out=command)
        np.minimum(command[:, 2], HIGHEST, out=command[:, 2])
        rig.command[:] = command
        rig.step(ids)
        force = rig.force[:, 2]
        touching = rig.contact & (force > TOUCHING)
        first = touching & ~self._touched
        self._touch_down[first] = rig.pose[first]
        self._touched |= touching
        self._pressed |= touching & (force > 0.5 * self._force)
        self._lost |= self._pressed & ~touching

    @property
    def elapsed(self) -> np.ndarray:
        """Control steps done in the present episodes, (E,)."""
        return self._elapsed

    def due_frames(self, stride: int, sparse: int) -> np.ndarray:
        """Simulations to record now: every `stride` steps, before the first touch `sparse` times rarer."""
        pace = np.where(self._touched, stride, stride * sparse)
        return np.flatnonzero(self.active & (self._elapsed % pace == 0))

    def remaining(self) -> np.ndarray:
        """What the object still has to move and turn, (E, 5): x, y, about z, y, x; all of it before it touches."""
        done = self.rig.pose - self._touch_down
        rest: np.ndarray = self._move - np.where(self._touched[:, None], done[:, [0, 1, 3, 4, 5]], 0.0)
        return rest

    def _measure(self) -> tuple[np.ndarray, np.ndarray]:
        rest = self.remaining()
        place, turn = np.abs(rest[:, :2]).max(1), np.abs(rest[:, 2:]).max(1)
        lack = np.abs(self.rig.force[:, 2] / np.maximum(self._force, 1e-9) - 1.0)
        reached = (place < PLACE_TOLERANCE) & (turn < TURN_TOLERANCE) & (lack < FORCE_TOLERANCE)
        success = reached & self._touched & ~self._lost
        low = 1.0 - np.minimum(np.maximum(self.rig.pose[:, 2] / self._start_height, 0.0), 1.0)
        press = np.maximum(1.0 - lack, 0.0)
        near = np.maximum(1.0 - place / _EXTENT, 0.0) * np.maximum(1.0 - turn, 0.0)
        staged = np.where(self._touched, 0.2 + 0.3 * press + 0.5 * press * near, 0.2 * low)
        return np.where(success, 1.0, np.where(self._lost, 0.0, np.minimum(staged, 1.0))), success

    def _over(self, success: np.ndarray) -> np.ndarray:
        return success | self._lost

    def expert_actions(self) -> np.ndarray:
        """Come down, press until the force is right, then move, correcting the command by what is still to do."""
        rig = self.rig
        actions = np.zeros((self.num_envs, 6))
        lack = self._force - np.where(rig.contact, rig.force[:, 2], 0.0)
        down = np.where(self._touched, _GAIN * lack / STIFFNESS[2], STEP[2])
        actions[:, 2] = -down / STEP[2]
        ready = self._pressed & (np.abs(lack) < 0.3 * self._force)
        gain = np.where(ready, _GAIN, 0.0)[:, None]
        actions[:, [0, 1, 3, 4, 5]] = gain * self.remaining() / STEP[[0, 1, 3, 4, 5]]
        clipped: np.ndarray = np.clip(actions, -1.0, 1.0).astype(np.float32)
        return clipped

    def _observe(self, ids: np.ndarray | None) -> Observations:
        rows = np.arange(self.num_envs) if ids is None else ids
        observations: Observations = {}
        if self._readings is not None:
            seeds = contact_seeds(self._seeds[rows], self._elapsed[rows])
            felt = self._readings.read(self._readings.contacts(rows), seeds)
        for name in self.sensors:
            if name in self._felt:
                values = felt[name].values
                if ids is not None:
                    full = np.zeros((self.num_envs, *values.shape[1:]), values.dtype)
                    full[ids] = values
                    values = full
                observations[name] = values
            else:
                observations[name] = {
                    "touch_arm": self._arm,
                    "touch_command": self._command,
                    "touch_state": self._state,
                }[name]()
        return observations

    def _arm(self) -> np.ndarray:
        """Pose, since touch-down (0 before), rate, and command minus pose; millimetres and radians."""
        rig = self.rig
        since = np.where(self._touched[:, None], rig.pose - self._touch_down, 0.0)
        value = np.concatenate([rig.pose, since, rig.rate, rig.command - rig.pose], 1)
        value.reshape(self.num_envs, 4, 6)[:, :, :3] *= 1e3
        return value.astype(np.float32)

    def _command(self) -> np.ndarray:
        value = np.concatenate([self._force[:, None], self._move], 1)
        value[:, 1:3] *= 1e3
        return value.astype(np.float32)

    def _state(self) -> np.ndarray:
        """Force (3), torque (3), gel displacement (3), slip speed (1), touched, pressed, touching (3), object (1)."""
        rig = self.rig
        flags = np.stack([self._touched, self._pressed, rig.contact], 1)
        parts = [rig.force, rig.torque() * 1e3, rig.pad * (1e3, 1e3, 1), rig.slip()[:, None] * 1e3, flags]
        return np.concatenate([*parts, rig.kind[:, None]], 1).astype(np.float32)

    def render_images(self, ids: Sequence[int], size: int = 128) -> np.ndarray:
        images: np.ndarray = pictures(self.rig.batch, ids, VIEW, size)
        return images
