"""Discrete and multi-discrete actions: one categorical distribution a factor."""

from collections.abc import Sequence

from torch import Tensor

from trunkline.agents.distributions import MultiCategorical
from trunkline.agents.heads.base import Head, require_action
from trunkline.agents.layers import mlp
from trunkline.agents.registry import head
from trunkline.envs.spec import ActionSpec


@head("categorical")
class CategoricalHead(Head):
    """Features (B, D) to a distribution over K choices (B, K), int64.

    Args:
        width: D.
        action: a body with discrete actions.
        hidden: widths of the hidden layers.
        activation: between them.
        final_gain: scale of the last layer's initial weights; small, so that the first choices are near uniform.
    """

    def __init__(
        self,
        width: int,
        action: ActionSpec | None = None,
        *,
        hidden: Sequence[int] = (128, 128),
        activation: str = "gelu",
        final_gain: float = 0.01,
    ) -> None:
        super().__init__(width, action)
        spec = require_action("categorical", action, discrete=True)
        self.hidden, self.activation, self.final_gain = tuple(hidden), activation, final_gain
        self.choices = tuple(spec.choices)
        self.logits = mlp(width, hidden, sum(self.choices), activation, final_gain=final_gain)

    def forward(self, features: Tensor) -> MultiCategorical:
        """Features (B, D) to a distribution with event shape (K,)."""
        return MultiCategorical(self.logits(features), self.choices)
