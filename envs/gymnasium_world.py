"""What worlds of Gymnasium's environments share, wherever these run.

The reward and the end of an episode are the environment's own; success is its `is_success` or `success` info, if it
gives one. There is no scripted expert.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from trunkline.envs.base import World
from trunkline.envs.spec import ActionSpec, SensorSpec, TaskSpec
from trunkline.errors import InputError

DEFAULT_MAX_STEPS = 1000
_PARTS = ("train", "validation/goal", "test/goal")
# Gymnasium takes seeds below 2**31; a multiple of the parts, so that the remainder keeps each seed in its part.
_SEEDS = 2**31 // len(_PARTS) * len(_PARTS)


class GymnasiumWorld(World):
    """A task is a Gymnasium id, an episode is its seed; splits draw from disjoint sets of seeds.

    Sensors: `observation`, or one a key for dictionary observations.

    A subclass steps the environments: `_start`, `_advance` (which calls `_scored`) and `_observe`.

    Args:
        task: the Gymnasium id.
        num_envs: E.
        sensors: names of the sensors to read, None for all.
        num_threads: not used.
        observation_spaces: of one environment, by name.
        action_space: of one environment.
        fps: steps a second, if the environment says so.
    """

    def __init__(
        self,
        task: str,
        num_envs: int,
        sensors: Sequence[str] | None,
        num_threads: int,
        observation_spaces: Mapping[str, spaces.Space[Any]],
        action_space: spaces.Space[Any],
        fps: float | None,
    ):
        self._own_spaces = dict(observation_spaces), action_space
        self.fps = round(fps or self.fps)
        super().__init__(task, num_envs, sensors, num_threads)
        self._success = np.zeros(num_envs, bool)
        self._rewards = np.zeros(num_envs)
        self._terminated = np.zeros(num_envs, bool)

    @classmethod
    def task_names(cls) -> tuple[str, ...]:
        return tuple(sorted(gymnasium.registry))

    @classmethod
    def splits(cls, task: str) -> tuple[str, ...]:
        return _PARTS

    @classmethod
    def time_limit(cls, task: str) -> int | None:
        """The environment's own limit of steps, if it has one.

        Raises:
            InputError: nobody knows this id.
        """
        try:
            limit: int | None = gymnasium.spec(task).max_episode_steps
        except gymnasium.error.Error as error:
            raise InputError(f"gymnasium does not know {task!r}: {error}; see gymnasium.pprint_registry()") from None
        return limit

    @classmethod
    def sample_tasks(cls, task: str, count: int, seed: int, split: str) -> list[TaskSpec]:
        limit = cls.time_limit(task) or DEFAULT_MAX_STEPS
        first = seed * 1_000_003
        part, parts = _PARTS.index(split), len(_PARTS)
        name = f"{cls.family}:{task}"
        return [TaskSpec(name, (first + i) * parts + part, {}, split, limit) for i in range(count)]

    @property
    def qualified_task(self) -> str:
        return f"{self.family}:{self.task}"

    def available_sensors(self) -> list[SensorSpec]:
        sensors = []
        for name, part in self._own_spaces[0].items():
            if not isinstance(part, spaces.Box):
                raise InputError(f"{self.qualified_task} observes {part}; only Box and Dict of Box can be sensors")
            image = len(part.shape) == 3
            sensors.append(SensorSpec(name, "rgb" if image else "proprio", part.shape, str(part.dtype)))
        return sensors

    def default_sensors(self) -> tuple[str, ...]:
        return tuple(spec.name for spec in self.available_sensors())

    def make_action_spec(self) -> ActionSpec:
        space = self._own_spaces[1]
        if isinstance(space, spaces.Box) and len(space.shape) == 1:
            return ActionSpec(self.task, space.shape, tuple(map(float, space.low)), tuple(map(float, space.high)))
        if isinstance(space, spaces.Discrete):
            return ActionSpec(self.task, (1,), choices=(int(space.n),))
        if isinstance(space, spaces.MultiDiscrete) and space.nvec.ndim == 1:
            return ActionSpec(self.task, space.shape, choices=tuple(map(int, space.nvec)))
        raise InputError(
            f"{self.qualified_task} acts in {space}; only 1-D Box, Discrete and MultiDiscrete are supported"
        )

    @staticmethod
    def reset_seed(task: TaskSpec) -> int:
        """The seed that an episode's environment is reset with."""
        return task.seed % _SEEDS

    def _own_actions(self, actions: np.ndarray) -> np.ndarray:
        """Actions (E, A) as the environments take them: (E,) for a Discrete space."""
        return actions[:, 0] if isinstance(self._own_spaces[1], spaces.Discrete) else actions

    def _scored(self, rewards: np.ndarray, terminated: np.ndarray, truncated: np.ndarray, success: np.ndarray) -> None:
        """Note what the environments (E,) said of their last step."""
        self._rewards, self._terminated, self._success = rewards, terminated, success
        self._limit[truncated] = self._elapsed[truncated] + 1  # an environment's own time limit becomes the episode's

    def _measure(self) -> tuple[np.ndarray, np.ndarray]:
        return self._success.astype(float), self._success

    def _reward(self, progress: np.ndarray, success: np.ndarray) -> np.ndarray:
        return np.asarray(self._rewards)

    def _over(self, success: np.ndarray) -> np.ndarray:
        return self._terminated

    def expert_actions(self) -> np.ndarray:
        raise InputError(
            f"{self.qualified_task} has no scripted expert; collect with policy.kind=random or a checkpoint"
        )
