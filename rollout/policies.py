"""What acts in a rollout: the scripted expert, random actions, a checkpoint, or a mix of them with noise.

Legend: E simulations, T steps, A action dimensions.

Random numbers are drawn once an episode, from a generator named by the policy's seed and the TaskSpec's id. So an
episode is the same whichever actor and simulation runs it. (A checkpoint's forward pass is one matrix product over the
batch, whose last bits may depend on the batch size.)
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from trunkline.envs.base import Observations, World
from trunkline.envs.random import generator
from trunkline.envs.spec import ActionSpec, SensorSpec
from trunkline.errors import InputError, unknown
from trunkline.rollout.identity import agent_identity, policy_identity

KINDS = ("expert", "random", "checkpoint")


@dataclass(frozen=True)
class PolicyConfig:
    """A policy by description, so that it can be sent to other processes and noted beside a data set.

    Attributes:
        kind: "expert" (the world's script), "random" (uniform within the action's bounds) or "checkpoint".
        path: the checkpoint's folder.
        noise: standard deviation of Gaussian noise on continuous actions, as a fraction of half their range.
        random_fraction: share of steps, or of whole episodes, that are random instead.
        random_unit: what `random_fraction` counts, "step" or "episode".
        recorded: which actions an episode keeps: those "executed", or those "intended" before `noise` and
            `random_fraction`, so that an imitator meets the states that mistakes lead to and learns no mistakes
            (Laskey et al., "DART: Noise injection for robust imitation learning", 2017); inverse dynamics needs the
            executed ones.
        mask: names of sensors that the checkpoint is not shown.
        deterministic: whether a checkpoint takes its distribution's mode; else it samples.
        seed: of everything random here.
    """

    kind: str = "expert"
    path: str | None = None
    noise: float = 0.0
    random_fraction: float = 0.0
    random_unit: Literal["step", "episode"] = "step"
    recorded: Literal["executed", "intended"] = "executed"
    mask: tuple[str, ...] = ()
    deterministic: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise unknown("policy kind", self.kind, KINDS)
        if (self.kind == "checkpoint") != (self.path is not None):
            raise InputError(
                f"policy kind {self.kind!r} with path {self.path!r}; a checkpoint, and only that, needs a path "
                "(policy.kind=checkpoint policy.path=DIR)"
            )
        if self.noise < 0 or not 0 <= self.random_fraction <= 1:
            raise InputError(
                f"noise={self.noise}, random_fraction={self.random_fraction}; at least 0, and within [0, 1]"
            )
        if self.random_unit not in ("step", "episode"):
            raise unknown("random_unit", self.random_unit, ("step", "episode"))
        if self.recorded not in ("executed", "intended"):
            raise unknown("recorded", self.recorded, ("executed", "intended"))
        if self.mask and self.kind != "checkpoint":
            raise InputError(f"mask={list(self.mask)} needs kind='checkpoint'; {self.kind!r} reads no sensors")


class Policy(ABC):
    """Chooses actions for a batch of simulations."""

    def sensors(self, available: Mapping[str, SensorSpec]) -> tuple[str, ...]:
        """Names of the sensors it reads in a world that has these.

        Raises:
            InputError: it cannot act on them.
        """
        return ()

    def remarks(self, available: Mapping[str, SensorSpec]) -> tuple[str, ...]:
        """What its user should know before it acts in a world that has these sensors, a line each."""
        return ()

    def reset(self, world: World) -> None:  # noqa: B027 (most policies remember nothing)
        """Forget all episodes; the next ones are of this world.

        Raises:
            InputError: it cannot act in this world.
        """

    def about(self) -> Mapping[str, Any]:
        """What tells it from other policies of its class, as JSON can hold it; results of one are not another's."""
        return {}

    @abstractmethod
    def act(self, world: World, observations: Observations, steps: np.ndarray) -> np.ndarray:
        """Actions (E, A) for the present readings; `steps` (E,) counts from the start of each of `world.specs`."""

    def choose(self, world: World, observations: Observations, steps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """As `act`: the actions (E, A) that are executed, and those that the episode records."""
        actions = self.act(world, observations, steps)
        return actions, actions


class ExpertPolicy(Policy):
    """The world's own script."""

    def act(self, world: World, observations: Observations, steps: np.ndarray) -> np.ndarray:
        return world.expert_actions()


class RandomPolicy(Policy):
    """Uniform actions within the bounds, or uniform choices."""

    def __init__(self, seed: int = 0) -> None:
        self._draws = EpisodeDraws("random", seed, _uniform_actions)

    def about(self) -> Mapping[str, Any]:
        return {"seed": self._draws.seed}

    def reset(self, world: World) -> None:
        self._draws.reset()

    def act(self, world: World, observations: Observations, steps: np.ndarray) -> np.ndarray:
        return self._draws.at(world, steps)


class MixedPolicy(Policy):
    """Another policy with random steps or episodes in between, and noise on its actions.

    Args:
        base: the policy that is mixed.
        config: its `noise`, `random_fraction`, `random_unit`, `recorded` and `seed`.
    """

    def __init__(self, base: Policy, config: PolicyConfig) -> None:
        self.base = base
        self.config = config
        self._random = RandomPolicy(config.seed)
        self._noise = EpisodeDraws("noise", config.seed, lambda rng, steps, a: rng.normal(size=(steps, *a.shape)))
        self._coin = EpisodeDraws("coin", config.seed, lambda rng, steps, a: rng.random(steps))

    def about(self) -> Mapping[str, Any]:
        mixed = {name: getattr(self.config, name) for name in ("noise", "random_fraction", "random_unit", "seed")}
        return {**mixed, "base": policy_identity(self.base)}

    def sensors(self, available: Mapping[str, SensorSpec]) -> tuple[str, ...]:
        return self.base.sensors(available)

    def remarks(self, available: Mapping[str, SensorSpec]) -> tuple[str, ...]:
        return self.base.remarks(available)

    def reset(self, world: World) -> None:
        if self.config.noise and world.action_spec.discrete:
            raise InputError(
                f"noise={self.config.noise} on the discrete actions of {world.qualified_task}; set it to 0"
            )
        if self.config.noise:
            _finite_bounds(world.action_spec)
        for part in (self.base, self._random):
            part.reset(world)
        for draws in (self._noise, self._coin):
            draws.reset()

    def act(self, world: World, observations: Observations, steps: np.ndarray) -> np.ndarray:
        return self.choose(world, observations, steps)[0]

    def choose(self, world: World, observations: Observations, steps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        actions = intended = self.base.act(world, observations, steps)
        if self.config.noise:
            low, high = _finite_bounds(world.action_spec)
            noise = self.config.noise * (high - low) / 2 * self._noise.at(world, steps)
            actions = np.clip(actions + noise, low, high).astype(np.float32)
        if self.config.random_fraction:
            coins = self._coin.at(world, steps, first_only=self.config.random_unit == "episode")
            chosen = (coins < self.config.random_fraction)[:, None]
            actions = np.where(chosen, self._random.act(world, observations, steps), actions)
        return actions, intended if self.config.recorded == "intended" else actions


class AgentPolicy(Policy):
    """A trained agent.

    Args:
        agent: a `trunkline.agents.agent.Agent`.
        mask: sensors it is not shown.
        deterministic: whether to take the mode; else samples, under `seed` and each TaskSpec's id.
        seed: of the samples.
    """

    def __init__(self, agent: Any, mask: tuple[str, ...] = (), deterministic: bool = True, seed: int = 0) -> None:
        for name in mask:
            if name not in agent.sensors:
                raise unknown("masked sensor", name, agent.sensors)
        self.agent = agent
        self.mask = mask
        self.deterministic = deterministic
        self._draws = EpisodeDraws("sample", seed, _sampling_noise)
        self._state: Any = None
        self._names: tuple[str, ...] = ()

    def about(self) -> Mapping[str, Any]:
        samples = {} if self.deterministic else {"seed": self._draws.seed}
        return {"agent": agent_identity(self.agent), "mask": sorted(self.mask), **samples}

    def sensors(self, available: Mapping[str, SensorSpec]) -> tuple[str, ...]:
        names = tuple(name for name in self.agent.sensors if name in available and name not in self.mask)
        if not names:
            raise InputError(
                f"the agent reads {', '.join(self.agent.sensors)} (masked: {', '.join(self.mask) or 'none'}); "
                f"this world has {', '.join(available)}; it would act blindly"
            )
        for name in names:
            difference = self.agent.sensors[name].difference(available[name])
            if difference is not None:
                raise InputError(
                    f"the agent was trained on another sensor {name!r}: {difference}; mask it or train on this one"
                )
        return names

    def remarks(self, available: Mapping[str, SensorSpec]) -> tuple[str, ...]:
        # An agent of one rate may be tried at another, but seldom on purpose: worlds' options are no part of it.
        return tuple(
            f"{name} comes {available[name].frame_rate:g} times a second, the agent learned from {mine.frame_rate:g}; "
            "give the options of its training to act at its pace"
            for name, mine in self.agent.sensors.items()
            if name in available and _other_rate(mine.frame_rate, available[name].frame_rate)
        )

    def reset(self, world: World) -> None:
        if world.action_spec.name not in self.agent.actions:
            raise unknown("body for this agent", world.action_spec.name, self.agent.actions)
        self._names = self.sensors(world.sensors)
        self._state = None
        self._draws.reset()

    def act(self, world: World, observations: Observations, steps: np.ndarray) -> np.ndarray:
        from trunkline.agents.threads import threads_for, torch_threads

        with torch_threads(threads_for(self.agent.sensors)):
            return self._act(world, observations, steps)

    def _act(self, world: World, observations: Observations, steps: np.ndarray) -> np.ndarray:
        shown = {name: observations[name] for name in self._names}
        body = world.action_spec.name
        if not self.deterministic:
            return self._sample(world, shown, steps)
        if self._state:  # an episode starts with an empty memory, whatever ran in its simulation before
            self._state = {name: _cleared(value, steps == 0) for name, value in self._state.items()}
        actions, self._state = self.agent.act(shown, self._state, action=body, deterministic=True)
        return np.asarray(actions)

    def _sample(self, world: World, shown: Observations, steps: np.ndarray) -> np.ndarray:
        import torch

        from trunkline.agents.acting import evaluating
        from trunkline.agents.distributions import MultiCategorical

        with torch.inference_mode(), evaluating(self.agent):
            tensors = {name: torch.from_numpy(value).to(self.agent.device) for name, value in shown.items()}
            distribution = self.agent.policy(self.agent.encode(tensors), world.action_spec.name)
            noise = self._draws.at(world, steps)
            if isinstance(distribution, MultiCategorical):  # the largest of logits plus Gumbel noise is a sample
                logits = np.concatenate([factor.logits.cpu().numpy() for factor in distribution.factors], axis=-1)
                parts = np.split(logits + noise, np.cumsum(distribution.choices)[:-1], axis=-1)
                return np.stack([part.argmax(axis=-1) for part in parts], axis=-1)
            mean, std = distribution.mean.cpu().numpy(), distribution.stddev.cpu().numpy()
            return np.asarray(mean + std * noise, np.float32)


def _other_rate(mine: float | None, theirs: float | None) -> bool:
    return mine is not None and theirs is not None and mine != theirs


def _sampling_noise(rng: np.random.Generator, steps: int, action: ActionSpec) -> np.ndarray:
    if action.discrete:
        return rng.gumbel(size=(steps, sum(action.choices)))
    return rng.normal(size=(steps, *action.shape))


def _cleared(value: Any, rows: np.ndarray) -> Any:
    value = value.clone()
    value[rows] = 0
    return value


def make_policy(config: PolicyConfig) -> Policy:
    """The policy of a description.

    Raises:
        InputError: no checkpoint there, or one that cannot be loaded.
    """
    base: Policy
    if config.kind == "expert":
        base = ExpertPolicy()
    elif config.kind == "random":
        base = RandomPolicy(config.seed)
    else:
        from trunkline.agents.checkpoint import load_agent

        assert config.path is not None
        base = AgentPolicy(load_agent(config.path), config.mask, config.deterministic, config.seed)
    return MixedPolicy(base, config) if config.noise or config.random_fraction else base


@dataclass
class EpisodeDraws:
    """Random numbers for every step of every running episode, drawn when the episode starts.

    Attributes:
        name: tells these draws from others of the same episode.
        seed: of all of them.
        draw: (generator, steps, action form) -> array (steps, …).
    """

    name: str
    seed: int
    draw: Callable[[np.random.Generator, int, ActionSpec], np.ndarray]
    _values: np.ndarray | None = field(default=None, init=False)

    def reset(self) -> None:
        """Forget all episodes."""
        self._values = None

    def at(self, world: World, steps: np.ndarray, first_only: bool = False) -> np.ndarray:
        """The draws (E, …) of each simulation's present step, or of its first one."""
        for i in np.flatnonzero(world.active & (steps == 0)):
            spec = world.specs[i]
            assert spec is not None
            drawn = self.draw(generator(self.name, self.seed, int(spec.id, 16)), spec.max_steps, world.action_spec)
            self._reserve(world.num_envs, drawn)[i, : len(drawn)] = drawn
        assert self._values is not None, "draws are asked for after an episode started"
        values: np.ndarray = self._values[np.arange(world.num_envs), 0 if first_only else steps]
        return values

    def _reserve(self, num_envs: int, drawn: np.ndarray) -> np.ndarray:
        old = self._values
        if old is not None and old.shape[1] >= len(drawn):
            return old
        self._values = np.zeros((num_envs, *drawn.shape), drawn.dtype)
        if old is not None:
            self._values[:, : old.shape[1]] = old
        return self._values


def _uniform_actions(rng: np.random.Generator, steps: int, action: ActionSpec) -> np.ndarray:
    if action.discrete:
        return rng.integers(0, np.asarray(action.choices), size=(steps, *action.shape))
    low, high = _finite_bounds(action)
    return rng.uniform(low, high, size=(steps, *action.shape)).astype(np.float32)


def action_bounds(action: ActionSpec) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest value (A,) of continuous actions."""
    low, high = (np.broadcast_to(np.asarray(bound, np.float32), action.shape) for bound in (action.low, action.high))
    return low, high


def _finite_bounds(action: ActionSpec) -> tuple[np.ndarray, np.ndarray]:
    low, high = action_bounds(action)
    if not (np.isfinite(low).all() and np.isfinite(high).all()):
        raise InputError(f"actions of {action.name!r} have no bounds; random ones and noise need them")
    return low, high
