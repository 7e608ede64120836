"""Fake worlds for the debug configuration and tests: the real contract, hardly any computation.

`fake/reach` is a point on a line that moves by its action towards a goal; `fake/image` sees it in an 8×8 picture.
`options`: `nan_seeds` and `wrong_shape_seeds` make the sensor of the episodes with these TaskSpec seeds fail after
step 3.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from trunkline.envs.base import Observations, World
from trunkline.envs.registry import world
from trunkline.envs.sampling import draw_tasks
from trunkline.envs.spec import ActionSpec, SensorSpec, TaskSpec

STEP = 0.1
PART_OFFSET = {"train": 0.0, "validation": 0.3, "test": 0.6}


@world("fake")
class FakeWorld(World):
    """The family `fake`; TaskSpec params: `start` and `goal` on the line [−1, 1]."""

    family = "fake"

    def __init__(
        self,
        task: str,
        num_envs: int,
        sensors: Sequence[str] | None = None,
        num_threads: int = 1,
        nan_seeds: Sequence[int] = (),
        wrong_shape_seeds: Sequence[int] = (),
    ):
        super().__init__(task, num_envs, sensors, num_threads)
        self._nan_seeds, self._wrong_shape_seeds = set(nan_seeds), set(wrong_shape_seeds)
        self._position = np.zeros(num_envs)
        self._goal = np.zeros(num_envs)

    @classmethod
    def task_names(cls) -> tuple[str, ...]:
        return ("reach", "image")

    @classmethod
    def splits(cls, task: str) -> tuple[str, ...]:
        return ("train", "validation/goal", "test/goal", "test/task")

    @classmethod
    def sample_tasks(cls, task: str, count: int, seed: int, split: str) -> list[TaskSpec]:
        def draw(rng: np.random.Generator) -> dict[str, Any]:
            # Within each fifth of the line the parts take disjoint thirds.
            goal = (int(rng.integers(-5, 5)) + PART_OFFSET[split.partition("/")[0]] + 0.3 * rng.random()) / 5
            return {"start": float(rng.uniform(-1, 1)), "goal": float(goal)}

        return draw_tasks(cls.family, task, count, seed, split, 30, draw)

    def available_sensors(self) -> list[SensorSpec]:
        return [
            SensorSpec("position", "proprio", (1,), low=-2.0, high=2.0),
            SensorSpec("goal", "goal", (3,), low=-1.0, high=1.0, units="m"),
            SensorSpec("camera", "depth", (8, 8, 1), low=0.0, high=1.0),
        ]

    def default_sensors(self) -> tuple[str, ...]:
        return ("position", "goal") if self.task == "reach" else ("camera", "goal")

    def make_action_spec(self) -> ActionSpec:
        return ActionSpec("line", (1,))

    def _start(self, ids: np.ndarray, tasks: Sequence[TaskSpec]) -> None:
        self._position[ids] = [t.params["start"] for t in tasks]
        self._goal[ids] = [t.params["goal"] for t in tasks]

    def _advance(self, actions: np.ndarray, ids: np.ndarray | None) -> None:
        rows = slice(None) if ids is None else ids
        self._position[rows] = np.clip(self._position[rows] + STEP * actions[rows, 0], -1.0, 1.0)

    def _measure(self) -> tuple[np.ndarray, np.ndarray]:
        distance = np.abs(self._position - self._goal)
        return 1.0 - np.clip(distance / 2.0, 0.0, 1.0), distance < 0.05

    def _observe(self, ids: np.ndarray | None) -> Observations:
        readings: Observations = {"position": self._position[:, None].astype(np.float32)}
        readings["goal"] = np.zeros((self.num_envs, 3), np.float32)
        readings["goal"][:, 0] = self._goal
        if "camera" in self.sensors:
            columns = np.linspace(-1, 1, 8)
            row = np.exp(-(((columns - self._position[:, None]) / 0.3) ** 2)).astype(np.float32)
            readings["camera"] = np.repeat(row[:, None, :, None], 8, axis=1)
        first = next(iter(self.sensors), None)
        for i, spec in enumerate(self.specs):
            if first is not None and spec is not None and self._elapsed[i] > 3:
                if spec.seed in self._nan_seeds:
                    readings[first][i] = np.nan
                if spec.seed in self._wrong_shape_seeds:
                    readings[first] = readings[first][..., None]
        return {name: readings[name] for name in self.sensors}

    def expert_actions(self) -> np.ndarray:
        action = np.clip((self._goal - self._position) / STEP, -1.0, 1.0)
        return action[:, None].astype(np.float32)

    def render_images(self, ids: Sequence[int], size: int = 128) -> np.ndarray:
        """The point (blue) and its goal (green) on the line."""
        images = np.full((len(ids), size, size, 3), 245, np.uint8)
        for row, i in enumerate(ids):
            for value, colour in ((self._goal[i], (60, 160, 90)), (self._position[i], (40, 90, 190))):
                column = int((value + 1) / 2 * (size - 9))
                images[row, size // 2 - 4 : size // 2 + 4, column : column + 8] = colour
        return images
