"""Any Gymnasium id as a world: `make_worlds("gym:Ant-v5", num_envs=16)`.

Gymnasium environments step one at a time: a batch of them is a loop, or, with `processes=True`, one process each behind
shared memory (`AsyncVectorEnv`; the calling script then needs an `if __name__ == "__main__"` guard). The reward and
the end of an episode are the environment's own; success is its `is_success` or `success` info, if it gives one. There
is no scripted expert.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv

from trunkline.envs.base import Observations, World
from trunkline.envs.registry import world
from trunkline.envs.spec import ActionSpec, SensorSpec, TaskSpec
from trunkline.errors import InputError

DEFAULT_MAX_STEPS = 1000
_PARTS = ("train", "validation/goal", "test/goal")
# Gymnasium takes seeds below 2**31; a multiple of the parts, so that the remainder keeps each seed in its part.
_SEEDS = 2**31 // len(_PARTS) * len(_PARTS)


def _make(task: str, kwargs: dict[str, Any]) -> gymnasium.Env[Any, Any]:
    return gymnasium.make(task, **kwargs)


@world("gym")
class GymWorld(World):
    """The family `gym`: a task is a Gymnasium id, an episode is its seed.

    Sensors: `observation`, or one a key for dictionary observations. Splits draw from disjoint sets of seeds.

    Args:
        task: the Gymnasium id.
        processes: whether each environment gets a process of its own.
        **options: handed to `gymnasium.make`.
    """

    family = "gym"

    def __init__(
        self,
        task: str,
        num_envs: int,
        sensors: Sequence[str] | None = None,
        num_threads: int = 1,
        processes: bool = False,
        **options: Any,
    ):
        make = partial(_make, task, options)
        try:
            probe = make()
        except (gymnasium.error.Error, ImportError, TypeError) as error:
            raise InputError(f"gymnasium cannot make {task!r}: {error}") from error
        self._probe_spaces = probe.observation_space, probe.action_space
        self.fps = round(probe.metadata.get("render_fps") or self.fps)
        probe.close()  # type: ignore[no-untyped-call]
        super().__init__(task, num_envs, sensors, num_threads)
        # A fork server starts workers quickly and, unlike a fork, not as copies of a process with running threads.
        self._envs: AsyncVectorEnv | SyncVectorEnv = (
            AsyncVectorEnv([make] * num_envs, context="forkserver", autoreset_mode=AutoresetMode.DISABLED)
            if processes
            else SyncVectorEnv([make] * num_envs, autoreset_mode=AutoresetMode.DISABLED)
        )
        self._latest: Any = None
        self._success = np.zeros(num_envs, bool)
        self._rewards = np.zeros(num_envs)
        self._ended = np.zeros(num_envs, bool)
        self._terminated = np.zeros(num_envs, bool)

    @classmethod
    def task_names(cls) -> tuple[str, ...]:
        return tuple(sorted(gymnasium.registry))

    @classmethod
    def splits(cls, task: str) -> tuple[str, ...]:
        return _PARTS

    @classmethod
    def sample_tasks(cls, task: str, count: int, seed: int, split: str) -> list[TaskSpec]:
        try:
            limit = gymnasium.spec(task).max_episode_steps
        except gymnasium.error.Error as error:
            raise InputError(f"gymnasium does not know {task!r}: {error}; see gymnasium.pprint_registry()") from None
        first = seed * 1_000_003
        return [
            TaskSpec(
                f"gym:{task}", (first + i) * len(_PARTS) + _PARTS.index(split), {}, split, limit or DEFAULT_MAX_STEPS
            )
            for i in range(count)
        ]

    @property
    def qualified_task(self) -> str:
        return f"gym:{self.task}"

    def available_sensors(self) -> list[SensorSpec]:
        space = self._probe_spaces[0]
        named = dict(space.spaces) if isinstance(space, spaces.Dict) else {"observation": space}
        sensors = []
        for name, part in named.items():
            if not isinstance(part, spaces.Box):
                raise InputError(f"gym:{self.task} observes {part}; only Box and Dict of Box can be sensors")
            image = len(part.shape) == 3
            sensors.append(SensorSpec(name, "rgb" if image else "proprio", part.shape, str(part.dtype)))
        return sensors

    def default_sensors(self) -> tuple[str, ...]:
        return tuple(spec.name for spec in self.available_sensors())

    def make_action_spec(self) -> ActionSpec:
        space = self._probe_spaces[1]
        if isinstance(space, spaces.Box) and len(space.shape) == 1:
            return ActionSpec(self.task, space.shape, tuple(map(float, space.low)), tuple(map(float, space.high)))
        if isinstance(space, spaces.Discrete):
            return ActionSpec(self.task, (1,), choices=(int(space.n),))
        if isinstance(space, spaces.MultiDiscrete) and space.nvec.ndim == 1:
            return ActionSpec(self.task, space.shape, choices=tuple(map(int, space.nvec)))
        raise InputError(f"gym:{self.task} acts in {space}; only 1-D Box, Discrete and MultiDiscrete are supported")

    def _start(self, ids: np.ndarray, tasks: Sequence[TaskSpec]) -> None:
        mask = np.zeros(self.num_envs, bool)
        mask[ids] = True
        seeds: list[int | None] = [None] * self.num_envs
        for i, task in zip(ids, tasks, strict=True):
            seeds[i] = task.seed % _SEEDS
        # The first reset of a vector environment must be of all its environments.
        options = {"reset_mask": mask} if self.active.any() and not mask.all() and self._latest is not None else None
        self._latest, _ = self._envs.reset(seed=seeds, options=options)
        self._success[ids] = self._ended[ids] = False

    def _advance(self, actions: np.ndarray, ids: np.ndarray | None) -> None:
        idle = self._ended & ~self.active
        if idle.any():  # the vector environment steps all or none, and refuses those whose episode is over
            self._latest, _ = self._envs.reset(options={"reset_mask": idle})
        if isinstance(self._probe_spaces[1], spaces.Discrete):
            actions = actions[:, 0]
        self._latest, self._rewards, terminated, truncated, info = self._envs.step(actions)
        self._terminated, self._ended = terminated, np.logical_or(terminated, truncated)
        self._limit[truncated] = self._elapsed[truncated] + 1  # an environment's own time limit becomes the episode's
        succeeded = np.asarray(info.get("is_success", info.get("success", np.zeros(self.num_envs))), float)
        self._success = succeeded > 0

    def _measure(self) -> tuple[np.ndarray, np.ndarray]:
        return self._success.astype(float), self._success

    def _reward(self, progress: np.ndarray, success: np.ndarray) -> np.ndarray:
        return np.asarray(self._rewards)

    def _over(self, success: np.ndarray) -> np.ndarray:
        return self._terminated

    def _observe(self, ids: np.ndarray | None) -> Observations:
        latest = self._latest if isinstance(self._latest, dict) else {"observation": self._latest}
        return {name: np.array(latest[name]) for name in self.sensors}

    def expert_actions(self) -> np.ndarray:
        raise InputError(f"gym:{self.task} has no scripted expert; collect with policy.kind=random or a checkpoint")

    def close_extras(self, **kwargs: Any) -> None:
        if hasattr(self, "_envs"):  # closing is also called on a world whose construction failed
            self._envs.close()
