"""Environment steps/s with a 256-256 policy in the loop, two actors: ours against RLlib's stock environment runner.

Each row is the sum of two Ray actors that act with a policy, with what they collected brought to this process, as
training does. RLlib's stock runner gets the same task as its users would give it: a plain `gymnasium.Env` of one
simulation with flat observations, vectorised by RLlib with its default settings, at two numbers of environments; and
also our native vector environment. The limit is `Batch.step` alone, in two actors, without a policy. All take turns in
rounds within one run; figures are medians. Asked for: ratio ≥ 5, ours at its number over the best of RLlib's rows with
its users' environment.

    python perf/rollout.py [tasks …]
"""

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("PYTHONWARNINGS", "ignore")

import gymnasium as gym
import numpy as np
import ray
from ray.rllib.algorithms.ppo import PPOConfig
from ray.rllib.env.single_agent_env_runner import SingleAgentEnvRunner
from ray.tune.registry import register_env

from trunkline.agents.config import AgentConfig
from trunkline.envs.registry import make_worlds
from trunkline.rollout.ray_session import ray_session
from trunkline.rollout.rl.algorithm import Resources, algorithm_config
from trunkline.rollout.rl.config import PPOConfig as OurPPOConfig
from trunkline.rollout.rl.env_runner import RunnerConfig, WorldRunner
from trunkline.rollout.rl.groups import plan_groups
from trunkline.rollout.rl.module import Blueprint

ACTORS, ROUNDS, STEPS = 2, 5, 32
HIDDEN = (256, 256)
OURS = {"pointmass/reach": (64, 512), "tabletop/reach": (64, 128)}  # simulations an actor, few and many
STOCK = (8, 64)
NATIVE = 64


class Single(gym.Env):
    """One simulation with a flat observation: what a user of RLlib would write."""

    def __init__(self, task: str) -> None:
        self.world = make_worlds(task, 1)
        size = sum(int(np.prod(spec.shape)) for spec in self.world.sensors.values())
        self.observation_space = gym.spaces.Box(-np.inf, np.inf, (size,), np.float32)
        self.action_space = self.world.single_action_space

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[np.ndarray, dict]:
        # Without a seed the queue of contexts goes on where the last episode's autoreset took it.
        if seed is not None or self.world.specs[0] is None:
            self.last, _ = self.world.reset(seed=seed or 0)
        return flat(self.last)[0], {}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict]:
        self.last, reward, terminated, truncated, info = self.world.step(action[None])
        observation = flat(info.get("final_obs", self.last))[0]
        return observation, float(reward[0]), bool(terminated[0]), bool(truncated[0]), {}


class Native(gym.vector.VectorEnv):
    """Our batch with flat observations, as RLlib's runner takes vector environments (resets in the next step)."""

    def __init__(self, task: str, num_envs: int) -> None:
        self.world = make_worlds(task, num_envs)
        self.num_envs = num_envs
        self.metadata = {"autoreset_mode": gym.vector.AutoresetMode.NEXT_STEP}
        size = sum(int(np.prod(spec.shape)) for spec in self.world.sensors.values())
        self.single_observation_space = gym.spaces.Box(-np.inf, np.inf, (size,), np.float32)
        self.single_action_space = self.world.single_action_space
        self.observation_space = gym.vector.utils.batch_space(self.single_observation_space, num_envs)
        self.action_space = self.world.action_space

    def reset(self, *, seed: Any = None, options: dict[str, Any] | None = None) -> tuple[np.ndarray, dict]:
        return flat(self.world.reset(seed=0)[0]), {}

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict]:
        observations, rewards, terminated, truncated, _ = self.world.step(actions)
        return flat(observations), rewards, terminated, truncated, {}


def flat(observations: dict[str, np.ndarray]) -> np.ndarray:
    return np.concatenate([v.reshape(len(v), -1) for v in observations.values()], 1)


@ray.remote(num_cpus=1)
class Raw:
    """`Batch.step` alone."""

    def __init__(self, task: str, num_envs: int) -> None:
        self.world = make_worlds(task, num_envs)
        self.world.reset(seed=0)
        self.controls = self.world.batch.bind("ctrl")
        rng = np.random.default_rng(0)
        self.actions = rng.uniform(-1, 1, (16, *self.controls.shape)) * 0.1

    def run(self, steps: int) -> int:
        for k in range(steps):
            self.controls[:] = self.actions[k % 16]
            self.world.batch.step(nstep=self.world.substeps)
        return steps * self.world.num_envs


