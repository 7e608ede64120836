"""Vision-transformer blocks with the names and numbers of published ViT weights, and embeddings of positions.

"An image is worth 16×16 words" (ICLR 2021), "Masked autoencoders are scalable vision learners" (CVPR 2022).

Legend: B batch, N tokens, D width, H attention heads, P places.
"""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from trunkline.errors import InputError

WAVELENGTHS = 10000.0


class Attention(nn.Module):
    """Multi-head self-attention with one matrix for queries, keys and values.

    Args:
        width: D.
        heads: H; divides D.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        if heads < 1 or width % heads:
            raise InputError(f"width {width} must be a multiple of the number of attention heads {heads}")
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, tokens: Tensor, attend: Tensor | None = None, asking: Tensor | None = None) -> Tensor:
        """Tokens (B, N, D) to tokens (B, N, D).

        Args:
            tokens: (B, N, D), those that are attended to.
            attend: (B, 1, 1, N) bool, those of them that may be attended to; None for all.
            asking: (B, Q, D), the tokens that attend, for an output (B, Q, D); None for all of `tokens`.
        """
        width = tokens.shape[-1]
        if asking is None:
            query, key, value = self._heads(self.qkv(tokens), 3)
        else:
            weight, bias = self.qkv.weight, self.qkv.bias
            query = self._heads(F.linear(asking, weight[:width], bias[:width]), 1)[0]
            key, value = self._heads(F.linear(tokens, weight[width:], bias[width:]), 2)
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=attend)
        projected: Tensor = self.proj(mixed.transpose(1, 2).flatten(2))
        return projected

    def _heads(self, tokens: Tensor, parts: int) -> tuple[Tensor, ...]:
        """(B, N, parts · D) to as many (B, H, N, D / H)."""
        batch, count, _ = tokens.shape
        return tokens.view(batch, count, parts, self.heads, -1).permute(2, 0, 3, 1, 4).unbind(0)


class Mlp(nn.Module):
    """Two linear layers with GELU between them."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """(…, D) to (…, D)."""
        output: Tensor = self.fc2(F.gelu(self.fc1(tokens)))
        return output


class VitBlock(nn.Module):
    """Pre-norm self-attention and MLP: x + attn(norm1(x)), then x + mlp(norm2(x)).

    Args:
        width: D.
        heads: H; divides D.
        mlp_ratio: the MLP's hidden width over D.
        eps: of the norms.
        dropout: after each of the two, in training.
    """

    def __init__(self, width: int, heads: int, mlp_ratio: float = 4.0, eps: float = 1e-6, dropout: float = 0.0) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps)
        self.attn = Attention(width, heads)
        self.norm2 = nn.LayerNorm(width, eps)
        self.mlp = Mlp(width, max(1, int(width * mlp_ratio)))
        self.dropout = dropout

    def forward(self, tokens: Tensor, attend: Tensor | None = None, only: Sequence[int] | None = None) -> Tensor:
        """Tokens (B, N, D) to tokens (B, N, D).

        Args:
            tokens: (B, N, D).
            attend: (B, 1, 1, N) bool, the tokens that may be attended to; None for all.
            only: compute the tokens at these indices alone, (B, len(only), D), at a fraction of the cost.
        """
        normed = self.norm1(tokens)
        if only is None:
            tokens = tokens + self._drop(self.attn(normed, attend))
        else:
            chosen = torch.tensor(only, device=tokens.device)
            asking = normed.index_select(1, chosen)
            tokens = tokens.index_select(1, chosen) + self._drop(self.attn(normed, attend, asking))
        return tokens + self._drop(self.mlp(self.norm2(tokens)))

    def _drop(self, tokens: Tensor) -> Tensor:
        return F.dropout(tokens, self.dropout, self.training) if self.dropout else tokens


def run_blocks(
    blocks: Iterable[nn.Module], tokens: Tensor, attend: Tensor | None = None, checkpointing: bool = False
) -> Tensor:
    """Tokens (B, N, D) through blocks in turn.

    Args:
        blocks: see `VitBlock`.
        tokens: (B, N, D).
        attend: (B, 1, 1, N) bool.
        checkpointing: compute each block again in the backward pass instead of keeping what it computed: memory of one
            block instead of all, for a third more time.

    Under autocast tokens go from block to block in its type.
    """
    if torch.is_autocast_enabled(tokens.device.type):
        # What norms and sums read and write counts for more than what they compute.
        tokens = tokens.to(torch.get_autocast_dtype(tokens.device.type))
    for block in blocks:
        if checkpointing and torch.is_grad_enabled():
            tokens = checkpoint(block, tokens, attend, use_reentrant=False)
        else:
            tokens = block(tokens, attend)
    return tokens


def initialise(module: nn.Module) -> None:
    """Xavier-uniform weights of the linear layers and no biases, as MAE and T3's trunk begin."""
    for part in module.modules():
        if isinstance(part, nn.Linear):
            nn.init.xavier_uniform_(part.weight)
            nn.init.zeros_(part.bias)


