"""From numpy observations to numpy actions, on a machine with nothing but torch.

Legend: B batch, A action dimensions.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from trunkline.agents.distributions import draw
from trunkline.envs.spec import ActionSpec, SensorSpec
from trunkline.errors import InputError, unknown

if TYPE_CHECKING:
    from trunkline.agents.agent import Agent


def act(
    agent: "Agent",
    observations: Mapping[str, np.ndarray],
    action: ActionSpec,
    deterministic: bool = True,
    generator: torch.Generator | None = None,
) -> np.ndarray:
    """Actions of one body.

    The agent computes in evaluation mode and is left in the mode it was in.

    Args:
        agent: who acts.
        observations: by sensor name, one reading (*shape) each or a batch (B, *shape) each; label sensors
            (`AgentConfig.auxiliary`) are passed over.
        action: the body.
        deterministic: the distribution's mode instead of a sample.
        generator: of the samples; torch's global one by default.

    Returns:
        (*action.shape) or (B, *action.shape): float32 within the bounds, or int64 choices.

    Raises:
        InputError: an unknown sensor, readings of the wrong shape or not finite, or actions that are not finite.
    """
    inputs = {name: value for name, value in observations.items() if name not in agent.config.auxiliary}
    tensors, single = _tensors(agent.sensors, inputs)
    with torch.inference_mode(), evaluating(agent):
        tensors = {name: value.to(agent.device) for name, value in tensors.items()}
        policy = agent.policy(agent.encode(tensors), action.name)
        actions: np.ndarray = (policy.mode if deterministic else draw(policy, generator)).cpu().numpy()
    if not action.discrete:
        if not np.isfinite(actions).all():
            raise InputError(f"the agent's actions for {action.name!r} are not finite; its weights may have diverged")
        low, high = np.asarray(action.low, np.float32), np.asarray(action.high, np.float32)
        actions = np.clip(actions.astype(np.float32, copy=False), low, high)
    return actions[0] if single else actions


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Evaluation mode inside, exactly the modes of before outside."""
    training = [part for part in module.modules() if part.training] if module.training else []
    for part in training:
        part.training = False
    try:
        yield
    finally:
        for part in training:
            part.training = True


def _tensors(
    sensors: Mapping[str, SensorSpec], observations: Mapping[str, np.ndarray]
) -> tuple[dict[str, torch.Tensor], bool]:
    """Tensors with a batch axis, and whether it had to be added."""
    tensors: dict[str, torch.Tensor] = {}
    singles: dict[str, bool] = {}
    for name, value in observations.items():
        if name not in sensors:
            raise unknown("sensor", name, sensors)
        shape = sensors[name].shape
        array = np.asarray(value)
        singles[name] = array.shape == shape
        if not singles[name] and array.shape[1:] != shape:
            raise InputError(
                f"sensor {name!r} gave readings of shape {array.shape}; "
                f"give one of shape {shape}, or a batch (batch, {', '.join(map(str, shape))})"
            )
        if array.dtype not in (np.float32, np.uint8):
            array = array.astype(np.float32)
        if array.dtype == np.float32 and not np.isfinite(array).all():
            raise InputError(f"sensor {name!r} gave readings that are not finite; repair it or leave it out")
        if not array.flags.writeable:  # what Ray's object store gives; torch warns about such memory
            array = array.copy()
        tensor = torch.from_numpy(array)
        tensors[name] = tensor.unsqueeze(0) if singles[name] else tensor
    if len(set(singles.values())) > 1:
        alone = ", ".join(name for name, single in singles.items() if single)
        raise InputError(f"some sensors gave a batch and others one reading ({alone}); give all of them one way")
    return tensors, any(singles.values())
