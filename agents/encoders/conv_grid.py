"""Images: convolutions to a grid of tokens, cheap enough for a CPU.

"Early convolutions help transformers see better" (NeurIPS 2021): a few strided convolutions instead of one large patch.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from trunkline.agents.encoders.base import Encoder, require_positive, require_rank
from trunkline.agents.registry import encoder
from trunkline.envs.spec import SensorSpec
from trunkline.errors import InputError


@encoder("conv_grid")
class ConvGridEncoder(Encoder):
    """Images (B, H, W, C), any number of channels, to a token a patch, (B, N, D).

    The first convolution cuts the image into squares of `stem` pixels, each further one halves the grid, and the last,
    which makes the tokens, joins squares of `pool` cells: by default patches of 16 pixels, 16 tokens at 64 pixels.

    Args:
        spec: a sensor with three axes.
        width: D.
        channels: of the convolutions.
        stem: stride of the first one, pixels.
        pool: side of the square of cells that makes a token.

    Attributes:
        cell: side of a cell of the convolutions' last map, pixels.
    """

    def __init__(
        self,
        spec: SensorSpec,
        width: int,
        *,
        channels: Sequence[int] = (32, 64),
        stem: int = 4,
        pool: int = 2,
    ) -> None:
        super().__init__(spec, width)
        require_rank("conv_grid", spec, 3, "images (H, W, C)")
        require_positive("conv_grid", channels=channels, stem=stem, pool=pool)
        rows, columns, _ = spec.shape
        self.cell = stem * 2 ** (len(channels) - 1)
        patch = self.cell * pool
        if rows % patch or columns % patch:
            raise InputError(
                f"encoder 'conv_grid': patches of {patch} pixels do not divide the {rows}×{columns} images of sensor "
                f"{spec.name!r}; a patch is stem={stem} · 2 ** (convolutions − 1 = {len(channels) - 1}) · pool={pool}"
            )
        layers: list[nn.Module] = [nn.Conv2d(self._picture_channels(), channels[0], stem, stem), nn.GELU()]
        for before, after in pairwise(channels):
            layers += [nn.Conv2d(before, after, 3, 2, 1), nn.GELU()]
        self.picture = nn.Sequential(*layers)
        self.join = nn.Conv2d(channels[-1], width, pool, pool)
        count = (rows // patch) * (columns // patch)
        self.positions = nn.Parameter(torch.empty(1, count, width).normal_(std=0.02))
        self.norm = nn.LayerNorm(width)

    def _picture_channels(self) -> int:
        return self.spec.shape[2]

    def cells(self, images: Tensor) -> Tensor:
        """Normalised images (B, C, H, W) to the convolutions' last map."""
        cells: Tensor = self.picture(images)
        return cells

    def tokens(self, readings: Tensor) -> Tensor:
        """Normalised images (B, H, W, C) to (B, N, D), row by row."""
        images = readings.permute(0, 3, 1, 2)  # a view in channels-last order, which convolutions like
        tokens: Tensor = self.norm(self.join(self.cells(images)).flatten(2).transpose(1, 2))
        return tokens + self.positions
