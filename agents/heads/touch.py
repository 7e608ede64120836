"""The contract of heads on a trunk's tokens, and what they share.

Legend: B batch, N tokens, P patches, D width, K outputs.
"""

from abc import abstractmethod
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from trunkline.agents.heads.base import Head
from trunkline.errors import InputError

Grid = tuple[int, int]
Pooling = Literal["cls", "global"]


class TokenHead(Head):
    """Tokens (B, N, D) of one sensor, a CLS token and those of its patches, to what they tell of the touch.

    `head(tokens)` gives raw outputs, `head.loss(outputs, targets)` a scalar, `head.predict(outputs)` the answer in the
    label's own terms.

    Attributes:
        touches: how many touches it looks at; `forward` takes the tokens of each.
    """

    touches: ClassVar[int] = 1

    @property
    def cls_only(self) -> bool:
        """Whether it looks at the CLS token alone, so that `agent.encode(…).unsqueeze(1)` does for all tokens.

        That holds for a trunk that pools by "cls" and one sensor, and spares most of the trunk's last block.
        """
        return getattr(self, "pooling", None) == "cls"

    @abstractmethod
    def forward(self, *tokens: Any, grid: Grid | None = None) -> Tensor:
        """Tokens (B, N, D) of each touch to raw outputs.

        Args:
            *tokens: of each touch.
            grid: rows and columns of the patches, the encoder's `grid`; None for a square.
        """

    @abstractmethod
    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """A scalar that training makes small."""

    @abstractmethod
    def predict(self, outputs: Tensor) -> Tensor:
        """Raw outputs to answers of the form of the targets."""


def pooled(tokens: Tensor, pooling: Pooling) -> Tensor:
    """Tokens (B, N, D) to (B, D): the CLS token, or ("global") the mean of all others."""
    return tokens[:, 0] if pooling == "cls" else tokens[:, 1:].mean(1)


def silu_mlp(inputs: int, hidden: Sequence[int], outputs: int, dropout: float) -> nn.Sequential:
    """Linear layers with SiLU between them and dropout from the second on, in the order of T3's heads.

    With three hidden layers its tensors are 0, 2, 5 and 8; the dropout layers are there even where `dropout` is 0.

    Raises:
        InputError: sizes that are no positive numbers, or a dropout outside [0, 1).
    """
    sizes = (*hidden, outputs)
    if not hidden or not all(isinstance(size, int) and size > 0 for size in sizes):
        raise InputError(f"hidden={list(hidden)} and outputs {outputs} must be positive layer widths")
    if not 0 <= dropout < 1:
        raise InputError(f"dropout={dropout} must be in [0, 1)")
    layers: list[nn.Module] = [nn.Linear(inputs, hidden[0]), nn.SiLU()]
    for before, size in pairwise(hidden):
        layers += [nn.Linear(before, size), nn.Dropout(dropout), nn.SiLU()]
    return nn.Sequential(*layers, nn.Linear(hidden[-1], outputs))


def patch_map(tokens: Tensor, grid: Grid | None) -> Tensor:
    """Tokens (B, 1 + P, D) to a map (B, D, rows, columns) of those of the patches.

    Raises:
        InputError: a grid that has another number of patches, or none for a number that is no square.
    """
    count = tokens.shape[1] - 1
    side = int(count**0.5 + 0.5)
    rows, columns = grid or (side, side)
    if rows * columns != count:
        raise InputError(f"{count} patches are no grid of {rows}×{columns}; pass grid=, the encoder's rows and columns")
    return tokens[:, 1:].transpose(1, 2).reshape(len(tokens), -1, rows, columns)


class Scale(nn.Module):
    """Targets in their units to numbers of about unit scale, and back; kept with the head's options, not its tensors.

    Raises:
        InputError: neither one number for all outputs nor one for each, or a spread that is not positive.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Sequence[float], std: Sequence[float], outputs: int) -> None:
        super().__init__()
        for name, values in (("mean", mean), ("std", std)):
            if len(values) not in (1, outputs):
                raise InputError(f"{name}={list(values)} must hold one number, or one for each of {outputs} outputs")
        if min(std) <= 0:
            raise InputError(f"std={list(std)} must be positive")
        self.register_buffer("mean", torch.tensor([float(v) for v in mean]), persistent=False)
        self.register_buffer("std", torch.tensor([float(v) for v in std]), persistent=False)

    def forward(self, targets: Tensor) -> Tensor:
        """Targets (B, K) to unit scale."""
        return (targets - self.mean) / self.std

    def inverse(self, outputs: Tensor) -> Tensor:
        """Outputs (B, K) of unit scale to the targets' units."""
        return outputs * self.std + self.mean
