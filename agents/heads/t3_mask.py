"""Where a sensor is touched, at the resolution of its patches.

Legend: B batch, N tokens, D width.
"""

from collections.abc import Sequence
from typing import Any

from torch import Tensor
from torch.nn import functional as F

from trunkline.agents.heads.touch import Grid, TokenHead, patch_map, silu_mlp
from trunkline.agents.registry import head
from trunkline.envs.spec import ActionSpec
from trunkline.errors import InputError


@head("t3_mask")
class T3MaskHead(TokenHead):
    """Each patch's token to cells × cells logits of contact, (B, rows · cells, columns · cells), by an MLP.

    Args:
        width: D.
        action: not needed.
        cells: mask pixels along a side of a patch.
        hidden: widths of the hidden layers.
        dropout: between them, in training.
    """

    def __init__(
        self,
        width: int,
        action: ActionSpec | None = None,
        *,
        cells: int = 1,
        hidden: Sequence[int] = (128,),
        dropout: float = 0.1,
    ) -> None:
        super().__init__(width, action)
        if cells < 1:
            raise InputError(f"head 't3_mask': cells={cells} must be at least 1")
        self.cells, self.hidden, self.dropout = cells, tuple(hidden), dropout
        self.model = silu_mlp(width, hidden, cells * cells, dropout)

    def forward(self, *tokens: Any, grid: Grid | None = None) -> Tensor:
        """Tokens (B, 1 + rows · columns, D) to logits (B, rows · cells, columns · cells)."""
        logits = self.model(patch_map(tokens[0], grid).permute(0, 2, 3, 1))
        return F.pixel_shuffle(logits.permute(0, 3, 1, 2), self.cells)[:, 0]

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Binary cross-entropy with masks (B, height, width) of any size, as shares of contact in each cell."""
        rows, columns = outputs.shape[1:]
        shares = F.adaptive_avg_pool2d(targets.float().unsqueeze(1), (rows, columns))[:, 0]
        return F.binary_cross_entropy_with_logits(outputs.float(), shares)

    def predict(self, outputs: Tensor) -> Tensor:
        """Logits to masks, bool, of the same shape."""
        return outputs > 0
