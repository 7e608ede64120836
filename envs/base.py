"""The contract of every world: a native batch of episodes with named sensors.

Legend: E simulations (num_envs), A action dimensions.

A family subclasses `World` and fills in its abstract methods; queueing of TaskSpecs, reward, success, time limits and
autoreset are done here, once, over the batch axis. Further arguments of its constructor are its options.
"""

from abc import abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from trunkline.envs.spec import ActionSpec, SensorSpec, TaskSpec
from trunkline.errors import InputError, unknown

Observations = dict[str, np.ndarray]

PROGRESS_REWARD = 10.0
SUCCESS_REWARD = 5.0


@dataclass(frozen=True)
class Loss:
    """Why a simulation lost its episode, e.g. because the process died that it ran in.

    Attributes:
        reason: in one line.
        blamed: whether its own episode may be the cause; else it is run again however often it happens.
    """

    reason: str
    blamed: bool = True


_NO_LOSS: Mapping[int, Loss] = {}


class World(VectorEnv[Observations, Any, Any]):
    """E simulations of one task, stepped together.

    Episodes come from a queue of TaskSpecs. `reset(options={"tasks": specs})` fills it (any iterable, also an
    endless one): the first E start at once; when an episode ends, its simulation takes the next TaskSpec in the
    same step (Gymnasium's SAME_STEP autoreset). With the queue empty a simulation goes idle: it is not stepped, its
    reward is 0 and `info["task"]` is −1. Without "tasks" the queue is an endless draw from the training split
    under the seed given to `reset`.

    `info` holds arrays over E: `success` (bool), `progress` (0–1), `task` (index into the queue of the episode
    that was stepped; −1 idle); after a step in which episodes ended also `final_obs` (a dict of arrays like the
    observation) and its row mask `_final_obs`.

    A simulation that breaks down (see `_losses`) loses its episode, not the batch: the step that it happened in counts
    as truncated, its reward and progress say nothing, and `info` also holds `lost` (bool), `rerun` (bool: the same
    TaskSpec begins anew in this step; it does so `max_reruns` times, then the next one is taken) and `lost_reason`
    ({simulation: why}).

    The reward is potential-based, 10 · Δprogress, plus 5 on success, which ends the episode.

    Args:
        task: name of the task within the family.
        num_envs: E.
        sensors: names of the sensors to read, None for `default_sensors`.
        num_threads: physics threads; 0 for one a core.

    Attributes:
        fps: control steps a second, which data sets and videos are timed by; 20 for a family whose steps take no time.
        max_reruns: how often an episode that was lost is begun anew.
        keeps_processes: whether its simulations are processes, of which a machine bears few.
        left_out: tasks that a like family has and this one cannot have, and why.
    """

    family: ClassVar[str]
    fps: int = 20
    max_reruns: int = 2
    keeps_processes: ClassVar[bool] = False
    left_out: ClassVar[Mapping[str, str]] = MappingProxyType({})
    metadata: dict[str, Any] = {  # noqa: RUF012 (Gymnasium declares it so)
        "autoreset_mode": AutoresetMode.SAME_STEP,
        "render_modes": ["rgb_array"],
    }

    def __init__(self, task: str, num_envs: int, sensors: Sequence[str] | None, num_threads: int) -> None:
        self.task = task
        self.metadata = {**self.metadata, "render_fps": self.fps}
        self.num_envs = num_envs
        self.num_threads = num_threads
        available = {spec.name: spec for spec in self.available_sensors()}
        names = self.default_sensors() if sensors is None else tuple(sensors)
        for name in names:
            if name not in available:
                raise unknown(f"sensor of {self.family}/{task}", name, available)
        self.sensors: dict[str, SensorSpec] = {name: available[name] for name in names}
        self.action_spec = self.make_action_spec()
        self._choices = np.asarray(self.action_spec.choices, np.int64)
        self.single_observation_space = spaces.Dict({name: spec.space for name, spec in self.sensors.items()})
        self.single_action_space = self.action_spec.space
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.specs: list[TaskSpec | None] = [None] * num_envs
        self._queue: Iterator[TaskSpec] = iter(())
        self._taken = 0
        self._task_index = np.full(num_envs, -1)
        self._elapsed = np.zeros(num_envs, np.int64)
        self._limit = np.zeros(num_envs, np.int64)
        self._progress = np.zeros(num_envs)
        self._reruns = np.zeros(num_envs, np.int64)

    # What a family fills in

    @classmethod
    @abstractmethod
    def task_names(cls) -> tuple[str, ...]:
        """Names of the family's tasks."""

    @classmethod
    def world_class(cls, task: str) -> "type[World]":
        """The class that runs a task: this one, or in a family of unlike tasks a class for each."""
        return cls

    @classmethod
    def require(cls) -> None:
        """Pass if the family can run on this machine.

        Raises:
            InputError: something that it needs is not installed; with the remedy.
        """

    @classmethod
    def splits(cls, task: str) -> tuple[str, ...]:
        """Splits that `sample_tasks` knows, e.g. ("train", "validation/goal", "test/goal", "test/object")."""
        return ("train", "validation/goal", "test/goal")

    @classmethod
    @abstractmethod
    def sample_tasks(cls, task: str, count: int, seed: int, split: str) -> list[TaskSpec]:
        """`count` TaskSpecs of a split; a prefix of a longer draw with the same arguments."""

    @abstractmethod
    def available_sensors(self) -> list[SensorSpec]:
        """Every sensor this task can have. Called before anything is built."""

    @abstractmethod
    def default_sensors(self) -> tuple[str, ...]:
        """Names of the sensors read when the caller names none."""

    @abstractmethod
    def make_action_spec(self) -> ActionSpec:
        """The body's actuators."""

    @abstractmethod
    def _start(self, ids: np.ndarray, tasks: Sequence[TaskSpec]) -> None:
        """Put simulations `ids` into the starts of `tasks` (one each)."""

    @abstractmethod
    def _advance(self, actions: np.ndarray, ids: np.ndarray | None) -> None:
        """Step simulations `ids` (None: all) by one control step; `actions` (E, A) are finite and within bounds."""

    @abstractmethod
    def _measure(self) -> tuple[np.ndarray, np.ndarray]:
        """Progress (E,) in [0, 1] and success (E,) bool of the present states."""

    @abstractmethod
    def _observe(self, ids: np.ndarray | None) -> Observations:
        """Readings of every sensor in `self.sensors`, (E, *shape), as fresh arrays; only rows `ids` must be right."""

    @abstractmethod
    def expert_actions(self) -> np.ndarray:
        """The scripted expert's actions (E, A) for the present states; it may use privileged state."""

    def _losses(self) -> Mapping[int, Loss]:
        """Simulations that broke down in the last `_advance`, or in a `_start` since the one before, and why.

        Families whose simulations can break down override it. `_start` gets them going again; until then their
        readings and measures are any finite ones.
        """
        return _NO_LOSS

    def render_images(self, ids: Sequence[int], size: int = 128) -> np.ndarray:
        """Pictures of simulations `ids` for people, (len(ids), size, size, 3) uint8.

        Raises:
            InputError: this family draws no pictures.
        """
        raise InputError(f"{self.family} draws no pictures")

    # What every family shares

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: Mapping[str, Any] | None = None
    ) -> tuple[Observations, dict[str, Any]]:
        """Start episodes from a queue of TaskSpecs; see the class.

        Raises:
            InputError: a TaskSpec of another task, or an unknown option.
        """
        options = dict(options or {})
        tasks: Iterable[TaskSpec] | None = options.pop("tasks", None)
        if options:
            raise unknown("reset option", next(iter(options)), ["tasks"])
        first = seed[0] if isinstance(seed, list) else seed
        if first is None and tasks is None:
            first = int(np.random.SeedSequence().generate_state(1)[0])
        self._queue = iter(self._endless(first or 0) if tasks is None else tasks)
        self._taken = 0
        self._task_index[:] = -1
        self.specs = [None] * self.num_envs
        self._elapsed[:] = self._limit[:] = 0
        self._take(np.arange(self.num_envs))
        self._progress[:], success = self._measure()
        observations = self._observe(None)
        return observations, {"success": success, "progress": self._progress.copy(), "task": self._task_index.copy()}

    def _require_choices(self, actions: np.ndarray) -> None:
        if actions.dtype.kind not in "iu":
            raise InputError(f"actions of {self.family}/{self.task} are whole numbers, not {actions.dtype}")
        wrong = (actions < 0) | (actions >= self._choices)
        if np.count_nonzero(wrong):
            row, place = (int(index) for index in np.argwhere(wrong)[0])
            raise InputError(
                f"action of environment {row} is {actions[row].tolist()}: choice {place} is one of 0 to "
                f"{self._choices[place] - 1}"
            )

    def step(self, actions: np.ndarray) -> tuple[Observations, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """One control step of all simulations that have an episode.

        Args:
            actions: (E, A); continuous ones are clipped to their bounds.

        Returns:
            Observations, reward (E,) float32, terminated (E,) bool, truncated (E,) bool, info.

        Raises:
            InputError: actions of the wrong shape, not finite, or choices that there are not.
        """
        actions = np.asarray(actions)
        if actions.shape != self.action_space.shape:
            raise InputError(
                f"actions have shape {actions.shape}, {self.family}/{self.task} takes {self.action_space.shape}"
            )
        if self.action_spec.discrete:
            self._require_choices(actions)
        else:
            if np.count_nonzero(np.isfinite(actions)) != actions.size:
                row = int(np.flatnonzero(~np.isfinite(actions).reshape(self.num_envs, -1).all(1))[0])
                raise InputError(f"action of environment {row} is not finite: {actions[row]}")
            space = self.action_space
            assert isinstance(space, spaces.Box)
            actions = np.minimum(np.maximum(actions.astype(np.float32, copy=False), space.low), space.high)
        active = self._task_index >= 0
        running = np.count_nonzero(active)  # cheaper than `all` and `any`, which count on small batches
        everyone = running == self.num_envs
        if running:
            self._advance(actions, None if everyone else np.flatnonzero(active))
        losses = self._losses()
        progress, success = self._measure()
        reward = self._reward(progress, success).astype(np.float32)
        self._progress[:] = progress
        self._elapsed += active
        terminated = self._over(success) & active
        truncated = (self._elapsed >= self._limit) & active & ~terminated
        if not everyone:
            reward[~active] = 0.0
        info: dict[str, Any] = {"success": success & active, "progress": progress, "task": self._task_index.copy()}
        rerun: Collection[int] = ()
        if losses:
            lost = np.isin(np.arange(self.num_envs), list(losses)) & active
            terminated[lost], truncated[lost] = False, True
            reward[lost], info["progress"], info["success"] = 0.0, np.where(lost, 0, progress), info["success"] & ~lost
            rerun = self._again({i: losses[i] for i in np.flatnonzero(lost).tolist()})
            info["lost"], info["rerun"] = lost, np.isin(np.arange(self.num_envs), list(rerun))
            info["lost_reason"] = {i: loss.reason for i, loss in losses.items() if lost[i]}
        observations = self._observe(None)
        done = terminated | truncated
        if np.count_nonzero(done):
            info["final_obs"], info["_final_obs"] = observations, done
            ids = np.flatnonzero(done)
            observations = {name: value.copy() for name, value in observations.items()}
            if self._take(ids, rerun):
                self._progress[ids] = self._measure()[0][ids]
                for name, value in self._observe(ids).items():
                    if observations[name].shape == value.shape:
                        observations[name][ids] = value[ids]
                    else:  # a failing sensor changed its form; who reads it sees that in `final_obs`
                        observations[name] = value
        return observations, reward, terminated, truncated, info

    def _reward(self, progress: np.ndarray, success: np.ndarray) -> np.ndarray:
        """Reward (E,) of the step that led to these values; families with a reward of their own override it."""
        return PROGRESS_REWARD * (progress - self._progress) + SUCCESS_REWARD * success

    def _over(self, success: np.ndarray) -> np.ndarray:
        """Whether the episodes (E,) end here; families that can fail before their time is up override it."""
        return success

    @property
    def active(self) -> np.ndarray:
        """Which simulations (E,) run an episode."""
        return self._task_index >= 0

    def _endless(self, seed: int) -> Iterator[TaskSpec]:
        block = 256
        while True:
            yield from self.sample_tasks(self.task, block, seed, "train")
            seed += 1_000_003

    def _again(self, losses: Mapping[int, Loss]) -> set[int]:
        """Count the losses against those who are to blame; the simulations whose TaskSpecs begin anew."""
        for i, loss in losses.items():
            self._reruns[i] += loss.blamed
        return {i for i in losses if self._reruns[i] <= self.max_reruns}

    def _take(self, ids: np.ndarray, rerun: Collection[int] = ()) -> bool:
        """Give simulations `ids` their next TaskSpecs (`rerun`: the same), or leave them idle; whether any got one."""
        started: list[int] = []
        tasks: list[TaskSpec] = []
        for i in ids.tolist():  # over episodes that start, not over steps
            if i in rerun:
                spec = self.specs[i]
                assert spec is not None
                self._elapsed[i] = 0
                self._limit[i] = spec.max_steps
                started.append(i)
                tasks.append(spec)
                continue
            self._reruns[i] = 0
            spec = next(self._queue, None)
            self.specs[i] = spec
            if spec is None:
                self._task_index[i] = -1
                continue
            if spec.task != self.qualified_task:
                raise InputError(f"TaskSpec {spec.id} is of {spec.task}, this world runs {self.qualified_task}")
            self._task_index[i] = self._taken
            self._limit[i] = spec.max_steps
            self._elapsed[i] = 0
            self._taken += 1
            started.append(i)
            tasks.append(spec)
        if started:
            self._start(np.asarray(started), tasks)
        return bool(started)

    @property
    def qualified_task(self) -> str:
        """The task as TaskSpecs name it: "family/task"."""
        return f"{self.family}/{self.task}"
