"""Dots printed on a gel, and how they move with it.

Under the contact a dot sticks to the object: it takes part in its shift and turn in full. Outside the movement falls
off with the distance from the contact, and pressing pushes dots outwards, down the slope of the gel (after FOTS, Zhao
et al. 2024; the fall-off begins at the contact's edge here, not at its centre).
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from trunkline.envs.tactile import marker_kernels as kernels
from trunkline.envs.tactile.pyramid import Pyramid
from trunkline.envs.tactile.sensor import TouchSensor
from trunkline.envs.warp import start_warp

_SPREAD = 0.25  # outward movement of a dot: this share of the gel's drag length a unit of slope


class MarkerField:
    """The printed dots of the gels in a pyramid.

    Args:
        sensor: its markers, at the resolution of the pyramid.
        gel: the pyramid.
    """

    def __init__(self, sensor: TouchSensor, gel: Pyramid) -> None:
        assert sensor.markers is not None
        wp = start_warp()
        self._gel, self._markers = gel, sensor.markers
        markers = sensor.markers
        x = (np.arange(markers.cols) - (markers.cols - 1) / 2) * markers.pitch_mm * 1e-3
        y = ((markers.rows - 1) / 2 - np.arange(markers.rows)) * markers.pitch_mm * 1e-3
        rest = np.stack(np.broadcast_arrays(x[None, :], y[:, None]), -1).reshape(-1, 2).astype(np.float32)
        self.count = len(rest)
        device = gel.device
        self._rest = wp.array(rest, dtype=wp.vec2, device=device)
        self._places = wp.zeros(gel.num * self.count, dtype=wp.vec2, device=device)
        # The contact is found on a level of some tens of pixels a side.
        self._level = min(len(gel.grids) - 1, 2)
        self._sums = wp.zeros(gel.num * gel.grids[self._level].rows, dtype=wp.vec4, device=device)
        self._contacts = wp.zeros(gel.num, dtype=wp.vec3, device=device)
        self._shear = wp.zeros(gel.num, dtype=wp.vec3, device=device)
        self.coverage = gel.plane(gel.grids[0])
        chart = kernels.Chart()
        chart.width, chart.height = (size * 1e-3 for size in sensor.gel.size_mm)
        chart.drag = sensor.gel.drag_mm * 1e-3
        chart.spread = _SPREAD * chart.drag
        chart.radius = markers.radius_mm * 1e-3
        self._chart = chart
        self._commands = self._record()

    def move(self, shear: npt.NDArray[np.float32]) -> None:
        """Move the dots with the gels that were pressed last, and draw them into `coverage`.

        Args:
            shear: (n, 3) x and y in m, turn in rad.
        """
        gel, count = self._gel, len(shear)
        self._shear.assign(np.pad(shear, ((0, gel.num - count), (0, 0))))
        self.coverage.zero_()
        threads = (count * gel.grids[self._level].rows, count, count * self.count, count * self.count)
        for command, number in zip(self._commands, threads, strict=True):
            command.set_dim(number)
            command.launch()

    def places(self, count: int) -> npt.NDArray[Any]:
        """Chart coordinates (count, dots, 2) in m of the dots of the first gels, a copy."""
        places: npt.NDArray[Any] = self._places.numpy().reshape(self._gel.num, self.count, 2)
        return places[:count].copy()

    def _record(self) -> list[Any]:
        gel, level, chart = self._gel, self._level, self._chart
        found = [gel.depth[level], gel.grids[level], self._sums]
        smooth = [gel.shape[-1], gel.grids[-1], chart]
        return [
            gel.command(kernels.sum_rows, 1, found),
            gel.command(kernels.find_contact, 1, [self._sums, gel.grids[level], chart, self._contacts]),
            gel.command(kernels.move_markers, 1, [self._rest, *smooth, self._contacts, self._shear, self._places]),
            gel.command(kernels.draw_markers, 1, [self._places, self.count, gel.grids[0], chart, self.coverage]),
        ]
