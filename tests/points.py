"""Demonstrations of points that walk to goals, two bodies, and what learns from them."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch

from trunkline.agents.agent import Agent
from trunkline.agents.config import AgentConfig
from trunkline.data.episode import Episode
from trunkline.data.stream import FrameStream
from trunkline.data.writer import EpisodeWriter
from trunkline.envs.spec import ActionSpec, SensorSpec, TaskSpec
from trunkline.pretrain.batch import TensorBatch, merge
from trunkline.pretrain.config import PretrainConfig
from trunkline.pretrain.corpus import open_corpus
from trunkline.pretrain.objectives import make_objective
from trunkline.pretrain.optimiser import Optimiser
from trunkline.pretrain.step import Trainer

CPU = torch.device("cpu")
GOAL = SensorSpec("goal", "goal", (2,), units="m")
SMALL = AgentConfig(width=32, depth=1, attention_heads=2)
BODIES = {
    "dot": (
        SensorSpec("dot_state", "state", (2,), units="m"),
        ActionSpec("dot", (2,)),
        {"dots/near": 20, "dots/far": 8},
    ),
    "cart": (
        SensorSpec("cart_state", "state", (2,), units="m"),
        ActionSpec("cart", (2,), low=-3, high=3),
        {"carts/go": 10},
    ),
}


def write_points(root: Path, bodies: Iterable[str] = tuple(BODIES), seed: int = 0) -> str:
    """Demonstrations of a point that walks to a goal, x' = x + 0.2 a in half ranges, with noise in the actions."""
    for body in bodies:
        state, action, tasks = BODIES[body]
        generator = np.random.default_rng(seed)
        with EpisodeWriter(root / action.name, {state.name: state, "goal": GOAL}, action, 20) as writer:
            for task, count in tasks.items():
                for index in range(count):
                    writer.add(
                        _walk(generator, state.name, action, TaskSpec(task, seed, {"index": index}, "train", 20))
                    )
    return str(root)


def _walk(generator: np.random.Generator, state: str, action: ActionSpec, task: TaskSpec) -> Episode:
    steps = task.max_steps
    x, goal = generator.uniform(-1, 1, (2, 2))
    states, actions = np.zeros((steps, 2), np.float32), np.zeros((steps, 2), np.float32)
    for t in range(steps):
        a = np.clip(2 * (goal - x) + 0.3 * generator.standard_normal(2), -1, 1)
        states[t], actions[t] = x, a * action.high
        x = x + 0.2 * a
    observations = {state: states, "goal": np.tile(goal.astype(np.float32), (steps, 1))}
    return Episode(task, observations, actions, np.zeros(steps, np.float32), True, 1.0)


def point_config(data: str) -> PretrainConfig:
    """A run of four steps."""
    return PretrainConfig(
        data, sensors=("dot_state", "cart_state"), agent=SMALL, steps=4, batch_size=24, warmup=2, log_every=1,
        checkpoint_every=2, device="cpu",
    )  # fmt: skip


def make_trainer(root: str, **options) -> tuple[Trainer, list[TensorBatch]]:
    """A trainer that clones behaviour, and a batch."""
    corpus = open_corpus(root)
    agent = Agent(corpus.sensors, corpus.actions, SMALL)
    stream = FrameStream(corpus.datasets[0], batch_size=8)
    goal = make_objective("behaviour_cloning")
    trainer = Trainer(agent, goal, Optimiser(agent, lr=1e-3, steps=100), device=CPU, **options)
    return trainer, merge([(next(stream), 1.0)], corpus.actions)
