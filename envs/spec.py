"""The nouns of the system: what a sensor reads, what an actuator takes, what a task is.

All three are frozen and JSON-serialisable; they travel inside checkpoints, data sets and manifests.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property
from typing import Any

import numpy as np
from gymnasium import spaces

from trunkline.errors import InputError

Bound = float | tuple[float, ...] | None


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no white space: equal values give equal text, so it can be hashed.

    Raises:
        InputError: a number is not finite.
    """
    try:
        return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except ValueError:
        raise InputError("a number is not finite, which JSON cannot hold; mend it where it comes from") from None


def _from_json(cls: type, value: Mapping[str, Any]) -> Any:
    known = {f.name for f in fields(cls)}
    extra = sorted(set(value) - known)
    if extra:
        raise InputError(f"{cls.__name__} has no field {extra[0]!r}; fields: {', '.join(sorted(known))}")
    try:
        return cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in value.items()})
    except TypeError as error:
        raise InputError(f"{cls.__name__}: {error}") from error


@dataclass(frozen=True)
class SensorSpec:
    """One sensor: the form of its readings and how to normalise them.

    Attributes:
        name: the key of its readings in an observation dictionary.
        modality: what it senses: `proprio`, `state`, `goal`, `depth`, `rgb`, `tactile_rgb`, `taxels`, … (an open set).
        shape: shape of one reading; images are (H, W, C).
        dtype: numpy name of the readings' type.
        low, high: bounds, a number for all elements or one per element (vectors); None if unbounded.
        mean, std: statistics of the readings over a data set, one per element (vectors) or per channel (images).
        units: per reading, e.g. "m".
        frame_rate: readings a second, if it has a rate of its own.
        form: what else defines it, e.g. field of view, gel size, pixel pitch.
        privileged: True for readings that no robot would have (exact object poses).
    """

    name: str
    modality: str
    shape: tuple[int, ...]
    dtype: str = "float32"
    low: Bound = None
    high: Bound = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    units: str = ""
    frame_rate: float | None = None
    form: Mapping[str, Any] = field(default_factory=dict)
    privileged: bool = False

    def __post_init__(self) -> None:
        if not self.name or "/" in self.name:
            raise InputError(f"sensor name {self.name!r} must be non-empty and hold no '/'")
        if any(n <= 0 for n in self.shape):
            raise InputError(f"sensor {self.name!r} has shape {self.shape}; every dimension must be positive")

    @property
    def space(self) -> spaces.Box:
        """The Gymnasium space of one reading."""
        dtype: Any = np.dtype(self.dtype)
        low: Any
        high: Any
        low, high = (-np.inf, np.inf) if dtype.kind == "f" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
        low = low if self.low is None else np.broadcast_to(np.asarray(self.low, dtype), self.shape)
        high = high if self.high is None else np.broadcast_to(np.asarray(self.high, dtype), self.shape)
        return spaces.Box(low, high, self.shape, dtype)

    def with_statistics(self, mean: np.ndarray, std: np.ndarray) -> "SensorSpec":
        """This sensor with the statistics of a data set, flattened to tuples."""
        return replace(self, mean=tuple(map(float, np.ravel(mean))), std=tuple(map(float, np.ravel(std))))

    def difference(self, other: "SensorSpec") -> str | None:
        """What makes `other` another sensor (statistics aside), or None if an encoder of one fits the other."""
        for name in ("name", "modality", "shape", "dtype", "units", "form"):
            mine, theirs = getattr(self, name), getattr(other, name)
            if canonical_json(mine) != canonical_json(theirs):
                return f"{name} {mine!r} is not {theirs!r}"
        return None

    def to_json(self) -> dict[str, Any]:
        """A JSON value that `from_json` reads back."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "SensorSpec":
        """The sensor that `to_json` wrote.

        Raises:
            InputError: an unknown or a missing field.
        """
        spec: SensorSpec = _from_json(cls, value)
        return spec


@dataclass(frozen=True)
class ActionSpec:
    """One body's actuators. Worlds of the same body share the name, and so the agent's action head.

    Attributes:
        name: e.g. "gripper", "point", "Ant-v5".
        shape: (A,) for continuous actions in [low, high]; (K,) for K discrete factors.
        low, high: bounds of continuous actions.
        choices: number of choices of each discrete factor; empty for continuous actions.
    """

    name: str
    shape: tuple[int, ...]
    low: float | tuple[float, ...] = -1.0
    high: float | tuple[float, ...] = 1.0
    choices: tuple[int, ...] = ()

    @property
    def discrete(self) -> bool:
        """Whether the actions are choices rather than numbers."""
        return bool(self.choices)

    @property
    def space(self) -> spaces.Box | spaces.MultiDiscrete:
        """The Gymnasium space of one action."""
        if self.discrete:
            return spaces.MultiDiscrete(np.asarray(self.choices))
        low = np.broadcast_to(np.asarray(self.low, np.float32), self.shape)
        high = np.broadcast_to(np.asarray(self.high, np.float32), self.shape)
        return spaces.Box(low, high, self.shape, np.float32)

    def to_json(self) -> dict[str, Any]:
        """A JSON value that `from_json` reads back."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "ActionSpec":
        """The action form that `to_json` wrote."""
        spec: ActionSpec = _from_json(cls, value)
        return spec


@dataclass(frozen=True)
class TaskSpec:
    """One episode's world, start and goal: the same TaskSpec is the same episode, bit for bit, in every process.

    Attributes:
        task: "family/task", e.g. "tabletop/push".
        seed: of every random draw inside the episode (sensor noise, say).
        params: everything that was drawn when the task was sampled: positions, shapes, masses, goals.
        split: "train", "validation" or "test", then the axis of novelty: "test/goal", "test/object", "test/task".
        max_steps: control steps after which the episode is truncated.
    """

    task: str
    seed: int
    params: Mapping[str, Any]
    split: str
    max_steps: int

    @cached_property
    def id(self) -> str:
        """16 hexadecimal digits that name this episode's content."""
        return hashlib.sha256(canonical_json(self.to_json()).encode()).hexdigest()[:16]

    @property
    def axis(self) -> str:
        """The axis of novelty: "goal", "object", "task", or "seen" for a training context."""
        return self.split.partition("/")[2] or "seen"

    def to_json(self) -> dict[str, Any]:
        """A JSON value that `from_json` reads back."""
        # Not `asdict`: manifests hold thousands, and its deep copy is most of the cost of hashing one.
        return {f.name: getattr(self, f.name) for f in fields(self)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "TaskSpec":
        """The task that `to_json` wrote.

        Raises:
            InputError: a field is missing, unknown or of the wrong type, or no step is allowed.
        """
        missing = [f.name for f in fields(cls) if f.name not in value]
        if missing:
            raise InputError(f"TaskSpec lacks field {missing[0]!r}; it has {', '.join(sorted(value)) or 'none'}")
        spec: TaskSpec = _from_json(cls, value)
        if not isinstance(spec.max_steps, int) or spec.max_steps < 1:
            raise InputError(f"TaskSpec of {spec.task}: max_steps={spec.max_steps!r}; a whole number of at least 1")
        return spec
