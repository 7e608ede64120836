"""From a batch of simulations to episodes, without Ray.

Legend: E simulations, T steps of one episode, A action dimensions.
"""

import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from trunkline.data.episode import Episode
from trunkline.envs.base import Observations, World
from trunkline.envs.spec import SensorSpec, TaskSpec
from trunkline.errors import InputError, unknown
from trunkline.rollout.policies import Policy, action_bounds


@dataclass(frozen=True)
class Finished:
    """An episode that ended.

    Attributes:
        index: of its TaskSpec in the list that was run.
        episode: what was recorded.
        seconds: wall-clock it cost: each batch step's time, shared equally by the simulations that were running.
        frames: pictures before each step, (T, size, size, 3) uint8, if asked for.
        reruns: how often it was begun anew, because its simulation had broken down.
    """

    index: int
    episode: Episode
    seconds: float
    frames: np.ndarray | None = None
    reruns: int = 0


@dataclass(frozen=True)
class Lost:
    """An episode that was dropped: a reading was unusable, or its simulation broke down; `reason` says it all."""

    index: int
    task: TaskSpec
    step: int
    reason: str


Outcome = Finished | Lost


def run_episodes(
    world: World,
    policy: Policy,
    specs: Iterable[TaskSpec],
    *,
    record: Sequence[str] | None = None,
    film: Collection[str] = (),
    frame_size: int = 128,
) -> Iterator[Outcome]:
    """Run TaskSpecs through the simulations of a world and yield each episode as it ends.

    Every reading is checked. One that is not finite, or not of its SensorSpec's shape and dtype, ends its episode as
    `Lost`; the others go on. (A batch whose array has the wrong shape or dtype cannot be told apart by simulation:
    then all episodes that are running are lost.)

    An episode whose simulation broke down is begun anew by the world; what was recorded of it is thrown away. If
    the world gives it up, it is `Lost`.

    Args:
        world: its simulations are reset.
        policy: what acts.
        specs: TaskSpecs of the world's task, taken as simulations become free.
        record: names of the sensors to keep; None for all of the world's, () for none (an evaluation).
        film: ids of the TaskSpecs to take pictures of.
        frame_size: edge of the pictures in pixels.

    Raises:
        InputError: a name in `record` that the world does not read, or what the world and the policy raise.
    """
    names = tuple(world.sensors) if record is None else tuple(record)
    for name in names:
        if name not in world.sensors:
            raise unknown(f"recorded sensor of {world.qualified_task}", name, world.sensors)
    buffers = _Buffers(world, names)
    idle_action = _idle_action(world)
    faults: list[tuple[int, str] | None] = [None] * world.num_envs  # (step, reason) of each running episode
    frames: list[list[np.ndarray]] = [[] for _ in range(world.num_envs)]
    seconds = np.zeros(world.num_envs)
    steps = np.zeros(world.num_envs, np.int64)
    reruns = [0] * world.num_envs

    observations, _ = world.reset(options={"tasks": specs})
    policy.reset(world)
    while (active := world.active).any():
        start = time.perf_counter()
        _note(faults, _faults(world.sensors, observations, active), world, steps)
        healthy = active & np.asarray([fault is None for fault in faults])
        if healthy.any():
            readings = observations if healthy.all() else _zeroed(observations, ~healthy)
            # Copies, because rows of them are replaced.
            actions, recorded = (np.array(chosen) for chosen in policy.choose(world, readings, steps))
            if actions.shape != world.action_space.shape:
                raise InputError(
                    f"{type(policy).__name__} gave actions of shape {actions.shape}, {world.qualified_task} takes "
                    f"{world.action_space.shape}: a row a simulation"
                )
            actions[~healthy] = recorded[~healthy] = idle_action
            buffers.write_before(observations, recorded, steps)
        else:
            actions = np.repeat(idle_action[None], world.num_envs, axis=0)
        filmed = [i for i in np.flatnonzero(healthy).tolist() if film and _spec(world, i).id in film]
        for i, image in zip(filmed, world.render_images(filmed, frame_size) if filmed else (), strict=True):
            frames[i].append(image)

        specs_before = list(world.specs)
        observations, rewards, terminated, truncated, info = world.step(actions)
        buffers.write_after(rewards, steps)
        _note(faults, _bad_scores(rewards, info["progress"], active), world, steps, specs_before)
        steps += active
        done = terminated | truncated
        if done.any():
            # The readings an episode ends on are checked too; `observations` are already of the ones that follow.
            _note(faults, _faults(world.sensors, info["final_obs"], active), world, steps, specs_before)
        seconds[active] += (time.perf_counter() - start) / active.sum()
        reasons: Mapping[int, str] = info.get("lost_reason", {})

        for i in np.flatnonzero(done).tolist():
            spec, index, fault = specs_before[i], int(info["task"][i]), faults[i]
            assert spec is not None
            if i in reasons and info["rerun"][i]:
                reruns[i] += 1
                faults[i], frames[i], steps[i] = None, [], 0
                continue
            if i in reasons:
                step = int(steps[i]) - 1
                where = f"in {spec.task} at step {step} (TaskSpec {spec.id}, seed {spec.seed})"
                yield Lost(index, spec, step, f"{reasons[i]} {where}, after {reruns[i]} reruns")
            elif fault is not None:
                yield Lost(index, spec, *fault)
            else:
                film_of_it = np.stack(frames[i]) if frames[i] else None
                episode = buffers.episode(i, spec, int(steps[i]), bool(info["success"][i]), float(info["progress"][i]))
                yield Finished(index, episode, float(seconds[i]), film_of_it, reruns[i])
            faults[i], frames[i], seconds[i], steps[i], reruns[i] = None, [], 0.0, 0, 0


