"""The action that led from one observation to the next.

"Inverse dynamics pretraining learns good representations for multitask imitation" (NeurIPS 2023): an MLP 256-256 with
GELU, dropout 0.1 and a tanh on [φ(o), φ(o′)], with one φ for both.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributions import Distribution

from trunkline.agents.distributions import MultiCategorical, diagonal_normal
from trunkline.agents.heads.base import Head, action_scale, require_action
from trunkline.agents.layers import mlp
from trunkline.agents.registry import head
from trunkline.envs.spec import ActionSpec


@head("inverse_dynamics")
class InverseDynamicsHead(Head):
    """Features (B, D) of two observations to the action between them.

    Args:
        width: D.
        action: the body.
        hidden: widths of the hidden layers.
        activation: between them.
        dropout: after each, in training.
        squash: tanh on the output; actions without finite bounds need it off.
    """

    centre: Tensor
    scale: Tensor

    def __init__(
        self,
        width: int,
        action: ActionSpec | None = None,
        *,
        hidden: Sequence[int] = (256, 256),
        activation: str = "gelu",
        dropout: float = 0.1,
        squash: bool = True,
    ) -> None:
        super().__init__(width, action)
        spec = require_action("inverse_dynamics", action)
        self.hidden, self.activation, self.dropout, self.squash = tuple(hidden), activation, dropout, squash
        self.choices = tuple(spec.choices)
        outputs = sum(self.choices) if spec.discrete else spec.shape[0]
        self.layers = mlp(2 * width, hidden, outputs, activation, dropout)
        if not spec.discrete:
            centre, scale = action_scale(spec)
            self.register_buffer("centre", centre, persistent=False)
            self.register_buffer("scale", scale, persistent=False)

    def forward(self, features: Tensor, next_features: Tensor) -> Tensor:
        """Features (B, D) before and after to the mean action (B, A); discrete: to logits (B, sum(choices))."""
        output: Tensor = self.layers(torch.cat([features, next_features], dim=-1))
        if self.choices:
            return output
        return torch.addcmul(self.centre, output.tanh() if self.squash else output, self.scale)

    def distribution(self, features: Tensor, next_features: Tensor) -> Distribution:
        """The same as a distribution: normal with the half-range as its spread, or multi-categorical."""
        output = self(features, next_features)
        if self.choices:
            return MultiCategorical(output, self.choices)
        return diagonal_normal(output, self.scale.expand_as(output))
