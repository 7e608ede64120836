"""Readings of a taxel array: the force on every element under a soft cover.

The pressure under a contact is stiffness · depth (Winkler). The cover spreads it: each patch of gel shares its force
among the elements by Gaussian weights that sum to one, so no force is lost. B readings, h × w cells, n elements.
"""

import functools
from typing import Any

import numpy as np
import numpy.typing as npt

from trunkline.envs.tactile.sensor import TouchSensor
from trunkline.errors import InputError

Floats = npt.NDArray[np.float32]
_SHEAR_RATIO = 0.35  # shear over normal stiffness of the cover, as of a soft rubber


class Taxels:
    """The elements of one sensor. A reading depends on its own depth, shear, force and seed alone.

    Args:
        sensor: a taxel array.
        num: readings in a typical call (any number is fine).

    Raises:
        InputError: the sensor is optical.
    """

    def __init__(self, sensor: TouchSensor, num: int = 1) -> None:
        if sensor.taxels is None:
            raise InputError(f"touch sensor {sensor.name!r} is optical; read it with Optics")
        self.sensor, self.num = sensor, num
        self._cells = functools.lru_cache(maxsize=8)(self._shares)

    def read(
        self,
        depth: npt.ArrayLike,
        shear: npt.ArrayLike | None = None,
        seeds: npt.ArrayLike | None = None,
        tangential_force: npt.ArrayLike | None = None,
    ) -> Floats:
        """Readings of pressed arrays.

        Args:
            depth: (B, h, w) m ≥ 0, how far things reach into the undeformed gel; any h × w cells over the whole gel.
            shear: (B, 3) tangential movement of the contact since touch-down: x and y in m, then the turn about its
                centre in rad, counter-clockwise; None: none.
            seeds: (B,) of the noise, uint32; None: 0.
            tangential_force: (B, 2) N along x and y on the whole pad, if known; it is shared out like the normal force.
                None: the cover's shear stiffness times the movement.

        Returns:
            (B, rows, cols, channels) in the layout's units; channels are normal, or x, y, normal.

        Raises:
            InputError: a shape that does not fit, or a depth that is negative or not a number.
        """
        layout = self.sensor.taxels
        assert layout is not None
        depth = np.ascontiguousarray(depth, np.float32)
        if depth.ndim != 3 or 0 in depth.shape:
            raise InputError(f"depth of shape {depth.shape} must be (readings, rows, columns)")
        if not depth.min() >= 0:  # also false for a number that is none
            raise InputError(f"depth holds {depth.min()}; it must be zero where nothing touches, metres ≥ 0 elsewhere")
        count = len(depth)
        shear = _shaped(shear, "shear", (count, 3))
        words = np.zeros(count, np.uint32) if seeds is None else np.ascontiguousarray(seeds, np.uint32)
        if words.shape != (count,):
            raise InputError(f"seeds of shape {words.shape} must be ({count},), one for each depth")
        force = None if tangential_force is None else _shaped(tangential_force, "tangential_force", (count, 2))
        # One by one: a product over the batch may round differently with its size.
        forces = [
            self._forces(depth[i], shear[i], None if force is None else force[i], layout.channels == 3)
            for i in range(count)
        ]
        readings = layout.gain * np.stack(forces)
        readings += self.sensor.noise * _gaussian(words, readings[0].size).reshape(readings.shape)
        step = layout.full_scale / layout.levels
        low = -layout.full_scale if layout.channels == 3 else 0.0
        readings = np.clip(np.rint(readings / step) * step, low, layout.full_scale)
        return readings.reshape(count, *self.sensor.resolution, layout.channels).astype(np.float32)

    def _forces(
        self, depth: Floats, shear: npt.NDArray[np.float64], force: npt.NDArray[np.float64] | None, three_axis: bool
    ) -> npt.NDArray[np.float64]:
        """Newtons on every element, (n, channels)."""
        chart, areas, shares = self._cells(*depth.shape)
        normal = self.sensor.stiffness * areas * depth.ravel()
        if not three_axis:
            return (shares @ normal)[:, None]
        total = normal.sum()
        moved = np.zeros((len(normal), 2))
        if total > 0:
            arm = chart - normal @ chart / total
            cosine, sine = np.cos(shear[2]), np.sin(shear[2])
            turned = arm @ np.array([[cosine - 1, sine], [-sine, cosine - 1]])
            stiffness = _SHEAR_RATIO * self.sensor.stiffness * areas * (normal > 0)
            shift = shear[:2] if force is None else np.zeros(2)
            moved = stiffness[:, None] * (turned + shift)
            if force is not None:
                moved += normal[:, None] * force / total
        return np.asarray(shares @ np.concatenate([moved, normal[:, None]], -1))

    def _shares(
        self, rows: int, cols: int
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Chart coordinates (P, 2) m of the cells, their areas (P,) m², and the elements' shares of each (n, P)."""
        assert self.sensor.taxels is not None
        chart = self.sensor.gel.chart(rows, cols)
        away = np.linalg.norm(self.sensor.taxel_positions()[:, None] - chart[None], axis=-1)
        exponent = -0.5 * (away / (self.sensor.taxels.spread_mm * 1e-3)) ** 2
        weights = np.exp(exponent - exponent.max(0))
        return chart, self.sensor.areas(rows, cols).ravel(), weights / weights.sum(0)


def _shaped(values: npt.ArrayLike | None, name: str, shape: tuple[int, int]) -> npt.NDArray[np.float64]:
    array = np.zeros(shape) if values is None else np.ascontiguousarray(values, np.float64)
    if array.shape != shape:
        raise InputError(f"{name} of shape {array.shape} must be {shape}, one row for each depth")
    return array


def _gaussian(seeds: npt.NDArray[np.uint32], count: int) -> npt.NDArray[np.float64]:
    """Nearly normal noise (seeds, count): the sum of the four bytes of a hash of seed and counter."""
    keys = _scramble(seeds[:, None] + np.uint32(0x1E3779B9))
    hashes = _scramble((keys + np.arange(count, dtype=np.uint32)) * np.uint32(0x1E3779B9))
    total = sum((hashes >> np.uint32(shift) & np.uint32(255)).astype(np.float64) for shift in (0, 8, 16, 24))
    return np.asarray((total - 510.0) / 147.799)


def _scramble(x: npt.NDArray[Any]) -> npt.NDArray[np.uint32]:
    """A hash of 32-bit words in which every bit of the output depends on every bit of the input."""
    x = (x ^ x >> np.uint32(16)) * np.uint32(0x21F0AAAD)
    x = (x ^ x >> np.uint32(15)) * np.uint32(0x735A2D97)
    return np.asarray(x ^ x >> np.uint32(15), np.uint32)
