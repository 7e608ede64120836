"""What the gripper's worlds share: their model, stepping with touch once a control step, sensors and pictures.

Legend: E simulations.
"""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import mujoco
import numpy as np
from mujoco.batch import Batch

from trunkline.envs.base import Observations, World
from trunkline.envs.mujoco.raycast import View, pictures
from trunkline.envs.mujoco.sensors import checked_image_size, proprio_sensor
from trunkline.envs.spec import SensorSpec
from trunkline.envs.tactile.gripper import FRAME_RATE, SUBSTEPS
from trunkline.envs.tactile.gripper_touch import TOUCH, TouchPads, in_pad, taxel_sensor
from trunkline.envs.tactile.pads import unsensed
from trunkline.envs.tactile.readings import contact_seeds
from trunkline.envs.tactile.sensor import load_touch_sensor
from trunkline.errors import unknown


class GripperWorld(World):
    """A world of the family `tactile` with the two-pad gripper, which holds a capsule, the geom `handle`.

    Sensors: `touch_left` and `touch_right`, `proprio`, and what the world adds. Touch costs time only if it is read.

    Args:
        task: the task's name.
        num_envs: simulations in the batch.
        sensors: names of sensors; None for the default ones.
        num_threads: physics threads; 0 for one a core.
        touch_sensor: name or file of the catalogue's sensor that sits on both pads; None for 32 × 32 taxels.
        image_size: pixels a side of an optical one's images.

    Attributes:
        model: the compiled model.
        batch: the `mujoco.batch.Batch`.
        substeps: physics steps in one control step.

    Raises:
        InputError: an unknown option or touch sensor, or an image size out of range.
    """

    family = "tactile"
    fps = round(FRAME_RATE)
    view: View

    def __init__(
        self,
        task: str,
        num_envs: int,
        sensors: Sequence[str] | None = None,
        num_threads: int = 1,
        touch_sensor: str | None = None,
        image_size: int = 64,
        **options: Any,
    ) -> None:
        if options:
            raise unknown(f"option of tactile/{task}", next(iter(options)), ["image_size", "touch_sensor"])
        self.image_size = checked_image_size(image_size)
        self._catalogued = None if touch_sensor is None else load_touch_sensor(touch_sensor)
        super().__init__(task, num_envs, sensors, num_threads)
        read = any(name in self.sensors for name in TOUCH)
        self._touch = TouchPads("handle", taxels=self._catalogued is None) if read else None
        spec = self._build()
        if self._touch is not None:
            self._touch.declare(spec)
        self.model: mujoco.MjModel = spec.compile()
        self.substeps = SUBSTEPS
        if self._touch is not None:
            self._touch.place(self.model)
        self.batch = Batch(self.model, num_envs, num_threads)
        self._qpos, self._qvel, self._ctrl = (self.batch.bind(name) for name in ("qpos", "qvel", "ctrl"))
        self._bind()
        self._images: Any = None
        if self._touch is not None:
            self._touch.bind(self.batch)
            if self._catalogued is not None:
                from trunkline.envs.tactile.gripper_images import PadImages  # Warp: only where images are read

                self._images = PadImages(self._catalogued, image_size, num_envs)

    # What a world fills in

    @abstractmethod
    def _build(self) -> Any:
        """The `MjSpec`, without touch."""

    @abstractmethod
    def _bind(self) -> None:
        """Take views of `self.batch`."""

    @abstractmethod
    def _own_sensors(self) -> list[SensorSpec]:
        """Sensors besides touch and `proprio`."""

    @abstractmethod
    def _read_own(self, name: str) -> np.ndarray:
        """A reading of one of them or of `proprio`, (E, *shape)."""

    @abstractmethod
    def _pitch(self) -> np.ndarray:
        """The hand's turn about y, (E,)."""

    @abstractmethod
    def _finger_positions(self) -> np.ndarray:
        """Distances of the pads' surfaces from the middle, left and right, (E, 2)."""

    @abstractmethod
    def _held(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The capsule in the hand's frame: centre (E, 3), half axis to one round end (E, 3), and its radius (E,)."""

    # What they share

    def available_sensors(self) -> list[SensorSpec]:
        size, sensor = (self.image_size, self.image_size), self._catalogued
        if sensor is None:
            touch = [taxel_sensor(name) for name in TOUCH]
        else:
            touch = [sensor.spec(size if sensor.kind == "optical" else None, name) for name in TOUCH]
        return [*touch, proprio_sensor(), *self._own_sensors()]

    def _simulate(self, ids: np.ndarray | None, steps: int = SUBSTEPS) -> None:
        """Physics steps, by default one control step, sensed on the last alone: a pad costs more than a step."""
        with unsensed(self.batch):
            self.batch.step(ids, nstep=steps - 1)
        self.batch.step(ids)

    def _observe(self, ids: np.ndarray | None) -> Observations:
        return {name: self._feel(name, ids) if name in TOUCH else self._read_own(name) for name in self.sensors}

    def _feel(self, name: str, ids: np.ndarray | None) -> np.ndarray:
        assert self._touch is not None
        pad = TOUCH.index(name)
        values = self._touch.read(pad, self._pitch(), ids) if self._images is None else self._image(pad, ids)
        if ids is None:
            return values
        readings = np.zeros((self.num_envs, *values.shape[1:]), values.dtype)
        readings[ids] = values
        return readings

    def _image(self, pad: int, ids: np.ndarray | None) -> np.ndarray:
        assert self._touch is not None
        rows = slice(None) if ids is None else ids
        seeds = np.array([0 if spec is None else spec.seed for spec in self.specs])
        force, torque = self._touch.wrench(pad, self._pitch())
        centre, half_axis, radius = self._held()
        centre[:, 1] -= (1 - 2 * pad) * self._finger_positions()[:, pad]
        image: np.ndarray = self._images.read(
            in_pad(centre, pad)[rows],
            in_pad(half_axis, pad)[rows],
            radius[rows],
            force[rows],
            torque[rows],
            contact_seeds(2 * seeds + pad, self._elapsed)[rows],
        )
        return image

    def render_images(self, ids: Sequence[int], size: int = 128) -> np.ndarray:
        images: np.ndarray = pictures(self.batch, ids, self.view, size)
        return images
