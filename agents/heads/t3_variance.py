"""Numbers that a touch tells, e.g. forces: T3's regression head, made there for the variance of an image.

Legend: B batch, N tokens, D width, K outputs.
"""

from collections.abc import Sequence
from typing import Any

from torch import Tensor
from torch.nn import functional as F

from trunkline.agents.heads.touch import Grid, Pooling, Scale, TokenHead, pooled, silu_mlp
from trunkline.agents.registry import head
from trunkline.envs.spec import ActionSpec

RMSE_SCALE = 5.0


@head("t3_variance")
class T3VarianceHead(TokenHead):
    """The mean of the patches' tokens to numbers (B, K), by an MLP.

    Args:
        width: D.
        action: not needed.
        outputs: K.
        hidden: widths of the hidden layers.
        dropout: between them, in training.
        pooling: "global", or "cls" for the CLS token.
        mean, std: of the targets over a data set, one for all outputs or one for each; the network and the loss work in
            units of them.
    """

    def __init__(
        self,
        width: int,
        action: ActionSpec | None = None,
        *,
        outputs: int = 1,
        hidden: Sequence[int] = (256, 128, 64),
        dropout: float = 0.1,
        pooling: Pooling = "global",
        mean: Sequence[float] = (0.0,),
        std: Sequence[float] = (1.0,),
    ) -> None:
        super().__init__(width, action)
        self.outputs, self.hidden, self.dropout, self.pooling = outputs, tuple(hidden), dropout, pooling
        self.mean, self.std = tuple(mean), tuple(std)
        self.model = silu_mlp(width, hidden, outputs, dropout)
        self.scale = Scale(mean, std, outputs)

    def forward(self, *tokens: Any, grid: Grid | None = None) -> Tensor:
        """Tokens (B, N, D) to (B, K), in units of `std` from `mean`."""
        outputs: Tensor = self.model(pooled(tokens[0], self.pooling))
        return outputs

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Root mean squared error over 5 of targets (B, K), or (B,) for one output."""
        squared = F.mse_loss(outputs.float(), self.scale(targets.reshape(outputs.shape).float()))
        # A root's slope at zero is infinite; what is added is below float32's resolution at any other loss.
        return (squared + 1e-12).sqrt() / RMSE_SCALE

    def predict(self, outputs: Tensor) -> Tensor:
        """Outputs (B, K) to numbers in the targets' units."""
        return self.scale.inverse(outputs)
