"""RL finetuning of an agent on several tasks at once: PPO with a pull towards the policy it starts from.

    <folder>/config.json, metrics.jsonl, TensorBoard events, checkpoints/<8 digits: iterations>/

The same call again goes on from the last checkpoint, also with another number of runners or learners.
"""

import json
import logging
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import torch

from trunkline.agents.agent import Agent
from trunkline.agents.checkpoint import load_agent, read_checkpoint, save_agent
from trunkline.agents.config import AgentConfig
from trunkline.agents.training_state import load_training
from trunkline.data.metrics import MetricsLog
from trunkline.envs.manifest import Manifest
from trunkline.envs.spec import SensorSpec, TaskSpec
from trunkline.errors import InputError
from trunkline.files import write_text
from trunkline.pretrain.corpus import open_corpus
from trunkline.rollout.ray_session import ray_session
from trunkline.rollout.rl.algorithm import Finetuner, Resources, algorithm_config
from trunkline.rollout.rl.env_runner import RunnerConfig
from trunkline.rollout.rl.fragment import Group
from trunkline.rollout.rl.groups import plan_groups
from trunkline.rollout.rl.learner import PPOConfig
from trunkline.rollout.rl.module import Blueprint
from trunkline.rollout.rl.statistics import measure_statistics
from trunkline.schema import to_plain

logger = logging.getLogger(__name__)

# Where a run is computed may change when it is resumed; what it computes may not.
ELSEWHERE = frozenset({"num_env_runners", "num_learners", "num_gpus_per_learner", "num_threads", "keep"})
_NAME = re.compile(r"\d{8}")


@dataclass(frozen=True)
class FinetuneConfig:
    """One finetuning run.

    Attributes:
        tasks: "family/task" of each; they are learned together.
        init: checkpoint to start from and to stay near; None starts from scratch.
        agent: the architecture, if it starts from scratch.
        sensors: sensors read, by world family; families not named read their default ones, of which an agent from a
            checkpoint sees those that it knows.
        statistics: data sets, or a checkpoint, with the sensors' statistics for an agent from scratch; None measures
            them under random actions.
        freeze: the policy's parts that do not learn, e.g. "encoders", "trunk".
        separate_critic: a network of its own for the value; False for the policy's own value head.
        critic: the separate critic's architecture; None for the policy's, starting from the policy's weights.
        contexts: manifest of TaskSpecs to train on; None draws from the tasks' train split without end.
        steps: environment steps in all; the last iteration is finished.
        num_envs: simulations of each task, over all runners together.
        fragment_length: steps of each simulation an iteration.
        ppo: the update.
        seed: of weights, contexts, actions and minibatches.
        checkpoint_every: iterations between checkpoints (the last one always gets one).
        keep: how many of the latest checkpoints stay.
        num_env_runners: Ray actors that step the worlds; 0 steps them in this process.
        num_learners: Ray actors that learn; 0 learns in this process.
        num_gpus_per_learner: 0 learns on the CPU.
        num_threads: physics threads of each world of each runner.
    """

    tasks: tuple[str, ...]
    init: str | None = None
    agent: AgentConfig = field(default_factory=AgentConfig)
    sensors: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    statistics: str | None = None
    freeze: tuple[str, ...] = ()
    separate_critic: bool = True
    critic: AgentConfig | None = field(default_factory=lambda: AgentConfig(width=128, depth=0))
    contexts: str | None = None
    steps: int = 1_000_000
    num_envs: int = 64
    fragment_length: int = 32
    ppo: PPOConfig = field(default_factory=PPOConfig)
    seed: int = 0
    checkpoint_every: int = 20
    keep: int = 2
    num_env_runners: int = 2
    num_learners: int = 0
    num_gpus_per_learner: float = 0
    num_threads: int = 1

    def __post_init__(self) -> None:
        for name in ("tasks", "freeze"):
            if isinstance(getattr(self, name), str):
                raise InputError(f"{name}={getattr(self, name)!r} must be a list, e.g. {name}=[{getattr(self, name)}]")
        if not self.tasks or len(set(self.tasks)) < len(self.tasks):
            raise InputError(f"tasks={list(self.tasks)} must name at least one task, each once")
        for name in ("steps", "num_envs", "fragment_length", "checkpoint_every", "keep", "num_threads"):
            if getattr(self, name) < 1:
                raise InputError(f"{name}={getattr(self, name)} must be at least 1")
        for name in ("num_env_runners", "num_learners", "num_gpus_per_learner", "seed"):
            if getattr(self, name) < 0:
                raise InputError(f"{name}={getattr(self, name)} must not be negative")
        shares = max(self.num_env_runners, self.num_learners)
        if self.num_envs < shares:
            raise InputError(f"num_envs={self.num_envs} must be at least 1 for each of {shares} runners and learners")
        batch = self.num_envs * self.fragment_length // max(1, self.num_learners)
        if batch < self.ppo.minibatches:
            raise InputError(f"{batch} steps of a task an iteration are fewer than minibatches={self.ppo.minibatches}")

    @property
    def steps_per_iteration(self) -> int:
        """Environment steps between two updates."""
        return self.num_envs * self.fragment_length * len(self.tasks)

    @property
    def iterations(self) -> int:
        """Updates in all."""
        return ceil(self.steps / self.steps_per_iteration)


