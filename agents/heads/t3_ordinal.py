"""Which of several ordered grades a touch is, e.g. smoothness.

"Rank consistent ordinal regression for neural networks" (CORAL, Pattern Recognition Letters 2020): one score, and a
threshold between each two grades; the thresholds are in order by construction.

Legend: B batch, N tokens, D width, K grades.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from trunkline.agents.heads.touch import Grid, Pooling, TokenHead, pooled, silu_mlp
from trunkline.agents.registry import head
from trunkline.envs.spec import ActionSpec
from trunkline.errors import InputError


@head("t3_ordinal")
class T3OrdinalHead(TokenHead):
    """The CLS token to the logits (B, K − 1) that the grade is above 0, 1, …, by an MLP.

    Args:
        width: D.
        action: not needed.
        grades: K.
        hidden: widths of the hidden layers.
        dropout: between them, in training.
        pooling: "cls", or "global" for the mean of the patches' tokens.
    """

    def __init__(
        self,
        width: int,
        action: ActionSpec | None = None,
        *,
        grades: int = 5,
        hidden: Sequence[int] = (256, 128, 64),
        dropout: float = 0.1,
        pooling: Pooling = "cls",
    ) -> None:
        super().__init__(width, action)
        if grades < 2:
            raise InputError(f"head 't3_ordinal': grades={grades} must be at least 2")
        self.grades, self.hidden, self.dropout, self.pooling = grades, tuple(hidden), dropout, pooling
        self.model = silu_mlp(width, hidden, 1, dropout)
        # All grades are about equally likely at first, at a score of zero.
        above = 1 - torch.arange(1, grades) / grades
        thresholds = -torch.logit(above)
        self.first = nn.Parameter(thresholds[:1].clone())
        self.gaps = nn.Parameter(torch.log(torch.expm1(thresholds.diff())))

    def forward(self, *tokens: Any, grid: Grid | None = None) -> Tensor:
        """Tokens (B, N, D) to logits (B, K − 1), which fall from left to right."""
        score = self.model(pooled(tokens[0], self.pooling))
        thresholds = torch.cat([self.first, self.first + F.softplus(self.gaps).cumsum(0)])
        logits: Tensor = score - thresholds
        return logits

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Mean over the thresholds of the binary cross-entropy of grades (B,) being above them."""
        above = targets.long().unsqueeze(1) > torch.arange(self.grades - 1, device=outputs.device)
        return F.binary_cross_entropy_with_logits(outputs.float(), above.float())

    def predict(self, outputs: Tensor) -> Tensor:
        """Logits (B, K − 1) to grades (B,): how many thresholds are more likely passed than not."""
        return (outputs > 0).sum(1)

    def probabilities(self, outputs: Tensor) -> Tensor:
        """Logits (B, K − 1) to the probabilities of the grades (B, K)."""
        above = outputs.sigmoid()
        return F.pad(above, (1, 0), value=1.0) - F.pad(above, (0, 1), value=0.0)
