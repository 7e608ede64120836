"""The default trunk: a pre-norm transformer over the tokens of all sensors.

Legend: B batch, N tokens, D width, H attention heads.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from trunkline.agents.layers import linear
from trunkline.agents.registry import trunk
from trunkline.agents.trunks.base import Trunk, mean_token
from trunkline.errors import InputError


class Block(nn.Module):
    """Pre-norm self-attention and MLP: x + attention(norm(x)), then x + mlp(norm(x)).

    Args:
        width: D.
        heads: H; divides D.
        mlp_ratio: the MLP's hidden width over D.
        dropout: after each of the two, in training.
    """

    def __init__(self, width: int, heads: int, mlp_ratio: float = 2.0, dropout: float = 0.0) -> None:
        super().__init__()
        if width % heads:
            raise InputError(f"width {width} must be a multiple of the number of attention heads {heads}")
        hidden = max(1, int(width * mlp_ratio))
        self.heads = heads
        self.norm_attention = nn.LayerNorm(width)
        self.query = linear(width, width)
        self.key_value = linear(width, 2 * width)
        self.project = linear(width, width)
        self.norm_mlp = nn.LayerNorm(width)
        self.mlp = nn.Sequential(linear(width, hidden), nn.GELU(), linear(hidden, width))
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Tensor, attend: Tensor | None = None, first_only: bool = False) -> Tensor:
        """Tokens (B, N, D) to tokens (B, N, D).

        Args:
            tokens: (B, N, D).
            attend: (B, 1, 1, N) bool, the tokens that may be attended to; None for all.
            first_only: compute the first token alone, (B, 1, D), at a fraction of the cost.
        """
        batch, count, width = tokens.shape
        normed = self.norm_attention(tokens)
        keys_values = self.key_value(normed).view(batch, count, 2, self.heads, width // self.heads)
        key, value = keys_values.permute(2, 0, 3, 1, 4).unbind(0)
        if first_only:
            tokens, normed = tokens[:, :1], normed[:, :1]
        query = self.query(normed).view(batch, normed.shape[1], self.heads, -1).transpose(1, 2)
        mixed: Tensor = F.scaled_dot_product_attention(query, key, value, attn_mask=attend)
        tokens = tokens + self.dropout(self.project(mixed.transpose(1, 2).flatten(2)))
        mixed = self.dropout(self.mlp(self.norm_mlp(tokens)))
        return tokens + mixed


@trunk("transformer")
class TransformerTrunk(Trunk):
    """A stack of blocks with a learned readout token; with no block, a pool of the tokens.

    Args:
        width: D.
        depth: number of blocks.
        heads: attention heads a block.
        mlp_ratio: see `Block`.
        dropout: see `Block`.
    """

    def __init__(self, width: int, depth: int, heads: int, mlp_ratio: float = 2.0, dropout: float = 0.0) -> None:
        super().__init__()
        self.depth = depth
        if depth:
            self.readout_token = nn.Parameter(torch.empty(1, 1, width).normal_(std=0.02))
            self.blocks = nn.ModuleList(Block(width, heads, mlp_ratio, dropout) for _ in range(depth))
            self.norm = nn.LayerNorm(width)

    def forward(self, tokens: Tensor, padding: Tensor | None = None) -> Tensor:
        """Tokens (B, N, D) to tokens (B, N, D).

        Args:
            tokens: (B, N, D).
            padding: (B, N) bool, True where a token is missing; what comes out there means nothing.
        """
        if not self.depth:
            return tokens
        attend = None if padding is None else ~padding[:, None, None, :]
        for block in self.blocks:
            tokens = block(tokens, attend)
        normed: Tensor = self.norm(tokens)
        return normed

    def readout(self, tokens: Tensor, padding: Tensor | None = None, lengths: Sequence[int] | None = None) -> Tensor:
        """Tokens (B, N, D), some maybe missing, to features (B, D).

        The features are the readout token's output; with depth 0, GELU of the mean of the tokens that are there.
        """
        if not self.depth:
            return F.gelu(mean_token(tokens, padding))
        tokens = torch.cat([self.readout_token.expand(len(tokens), -1, -1), tokens], dim=1)
        attend = None if padding is None else ~F.pad(padding, (1, 0))[:, None, None, :]
        for block in self.blocks[:-1]:
            tokens = block(tokens, attend)
        tokens = self.blocks[-1](tokens, attend, first_only=True)
        features: Tensor = self.norm(tokens[:, 0])
        return features
