"""One recorded episode, as a collector hands it over and as the reader gives it back.

Legend: T frames, A action dimensions.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from trunkline.envs.spec import ActionSpec, SensorSpec, TaskSpec
from trunkline.errors import InputError


@dataclass(frozen=True, eq=False)
class Episode:
    """T frames of one TaskSpec; frame t holds what was read, then done, and what that earned.

    Attributes:
        task: the TaskSpec that was run.
        observations: {sensor: (T, *shape)}, the readings before each action; what the last action led to is not kept.
        actions: (T, A).
        rewards: (T,) float32.
        success: whether the task was solved.
        progress: 0-1 at the end.
    """

    task: TaskSpec
    observations: Mapping[str, np.ndarray]
    actions: np.ndarray
    rewards: np.ndarray
    success: bool
    progress: float

    def __len__(self) -> int:
        return len(self.actions)

    @property
    def nbytes(self) -> int:
        """Bytes of its arrays."""
        return sum(values.nbytes for values in self.observations.values()) + self.actions.nbytes + self.rewards.nbytes

    def check(self, sensors: Mapping[str, SensorSpec], action: ActionSpec) -> None:
        """Make sure that it is what these sensors read and this body does.

        Raises:
            InputError: a sensor is missing or too many, or an array has the wrong shape, type or a value that is not
                finite; names the sensor, the task and the step.
        """
        where = f"episode {self.task.id} of {self.task.task}"
        if len(self) == 0:
            raise InputError(f"{where} has no frames; a world must run at least one step")
        missing, extra = sorted(set(sensors) - set(self.observations)), sorted(set(self.observations) - set(sensors))
        if missing or extra:
            what = f"lacks sensor {missing[0]!r}" if missing else f"has a sensor {extra[0]!r}"
            raise InputError(f"{where} {what}; this data set is of {', '.join(sorted(sensors))}")
        for name, spec in sensors.items():
            _check_array(f"{where}: sensor {name!r}", self.observations[name], (len(self), *spec.shape), spec.dtype)
        dtype = "int64" if action.discrete else "float32"
        _check_array(f"{where}: action", self.actions, (len(self), *action.shape), dtype)
        _check_array(f"{where}: reward", self.rewards, (len(self),), "float32")
        if not 0.0 <= self.progress <= 1.0:
            raise InputError(f"{where}: progress {self.progress} is not within 0 and 1")


def _check_array(what: str, values: np.ndarray, shape: tuple[int, ...], dtype: str) -> None:
    if values.shape != shape:
        raise InputError(f"{what} has shape {values.shape}, expected {shape} (steps first)")
    if not np.can_cast(values.dtype, dtype, casting="same_kind"):
        raise InputError(f"{what} is {values.dtype}, expected {dtype}")
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        step = int(np.flatnonzero(~np.isfinite(values).reshape(len(values), -1).all(1))[0])
        raise InputError(f"{what} is not finite at step {step}")
