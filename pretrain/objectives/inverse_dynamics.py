"""Inverse dynamics: which action led from one observation to the next.

Brandfonbrener et al., "Inverse dynamics pretraining learns good representations for multitask imitation", 2023: the
dynamics do not depend on the goal, so they can be learned from demonstrations whose goals are hidden.
"""

from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional

from trunkline.agents.agent import Agent
from trunkline.agents.heads import InverseDynamicsHead
from trunkline.errors import InputError
from trunkline.pretrain.batch import TensorBatch
from trunkline.pretrain.objectives.base import Objective, half_range, objective


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
        """Add an inverse head for every body that has none."""
        for name, spec in agent.actions.items():
            if f"inverse_{name}" not in agent.heads:
                head = InverseDynamicsHead(agent.config.width, spec, hidden=self.hidden, dropout=self.dropout)
                agent.add_head(f"inverse_{name}", head)

    def __call__(self, agent: Agent, batch: TensorBatch) -> dict[str, Tensor]:
        """"loss", and the error of each action dimension as "error/<i>"."""
        now, then = encode_pair(agent, batch)
        predicted = agent.heads[f"inverse_{batch.action}"](now, then)
        return action_losses(agent, batch, predicted)
