"""Images: convolutions and a spatial softmax, one token.

The network of "Inverse dynamics pretraining learns good representations for multitask imitation" (NeurIPS 2023):
four 3×3 convolutions with GELU, a 1×1 convolution to keypoint maps, whose expected positions under a spatial softmax go
through a linear layer with LayerNorm and tanh.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from trunkline.agents.encoders.base import Encoder, require_positive, require_rank
from trunkline.agents.registry import encoder
from trunkline.envs.spec import SensorSpec
from trunkline.errors import InputError

KERNEL = 3
SMALL, LARGE = 12, 32


@encoder("conv")
class ConvEncoder(Encoder):
    """Images (B, H, W, C), any number of channels, to one token (B, 1, D).

    Args:
        spec: a sensor with three axes.
        width: D.
        channels: of the convolutions.
        strides: of the convolutions; None adapts them to the image: 2, 2, 1, 1 at 64 or 84 pixels, fewer reductions for
            smaller images, more for larger ones.
        keypoints: maps whose expected positions are read out.
    """

    def __init__(
        self,
        spec: SensorSpec,
        width: int,
        *,
        channels: Sequence[int] = (32, 64, 128, 256),
        strides: Sequence[int] | None = None,
        keypoints: int = 256,
    ) -> None:
        super().__init__(spec, width)
        require_rank("conv", spec, 3, "images (H, W, C)")
        require_positive("conv", channels=channels, keypoints=keypoints)
        inputs = spec.shape[2]
        plan, (rows, columns) = _plan(spec, channels, strides)
        layers: list[nn.Module] = []
        for outputs, (stride, padding) in zip(channels, plan, strict=True):
            layers += [nn.Conv2d(inputs, outputs, KERNEL, stride, padding), nn.GELU()]
            inputs = outputs
        self.layers = nn.Sequential(*layers, nn.Conv2d(inputs, keypoints, 1))
        grid = torch.cartesian_prod(_axis(rows), _axis(columns))
        self.register_buffer("grid", grid, persistent=False)  # (rows · columns, 2)
        self.project = nn.Sequential(nn.Linear(2 * keypoints, width), nn.LayerNorm(width), nn.Tanh())

    def tokens(self, readings: Tensor) -> Tensor:
        """Normalised images (B, H, W, C) to (B, 1, D)."""
        maps = self.layers(readings.permute(0, 3, 1, 2))  # a view in channels-last order, which convolutions like
        positions = maps.flatten(2).softmax(-1) @ self.grid
        token: Tensor = self.project(positions.flatten(1))
        return token.unsqueeze(1)


def _axis(count: int) -> Tensor:
    return torch.linspace(-1, 1, count) if count > 1 else torch.zeros(1)


def _plan(
    spec: SensorSpec, channels: Sequence[int], strides: Sequence[int] | None
) -> tuple[list[tuple[int, int]], tuple[int, int]]:
    """(stride, padding) of every convolution, and the size of the last map."""
    if strides is not None:
        require_positive("conv", strides=strides)
        if len(strides) != len(channels):
            raise InputError(f"encoder 'conv': {len(strides)} strides for {len(channels)} channels; give one for each")
    size = spec.shape[:2]
    plan: list[tuple[int, int]] = []
    for layer in range(len(channels)):
        side = min(size)
        stride = strides[layer] if strides is not None else 2 if side >= (SMALL if layer < 2 else LARGE + 1) else 1
        padding = 0 if side > KERNEL * 2 else 1
        size = ((size[0] + 2 * padding - KERNEL) // stride + 1, (size[1] + 2 * padding - KERNEL) // stride + 1)
        plan.append((stride, padding))
    return plan, (size[0], size[1])
