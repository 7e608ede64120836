"""T3's trunk: ViT blocks and a final norm, shared by all touch sensors and tasks.

Legend: B batch, N tokens, D width.
"""

from collections.abc import Sequence
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from trunkline.agents.registry import trunk
from trunkline.agents.trunks.base import Trunk, mean_token
from trunkline.agents.vit_blocks import VitBlock, initialise, run_blocks
from trunkline.errors import InputError, unknown

Pooling = Literal["none", "global", "cls"]
EPS = 1e-5


@trunk("t3")
class T3Trunk(Trunk):
    """A ViT's blocks, with the names and shapes of T3's published trunk: blocks, norm.

    Args:
        width: D.
        depth: number of blocks; 9 in T3.
        heads: attention heads a block.
        mlp_ratio: hidden width of a block's MLP over D.
        dropout: after attention and MLP of each block, in training.
        pooling: what `readout` gives of the tokens: "cls", the mean over the sensors of each one's first token, after
            the final norm; "global", the mean of all other tokens before it, as T3 has it; "none", an error, for
            agents whose heads pool the tokens themselves.
        checkpointing: compute each block again in the backward pass, for less memory.
    """

    def __init__(
        self,
        width: int,
        depth: int = 9,
        heads: int = 12,
        mlp_ratio: float = 4.0,
        dropout: float = 0.0,
        *,
        pooling: Pooling = "cls",
        checkpointing: bool = False,
    ) -> None:
        super().__init__()
        if pooling not in get_args(Pooling):
            raise unknown("pooling of trunk 't3'", str(pooling), get_args(Pooling))
        if depth < 1:
            raise InputError(f"trunk 't3' of depth={depth} must have at least one block")
        self.pooling, self.checkpointing = pooling, checkpointing
        self.blocks = nn.ModuleList(VitBlock(width, heads, mlp_ratio, EPS, dropout) for _ in range(depth))
        self.norm = nn.LayerNorm(width, EPS)
        initialise(self.blocks)

    def forward(self, tokens: Tensor, padding: Tensor | None = None) -> Tensor:
        """Tokens (B, N, D), some maybe missing, to tokens (B, N, D) after the final norm."""
        normed: Tensor = self.norm(self._run(tokens, padding))
        return normed

    def readout(self, tokens: Tensor, padding: Tensor | None = None, lengths: Sequence[int] | None = None) -> Tensor:
        """Tokens (B, N, D), some maybe missing, to features (B, D), as `pooling` says.

        Raises:
            InputError: pooling "none".
        """
        if self.pooling == "none":
            raise InputError("trunk 't3' with pooling=none has no features; set trunk_options.pooling to cls or global")
        lengths = [tokens.shape[1]] if lengths is None else lengths
        if self.pooling == "global":
            patches = torch.tensor(_patches(lengths), device=tokens.device)
            chosen = self._run(tokens, padding).index_select(1, patches)
            return mean_token(chosen, None if padding is None else padding.index_select(1, patches))
        starts = [sum(lengths[:i]) for i in range(len(lengths))]
        firsts = self.norm(self._run(tokens, padding, starts))
        return mean_token(firsts, None if padding is None else padding[:, starts])

    def _run(self, tokens: Tensor, padding: Tensor | None, only: Sequence[int] | None = None) -> Tensor:
        attend = None if padding is None else ~padding[:, None, None, :]
        tokens = run_blocks(self.blocks[:-1], tokens, attend, self.checkpointing)
        last: Tensor = self.blocks[-1](tokens, attend, only)
        return last


def _patches(lengths: Sequence[int]) -> list[int]:
    """Indices of all tokens but the first of each sensor; a sensor's only token counts."""
    indices: list[int] = []
    start = 0
    for length in lengths:
        indices += range(start + (length > 1), start + length)
        start += length
    return indices
