"""What a finetuning run is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import ceil
from typing import Any

from trunkline.agents.config import AgentConfig
from trunkline.errors import InputError

# Where a run is computed may change when it is resumed; what it computes may not.
ELSEWHERE = frozenset(
    {"num_env_runners", "num_learners", "num_gpus_per_learner", "num_threads", "learner_threads", "keep"}
)


@dataclass(frozen=True)
class PPOConfig:
    """The update.

    Attributes:
        lr, critic_lr: Adam's step sizes for the policy and a separate critic.
        lr_end: fraction of both that is left after the last iteration (linear decay).
        lr_warmup: first iterations after `critic_warmup` over which the policy's step size rises to `lr`: Adam's first
            steps move every weight by the whole step size, however small its gradient is.
        gamma, lam: discount and λ of the advantages.
        clip: ε.
        epochs: passes over an iteration's steps.
        minibatches: parts that each pass is divided into.
        value_coefficient, entropy_coefficient: c_v, c_e.
        kl_coefficient: β of the first iteration; only with a reference policy.
        kl_decay: β's factor an iteration.
        target_kl: end the update early when KL(π_old ‖ π) exceeds it; None for never.
        grad_clip: largest norm of the gradient, of policy and critic each.
        reward_scale: rewards are multiplied by it, which keeps values near 1.
        critic_warmup: first iterations in which only the value learns, so that a pretrained policy is not steered by a
            value that knows nothing yet.
    """

    lr: float = 3e-4
    critic_lr: float = 1e-3
    lr_end: float = 1.0
    lr_warmup: int = 0
    gamma: float = 0.99
    lam: float = 0.95
    clip: float = 0.2
    epochs: int = 3
    minibatches: int = 4
    value_coefficient: float = 0.5
    entropy_coefficient: float = 0.0
    kl_coefficient: float = 0.2
    kl_decay: float = 0.9995
    target_kl: float | None = None
    grad_clip: float = 0.5
    reward_scale: float = 0.1
    critic_warmup: int = 0

    def __post_init__(self) -> None:
        positive = ("lr", "critic_lr", "clip", "epochs", "minibatches", "grad_clip", "reward_scale")
        for name in positive:
            if getattr(self, name) <= 0:
                raise InputError(f"ppo.{name}={getattr(self, name)} must be positive")
        for name in ("lr_end", "gamma", "lam", "kl_decay"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"ppo.{name}={getattr(self, name)} must be between 0 and 1")
        for name in ("value_coefficient", "entropy_coefficient", "kl_coefficient", "critic_warmup", "lr_warmup"):
            if getattr(self, name) < 0:
                raise InputError(f"ppo.{name}={getattr(self, name)} must not be negative")
        if self.target_kl is not None and self.target_kl <= 0:
            raise InputError(f"ppo.target_kl={self.target_kl} must be positive, or null for none")

    def lr_at(self, iteration: int, progress: float) -> tuple[float, float]:
        """The step sizes of the policy and of a separate critic, in an iteration that comes when `progress` is done."""
        decay = 1.0 - (1.0 - self.lr_end) * progress
        learned = iteration - self.critic_warmup
        # Before, the policy's optimiser moves at most a value head of its own, which need not wait.
        rise = 1.0 if learned < 0 else min(1.0, (learned + 1) / (self.lr_warmup + 1))
        return self.lr * decay * rise, self.critic_lr * decay

    def kl_at(self, iteration: int) -> float:
        """β of an iteration."""
        return self.kl_coefficient * self.kl_decay**iteration


@dataclass(frozen=True)
class FinetuneConfig:
    """One finetuning run.

    Attributes:
        tasks: "family/task" of each; they are learned together.
        init: checkpoint to start from and to stay near; None starts from scratch.
        agent: the architecture, if it starts from scratch.
        sensors: sensors read, by world family; families not named read their default ones, of which an agent from a
            checkpoint sees those that it knows.
        options: of worlds, by family.
        statistics: data sets, or a checkpoint, with the sensors' statistics for an agent from scratch; None measures
            them under random actions.
        freeze: the policy's parts that do not learn, e.g. "encoders", "trunk".
        separate_critic: a network of its own for the value; False for the policy's own value head.
        critic: the separate critic's architecture; None for the policy's, starting from the policy's weights.
        critic_sensors: what a critic of an architecture of its own reads, wherever a task has it, privileged sensors
            too, as the critic is not there when the policy acts ("Asymmetric actor critic for image-based robot
            learning", 2017); () for what the policy reads.
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
        learner_threads: torch's threads in each learner; 0 for as many as torch takes (worth it for large networks on
            cores of their own). Another number may change the last bits of a resumed run.
    """

    tasks: tuple[str, ...]
    init: str | None = None
    agent: AgentConfig = field(default_factory=AgentConfig)
    sensors: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    statistics: str | None = None
    freeze: tuple[str, ...] = ()
    separate_critic: bool = True
    critic: AgentConfig | None = field(default_factory=lambda: AgentConfig(width=128, depth=0))
    critic_sensors: tuple[str, ...] = ()
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
    learner_threads: int = 1

    def __post_init__(self) -> None:
        for name in ("tasks", "freeze", "critic_sensors"):
            if isinstance(getattr(self, name), str):
                raise InputError(f"{name}={getattr(self, name)!r} must be a list, e.g. {name}=[{getattr(self, name)}]")
        if not self.tasks or len(set(self.tasks)) < len(self.tasks):
            raise InputError(f"tasks={list(self.tasks)} must name at least one task, each once")
        for name in ("steps", "num_envs", "fragment_length", "checkpoint_every", "keep", "num_threads"):
            if getattr(self, name) < 1:
                raise InputError(f"{name}={getattr(self, name)} must be at least 1")
        for name in ("num_env_runners", "num_learners", "num_gpus_per_learner", "learner_threads", "seed"):
            if getattr(self, name) < 0:
                raise InputError(f"{name}={getattr(self, name)} must not be negative")
        if self.critic_sensors and (self.critic is None or not self.separate_critic):
            raise InputError(
                f"critic_sensors={list(self.critic_sensors)} need a critic of its own: separate_critic=true and critic"
            )
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
