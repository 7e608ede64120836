"""The RLlib Algorithm: sample from every runner, update, repeat."""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import ray
from gymnasium import spaces
from ray.rllib.algorithms.algorithm import Algorithm
from ray.rllib.algorithms.algorithm_config import AlgorithmConfig
from ray.rllib.core.learner.training_data import TrainingData
from ray.rllib.core.rl_module.rl_module import RLModuleSpec

from trunkline.errors import InputError
from trunkline.rollout.rl.config import PPOConfig
from trunkline.rollout.rl.env_runner import RunnerConfig, WorldRunner
from trunkline.rollout.rl.fragment import Fragment, Sample, TaskStatistics, join, split
from trunkline.rollout.rl.learner import PPOLearner, Update
from trunkline.rollout.rl.module import AgentModule, Blueprint

logger = logging.getLogger(__name__)

FIGURES = "finetune"  # where an iteration's figures stand in the results of RLlib's `train()`
LOST_LIMIT = 5  # iterations in a row that may lose every runner


@dataclass(frozen=True)
class Resources:
    """Where the run happens.

    Attributes:
        num_env_runners: Ray actors that step worlds; 0 steps them in the driver's process.
        num_learners: Ray actors that learn; 0 learns in the driver's process.
        num_gpus_per_learner: 0 learns on the CPU.
        learner_threads: torch's threads in each learner; 0 for as many as torch takes.
        sample_timeout: seconds after which an iteration goes on without a runner that has not answered.
        probe_timeout: seconds to wait for a restarted runner.
        logdir: where RLlib may write.
    """

    num_env_runners: int = 2
    num_learners: int = 0
    num_gpus_per_learner: float = 0
    learner_threads: int = 1
    sample_timeout: float = 600.0
    probe_timeout: float = 60.0
    logdir: str = "."


class FinetunerConfig(AlgorithmConfig):
    """RLlib's configuration object; `algorithm_config` fills it in."""

    def __init__(self, algo_class: type | None = None) -> None:
        super().__init__(algo_class=algo_class or Finetuner)

    def get_default_rl_module_spec(self) -> RLModuleSpec:
        """The module; its blueprint comes with `rl_module(…)`."""
        return RLModuleSpec(module_class=AgentModule)

    def get_default_learner_class(self) -> type[PPOLearner]:
        """The learner."""
        return PPOLearner


