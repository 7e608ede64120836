"""Images of touch sensors: T3's encoder, a ViT without a final norm ("Transferable Tactile Transformers", CoRL 2024).

Its tensors have the names and shapes of the published weights: cls_token, pos_embed, patch_embed.proj, blocks.

Legend: B batch, P patches, V values a patch, D width.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from trunkline.agents.encoders.base import require_positive, require_rank
from trunkline.agents.encoders.patches import PatchEncoder, cut_squares
from trunkline.agents.registry import encoder
from trunkline.agents.vit_blocks import grid_positions, resample_positions
from trunkline.envs.spec import SensorSpec
from trunkline.errors import InputError

EPS, MAE_EPS = 1e-6, 1e-5


@encoder("t3")
class T3Encoder(PatchEncoder):
    """Images (B, H, W, C) of flat gels and domes, any size and number of channels, to (B, 1 + P, D).

    Args:
        spec: a sensor with three axes. Sides that the patch does not divide are resampled to the nearest multiple.
        width: D.
        patch: side of a patch in pixels.
        depth: transformer blocks.
        heads: attention heads; None for one in 64 of the width.
        mlp_ratio: hidden width of a block's MLP over D.
        mae: T3's variant for masked autoencoding: norms' eps 1e-5 and frozen sine-cosine positions. Otherwise 1e-6, and
            positions that are learned from there. The tensors are the same.
        positions: rows and columns that the position embedding holds, None for those of the image; where the image has
            others it is interpolated, so that weights serve images of any resolution.
        checkpointing: compute each block again in the backward pass, for less memory.
    """

    modalities = ("tactile_rgb",)
    axes = 3

    def __init__(
        self,
        spec: SensorSpec,
        width: int,
        *,
        patch: int = 16,
        depth: int = 3,
        heads: int | None = None,
        mlp_ratio: float = 4.0,
        mae: bool = False,
        positions: Sequence[int] | None = None,
        checkpointing: bool = False,
    ) -> None:
        require_rank("t3", spec, 3, "images (H, W, C)")
        require_positive("t3", patch=patch, depth=depth)
        super().__init__(spec, width, checkpointing=checkpointing)
        rows, columns, channels = spec.shape
        self.grid = (max(1, round(rows / patch)), max(1, round(columns / patch)))
        self.patch, self.patch_values = patch, patch * patch * channels
        self.embedded_grid = self.grid if positions is None else _pair(positions)
        table = grid_positions(*self.embedded_grid, width)
        if mae:
            self.register_buffer("pos_embed", table)  # no parameter, so that nothing that unfreezes the part trains it
        else:
            self.pos_embed = nn.Parameter(table)
        self.patch_embed = PatchEmbedding(channels, width, patch)
        self.add_blocks(depth, heads, mlp_ratio, MAE_EPS if mae else EPS)

    def cut(self, readings: Tensor) -> Tensor:
        """Normalised images (B, H, W, C) to (B, P, V), a patch's values by row, column and channel."""
        (rows, columns), side = self.grid, self.patch
        if readings.shape[1:3] != (rows * side, columns * side):
            size = (rows * side, columns * side)
            images = F.interpolate(readings.permute(0, 3, 1, 2), size, mode="bilinear", antialias=True)
            readings = images.permute(0, 2, 3, 1)
        return cut_squares(readings, side)

    def embed(self, patches: Tensor) -> Tensor:
        """Patches (B, P, V) to (B, P, D)."""
        tokens: Tensor = self.patch_embed(patches)
        return tokens

    def positions(self) -> Tensor:
        """The position embedding on the image's grid, (1, 1 + P, D)."""
        return resample_positions(self.pos_embed, self.embedded_grid, self.grid)


class PatchEmbedding(nn.Module):
    """A convolution whose stride is its kernel, as the matrix product that it is, so that patches may be missing.

    Args:
        channels: C.
        width: D.
        patch: side of a patch in pixels.
    """

    def __init__(self, channels: int, width: int, patch: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(channels, width, patch, patch)
        with torch.no_grad():
            nn.init.xavier_uniform_(self.proj.weight.view(width, -1))
            self.proj.bias = nn.Parameter(torch.zeros(width))

    def forward(self, patches: Tensor) -> Tensor:
        """Patches (B, P, V) to (B, P, D)."""
        return F.linear(patches, self.proj.weight.permute(0, 2, 3, 1).flatten(1), self.proj.bias)


def _pair(value: Sequence[int]) -> tuple[int, int]:
    if len(value) != 2 or not all(isinstance(n, int) and n > 0 for n in value):
        raise InputError(f"encoder 't3': positions={value!r} must be [rows, columns]")
    return value[0], value[1]