class _Buffers:
    """Room for one episode a simulation, allocated once for the longest episode so far."""

    def __init__(self, world: World, names: Sequence[str]) -> None:
        self.world = world
        self.names = names
        self.rows = np.arange(world.num_envs)
        self.capacity = 0
        self.arrays: dict[str, np.ndarray] = {}

    def _reserve(self) -> None:
        needed = max((spec.max_steps for spec in self.world.specs if spec is not None), default=0)
        if needed <= self.capacity:
            return
        action = self.world.action_spec
        forms = {
            f"sensor/{name}": (spec.shape, spec.dtype)
            for name, spec in self.world.sensors.items()
            if name in self.names
        }
        forms |= {"action": (action.shape, "int64" if action.discrete else "float32"), "reward": ((), "float32")}
        for name, (shape, dtype) in forms.items():
            array = np.empty((self.world.num_envs, needed, *shape), dtype)
            if name in self.arrays:
                array[:, : self.capacity] = self.arrays[name]
            self.arrays[name] = array
        self.capacity = needed

    def write_before(self, observations: Observations, actions: np.ndarray, steps: np.ndarray) -> None:
        """Note readings and actions of step `steps` (E,) of each simulation; idle ones write what is never read."""
        self._reserve()
        for name in self.names:
            self.arrays[f"sensor/{name}"][self.rows, steps] = observations[name]
        self.arrays["action"][self.rows, steps] = actions

    def write_after(self, rewards: np.ndarray, steps: np.ndarray) -> None:
        if self.capacity:
            self.arrays["reward"][self.rows, steps] = rewards

    def episode(self, i: int, task: TaskSpec, length: int, success: bool, progress: float) -> Episode:
        """The episode of simulation `i` as arrays of its own, actions within their bounds."""
        actions = self.arrays["action"][i, :length].copy()
        if not self.world.action_spec.discrete:
            actions = np.clip(actions, *action_bounds(self.world.action_spec))
        return Episode(
            task=task,
            observations={name: self.arrays[f"sensor/{name}"][i, :length].copy() for name in self.names},
            actions=actions,
            rewards=self.arrays["reward"][i, :length].copy(),
            success=success,
            progress=progress,
        )


def _faults(sensors: Mapping[str, SensorSpec], observations: Observations, rows: np.ndarray) -> dict[int, str]:
    """What is wrong with the readings of simulations `rows` (E,) bool: {simulation: fault}."""
    faults: dict[int, str] = {}
    count = len(rows)
    for name, spec in sensors.items():
        value = observations.get(name)
        if value is None or value.shape != (count, *spec.shape) or value.dtype != spec.dtype:
            form = "nothing" if value is None else f"{value.dtype} of shape {value.shape[1:]}"
            problem = f"sensor {name!r} read {form}, not {spec.dtype} of shape {spec.shape}"
            return {int(i): problem for i in np.flatnonzero(rows)}
        if value.dtype.kind != "f":
            continue
        with np.errstate(over="ignore", invalid="ignore"):
            if np.isfinite(value.sum()):  # a sum is finite only if all its terms are; the usual case costs one pass
                continue
        bad = ~np.isfinite(value).reshape(count, -1).all(axis=1) & rows
        for i in np.flatnonzero(bad):
            faults.setdefault(int(i), f"sensor {name!r} read a value that is not finite")
    return faults


def _bad_scores(rewards: np.ndarray, progress: np.ndarray, rows: np.ndarray) -> dict[int, str]:
    """Simulations `rows` whose reward is not finite or whose progress is not within 0 and 1."""
    bad = rows & ~(np.isfinite(rewards) & (progress >= 0) & (progress <= 1))
    return {int(i): f"reward {rewards[i]} or progress {progress[i]} is out of range" for i in np.flatnonzero(bad)}


def _note(
    faults: list[tuple[int, str] | None],
    found: Mapping[int, str],
    world: World,
    steps: np.ndarray,
    specs: Sequence[TaskSpec | None] | None = None,
) -> None:
    """Keep the first fault of each running episode, with its task and step."""
    for i, problem in found.items():
        spec = (specs or world.specs)[i]
        if faults[i] is None and spec is not None:
            step = int(steps[i])
            faults[i] = step, f"{problem} in {spec.task} at step {step} (TaskSpec {spec.id}, seed {spec.seed})"


def _zeroed(observations: Observations, rows: np.ndarray) -> Observations:
    copies = {name: value.copy() for name, value in observations.items()}
    for value in copies.values():
        value[rows] = 0
    return copies


def _idle_action(world: World) -> np.ndarray:
    """What simulations do that are idle or lost: the action nearest to zero, or the first choice."""
    if world.action_spec.discrete:
        return np.zeros(world.action_spec.shape, np.int64)
    return np.clip(np.zeros(world.action_spec.shape, np.float32), *action_bounds(world.action_spec))


def _spec(world: World, i: int) -> TaskSpec:
    spec = world.specs[i]
    if spec is None:
        raise InputError(f"simulation {i} of {world.qualified_task} is idle")
    return spec
