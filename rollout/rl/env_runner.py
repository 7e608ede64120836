"""RLlib's environment runner for native batches of worlds.

RLlib's own runner keeps a Python object an episode and sends every step through a pipeline of connectors. Here one
call of `World.step` moves all simulations of a task, one forward pass acts for all simulations of a body, and what
leaves is arrays. Legend: T steps, E simulations.
"""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import repeat
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from ray.rllib.core import DEFAULT_MODULE_ID
from ray.rllib.env.env_runner import EnvRunner

from trunkline.agents.threads import torch_threads
from trunkline.envs.base import World
from trunkline.envs.random import generator
from trunkline.envs.registry import sample_tasks
from trunkline.envs.spec import TaskSpec
from trunkline.rollout.rl.fragment import Fragment, Group, Sample, TaskStatistics
from trunkline.rollout.rl.module import AgentModule

logger = logging.getLogger(__name__)

TASK_BLOCK = 128  # TaskSpecs drawn at a time


@dataclass(frozen=True)
class RunnerConfig:
    """What every environment runner is told.

    Attributes:
        groups: the tasks, by body.
        num_envs: simulations of each task over all runners together, so that a batch does not depend on their number.
        fragment_length: T, steps of each simulation a call.
        seed: names every draw together with runner, task and iteration.
        num_threads: physics threads a world.
        contexts: TaskSpecs to train on, by task; tasks that are not in it draw from their train split without end.
    """

    groups: tuple[Group, ...]
    num_envs: int
    fragment_length: int
    seed: int
    num_threads: int = 1
    contexts: Mapping[str, tuple[TaskSpec, ...]] | None = None


class WorldRunner(EnvRunner):
    """Steps several tasks; `sample` returns one `Fragment` a group.

    RLlib builds it from `env_config["runner"]` (a RunnerConfig).
    """

    def __init__(self, *, config: Any, **kwargs: Any) -> None:
        super().__init__(config=config, **kwargs)
        self.settings: RunnerConfig = self.config.env_config["runner"]
        self._lanes: list[_Lane] = []
        self._started: int | None = None
        self.make_module()
        self.make_env()

    def make_module(self) -> None:
        """Build the policy; the critic stays with the learner."""
        spec = self.config.get_multi_rl_module_spec(spaces=self.get_spaces(), inference_only=True)
        self.module: AgentModule = spec.rl_module_specs[DEFAULT_MODULE_ID].build()
        self.module.eval()

    def make_env(self) -> None:
        """Build this runner's share of every task's simulations."""
        runners = max(1, self.num_workers)
        index = max(0, (self.worker_index or 0) - 1)
        share = self.settings.num_envs // runners + (index < self.settings.num_envs % runners)
        self._lanes = [_Lane(group, share, self.settings, index) for group in self.settings.groups]

    def sample(
        self, *, weights: dict[str, np.ndarray] | None = None, iteration: int = 0, restart: bool = False, **_: Any
    ) -> Sample | Exception:
        """Step every simulation T times.

        Args:
            weights: the policy to act by; None for the one of the last call.
            iteration: names the random draws, so that a run can be resumed anywhere.
            restart: begin new episodes (a runner without episodes does so anyway).

        Returns:
            The sample; or the error that a world or the policy raised. RLlib answers a raised one by restarting the
            actor, over and over if it is no accident; returned, it reaches the user.
        """
        try:
            if weights is not None:
                self.module.set_policy(weights)
            if restart or self._started is None:
                for lane in self._lanes:
                    lane.restart(iteration)
                self._started = iteration
            index = self.worker_index or 0
            with torch.random.fork_rng(devices=[]), torch.inference_mode(), torch_threads(1):
                torch.manual_seed(int(generator("actions", self.settings.seed, index, iteration).integers(2**62)))
                fragments = [lane.collect(self.module) for lane in self._lanes]
        except Exception as error:  # handed to the driver, which raises it
            logger.exception("environment runner %s failed", self.worker_index)
            return error
        statistics = {task: stats for lane in self._lanes for task, stats in lane.take_statistics().items()}
        self.num_env_steps_sampled_lifetime += sum(f.actions.shape[0] * f.num_simulations for f in fragments)
        return Sample(fragments, statistics)

    def get_spaces(self) -> dict[str, tuple[gym.Space[Any], gym.Space[Any]]]:
        """The spaces as configured, only there because RLlib asks for them."""
        return {DEFAULT_MODULE_ID: (self.config.observation_space, self.config.action_space)}

    def assert_healthy(self) -> None:
        """Raise AssertionError unless construction was completed."""
        assert self._lanes and self.module is not None

    def get_state(self, *_: Any, **__: Any) -> dict[str, Any]:
        """Nothing: weights come with every call of `sample`, all else is named by the iteration."""
        return {}

    def set_state(self, state: dict[str, Any]) -> None:
        """See `get_state`."""

    def get_metrics(self) -> dict[str, Any]:
        """Nothing: statistics travel with the sample."""
        return {}

    def stop(self) -> None:
        """Close the worlds."""
        for lane in self._lanes:
            lane.close()


