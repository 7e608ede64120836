"""Raw readings to network inputs of about unit scale."""

import numpy as np
import torch
from torch import Tensor, nn

from trunkline.envs.spec import SensorSpec
from trunkline.errors import InputError

CLIP = 10.0
CONSTANT = 1e-6


class Normaliser(nn.Module):
    """(readings − mean) / std, clipped to ±10, as float32.

    The statistics are the SensorSpec's, in the raw readings' units, one per element or one per last axis (channel).
    Without any, unsigned integers (images) are scaled from their range to [−1, 1] and floats pass as they are. A
    reading that never changed in the data (std below 1e-6) tells no scale, so its std is taken as 1.

    Raises:
        InputError: statistics whose length fits neither the elements nor the channels.
    """

    mean: Tensor
    inverse_std: Tensor

    def __init__(self, spec: SensorSpec) -> None:
        super().__init__()
        mean, std = _statistics(spec)
        # The SensorSpec in agent.json holds them; a second copy among the weights could disagree.
        self.register_buffer("mean", torch.from_numpy(mean), persistent=False)
        self.register_buffer("inverse_std", torch.from_numpy(1 / std), persistent=False)
        self._identity = bool((mean == 0).all() and (std == 1).all())

    def forward(self, readings: Tensor) -> Tensor:
        """Readings (B, *shape) to float32 of the same shape."""
        if readings.dtype == torch.float32:
            values = readings if self._identity else (readings - self.mean) * self.inverse_std
            return values.clamp(-CLIP, CLIP)
        # Images: in place, which is several times faster than three more copies of them.
        return readings.to(torch.float32).sub_(self.mean).mul_(self.inverse_std).clamp_(-CLIP, CLIP)


def _statistics(spec: SensorSpec) -> tuple[np.ndarray, np.ndarray]:
    if (spec.mean is None) != (spec.std is None):
        raise InputError(f"sensor {spec.name!r} has only one of mean and std; give both or neither")
    if spec.mean is None or spec.std is None:
        dtype = np.dtype(spec.dtype)
        half = np.iinfo(dtype).max / 2 if dtype.kind == "u" else 0.0
        return np.full(1, half, np.float32), np.full(1, half or 1.0, np.float32)
    mean, std = np.asarray(spec.mean, np.float32), np.asarray(spec.std, np.float32)
    if mean.shape != std.shape or not np.isfinite(mean).all() or not np.isfinite(std).all() or (std < 0).any():
        raise InputError(f"sensor {spec.name!r}: mean {spec.mean} and std {spec.std} must be finite and equally many")
    if mean.size == np.prod(spec.shape):
        mean, std = mean.reshape(spec.shape), std.reshape(spec.shape)
    elif mean.size not in (1, *spec.shape[-1:]):
        raise InputError(
            f"sensor {spec.name!r} of shape {spec.shape} has {mean.size} statistics; "
            "give one per element or one per channel (the last axis)"
        )
    return mean, np.where(std < CONSTANT, np.float32(1), std)
