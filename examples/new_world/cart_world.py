"""A world from another distribution: a cart on a track brakes and drives until it stands at a mark.

Everything that trunkline does with its own worlds (collect, pretrain, finetune, evaluate) works with this one, by the
entry point in pyproject.toml: `trunkline collect tasks=[cart/park] out=data/cart`.
"""

from collections.abc import Sequence

import numpy as np

from trunkline.envs.base import Observations, World
from trunkline.envs.random import generator
from trunkline.envs.spec import ActionSpec, SensorSpec, TaskSpec

TIMESTEP = 0.05  # s
ACCELERATION = 4.0  # m/s² at action 1
FRICTION = 1.0  # 1/s
MARKS = {"train": (0.2, 0.8), "test/goal": (0.8, 1.0)}  # m, to either side


class CartWorld(World):
    """The family `cart` with the task `park`; TaskSpec params: `start` and `mark` in metres on the track."""

    family = "cart"

    def __init__(self, task: str, num_envs: int, sensors: Sequence[str] | None = None, num_threads: int = 1):
        super().__init__(task, num_envs, sensors, num_threads)
        self._position, self._velocity, self._mark = np.zeros((3, num_envs))

    @classmethod
    def task_names(cls) -> tuple[str, ...]:
        return ("park",)

    @classmethod
    def splits(cls, task: str) -> tuple[str, ...]:
        return tuple(MARKS)

    @classmethod
    def sample_tasks(cls, task: str, count: int, seed: int, split: str) -> list[TaskSpec]:
        specs = []
        for index in range(count):
            rng = generator("cart", task, split, seed, index)
            mark = rng.uniform(*MARKS[split]) * rng.choice([-1, 1])
            params = {"start": float(rng.uniform(-1, 1)), "mark": float(mark)}
            specs.append(TaskSpec("cart/park", int(rng.integers(2**31)), params, split, 60))
        return specs

    def available_sensors(self) -> list[SensorSpec]:
        return [
            SensorSpec("cart_state", "proprio", (2,), low=-10.0, high=10.0, units="m, m/s"),
            SensorSpec("goal", "goal", (3,), low=-1.0, high=1.0, units="m"),
        ]

    def default_sensors(self) -> tuple[str, ...]:
        return ("cart_state", "goal")

    def make_action_spec(self) -> ActionSpec:
        return ActionSpec("cart", (1,))

    def _start(self, ids: np.ndarray, tasks: Sequence[TaskSpec]) -> None:
        self._position[ids] = [t.params["start"] for t in tasks]
        self._mark[ids] = [t.params["mark"] for t in tasks]
        self._velocity[ids] = 0.0

    def _advance(self, actions: np.ndarray, ids: np.ndarray | None) -> None:
        rows = slice(None) if ids is None else ids
        push = ACCELERATION * actions[rows, 0] - FRICTION * self._velocity[rows]
        self._velocity[rows] += TIMESTEP * push
        self._position[rows] += TIMESTEP * self._velocity[rows]

    def _measure(self) -> tuple[np.ndarray, np.ndarray]:
        distance = np.abs(self._position - self._mark)
        return np.clip(1.0 - distance / 2.0, 0.0, 1.0), (distance < 0.05) & (np.abs(self._velocity) < 0.3)

    def _observe(self, ids: np.ndarray | None) -> Observations:
        goal = np.zeros((self.num_envs, 3), np.float32)
        goal[:, 0] = self._mark
        state = np.stack([self._position, self._velocity], 1).astype(np.float32)
        return {name: {"cart_state": state, "goal": goal}[name] for name in self.sensors}

    def expert_actions(self) -> np.ndarray:
        action = 3.0 * (self._mark - self._position) - 1.5 * self._velocity
        return np.clip(action, -1.0, 1.0)[:, None].astype(np.float32)
