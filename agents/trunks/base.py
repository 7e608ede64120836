"""The contract of a trunk.

Legend: B batch, N tokens of all sensors, D width, S sensors.

A trunk is one module with one class; a plug-in publishes it under the entry-point group `trunkline.trunks`:

    @trunk("my_trunk")
    class MyTrunk(Trunk):
        def __init__(self, width, depth, heads, mlp_ratio, dropout, *, my_option=1): ...
        def forward(self, tokens, padding=None): ...
        def readout(self, tokens, padding=None, lengths=None): ...
"""

from abc import abstractmethod
from collections.abc import Sequence

from torch import Tensor, nn


class Trunk(nn.Module):
    """What all sensors share: their tokens in, tokens or features out.

    Its arguments are those of the AgentConfig: width D, depth, attention heads, MLP ratio and dropout; further ones are
    its options, `AgentConfig.trunk_options`, and hold JSON values.
    """

    @abstractmethod
    def forward(self, tokens: Tensor, padding: Tensor | None = None) -> Tensor:
        """Tokens (B, N, D) to tokens (B, N, D).

        Args:
            tokens: (B, N, D).
            padding: (B, N) bool, True where a token is missing; what comes out there means nothing.
        """

    @abstractmethod
    def readout(self, tokens: Tensor, padding: Tensor | None = None, lengths: Sequence[int] | None = None) -> Tensor:
        """Tokens (B, N, D), some maybe missing, to features (B, D).

        Args:
            tokens: (B, N, D).
            padding: (B, N) bool, True where a token is missing.
            lengths: how many tokens each of the S sensors gave, in their order; None for one sensor.
        """


def mean_token(tokens: Tensor, padding: Tensor | None = None) -> Tensor:
    """The mean (B, D) of the tokens (B, N, D) that are there; zeros where none is.

    Args:
        tokens: (B, N, D).
        padding: (B, N) bool, True where a token is missing.
    """
    if padding is None:
        return tokens[:, 0] if tokens.shape[1] == 1 else tokens.mean(1)
    present = (~padding).to(tokens.dtype).unsqueeze(-1)
    return (tokens * present).sum(1) / present.sum(1).clamp(min=1)
