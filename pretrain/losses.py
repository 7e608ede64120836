"""Losses between predicted and recorded actions.

Legend: B batch, A action dimensions, K factors of a discrete action.
"""

import torch
from torch import Tensor
from torch.nn import functional

from trunkline.agents.heads.base import action_scale
from trunkline.envs.spec import ActionSpec
from trunkline.pretrain.batch import TensorBatch


def squared_error(predicted: Tensor, batch: TensorBatch, action: ActionSpec) -> dict[str, Tensor]:
    """Mean squared error of continuous actions, in units of half their range, so that all bodies weigh the same.

    Args:
        predicted: (B, A).
        batch: with the recorded actions.
        action: the body; dimensions without finite bounds count in their own units.

    Returns:
        "loss", and "error/<i>" of each dimension.
    """
    half = action_scale(action)[1].to(predicted.device)
    error = (predicted.float() - batch.actions) / half
    by_dimension = batch.mean(error.square())
    return {"loss": by_dimension.mean(), **_by_part("error", by_dimension)}


def cross_entropy(logits: Tensor, batch: TensorBatch, action: ActionSpec) -> dict[str, Tensor]:
    """Cross-entropy of discrete actions, in nats, a mean over the K factors.

    Args:
        logits: (B, sum(choices)).
        batch: with the recorded actions (B, K).
        action: the body.

    Returns:
        "loss", "accuracy" (of all K factors at once) and "error/<i>", the cross-entropy of each factor.
    """
    parts = torch.split(logits.float(), list(action.choices), dim=-1)
    by_factor = torch.stack(
        [functional.cross_entropy(part, batch.actions[:, i], reduction="none") for i, part in enumerate(parts)], dim=-1
    )
    chosen = torch.stack([part.argmax(-1) for part in parts], dim=-1)
    right = batch.mean((chosen == batch.actions).all(-1).float())
    mean = batch.mean(by_factor)
    return {"loss": mean.mean(), "accuracy": right, **_by_part("error", mean)}


def _by_part(name: str, values: Tensor) -> dict[str, Tensor]:
    return {f"{name}/{i}": value for i, value in enumerate(values.detach().unbind())}