def grid_positions(rows: int, columns: int, width: int) -> Tensor:
    """Sine-cosine embeddings (1, 1 + rows · columns, D) of a CLS token (zeros) and the cells of a grid, row by row.

    Half of the width embeds the column, half the row, each as sines then cosines of frequencies 10000^(−4i/D).

    Raises:
        InputError: a width that is no multiple of four.
    """
    if width % 4:
        raise InputError(f"width {width} must be a multiple of 4 to embed positions by sines and cosines")
    row, column = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    frequencies = WAVELENGTHS ** (-torch.arange(width // 4, dtype=torch.float64) / (width / 4))
    angles = [place.reshape(-1, 1).double() * frequencies for place in (column, row)]
    cells = torch.cat([f(angle) for angle in angles for f in (torch.sin, torch.cos)], dim=1)
    return F.pad(cells, (0, 0, 1, 0)).float().unsqueeze(0)


def resample_positions(positions: Tensor, grid: tuple[int, int], wanted: tuple[int, int]) -> Tensor:
    """Positions of one grid as those of another, bicubically; the CLS token's stays.

    Args:
        positions: (1, 1 + rows · columns, D).
        grid: the rows and columns they were made for.
        wanted: other rows and columns.
    """
    if tuple(grid) == tuple(wanted):
        return positions
    cells = positions[:, 1:].reshape(1, *grid, -1).permute(0, 3, 1, 2)
    cells = F.interpolate(cells.float(), wanted, mode="bicubic", align_corners=False).to(positions.dtype)
    return torch.cat([positions[:, :1], cells.permute(0, 2, 3, 1).flatten(1, 2)], dim=1)


class PlaceEmbedding(nn.Module):
    """Places in millimetres to (P, D): sines and cosines of wavelengths from `finest` upwards, then a linear layer.

    It knows no grid and no number of places, so what it learned on one array serves another.

    Args:
        width: D.
        axes: coordinates of a place.
        bands: octaves, from the finest wavelength to 2^(bands − 1) times it.
        finest: shortest wavelength, mm.
    """

    frequencies: Tensor

    def __init__(self, width: int, axes: int = 2, bands: int = 8, finest: float = 2.0) -> None:
        super().__init__()
        frequencies = 2 * torch.pi / (finest * 2.0 ** torch.arange(bands))
        self.register_buffer("frequencies", frequencies, persistent=False)
        self.linear = nn.Linear(2 * axes * bands, width)

    def forward(self, places: Tensor) -> Tensor:
        """(P, axes) to (P, D)."""
        angles = (places.unsqueeze(-1) * self.frequencies).flatten(1)
        embedded: Tensor = self.linear(torch.cat([angles.sin(), angles.cos()], dim=1))
        return embedded
