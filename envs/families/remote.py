"""Any Gymnasium id of another Python as a world: `make_worlds("remote:Ant-v5", num_envs=16, python="venv/bin/python")`.

The environments run in processes of that interpreter, several in each, behind shared memory. It needs gymnasium (or
gym), msgpack and NumPy, and no trunkline. An id may also be "module:Id-v0", or "module:callable" that makes one. A
process that hangs, dies or sends garbage is replaced, and its episodes begin anew.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium
import numpy as np

from trunkline.envs.base import Loss, Observations
from trunkline.envs.gymnasium_world import GymnasiumWorld
from trunkline.envs.registry import world
from trunkline.envs.remote.batch import RemoteBatch, RemoteOptions
from trunkline.envs.spec import TaskSpec
from trunkline.errors import InputError


@world("remote")
class RemoteWorld(GymnasiumWorld):
    """The family `remote`; see `GymnasiumWorld` for sensors, rewards and splits.

    Keys of nested dictionary observations are joined by "." in the names of sensors.

    Args:
        task: what the other Python knows the environment by.
        python: its interpreter; None for this one.
        processes: how many share the environments; 0 for one a core.
        timeout_s: for a step or reset of a process's share; then it counts as hung.
        start_timeout_s: for a process to start and to make its environments.
        paths: folders that the environments' modules are imported from.
        **options: handed to every environment.
    """

    family = "remote"

    def __init__(
        self,
        task: str,
        num_envs: int,
        sensors: Sequence[str] | None = None,
        num_threads: int = 1,
        python: str | None = None,
        processes: int = 0,
        timeout_s: float = 60.0,
        start_timeout_s: float = 120.0,
        paths: Sequence[str] = (),
        **options: Any,
    ):
        how = RemoteOptions(python, processes, timeout_s, start_timeout_s, paths)
        self._batch = RemoteBatch(task, num_envs, options, how)
        arrays = self._batch.arrays
        try:
            if self._batch.left_out:
                raise InputError(f"remote:{task} observes {self._batch.left_out}, which hold no numbers")
            named = {name.replace("/", "."): space for name, space in self._batch.observation_spaces.items()}
            super().__init__(task, num_envs, sensors, num_threads, named, self._batch.action_space, self._batch.fps)
        except BaseException:
            self._batch.close()
            raise
        own_names = dict(zip(named, self._batch.observation_spaces, strict=True))
        self._readings = {name: arrays[f"observation/{own_names[name]}"] for name in self.sensors}

    @classmethod
    def time_limit(cls, task: str) -> int | None:
        """The limit of the same id here; unknown for one that only the other Python knows."""
        return super().time_limit(task) if task in gymnasium.registry else None

    def _start(self, ids: np.ndarray, tasks: Sequence[TaskSpec]) -> None:
        self._batch.reset(ids.tolist(), [self.reset_seed(task) for task in tasks])
        self._success[ids] = False

    def _advance(self, actions: np.ndarray, ids: np.ndarray | None) -> None:
        self._batch.step(self._own_actions(actions), ids)
        arrays = self._batch.arrays
        self._scored(*(arrays[name].copy() for name in ("reward", "terminated", "truncated", "success")))

    def _observe(self, ids: np.ndarray | None) -> Observations:
        return {name: array.copy() for name, array in self._readings.items()}

    def _losses(self) -> Mapping[int, Loss]:
        return self._batch.take_losses()

    def close_extras(self, **kwargs: Any) -> None:
        self._readings = {}
        if hasattr(self, "_batch"):  # closing is also called on a world whose construction failed
            self._batch.close()
