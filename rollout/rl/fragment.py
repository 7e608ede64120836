"""What an environment runner hands to the learner: steps as arrays, not as episode objects.

Legend: T steps, E simulations, K episodes that were truncated, A action dimensions.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from trunkline.envs.base import World
from trunkline.envs.registry import make_worlds
from trunkline.envs.spec import ActionSpec
from trunkline.rollout.chunks import family_of


@dataclass(frozen=True)
class Group:
    """Tasks whose simulations run through the agent as one batch: same body, same sensors.

    Attributes:
        name: unique among the groups of a run.
        action: the body's actuators.
        sensors: names of the sensors that are read.
        tasks: "family/task" of each.
        options: of their worlds, by family.
    """

    name: str
    action: ActionSpec
    sensors: tuple[str, ...]
    tasks: tuple[str, ...]
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def make_worlds(self, task: str, num_envs: int, num_threads: int = 1) -> World:
        """Simulations of one of its tasks, with its sensors and options."""
        return make_worlds(task, num_envs, self.sensors, num_threads, **self.options.get(family_of(task), {}))


@dataclass
class TaskStatistics:
    """Sums over the episodes of one task that ended in a fragment.

    Attributes:
        dropped: simulations that the fragment leaves out, because one of the sensors `failed` was not finite, or the
            "world" broke down.
    """

    episodes: int = 0
    successes: int = 0
    returns: float = 0.0
    steps: int = 0
    dropped: int = 0
    failed: set[str] = field(default_factory=set)

    def add(self, other: "TaskStatistics") -> None:
        """Add another's sums to these."""
        self.episodes += other.episodes
        self.successes += other.successes
        self.returns += other.returns
        self.steps += other.steps
        self.dropped += other.dropped
        self.failed |= other.failed


@dataclass(frozen=True)
class Fragment:
    """T steps of E simulations of one group. Every observation is stored once.

    Attributes:
        group: its group's name.
        task: index (E,) of each simulation's task in `Group.tasks`.
        observations: {sensor: (T, E, *shape)} before each step.
        actions: (T, E, A).
        log_probs: (T, E) of the actions under the policy that took them.
        rewards: (T, E).
        terminated, truncated: (T, E) bool.
        last: {sensor: (E, *shape)} after the last step.
        cut: {sensor: (K, *shape)}, where the truncated episodes stood when their time was up.
        cut_at: (K, 2), the step and the simulation of each.
    """

    group: str
    task: np.ndarray
    observations: dict[str, np.ndarray]
    actions: np.ndarray
    log_probs: np.ndarray
    rewards: np.ndarray
    terminated: np.ndarray
    truncated: np.ndarray
    last: dict[str, np.ndarray]
    cut: dict[str, np.ndarray]
    cut_at: np.ndarray

    @property
    def num_simulations(self) -> int:
        """E."""
        return len(self.task)

    def select(self, columns: np.ndarray) -> "Fragment":
        """The simulations `columns` (indices) alone."""
        position = np.full(self.num_simulations, -1)
        position[columns] = np.arange(len(columns))
        keep = position[self.cut_at[:, 1]] >= 0
        cut_at = self.cut_at[keep]
        cut_at[:, 1] = position[cut_at[:, 1]]
        return Fragment(
            group=self.group,
            task=self.task[columns],
            observations={name: value[:, columns] for name, value in self.observations.items()},
            actions=self.actions[:, columns],
            log_probs=self.log_probs[:, columns],
            rewards=self.rewards[:, columns],
            terminated=self.terminated[:, columns],
            truncated=self.truncated[:, columns],
            last={name: value[columns] for name, value in self.last.items()},
            cut={name: value[keep] for name, value in self.cut.items()},
            cut_at=cut_at,
        )


def join(fragments: Sequence[Fragment]) -> Fragment:
    """Fragments of one group and length beside each other, as one of all their simulations."""
    first = fragments[0]
    if len(fragments) == 1:
        return first  # images are large
    offsets = np.cumsum([0, *(f.num_simulations for f in fragments[:-1])])
    return Fragment(
        group=first.group,
        task=np.concatenate([f.task for f in fragments]),
        observations={s: np.concatenate([f.observations[s] for f in fragments], 1) for s in first.observations},
        actions=np.concatenate([f.actions for f in fragments], 1),
        log_probs=np.concatenate([f.log_probs for f in fragments], 1),
        rewards=np.concatenate([f.rewards for f in fragments], 1),
        terminated=np.concatenate([f.terminated for f in fragments], 1),
        truncated=np.concatenate([f.truncated for f in fragments], 1),
        last={s: np.concatenate([f.last[s] for f in fragments]) for s in first.last},
        cut={s: np.concatenate([f.cut[s] for f in fragments]) for s in first.cut},
        cut_at=np.concatenate([f.cut_at + np.array([0, offset]) for f, offset in zip(fragments, offsets, strict=True)]),
    )


def split(fragment: Fragment, parts: int) -> list[Fragment]:
    """Divide the simulations of a fragment evenly over `parts`; each gets some of every task."""
    return [fragment.select(np.arange(part, fragment.num_simulations, parts)) for part in range(parts)]


@dataclass
class Sample:
    """One call of `WorldRunner.sample`: a fragment a group and the statistics of each task."""

    fragments: list[Fragment]
    statistics: Mapping[str, TaskStatistics] = field(default_factory=dict)
