"""Checkpoints of a finetuning run: the agent, and what the learners need to go on."""

from pathlib import Path

import numpy as np
import torch

from trunkline.agents.agent import Agent
from trunkline.agents.checkpoint import save_agent
from trunkline.rollout.rl.algorithm import Finetuner
from trunkline.rollout.rl.config import FinetuneConfig


def save_finetuned(path: Path, config: FinetuneConfig, algorithm: Finetuner, agent: Agent) -> None:
    """Write the agent with everything that is needed to go on; heads that RL does not use stay as they were."""
    weights = algorithm.weights()
    state = agent.state_dict()
    for name, value in weights.items():
        part, _, key = name.partition(".")
        if part == "policy" and key in state:
            state[key] = torch.from_numpy(np.array(value))
    agent.load_state_dict(state)
    training = {
        "iteration": algorithm.update_index,
        "steps": algorithm.total_steps,
        "kl_coefficient": config.ppo.kl_at(algorithm.update_index),
        "critic": {name.partition(".")[2]: value for name, value in weights.items() if name.startswith("critic.")},
        "optimizers": algorithm.optimizer_state(),
    }
    save_agent(agent, path, training)
