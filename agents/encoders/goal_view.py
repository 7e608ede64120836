"""A goal that needs no words: a picture of the target from elsewhere, and the target's mask in it.

After "ROCKET-2: Steering visuomotor policy via cross-view goal alignment" (2025): tokens of the mask are joined to
those of the picture patch by patch, and the trunk compares them with the present view.

Legend: B batch, C channels of the picture's cells, M of the mask's, D width.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from trunkline.agents.encoders.base import require_positive
from trunkline.agents.encoders.conv_grid import ConvGridEncoder
from trunkline.agents.encoders.distinct import distinct_rows
from trunkline.agents.registry import encoder
from trunkline.envs.spec import SensorSpec
from trunkline.errors import InputError

PICTURE = 3  # channels before the mask's


@encoder("goal_view")
class GoalViewEncoder(ConvGridEncoder):
    """A picture with a mask, (B, H, W, 4): RGB and 0 or 255, to a token a patch, (B, N, D).

    The picture goes through the convolutions of "conv_grid", the mask through one linear map a cell; the two are
    concatenated and projected in each cell, before cells are joined to patches. A goal that stands in several rows of a
    batch is encoded once.

    Args:
        spec: a sensor with four channels.
        width: D.
        channels, stem, pool: see `ConvGridEncoder`.
        mask_channels: M.
    """

    modalities = ("goal_view",)
    axes = 3

    def __init__(
        self,
        spec: SensorSpec,
        width: int,
        *,
        channels: Sequence[int] = (32, 64),
        stem: int = 4,
        pool: int = 2,
        mask_channels: int = 16,
    ) -> None:
        if len(spec.shape) != 3 or spec.shape[2] != PICTURE + 1:
            raise InputError(
                f"encoder 'goal_view' takes pictures with a mask (H, W, 4), sensor {spec.name!r} has shape {spec.shape}"
            )
        super().__init__(spec, width, channels=channels, stem=stem, pool=pool)
        require_positive("goal_view", mask_channels=mask_channels)
        self.mask = nn.Sequential(nn.Conv2d(1, mask_channels, self.cell, self.cell), nn.GELU())
        self.fuse = nn.Sequential(nn.Conv2d(channels[-1] + mask_channels, channels[-1], 1), nn.GELU())

    def forward(self, readings: Tensor) -> Tensor:
        """Raw readings (B, H, W, 4) to tokens (B, N, D); see `Encoder.forward`."""
        found = distinct_rows(readings)
        if found is None:
            return super().forward(readings)
        first, inverse = found
        return super().forward(readings[first])[inverse]

    def _picture_channels(self) -> int:
        return PICTURE

    def cells(self, images: Tensor) -> Tensor:
        """Normalised pictures with their masks (B, 4, H, W) to cells that hold both."""
        picture, mask = self.picture(images[:, :PICTURE]), self.mask(images[:, PICTURE:])
        fused: Tensor = self.fuse(torch.cat([picture, mask], dim=1))
        return fused