class _Lane:
    """One group's worlds side by side: simulations of all its tasks are rows of one batch."""

    def __init__(self, group: Group, num_envs: int, settings: RunnerConfig, runner: int) -> None:
        self.group = group
        self.settings = settings
        self.runner = runner
        self.worlds: list[World] = [group.make_worlds(task, num_envs, settings.num_threads) for task in group.tasks]
        self.rows = [slice(i * num_envs, (i + 1) * num_envs) for i in range(len(self.worlds))]
        self.num_rows = num_envs * len(self.worlds)
        self.task = np.repeat(np.arange(len(self.worlds)), num_envs)
        self.present: dict[str, np.ndarray] = {}
        self.returns = np.zeros(self.num_rows)
        self.lengths = np.zeros(self.num_rows, np.int64)
        self.statistics = [TaskStatistics() for _ in group.tasks]

    def restart(self, iteration: int) -> None:
        """Begin new episodes, drawn under a name of their own."""
        parts = []
        for task, world in zip(self.group.tasks, self.worlds, strict=True):
            parts.append(world.reset(options={"tasks": self._contexts(task, iteration)})[0])
        self.present = {name: np.concatenate([part[name] for part in parts]) for name in self.group.sensors}
        self.returns[:] = 0.0
        self.lengths[:] = 0

    def _contexts(self, task: str, iteration: int) -> Iterator[TaskSpec]:
        # The same draws for all tasks, as those of a family may share what is costly to make, such as a terrain.
        rng = generator("contexts", self.settings.seed, self.runner, iteration)
        given = (self.settings.contexts or {}).get(task)
        for _ in repeat(None):
            if given is None:
                yield from sample_tasks(task, TASK_BLOCK, int(rng.integers(2**31)), "train")
            else:
                yield from (given[i] for i in rng.permutation(len(given)))

    def collect(self, policy: AgentModule) -> Fragment:
        """Act for T steps."""
        steps, rows = self.settings.fragment_length, self.num_rows
        action = self.group.action
        observations = {name: np.empty((steps, *v.shape), v.dtype) for name, v in self.present.items()}
        actions = np.empty((steps, rows, *action.shape), np.int64 if action.discrete else np.float32)
        log_probs = np.empty((steps, rows), np.float32)
        rewards = np.empty((steps, rows), np.float32)
        terminated, truncated = np.empty((steps, rows), bool), np.empty((steps, rows), bool)
        sound = np.ones(rows, bool)
        cut: list[dict[str, np.ndarray]] = []
        cut_at: list[np.ndarray] = []
        for t in range(steps):
            self.present = self._repaired(self.present, np.arange(rows), sound)
            for name, value in self.present.items():
                observations[name][t] = value
            tensors = {name: torch.from_numpy(value[t]) for name, value in observations.items()}
            chosen, log_prob = policy.explore(tensors, action.name)
            actions[t], log_probs[t] = chosen.numpy(), log_prob.numpy()
            final = self._step(actions[t], rewards[t], terminated[t], truncated[t], sound)
            if final is not None:
                ids, values = final
                cut.append(self._repaired(values, ids, sound))
                cut_at.append(np.stack([np.full(len(ids), t), ids], 1))
        self.present = self._repaired(self.present, np.arange(rows), sound)
        empty = {name: np.empty((0, *v.shape[1:]), v.dtype) for name, v in self.present.items()}
        fragment = Fragment(
            group=self.group.name,
            task=self.task,
            observations=observations,
            actions=actions,
            log_probs=log_probs,
            rewards=rewards,
            terminated=terminated,
            truncated=truncated,
            last=dict(self.present),
            cut={name: np.concatenate([c[name] for c in cut]) for name in empty} if cut else empty,
            cut_at=np.concatenate(cut_at) if cut_at else np.empty((0, 2), np.int64),
        )
        if sound.all():
            return fragment
        for i in self.task[~sound]:
            self.statistics[i].dropped += 1
        return fragment.select(np.flatnonzero(sound))

    def _step(
        self,
        actions: np.ndarray,
        rewards: np.ndarray,
        terminated: np.ndarray,
        truncated: np.ndarray,
        sound: np.ndarray,
    ) -> tuple[np.ndarray, dict[str, np.ndarray]] | None:
        """Step all worlds, filling the given rows; the simulations whose time was up and what they saw last.

        Simulations that lost their episode are no longer `sound`: the fragment leaves them out.
        """
        parts: list[dict[str, np.ndarray]] = []
        cut: list[tuple[np.ndarray, dict[str, np.ndarray]]] = []
        self.lengths += 1
        for index, (world, rows) in enumerate(zip(self.worlds, self.rows, strict=True)):
            observation, rewards[rows], terminated[rows], truncated[rows], info = world.step(actions[rows])
            parts.append(observation)
            self.returns[rows] += rewards[rows]
            if "_final_obs" not in info:
                continue
            ended = np.flatnonzero(info["_final_obs"])
            if "lost" in info:
                gone = np.flatnonzero(info["lost"])
                self._drop(index, gone + rows.start, info["lost_reason"], sound)
                ended = np.setdiff1d(ended, gone)
            self._count(index, ended + rows.start, info["success"][ended])
            ids = np.flatnonzero(truncated[rows])
            if len(ids):
                cut.append((ids + rows.start, {name: info["final_obs"][name][ids] for name in self.group.sensors}))
        self.present = {
            name: parts[0][name] if len(parts) == 1 else np.concatenate([part[name] for part in parts])
            for name in self.group.sensors
        }
        if not cut:
            return None
        return np.concatenate([c[0] for c in cut]), {
            name: np.concatenate([c[1][name] for c in cut]) for name in self.group.sensors
        }

    def _count(self, index: int, rows: np.ndarray, success: np.ndarray) -> None:
        stats = self.statistics[index]
        stats.episodes += len(rows)
        stats.successes += int(success.sum())
        stats.returns += float(self.returns[rows].sum())
        stats.steps += int(self.lengths[rows].sum())
        self.returns[rows] = 0.0
        self.lengths[rows] = 0

    def _drop(self, index: int, rows: np.ndarray, reasons: Mapping[int, str], sound: np.ndarray) -> None:
        """Leave out simulations whose episode was lost with their world; it counts as neither won nor failed."""
        task = self.group.tasks[index]
        for row in rows:
            reason = reasons[int(row) - self.rows[index].start]
            logger.warning("%s lost an episode at step %d: %s; fragment dropped", task, self.lengths[row], reason)
            self.statistics[index].failed.add("world")
        sound[rows] = False
        self.returns[rows] = 0.0
        self.lengths[rows] = 0

    def _repaired(self, values: dict[str, np.ndarray], ids: np.ndarray, sound: np.ndarray) -> dict[str, np.ndarray]:
        """Readings with zeros for those that are not finite; marks their simulations, which the fragment leaves out."""
        for name, value in values.items():
            if value.dtype.kind != "f" or np.isfinite(value).all():
                continue
            bad = ~np.isfinite(value).reshape(len(value), -1).all(1)
            for row in ids[bad & sound[ids]]:
                task, step = self.group.tasks[self.task[row]], self.lengths[row]
                self.statistics[self.task[row]].failed.add(name)
                logger.warning("sensor %s of %s is not finite at step %d; fragment dropped", name, task, step)
            sound[ids[bad]] = False
            values = {**values, name: np.where(bad.reshape(-1, *[1] * (value.ndim - 1)), 0, value)}
        return values

    def take_statistics(self) -> dict[str, TaskStatistics]:
        """The statistics of each task since the last call."""
        taken = dict(zip(self.group.tasks, self.statistics, strict=True))
        self.statistics = [TaskStatistics() for _ in self.group.tasks]
        return taken

    def close(self) -> None:
        for world in self.worlds:
            world.close()
