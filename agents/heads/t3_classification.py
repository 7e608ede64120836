"""Which of several classes a touch is, T3's classification head.

Legend: B batch, N tokens, D width, K classes.
"""

from collections.abc import Sequence
from typing import Any

from torch import Tensor
from torch.nn import functional as F

from trunkline.agents.heads.touch import Grid, Pooling, TokenHead, pooled, silu_mlp
from trunkline.agents.registry import head
from trunkline.envs.spec import ActionSpec


@head("t3_classification")
class T3ClassificationHead(TokenHead):
    """The CLS token to logits (B, K), by an MLP.

    Args:
        width: D.
        action: not needed.
        classes: K.
        hidden: widths of the hidden layers.
        dropout: between them, in training.
        pooling: "cls", or "global" for the mean of the patches' tokens.
    """

    def __init__(
        self,
        width: int,
        action: ActionSpec | None = None,
        *,
        classes: int,
        hidden: Sequence[int] = (256, 128, 64),
        dropout: float = 0.1,
        pooling: Pooling = "cls",
    ) -> None:
        super().__init__(width, action)
        self.classes, self.hidden, self.dropout, self.pooling = classes, tuple(hidden), dropout, pooling
        self.model = silu_mlp(width, hidden, classes, dropout)

    def forward(self, *tokens: Any, grid: Grid | None = None) -> Tensor:
        """Tokens (B, N, D) to logits (B, K)."""
        logits: Tensor = self.model(pooled(tokens[0], self.pooling))
        return logits

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Cross-entropy with classes (B,) int64."""
        return F.cross_entropy(outputs.float(), targets.long())

    def predict(self, outputs: Tensor) -> Tensor:
        """Logits (B, K) to classes (B,)."""
        return outputs.argmax(1)
