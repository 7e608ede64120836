"""How an object moved between two touches: T3's pose head.

Legend: B batch, N tokens, D width, K outputs.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from trunkline.agents.heads.touch import Grid, Scale, TokenHead, patch_map, silu_mlp
from trunkline.agents.registry import head
from trunkline.envs.spec import ActionSpec


class BasicBlock(nn.Module):
    """Two 3×3 convolutions around a residual ("Deep residual learning for image recognition", CVPR 2016).

    Args:
        channels: in and out.
        stride: of the first convolution; beyond 1 the residual goes through a strided 1×1 convolution.
    """

    def __init__(self, channels: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        if stride > 1:
            shortcut = nn.Conv2d(channels, channels, 1, stride, bias=False)
            self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(channels))
        self.strided = stride > 1

    def forward(self, maps: Tensor) -> Tensor:
        """(B, D, rows, columns) to (B, D, rows / stride, columns / stride)."""
        output = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(maps)))))
        return F.relu(output + (self.downsample(maps) if self.strided else maps))


@head("t3_pose")
class T3PoseHead(TokenHead):
    """The tokens of two touches, each through the same convolutions, to a change of pose (B, K).

    Three outputs are a displacement; nine a displacement and the first two columns of a rotation ("On the continuity of
    rotation representations in neural networks", CVPR 2019).

    Args:
        width: D.
        action: not needed.
        outputs: K, 3 or 9 in T3.
        hidden: widths of the hidden layers after both touches' features are joined.
        dropout: between them, in training.
        mean, std: of the targets over a data set, one for all outputs or one for each; the network and the loss work in
            units of them.
    """

    touches = 2

    def __init__(
        self,
        width: int,
        action: ActionSpec | None = None,
        *,
        outputs: int = 3,
        hidden: Sequence[int] = (256, 64),
        dropout: float = 0.1,
        mean: Sequence[float] = (0.0,),
        std: Sequence[float] = (1.0,),
    ) -> None:
        super().__init__(width, action)
        self.outputs, self.hidden, self.dropout = outputs, tuple(hidden), dropout
        self.mean, self.std = tuple(mean), tuple(std)
        self.conv_layers = nn.Sequential(BasicBlock(width, stride=2), BasicBlock(width))
        self.branch_fc = nn.Sequential(nn.Flatten(), nn.Linear(width, width // 2), nn.SiLU(), nn.Dropout(dropout))
        self.output_fc = silu_mlp(width // 2 * self.touches, hidden, outputs, dropout)
        self.scale = Scale(mean, std, outputs)

    def forward(self, *tokens: Any, grid: Grid | None = None) -> Tensor:
        """Tokens (B, N, D) of the first and of the second touch to (B, K), in units of `std` from `mean`."""
        first, second = tokens
        outputs: Tensor = self.output_fc(torch.cat([self._branch(first, grid), self._branch(second, grid)], dim=1))
        return outputs

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Mean squared error of targets (B, K)."""
        return F.mse_loss(outputs.float(), self.scale(targets.reshape(outputs.shape).float()))

    def predict(self, outputs: Tensor) -> Tensor:
        """Outputs (B, K) to the targets' units."""
        return self.scale.inverse(outputs)

    def _branch(self, tokens: Tensor, grid: Grid | None) -> Tensor:
        maps = self.conv_layers(patch_map(tokens, grid))
        features: Tensor = self.branch_fc(F.adaptive_avg_pool2d(maps, 1))
        return features
