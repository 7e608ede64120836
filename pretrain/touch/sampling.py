"""Which (sensor, task) pairs a step learns from.

The mixture that is learned is L = Σ_p w_p · L_p over pairs p of a sensor and a task. A step draws K pairs with
expected counts K · w_p and weighs each draw 1/K, or takes every pair with its weight w_p.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from trunkline.errors import InputError, unknown
from trunkline.pretrain.sampling import BALANCES
from trunkline.pretrain.touch.batch import TouchTensors

EMPTY_BATCHES = 100


@dataclass(frozen=True)
class Pair:
    """A sensor and a task that is learned from its touches.

    Attributes:
        sensor: its name.
        task: its name.
        size: samples of the sensor.
    """

    sensor: str
    task: str
    size: int

    @property
    def name(self) -> str:
        """ "sensor/task"."""
        return f"{self.sensor}/{self.task}"


class Stream(Protocol):
    """Batches of one sensor without end, with an exact position."""

    def __next__(self) -> Any: ...

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None: ...

    def close(self) -> None: ...


def pair_weights(pairs: Sequence[Pair], weights: str | Mapping[str, float]) -> np.ndarray:
    """How much each pair counts, adding up to 1.

    Args:
        pairs: the pairs.
        weights: "uniform", "sqrt" (∝ √samples), "proportional", or factors by pair, sensor or task, which multiply; 1
            for what is not named.

    Raises:
        InputError: an unknown balance or name (with the nearest match), a factor that is negative or not finite, or
            factors that leave nothing.
    """
    if isinstance(weights, str):
        if weights not in BALANCES:
            raise unknown("pair weights", weights, BALANCES)
        values = np.array([pair.size for pair in pairs], np.float64) ** BALANCES[weights]
        return _normalised(values)
    names = {name for pair in pairs for name in (pair.name, pair.sensor, pair.task)}
    for name, factor in weights.items():
        if name not in names:
            raise unknown("pair, sensor or task in pair_weights", name, names)
        if not (np.isfinite(factor) and factor >= 0):
            raise InputError(f"pair_weights.{name}={factor} must be finite and at least 0")
    values = np.ones(len(pairs))
    for i, pair in enumerate(pairs):
        for name in (pair.name, pair.sensor, pair.task):
            values[i] *= weights.get(name, 1.0)
    return _normalised(values)


def _normalised(values: np.ndarray) -> np.ndarray:
    if not values.sum() > 0:
        raise InputError("pair_weights leave nothing to learn from; at least one pair must count")
    shares: np.ndarray = values / values.sum()
    return shares


@dataclass(frozen=True)
class Group:
    """Pairs of one sensor that are learned from the same touches, in one forward pass.

    Attributes:
        stream: key of the touches' stream.
        tasks: their names, each with its weight in the group; the weights add up to 1.
        weight: of the group among all.
    """

    stream: str
    tasks: tuple[tuple[str, float], ...]
    weight: float

    @property
    def names(self) -> str:
        """What an error message calls it."""
        return f"{self.stream}: {', '.join(task for task, _ in self.tasks)}"


def make_groups(
    pairs: Sequence[Pair], streams: Sequence[str], weights: np.ndarray, together: Sequence[bool]
) -> list[Group]:
    """The pairs that count, in groups.

    Args:
        pairs: all of them.
        streams: the key of each one's stream.
        weights: of each one, adding up to 1.
        together: whether it shares touches with others of its stream.
    """
    members: dict[tuple[str, str], list[int]] = {}
    for i in np.flatnonzero(weights > 0).tolist():
        members.setdefault((streams[i], "" if together[i] else pairs[i].task), []).append(i)
    groups = []
    for (stream, _), of_group in members.items():
        total = float(weights[of_group].sum())
        groups.append(Group(stream, tuple((pairs[i].task, float(weights[i]) / total) for i in of_group), total))
    return groups


class PairSampler:
    """The sub-batches of each step; the same seed gives the same sequence, and it resumes exactly.

    All groups of a sensor draw from one stream of its touches, so that memory grows with sensors, not with pairs.

    Args:
        groups: all that may be drawn.
        streams: by key.
        make: (group, batch, share) to tensors; None if no row has a target, then the next batch is taken.
        draws: K, groups a step; 0 for every group every step.
        extra: keys and weights of streams of TouchTensors of which every step takes a batch besides: alignment.
        seed: of the draws; the same on every worker, so that all of them are at the same pairs.
    """

    def __init__(
        self,
        groups: Sequence[Group],
        streams: Mapping[str, Stream],
        make: Callable[[Group, Any, float], TouchTensors | None],
        draws: int = 4,
        extra: Sequence[tuple[str, float]] = (),
        seed: int = 0,
    ) -> None:
        assert groups
        self.groups = list(groups)
        self._weights = np.array([group.weight for group in groups])
        self._make, self._extra = make, list(extra)
        used = sorted({*(group.stream for group in groups), *(key for key, _ in extra)})
        self._streams = {key: streams[key] for key in used}
        self._draws = draws
        self._seed = seed
        self._step = 0

    def next(self) -> list[TouchTensors]:
        """The sub-batches of the next step; the shares of the groups add up to 1."""
        chosen = list(self._choose())
        self._step += 1
        drawn = [self._draw(self.groups[i], share) for i, share in chosen]
        return drawn + [replace(next(self._streams[key]), share=weight) for key, weight in self._extra]

    def _draw(self, group: Group, share: float) -> TouchTensors:
        for _ in range(EMPTY_BATCHES):
            made = self._make(group, next(self._streams[group.stream]), share)
            if made is not None:
                return made
        raise InputError(f"{EMPTY_BATCHES} batches of {group.names} hold no sample with a label; leave that pair out")

    def _choose(self) -> Iterator[tuple[int, float]]:
        if not self._draws:
            yield from enumerate(self._weights.tolist())
            return
        # A generator a step, so that the position in the sequence is one number.
        generator = np.random.default_rng([self._seed, self._step])
        # Systematic sampling over a random order: the counts are right on average, and a group comes again in a step
        # only if its weight calls for more than one draw.
        order = generator.permutation(len(self.groups))
        edges = np.cumsum(self._weights[order])
        points = (generator.random() + np.arange(self._draws)) / self._draws
        places = np.minimum(np.searchsorted(edges, points, side="right"), len(order) - 1)
        for i in order[places].tolist():
            yield i, 1 / self._draws

    def state_dict(self) -> dict[str, Any]:
        """Where it is, as a JSON value."""
        return {"step": self._step, "streams": {key: stream.state_dict() for key, stream in self._streams.items()}}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from where `state_dict` was taken.

        Raises:
            InputError: it is the state of a sampler over other sensors.
        """
        if set(state["streams"]) != set(self._streams):
            raise InputError(
                f"the sampler's state is of {', '.join(sorted(state['streams']))}, the run now reads "
                f"{', '.join(self._streams)}; resume on the data the run began with"
            )
        self._step = int(state["step"])
        for key, stream in self._streams.items():
            stream.load_state_dict(state["streams"][key])

    def close(self) -> None:
        """Let go of the streams."""
        for stream in self._streams.values():
            stream.close()
