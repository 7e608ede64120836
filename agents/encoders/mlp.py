"""Vectors: a multilayer perceptron, one token; of a one-hot vector without hidden layers, an embedding."""

from collections.abc import Sequence

from torch import Tensor

from trunkline.agents.encoders.base import Encoder, require_rank
from trunkline.agents.layers import mlp
from trunkline.agents.registry import encoder
from trunkline.envs.spec import SensorSpec


@encoder("mlp")
class MlpEncoder(Encoder):
    """Readings (B, K) to one token (B, 1, D).

    Args:
        spec: a sensor with one axis.
        width: D.
        hidden: widths of the hidden layers; none for a linear map.
        activation: between the layers.
    """

    modalities = ("interaction",)
    axes = 1

    def __init__(
        self, spec: SensorSpec, width: int, *, hidden: Sequence[int] = (128,), activation: str = "gelu"
    ) -> None:
        super().__init__(spec, width)
        require_rank("mlp", spec, 1, "vectors (K,)")
        self.layers = mlp(spec.shape[0], hidden, width, activation)

    def tokens(self, readings: Tensor) -> Tensor:
        """Normalised readings (B, K) to (B, 1, D)."""
        token: Tensor = self.layers(readings)
        return token.unsqueeze(1)
