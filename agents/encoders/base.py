"""The contract of an encoder.

Legend: B batch, N tokens, D width.

An encoder is one module with one class; a plug-in publishes it under the entry-point group `trunkline.encoders`:

    @encoder("my_encoder")
    class MyEncoder(Encoder):
        modalities = ("my_modality",)  # it is the default for sensors of these

        def __init__(self, spec, width, *, hidden=64):
            super().__init__(spec, width)
            self.layers = ...

        def tokens(self, readings):  # normalised (B, *shape), float32
            return ...  # (B, N, D)
"""

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from trunkline.agents.normalise import Normaliser
from trunkline.envs.spec import SensorSpec
from trunkline.errors import InputError


class Encoder(nn.Module):
    """One sensor's raw readings (B, *shape) to tokens (B, N, D).

    Readings are checked, normalised with the SensorSpec's statistics, turned into tokens by the subclass, and marked
    with a learned embedding that tells the trunk which sensor they come from (unless the subclass sets `marks` to
    False, because its tokens tell by themselves).

    Args:
        spec: the sensor. Options of a subclass are its further arguments and hold JSON values.
        width: D.
    """

    modalities: ClassVar[tuple[str, ...]] = ()
    axes: ClassVar[int | None] = None  # of the readings whose modalities it claims; None for any number
    marks: ClassVar[bool] = True

    def __init__(self, spec: SensorSpec, width: int) -> None:
        super().__init__()
        self.spec = spec
        self.width = width
        self.normaliser = Normaliser(spec)
        if self.marks:
            self.sensor_embedding = nn.Parameter(torch.empty(width).normal_(std=0.02))

    @abstractmethod
    def tokens(self, readings: Tensor) -> Tensor:
        """Normalised readings (B, *shape), float32, to tokens (B, N, D)."""

    def forward(self, readings: Tensor) -> Tensor:
        """Raw readings (B, *shape) to tokens (B, N, D).

        Raises:
            InputError: readings of another shape.
        """
        tokens = self.tokens(self.normalised(readings))
        return tokens + self.sensor_embedding if self.marks else tokens

    def normalised(self, readings: Tensor) -> Tensor:
        """Raw readings (B, *shape) to float32 of about unit scale, by the sensor's statistics.

        Raises:
            InputError: readings of another shape.
        """
        if tuple(readings.shape[1:]) != self.spec.shape:
            raise InputError(
                f"sensor {self.spec.name!r} gave readings of shape {tuple(readings.shape)}; "
                f"its encoder takes (batch, {', '.join(map(str, self.spec.shape))})"
            )
        values: Tensor = self.normaliser(readings)
        return values

    def set_spec(self, spec: SensorSpec) -> None:
        """Take another SensorSpec of the same shape, e.g. with the statistics of another data set."""
        assert spec.shape == self.spec.shape and spec.name == self.spec.name
        device = self.normaliser.mean.device
        self.spec = spec
        self.normaliser = Normaliser(spec).to(device)


def require_rank(encoder: str, spec: SensorSpec, rank: int, form: str) -> None:
    """Check that a sensor's readings have the number of axes that an encoder takes.

    Raises:
        InputError: they have not.
    """
    if len(spec.shape) != rank:
        raise InputError(
            f"encoder {encoder!r} takes {form}, sensor {spec.name!r} has shape {spec.shape}; "
            f"choose another in agent.encoders.{spec.name}.name"
        )


def require_positive(encoder: str, **options: int | Sequence[int]) -> None:
    """Check options that are positive whole numbers or lists of them.

    Raises:
        InputError: one is not.
    """
    for name, value in options.items():
        numbers = [value] if isinstance(value, int) else list(value)
        if not numbers or not all(isinstance(n, int) and n > 0 for n in numbers):
            raise InputError(f"encoder {encoder!r}: {name}={value!r} must be positive whole numbers")