def finetune(
    config: FinetuneConfig, folder: str | Path, on_iteration: Callable[[int, Mapping[str, float]], None] | None = None
) -> Path:
    """Train, or go on training, until `config.steps`; the folder of the last checkpoint.

    Args:
        config: the run.
        folder: where it lives.
        on_iteration: called with the number of iterations done and the iteration's figures.

    Raises:
        InputError: unknown tasks or sensors, a checkpoint that does not fit them, or another run's folder.
    """
    run = _Run(config, Path(folder))
    run.claim()
    done = run.latest()
    if done is not None and done[0] >= config.iterations:
        return done[1]
    groups, agent = _prepare(config)
    with ray_session():
        _require_cpus(config)
        algorithm = _build(config, run.folder, groups, agent)
        try:
            _start(algorithm, config, agent, done)
            return _train(algorithm, config, run, agent, on_iteration)
        finally:
            algorithm.stop()


def _train(
    algorithm: Finetuner,
    config: FinetuneConfig,
    run: "_Run",
    agent: Agent,
    on_iteration: Callable[[int, Mapping[str, float]], None] | None,
) -> Path:
    checkpoint = run.checkpoint(algorithm.update_index)
    with MetricsLog(run.folder) as log:
        log.rewind(algorithm.update_index)
        while algorithm.update_index < config.iterations:
            before = algorithm.update_index
            algorithm.train()
            iteration = algorithm.update_index
            if iteration == before:  # every runner was lost; they are being restarted
                continue
            figures = dict(algorithm.figures)
            log.log(iteration, {**figures, "total_steps": float(iteration * config.steps_per_iteration)})
            if on_iteration is not None:
                on_iteration(iteration, figures)
            if iteration % config.checkpoint_every == 0 or iteration == config.iterations:
                checkpoint = run.save(algorithm, agent)
    return checkpoint


def _prepare(config: FinetuneConfig) -> tuple[tuple[Group, ...], Agent]:
    """The groups of tasks and the agent as it starts."""
    if config.init is not None:
        agent = load_agent(config.init)
        groups, _, _ = plan_groups(config.tasks, config.sensors, agent.sensors, agent.actions)
        if "value" not in agent.heads:
            agent.make_head("value", "value", **agent.config.value)
    else:
        groups, sensors, actions = plan_groups(config.tasks, config.sensors)
        known = {} if config.statistics is None else _statistics(config.statistics)
        for name, spec in sensors.items():
            difference = known[name].difference(spec) if name in known else None
            if difference is not None:
                raise InputError(f"{config.statistics} has statistics of another sensor {name!r}: {difference}")
        sensors = {name: known.get(name, spec) for name, spec in sensors.items()}
        sensors = measure_statistics(groups, sensors, config.seed)
        agent = Agent(sensors, actions, config.agent, config.seed)
    agent.select(config.freeze)  # says at once if a part is unknown
    return groups, agent.eval()


def _statistics(path: str) -> dict[str, SensorSpec]:
    if (Path(path) / "agent.json").exists():
        return read_checkpoint(path).sensors
    return open_corpus(path).sensors


def _build(config: FinetuneConfig, folder: Path, groups: tuple[Group, ...], agent: Agent) -> Finetuner:
    critic = None
    if config.separate_critic:
        critic = config.critic or agent.config
    blueprint = Blueprint(
        sensors=agent.sensors,
        actions=agent.actions,
        agent=agent.config,
        seed=agent.seed,
        critic=critic,
        reference=_stays_near(config),
        freeze=tuple(config.freeze),
    )
    runner = RunnerConfig(
        groups, config.num_envs, config.fragment_length, config.seed, config.num_threads, _contexts(config)
    )
    resources = Resources(
        config.num_env_runners, config.num_learners, config.num_gpus_per_learner, logdir=str(folder.resolve())
    )
    algorithm: Finetuner = algorithm_config(blueprint, runner, config.ppo, resources, config.iterations).build_algo()
    algorithm.restart_every = config.checkpoint_every
    return algorithm


def _stays_near(config: FinetuneConfig) -> bool:
    return config.init is not None and config.ppo.kl_coefficient > 0


