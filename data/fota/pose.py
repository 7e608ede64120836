"""How an object moved between two touches, and the scale of such moves.

A pose is (x, y, z) in millimetres and a unit quaternion (x, y, z, w). The 6-D target is inv(T1)·T2 as its translation
in the first touch's frame and the first two columns of its rotation (Zhou et al. 2019, "On the continuity of rotation
representations in neural networks"); the 3-D target is the difference of the positions.

Legend: B pairs.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from trunkline.errors import InputError

POSE_3D, POSE_6D = "pose_3d", "pose_6d"
SIZES = {POSE_3D: 3, POSE_6D: 9}


def rotation(quaternions: np.ndarray) -> np.ndarray:
    """Rotation matrices (B, 3, 3) of quaternions (B, 4) in order x, y, z, w, of any length but 0."""
    x, y, z, w = (quaternions / np.linalg.norm(quaternions, axis=1, keepdims=True)).T
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    return np.moveaxis(np.array(rows), 2, 0)


def pose_change(first: np.ndarray, second: np.ndarray) -> dict[str, np.ndarray]:
    """The targets of pairs of touches.

    Args:
        first, second: poses (B, 7), or positions alone (B, 3).

    Returns:
        `pose_3d` (B, 3) mm; with quaternions also `pose_6d` (B, 9): translation in mm, then the rotation's first
        column, then its second.
    """
    shift = second[:, :3] - first[:, :3]
    if first.shape[1] == 3:
        return {POSE_3D: shift}
    inverse = np.swapaxes(rotation(first[:, 3:]), 1, 2)
    turn = inverse @ rotation(second[:, 3:])
    moved = np.einsum("bij,bj->bi", inverse, shift)
    return {POSE_3D: shift, POSE_6D: np.concatenate([moved, turn[:, :, 0], turn[:, :, 1]], 1)}


@dataclass(frozen=True)
class PoseScale:
    """Mean and deviation of a target over pairs of touches of one trial: how a head normalises it.

    Attributes:
        mean, std: 3 or 9 numbers, as in `pose_change`.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def normalise(self, target: np.ndarray) -> np.ndarray:
        """(B, n) to zero mean and unit deviation; what never changed (std below 1e-6) is only centred."""
        std = np.array(self.std)
        scaled: np.ndarray = (target - np.array(self.mean)) / np.where(std < 1e-6, 1.0, std)
        return scaled.astype(np.float32)

    def restore(self, target: np.ndarray) -> np.ndarray:
        """The inverse of `normalise`."""
        std = np.array(self.std)
        whole: np.ndarray = target * np.where(std < 1e-6, 1.0, std) + np.array(self.mean)
        return whole.astype(np.float32)


@dataclass
class Moments:
    """Mean and variance in one pass, merged part by part (Chan, Golub, LeVeque 1979).

    Attributes:
        count: values.
        mean, squares: (n,) float64, the mean and the sum of squared differences from it.
    """

    count: int
    mean: np.ndarray
    squares: np.ndarray

    @classmethod
    def empty(cls, size: int) -> "Moments":
        """Of no values of `size` elements."""
        return cls(0, np.zeros(size), np.zeros(size))

    def add(self, values: np.ndarray) -> None:
        """Take in values (count, n)."""
        if len(values):
            mean = values.mean(0, dtype=np.float64)
            self.merge(Moments(len(values), mean, ((values - mean) ** 2).sum(0)))

    def merge(self, other: "Moments") -> None:
        """Take in the values of `other`."""
        count = self.count + other.count
        if other.count:
            delta = other.mean - self.mean
            self.mean = self.mean + delta * (other.count / count)
            self.squares = self.squares + other.squares + delta**2 * (self.count * other.count / count)
            self.count = count

    @property
    def std(self) -> np.ndarray:
        """(n,), 0 if there are no values."""
        deviation: np.ndarray = np.sqrt(self.squares / max(self.count, 1))
        return deviation

    def to_json(self) -> dict[str, Any]:
        """A JSON value that `from_json` reads back exactly."""
        return {"count": self.count, "mean": self.mean.tolist(), "squares": self.squares.tolist()}

    @classmethod
    def from_json(cls, value: Mapping[str, Any], size: int, where: str) -> "Moments":
        """What `to_json` wrote.

        Raises:
            InputError: it is something else.
        """
        try:
            mean, squares = (np.asarray(value[name], np.float64) for name in ("mean", "squares"))
            count = int(value["count"])
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{where} has no moments ({error}); restore it") from None
        if mean.shape != (size,) or squares.shape != (size,) or count < 0 or not np.isfinite(mean + squares).all():
            raise InputError(f"{where} has moments of shape {mean.shape}, not ({size},), or none; restore it")
        return cls(count, mean, squares)
