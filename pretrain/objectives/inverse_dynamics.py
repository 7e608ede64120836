"""Inverse dynamics: which action led from one observation to the next.

Brandfonbrener et al., "Inverse dynamics pretraining learns good representations for multitask imitation", 2023: the
dynamics do not depend on the goal, so they can be learned from demonstrations whose goals are hidden.
"""

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from trunkline.agents.agent import Agent
from trunkline.errors import InputError
from trunkline.pretrain.batch import TensorBatch
from trunkline.pretrain.losses import cross_entropy, squared_error
from trunkline.pretrain.objectives.base import Objective, encode_pair, objective


@objective("inverse_dynamics")
@dataclass(frozen=True)
class InverseDynamics(Objective):
    """L = ‖π([φ(o), φ(o′)]) − a‖² / A, with φ shared by both observations and no stop-gradient.

    Discrete actions: the cross-entropy. Adds the heads "inverse_<action>".

    Attributes:
        offset: how many steps o′ is after o; the action is the one taken at o.
        hidden: widths of the head's hidden layers.
        dropout: in the head.
    """

    offset: int = 1
    hidden: tuple[int, ...] = (256, 256)
    dropout: float = 0.1

    def __post_init__(self) -> None:
        object.__setattr__(self, "hidden", tuple(self.hidden))
        if self.offset < 1:
            raise InputError(f"inverse_dynamics: offset={self.offset}; the next observation is at least 1 step later")
        if not 0 <= self.dropout < 1:
            raise InputError(f"inverse_dynamics: dropout={self.dropout} is not in [0, 1)")

    @property
    def next_offset(self) -> int:
        """Steps between o and o′."""
        return self.offset

    def build(self, agent: Agent) -> None:
        """Add an inverse head for every body that has none; its output is squashed where the bounds are finite."""
        for name, spec in agent.actions.items():
            if f"inverse_{name}" not in agent.heads:
                bounded = spec.discrete or bool(np.isfinite([spec.low, spec.high]).all())
                options = {"hidden": self.hidden, "dropout": self.dropout, "squash": bounded}
                agent.make_head(f"inverse_{name}", "inverse_dynamics", name, **options)

    def __call__(self, agent: Agent, batch: TensorBatch) -> dict[str, Tensor]:
        """The loss, and the error of each action dimension; see `losses`."""
        now, then = encode_pair(agent, batch)
        predicted = agent.heads[f"inverse_{batch.action}"](now, then)
        spec = agent.actions[batch.action]
        return (cross_entropy if spec.discrete else squared_error)(predicted, batch, spec)