def _contexts(config: FinetuneConfig) -> dict[str, tuple[TaskSpec, ...]] | None:
    if config.contexts is None:
        return None
    manifest = Manifest.load(config.contexts)
    indices = manifest.by_task()
    for task in config.tasks:
        if task not in indices:
            raise InputError(f"{config.contexts} has no TaskSpec of {task}; it has {', '.join(indices) or 'none'}")
    other = next((spec for spec in manifest if spec.axis != "seen"), None)
    if other is not None:
        raise InputError(f"{config.contexts} holds TaskSpec {other.id} of split {other.split}; train on train only")
    return {task: tuple(manifest.tasks[i] for i in indices[task]) for task in config.tasks}


def _start(algorithm: Finetuner, config: FinetuneConfig, agent: Agent, done: tuple[int, Path] | None) -> None:
    """Give the learners their weights: the agent's, or those of the run's last checkpoint."""
    fresh = algorithm.all_weights()
    start = {name: value.cpu().numpy() for name, value in agent.state_dict().items()}
    weights = dict(fresh)
    copies = {"policy", "reference"}
    if config.init is not None and config.critic is None:
        copies.add("critic")
    for name in fresh:
        part, _, key = name.partition(".")
        if part in copies and key in start:
            weights[name] = start[key]
    optimizers = None
    if done is not None:
        state = load_training(done[1])
        trained = load_agent(done[1]).state_dict()
        weights |= {f"policy.{key}": v.cpu().numpy() for key, v in trained.items() if f"policy.{key}" in fresh}
        weights |= {f"critic.{key}": value for key, value in state["critic"].items()}
        optimizers = state["optimizers"]
        algorithm.update_index = int(state["iteration"])
    algorithm.load(weights, optimizers)


def _require_cpus(config: FinetuneConfig) -> None:
    import ray

    needed, there = config.num_env_runners + config.num_learners, int(ray.cluster_resources().get("CPU", 0))
    if needed > there:
        raise InputError(
            f"num_env_runners={config.num_env_runners} and num_learners={config.num_learners} need {needed} CPUs, "
            f"Ray has {there}; lower them or start Ray with more"
        )


class _Run:
    """The run's folder: whose it is, its checkpoints, and the latest of them."""

    def __init__(self, config: FinetuneConfig, folder: Path) -> None:
        self.config = config
        self.folder = folder

    def claim(self) -> None:
        """Make the folder this run's, or see that it is.

        Raises:
            InputError: it is another run's (names the first key that differs).
        """
        file = self.folder / "config.json"
        mine: dict[str, Any] = json.loads(json.dumps(to_plain(self.config)))
        if not file.exists():
            if self.latest() is not None:
                raise InputError(f"{self.folder} holds checkpoints but no config.json; choose another output folder")
            write_text(file, json.dumps(mine, indent=1, sort_keys=True))
            return
        try:
            theirs = json.loads(file.read_text())
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise InputError(f"{file} is not a configuration: {error}; choose another output folder") from None
        for key in sorted(mine.keys() | theirs.keys()):
            if key not in ELSEWHERE and mine.get(key) != theirs.get(key):
                raise InputError(
                    f"{self.folder} is the folder of another run: {key} is {mine.get(key)!r}, the run there has "
                    f"{theirs.get(key)!r}; choose another one"
                )

    def checkpoint(self, iteration: int) -> Path:
        """Where the checkpoint after `iteration` updates is."""
        return self.folder / "checkpoints" / f"{iteration:08d}"

    def _all(self) -> list[Path]:
        return sorted(p for p in (self.folder / "checkpoints").glob("*") if _NAME.fullmatch(p.name))

    def latest(self) -> tuple[int, Path] | None:
        """The newest checkpoint and its iteration."""
        found = self._all()
        return (int(found[-1].name), found[-1]) if found else None

    def save(self, algorithm: Finetuner, agent: Agent) -> Path:
        """Write the agent with everything that is needed to go on; heads that RL does not use stay as they were."""
        weights = algorithm.weights()
        state = agent.state_dict()
        for name, value in weights.items():
            part, _, key = name.partition(".")
            if part == "policy" and key in state:
                state[key] = torch.from_numpy(np.array(value))
        agent.load_state_dict(state)
        path = self.checkpoint(algorithm.update_index)
        training = {
            "iteration": algorithm.update_index,
            "kl_coefficient": self.config.ppo.kl_at(algorithm.update_index),
            "critic": {name.partition(".")[2]: value for name, value in weights.items() if name.startswith("critic.")},
            "optimizers": algorithm.optimizer_state(),
        }
        save_agent(agent, path, training)
        for old in self._all()[: -self.config.keep]:
            shutil.rmtree(old)
        return path