def algorithm_config(
    blueprint: Blueprint, runner: RunnerConfig, ppo: PPOConfig, resources: Resources, iterations: int
) -> FinetunerConfig:
    """RLlib's configuration of a run of `iterations` updates."""
    logging.getLogger("ray.rllib").setLevel(logging.ERROR)  # it announces its API stack otherwise
    config = FinetunerConfig()
    config.framework("torch", torch_ddp_kwargs={"find_unused_parameters": True})
    config.environment(
        # RLlib asks for spaces; the module goes by its blueprint.
        observation_space=spaces.Discrete(1),
        action_space=spaces.Discrete(1),
        env_config={"runner": runner, "iterations": iterations, "logdir": resources.logdir},
    )
    config.env_runners(
        env_runner_cls=WorldRunner,
        num_env_runners=resources.num_env_runners,
        num_envs_per_env_runner=max(1, runner.num_envs // max(1, resources.num_env_runners)),
        rollout_fragment_length=runner.fragment_length,
        create_local_env_runner=resources.num_env_runners == 0,
        sample_timeout_s=resources.sample_timeout,
        merge_env_runner_states=False,
        broadcast_env_runner_states=False,
    )
    config.learners(
        num_learners=resources.num_learners,
        num_gpus_per_learner=resources.num_gpus_per_learner,
        learner_config_dict={
            "ppo": ppo,
            "groups": runner.groups,
            "seed": runner.seed,
            "threads": resources.learner_threads,
        },
    )
    config.training(grad_clip=ppo.grad_clip, grad_clip_by="global_norm")
    config.rl_module(rl_module_spec=RLModuleSpec(module_class=AgentModule, model_config={"blueprint": blueprint}))
    config.fault_tolerance(
        restart_failed_env_runners=True,
        env_runner_health_probe_timeout_s=resources.probe_timeout,
        delay_between_env_runner_restarts_s=1.0,
    )
    config.debugging(log_level="ERROR")
    return config


class Finetuner(Algorithm):
    """One `train()` is one iteration: every runner steps its worlds with the newest policy, then one PPO update.

    Attributes:
        update_index: iterations done; set it to continue a run.
        total_steps: environment steps that all of them learned from; set it too.
        restart_every: every so many iterations all runners begin new episodes. Episodes in flight are not part of a
            checkpoint; with this at the checkpoints' interval a resumed run equals an uninterrupted one.
        figures: the last iteration's losses, success rates and times.
    """

    update_index: int = 0
    total_steps: int = 0
    restart_every: int | None = None
    figures: Mapping[str, float] = MappingProxyType({})
    _lost: int = 0

    @classmethod
    def get_default_config(cls) -> FinetunerConfig:
        """RLlib's defaults; `algorithm_config` fills them in."""
        return FinetunerConfig(cls)

    def _setup_logdir(self) -> None:
        # Without this RLlib makes a folder in the user's home directory.
        self._logdir = self.config.env_config["logdir"]

    def restore_env_runners(self, env_runner_group: Any) -> list[int]:
        """Find out which dead runners are back. They need no state: weights come with every sample."""
        restored: list[int] = env_runner_group.probe_unhealthy_env_runners()
        return restored

    def training_step(self) -> None:
        """One iteration."""
        start = time.perf_counter()
        samples = self._sample()
        if not samples:
            self._lost += 1
            if self._lost >= LOST_LIMIT:
                raise RuntimeError(f"no environment runner answered in {LOST_LIMIT} iterations; see Ray's logs")
            return
        self._lost = 0
        fragments = _merge(samples)
        self._require_enough(fragments, samples)
        sampled = time.perf_counter()
        learner_figures = self._learn(fragments)
        if not np.isfinite([learner_figures["policy_loss"], learner_figures["value_loss"]]).all():
            raise InputError(f"training diverged in iteration {self.update_index}: {learner_figures}; lower ppo.lr")
        learned = time.perf_counter()
        self.update_index += 1
        steps = sum(f.rewards.size for f in fragments)
        self.total_steps += steps
        self.figures = {
            **learner_figures,
            **_episode_figures(samples),
            "steps": steps,
            "total_steps": self.total_steps,
            "runners": len(samples),
            "sampling_seconds": sampled - start,
            "learning_seconds": learned - sampled,
            "steps_per_second": steps / (learned - start),
        }
        self.metrics.log_dict(dict(self.figures), key=FIGURES, window=1)

    def _require_enough(self, fragments: list[Fragment], samples: list[Sample]) -> None:
        """See that every learner gets rows for each of its minibatches; without them it could take no step.

        Raises:
            InputError: it would not; names the sensors that were not finite and the worlds that broke down.
        """
        learners = max(1, self.config.num_learners)
        ppo: PPOConfig = self.config.learner_config_dict["ppo"]
        # The learner that gets least of a group: see `fragment.split`. Groups are divided into minibatches each.
        if max(len(f.rewards) * (f.num_simulations // learners) for f in fragments) >= ppo.minibatches:
            return
        left = sum(f.num_simulations for f in fragments)
        totals = _task_totals(samples)
        failed = "; ".join(f"{', '.join(sorted(t.failed))} of {task}" for task, t in totals.items() if t.failed)
        raise InputError(
            f"iteration {self.update_index}: {left} simulations are left to learn from, too few for {learners} "
            f"learner(s) and minibatches={ppo.minibatches}; lost or not finite: {failed or 'nothing'}; mend it, or "
            "leave a sensor out (sensors=…)"
        )

    def _sample(self) -> list[Sample]:
        restart = bool(self.restart_every) and self.update_index % (self.restart_every or 1) == 0
        arguments = {"iteration": self.update_index, "restart": restart}
        group = self.env_runner_group
        if self.config.num_env_runners == 0:
            answers = [group.local_env_runner.sample(weights=self.policy_weights(), **arguments)]
        else:
            answers = group.foreach_env_runner(
                "sample",
                kwargs={"weights": ray.put(self.policy_weights()), **arguments},
                local_env_runner=False,
                timeout_seconds=self.config.sample_timeout_s,
            )
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer
        return answers

    def _learn(self, fragments: list[Fragment]) -> dict[str, float]:
        progress = self.update_index / max(1, self.config.env_config["iterations"])
        learners = self.config.num_learners
        if learners == 0:
            data = TrainingData(batch=Update(tuple(fragments), self.update_index, progress))
        else:
            shards = zip(*(split(fragment, learners) for fragment in fragments), strict=True)
            data = TrainingData(batches=[Update(shard, self.update_index, progress) for shard in shards])
        results: list[dict[str, float]] = self.learner_group.update(training_data=data)
        return {name: float(np.mean([result[name] for result in results])) for name in results[0]}

    # The learners' state

    def policy_weights(self) -> dict[str, np.ndarray]:
        """The policy's weights by name."""
        return self._ask(lambda learner: learner.agent_module.policy_weights())

    def weights(self) -> dict[str, np.ndarray]:
        """The policy's and the critic's weights by name: "policy.…", "critic.…"."""
        return {name: value for name, value in self.all_weights().items() if not name.startswith("reference.")}

    def all_weights(self) -> dict[str, np.ndarray]:
        """The same with the reference's, "reference.…"."""
        return self._ask(lambda learner: learner.weights())

    def optimizer_state(self) -> dict[str, np.ndarray]:
        """The optimisers' state by name."""
        return self._ask(lambda learner: learner.optimizer_state())

    def load(self, weights: Mapping[str, np.ndarray], optimizers: Mapping[str, np.ndarray] | None = None) -> None:
        """Give every learner these weights and this optimiser state."""
        for result in self.learner_group.foreach_learner(lambda learner: learner.load(weights, optimizers)):
            result.get()

    def _ask(self, question: Any) -> dict[str, np.ndarray]:
        result = next(iter(self.learner_group.foreach_learner(question)))
        answer = result.get()
        if not result.ok:
            raise answer
        state: dict[str, np.ndarray] = answer
        return state


def _merge(samples: list[Sample]) -> list[Fragment]:
    """The fragments of all runners, one a group."""
    return [join(fragments) for fragments in zip(*(sample.fragments for sample in samples), strict=True)]


def _task_totals(samples: list[Sample]) -> dict[str, TaskStatistics]:
    """The statistics of each task over all runners."""
    totals: dict[str, TaskStatistics] = {}
    for sample in samples:
        for task, statistics in sample.statistics.items():
            totals.setdefault(task, TaskStatistics()).add(statistics)
    return totals


def _episode_figures(samples: list[Sample]) -> dict[str, float]:
    """Success rate, mean return and mean length of the episodes that ended, by task."""
    totals = _task_totals(samples)
    figures: dict[str, float] = {"dropped": float(sum(total.dropped for total in totals.values()))}
    for task, total in totals.items():
        figures[f"episodes/{task}"] = float(total.episodes)
        if total.episodes:
            figures[f"success/{task}"] = total.successes / total.episodes
            figures[f"return/{task}"] = total.returns / total.episodes
            figures[f"length/{task}"] = total.steps / total.episodes
    return figures
