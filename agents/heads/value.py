"""The value of a state, for reinforcement learning."""

from collections.abc import Sequence

from torch import Tensor

from trunkline.agents.heads.base import Head
from trunkline.agents.layers import mlp
from trunkline.agents.registry import head
from trunkline.envs.spec import ActionSpec


@head("value")
class ValueHead(Head):
    """Features (B, D) to expected returns (B,).

    Args:
        width: D.
        action: not needed.
        hidden: widths of the hidden layers.
        activation: between them.
    """

    def __init__(
        self,
        width: int,
        action: ActionSpec | None = None,
        *,
        hidden: Sequence[int] = (128, 128),
        activation: str = "gelu",
    ) -> None:
        super().__init__(width, action)
        self.hidden, self.activation = tuple(hidden), activation
        self.value = mlp(width, hidden, 1, activation)

    def forward(self, features: Tensor) -> Tensor:
        """Features (B, D) to (B,)."""
        value: Tensor = self.value(features)
        return value.squeeze(-1)
