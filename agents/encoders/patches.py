"""Encoders that give a CLS token and a token a patch, and the hiding of patches for masked autoencoding.

Legend: B batch, P patches, K patches that are kept, V values a patch, D width.
"""

from abc import abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from trunkline.agents.encoders.base import Encoder
from trunkline.agents.vit_blocks import VitBlock, initialise, run_blocks
from trunkline.envs.spec import SensorSpec
from trunkline.errors import InputError

MASK_RATIO = 0.4


@dataclass(frozen=True)
class PatchMask:
    """Which patches of each row an encoder sees.

    Attributes:
        keep: (B, K) int64, the patches it sees, in random order.
        restore: (B, P) int64: where each patch is among the kept ones followed by the hidden ones.
        hidden: (B, P) bool, the patches it does not see.
    """

    keep: Tensor
    restore: Tensor
    hidden: Tensor

    @classmethod
    def draw(
        cls,
        batch: int,
        patches: int,
        ratio: float = MASK_RATIO,
        *,
        generator: torch.Generator | None = None,
        device: torch.device | str = "cpu",
    ) -> "PatchMask":
        """Hide a share of the patches, other ones in each row.

        Args:
            batch: B.
            patches: P.
            ratio: share that is hidden; at least one patch is kept and one hidden.
            generator: on the CPU, so that every device hides the same patches; torch's global one by default.
            device: where the mask is needed.

        Raises:
            InputError: a ratio outside (0, 1), or fewer than two patches.
        """
        if not 0 < ratio < 1:
            raise InputError(f"mask ratio {ratio} must be in (0, 1)")
        if patches < 2:
            raise InputError(f"{patches} patch cannot be both kept and hidden; use smaller patches")
        kept = min(max(1, int(patches * (1 - ratio))), patches - 1)
        order = torch.rand(batch, patches, generator=generator).argsort(1)
        restore = order.argsort(1)
        keep, restore, hidden = (t.to(device) for t in (order[:, :kept], restore, restore >= kept))
        return cls(keep, restore, hidden)


class PatchEncoder(Encoder):
    """Readings (B, *shape) to a CLS token and a token a patch, (B, 1 + P, D), through transformer blocks.

    A subclass cuts patches and embeds them with their places. The CLS token is the sensor's own, so no embedding marks
    the sensor besides.

    Args:
        spec: the sensor.
        width: D.
        checkpointing: see `vit_blocks.run_blocks`.

    Attributes:
        grid: rows and columns of its patches; P = rows · columns.
        patch_values: V.
    """

    marks = False
    grid: tuple[int, int]
    patch_values: int
    blocks: nn.ModuleList

    def __init__(self, spec: SensorSpec, width: int, *, checkpointing: bool = False) -> None:
        super().__init__(spec, width)
        self.checkpointing = checkpointing
        self.cls_token = nn.Parameter(torch.empty(1, 1, width).normal_(std=0.02))

    def add_blocks(self, depth: int, heads: int | None, mlp_ratio: float, eps: float) -> None:
        """Make the blocks; a subclass does so last, because published weights have them last.

        Args:
            depth: transformer blocks.
            heads: attention heads; None for one in 64 of the width.
            mlp_ratio: hidden width of a block's MLP over D.
            eps: of the norms.
        """
        heads = max(1, self.width // 64) if heads is None else heads
        self.blocks = nn.ModuleList(VitBlock(self.width, heads, mlp_ratio, eps) for _ in range(depth))
        initialise(self.blocks)

    @property
    def count(self) -> int:
        """P."""
        return self.grid[0] * self.grid[1]

    @abstractmethod
    def cut(self, readings: Tensor) -> Tensor:
        """Normalised readings (B, *shape) to patches (B, P, V)."""

    @abstractmethod
    def embed(self, patches: Tensor) -> Tensor:
        """Patches (B, P, V) to tokens (B, P, D), without their places."""

    @abstractmethod
    def positions(self) -> Tensor:
        """Embeddings of the places of the CLS token and the patches, (1, 1 + P, D)."""

    def patches(self, readings: Tensor) -> Tensor:
        """Raw readings (B, *shape) to normalised patches (B, P, V), what masked autoencoding predicts."""
        return self.cut(self.normalised(readings))

    def tokens(self, readings: Tensor) -> Tensor:
        """Normalised readings (B, *shape) to (B, 1 + P, D)."""
        return self._encode(self.cut(readings), None)

    def forward(self, readings: Tensor, keep: Tensor | None = None) -> Tensor:
        """Raw readings (B, *shape) to (B, 1 + P, D), or of the patches in `keep` (B, K) alone to (B, 1 + K, D).

        Raises:
            InputError: readings of another shape.
        """
        return self._encode(self.patches(readings), keep)

    def _encode(self, patches: Tensor, keep: Tensor | None) -> Tensor:
        positions = self.positions()
        cells = positions[:, 1:]
        if keep is not None:
            patches = patches.gather(1, keep.unsqueeze(-1).expand(-1, -1, patches.shape[-1]))
            cells = F.embedding(keep, cells[0])
        tokens = self.embed(patches) + cells
        first = (self.cls_token + positions[:, :1]).expand(len(tokens), -1, -1)
        return run_blocks(self.blocks, torch.cat([first, tokens], dim=1), None, self.checkpointing)


def cut_squares(array: Tensor, side: int) -> Tensor:
    """Images or grids (B, H, W, C) to squares (B, P, V) row by row, V = side · side · C by row, column and channel."""
    batch, height, width, channels = array.shape
    rows, columns = height // side, width // side
    cells = array.reshape(batch, rows, side, columns, side, channels).permute(0, 1, 3, 2, 4, 5)
    return cells.reshape(batch, rows * columns, side * side * channels)
