"""The contract of auxiliary heads: what the features should also tell, learned from a sensor that no encoder reads.

Legend: B batch, D width, K outputs.

`AgentConfig.auxiliary` names them by label sensor: {"target_view": {"name": "target_view", "weight": 0.1}}. They learn
in behaviour cloning and in RL; acting needs neither them nor their sensors.
"""

from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from trunkline.agents.heads.base import Head
from trunkline.errors import InputError

if TYPE_CHECKING:
    from trunkline.agents.agent import Agent


class AuxiliaryHead(Head):
    """Features (B, D) to a guess (B, K) at a sensor's readings."""

    @abstractmethod
    def losses(self, outputs: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Values (B,) by name: "loss" is minimised, the others are diagnostics.

        Args:
            outputs: (B, K).
            labels: the sensor's raw readings (B, *shape).

        Raises:
            InputError: labels of another shape than the head takes.
        """


def auxiliary_losses(agent: "Agent", features: Tensor, observations: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The losses (B,) of an agent's auxiliary heads whose label sensors are among the observations.

    Args:
        agent: with `config.auxiliary`.
        features: (B, D), of these observations.
        observations: raw readings by sensor name.

    Returns:
        "loss", the weighted sum over heads, and "<sensor>/<name>" for each head's values; empty without any label.
    """
    found: dict[str, Tensor] = {}
    total = torch.zeros(())
    for sensor, entry in agent.config.auxiliary.items():
        if sensor not in observations:
            continue
        head = agent.part(f"heads/{head_name(sensor)}")
        assert isinstance(head, AuxiliaryHead)
        values = head.losses(head(features), observations[sensor])
        total = total.to(features.device) + entry["weight"] * values["loss"]
        found |= {f"{sensor}/{name}": value for name, value in values.items()}
    return {"loss": total, **found} if found else {}


def head_name(sensor: str) -> str:
    """The name of the head that learns from a label sensor."""
    return f"auxiliary_{sensor}"


def require_labels(kind: str, labels: Tensor, size: int) -> None:
    """Check that labels are vectors of so many numbers.

    Raises:
        InputError: they are not.
    """
    if labels.dim() != 2 or labels.shape[1] != size:
        raise InputError(f"head {kind!r} takes labels (batch, {size}), not {tuple(labels.shape)}; see agent.auxiliary")