def make_ours(task: str, num_envs: int) -> Callable[[], int]:
    groups, sensors, actions = plan_groups([task], {})
    blueprint = Blueprint(sensors, actions, AgentConfig.plain_mlp(HIDDEN), 0)
    runner = RunnerConfig(groups, num_envs * ACTORS, STEPS, 0)
    config = algorithm_config(blueprint, runner, OurPPOConfig(), Resources(ACTORS), 1)
    actors = [
        ray.remote(num_cpus=1)(WorldRunner).remote(config=config, worker_index=i + 1, num_workers=ACTORS)
        for i in range(ACTORS)
    ]
    return lambda: sum(
        sample.fragments[0].rewards.size for sample in ray.get([actor.sample.remote() for actor in actors])
    )


def make_stock(task: str, num_envs: int, native: bool) -> Callable[[], int]:
    def create(context: Any) -> Any:
        return Native(task, context["num_envs"]) if native else Single(task)

    name = f"{task}-{native}"
    register_env(name, create)
    config = PPOConfig().environment(name).debugging(log_level="ERROR")
    config.env_runners(num_env_runners=ACTORS, num_envs_per_env_runner=num_envs)
    if native:
        config.env_runners(gym_env_vectorize_mode="vector_entry_point")
    actors = [
        ray.remote(num_cpus=1)(SingleAgentEnvRunner).remote(config=config, worker_index=i + 1, num_workers=ACTORS)
        for i in range(ACTORS)
    ]
    return lambda: sum(
        sum(len(episode) for episode in episodes)
        for episodes in ray.get([actor.sample.remote(num_timesteps=STEPS * num_envs) for actor in actors])
    )


def make_raw(task: str, num_envs: int) -> Callable[[], int]:
    actors = [Raw.remote(task, num_envs) for _ in range(ACTORS)]
    return lambda: sum(ray.get([actor.run.remote(4 * STEPS) for actor in actors]))


def measure(rows: dict[str, Callable[[], int]], seconds: float = 1.0) -> dict[str, float]:
    """Steps/s of each row: the median over rounds in which the rows take turns."""
    rates: dict[str, list[float]] = {name: [] for name in rows}
    for row in rows.values():
        row()
    for _ in range(ROUNDS):
        for name, row in rows.items():
            start, steps = time.perf_counter(), 0
            while (elapsed := time.perf_counter() - start) < seconds:
                steps += row()
            rates[name].append(steps / elapsed)
    return {name: float(np.median(values)) for name, values in rates.items()}


def compare(task: str) -> dict[str, float]:
    few, many = OURS.get(task, (64, 128))
    # All actors of a task are alive at once and only one row works at a time: Ray's CPUs are counted, not pinned.
    rows = {
        f"trunkline, 2 × {few} simulations": make_ours(task, few),
        f"trunkline, 2 × {many} simulations": make_ours(task, many),
        **{f"RLlib stock, 2 × {n} environments": make_stock(task, n, native=False) for n in STOCK},
        f"RLlib stock, 2 × {NATIVE} of our native batch": make_stock(task, NATIVE, native=True),
        f"Batch.step alone, 2 × {many} simulations": make_raw(task, many),
    }
    rates = measure(rows)
    for name, rate in rates.items():
        print(f"{task:<18} {name:<46} {rate:>10,.0f} steps/s")
    ours = max(rate for name, rate in rates.items() if name.startswith("trunkline"))
    stock = max(rate for name, rate in rates.items() if name.endswith("environments"))
    limit = rates[f"Batch.step alone, 2 × {many} simulations"]
    return {"ours": ours, "rllib": stock, "ratio": ours / stock, "limit_ratio": ours / limit}


def main() -> None:
    results = {}
    for task in sys.argv[1:] or ["tabletop/reach", "pointmass/reach"]:
        with ray_session(num_cpus=16):  # more than the machine has: see `compare`
            results[task] = compare(task)
        print(f"{task:<18} ratio {results[task]['ratio']:.1f}, of the limit {results[task]['limit_ratio']:.2f}")
    print(json.dumps({key: round(value, 3) for key, value in results[task].items()}))


if __name__ == "__main__":
    main()
