"""Any Gymnasium id as a world: `make_worlds("gym:Ant-v5", num_envs=16)`.

Gymnasium environments step one at a time: a batch of them is a loop, or, with `processes=True`, one process each behind
shared memory (`AsyncVectorEnv`; the calling script then needs an `if __name__ == "__main__"` guard). The family
`remote` runs them in processes of another Python.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv

from trunkline.envs.base import Observations
from trunkline.envs.gymnasium_world import GymnasiumWorld
from trunkline.envs.registry import world
from trunkline.envs.spec import TaskSpec
from trunkline.errors import InputError


def _make(task: str, kwargs: dict[str, Any]) -> gymnasium.Env[Any, Any]:
    return gymnasium.make(task, **kwargs)


@world("gym")
class GymWorld(GymnasiumWorld):
    """The family `gym`; see `GymnasiumWorld` for sensors, rewards and splits.

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
        space = probe.observation_space
        named = dict(space.spaces) if isinstance(space, spaces.Dict) else {"observation": space}
        fps = probe.metadata.get("render_fps")
        probe.close()  # type: ignore[no-untyped-call]
        super().__init__(task, num_envs, sensors, num_threads, named, probe.action_space, fps)
        # A fork server starts workers quickly and, unlike a fork, not as copies of a process with running threads.
        self._envs: AsyncVectorEnv | SyncVectorEnv = (
            AsyncVectorEnv([make] * num_envs, context="forkserver", autoreset_mode=AutoresetMode.DISABLED)
            if processes
            else SyncVectorEnv([make] * num_envs, autoreset_mode=AutoresetMode.DISABLED)
        )
        self._latest: Any = None
        self._ended = np.zeros(num_envs, bool)

    def _start(self, ids: np.ndarray, tasks: Sequence[TaskSpec]) -> None:
        mask = np.zeros(self.num_envs, bool)
        mask[ids] = True
        seeds: list[int | None] = [None] * self.num_envs
        for i, task in zip(ids, tasks, strict=True):
            seeds[i] = self.reset_seed(task)
        # The first reset of a vector environment must be of all its environments.
        options = {"reset_mask": mask} if self.active.any() and not mask.all() and self._latest is not None else None
        self._latest, _ = self._envs.reset(seed=seeds, options=options)
        self._success[ids] = self._ended[ids] = False

    def _advance(self, actions: np.ndarray, ids: np.ndarray | None) -> None:
        idle = self._ended & ~self.active
        if idle.any():  # the vector environment steps all or none, and refuses those whose episode is over
            self._latest, _ = self._envs.reset(options={"reset_mask": idle})
        stepped: tuple[Any, Any, Any, Any, Any] = self._envs.step(self._own_actions(actions))
        self._latest, rewards, terminated, truncated, info = stepped
        self._ended = np.logical_or(terminated, truncated)
        succeeded = np.asarray(info.get("is_success", info.get("success", np.zeros(self.num_envs))), float)
        self._scored(rewards, terminated, truncated, succeeded > 0)

    def _observe(self, ids: np.ndarray | None) -> Observations:
        latest = self._latest if isinstance(self._latest, dict) else {"observation": self._latest}
        return {name: np.array(latest[name]) for name in self.sensors}

    def close_extras(self, **kwargs: Any) -> None:
        if hasattr(self, "_envs"):  # closing is also called on a world whose construction failed
            self._envs.close()
