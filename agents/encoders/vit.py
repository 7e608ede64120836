"""Images: a small vision transformer, one token a patch ("An image is worth 16×16 words", ICLR 2021)."""

import torch
from torch import Tensor, nn

from trunkline.agents.encoders.base import Encoder, require_positive, require_rank
from trunkline.agents.registry import encoder
from trunkline.agents.trunks.transformer import Block
from trunkline.envs.spec import SensorSpec
from trunkline.errors import InputError


@encoder("vit")
class VitEncoder(Encoder):
    """Images (B, H, W, C), any number of channels, to a token a patch, (B, N, D).

    Args:
        spec: a sensor with three axes.
        width: D.
        patch: side of a patch in pixels; divides both sides of the image.
        depth: transformer blocks.
        heads: attention heads; divides D.
        mlp_ratio: hidden width of a block's MLP over D.
        pool: give the mean of the patches' tokens, (B, 1, D), instead of all of them.
    """

    def __init__(
        self,
        spec: SensorSpec,
        width: int,
        *,
        patch: int = 8,
        depth: int = 2,
        heads: int = 4,
        mlp_ratio: float = 2.0,
        pool: bool = False,
    ) -> None:
        super().__init__(spec, width)
        require_rank("vit", spec, 3, "images (H, W, C)")
        require_positive("vit", patch=patch, depth=depth, heads=heads)
        rows, columns, channels = spec.shape
        if rows % patch or columns % patch:
            common = [n for n in range(2, min(rows, columns) + 1) if rows % n == 0 and columns % n == 0]
            raise InputError(
                f"encoder 'vit': patch={patch} does not divide the {rows}×{columns} images of sensor {spec.name!r}; "
                f"one of {', '.join(map(str, common)) or 1} does"
            )
        self.pool = pool
        self.patches = nn.Conv2d(channels, width, patch, patch)
        count = (rows // patch) * (columns // patch)
        self.positions = nn.Parameter(torch.empty(1, count, width).normal_(std=0.02))
        self.blocks = nn.ModuleList(Block(width, heads, mlp_ratio) for _ in range(depth))
        self.norm = nn.LayerNorm(width)

    def tokens(self, readings: Tensor) -> Tensor:
        """Normalised images (B, H, W, C) to (B, N, D)."""
        tokens: Tensor = self.patches(readings.permute(0, 3, 1, 2)).flatten(2).transpose(1, 2) + self.positions
        for block in self.blocks:
            tokens = block(tokens)
        tokens = self.norm(tokens)
        return tokens.mean(1, keepdim=True) if self.pool else tokens
