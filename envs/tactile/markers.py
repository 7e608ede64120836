"""Dots printed on a gel, and how they move with it.

Under the contact a dot sticks to the object: it takes part in its shift and turn in full. Outside the movement falls off
with the distance from the contact, and pressing pushes dots outwards, down the slope of the gel (after FOTS, Zhao et al.
2024, whose fall-off is taken from the contact's edge here instead of its centre).
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from trunkline.envs.tactile import marker_kernels as kernels
from trunkline.envs.tactile.pyramid import Pyramid
from trunkline.envs.tactile.sensor import TouchSensor
from trunkline.envs.tactile.start import start_warp

_SPREAD = 0.25  # outward movement of a dot: this share of the gel's drag length a unit of slope


class MarkerField:
    """The printed dots of the gels in a pyramid.

    Args:
        sensor: its markers, at the resolution of the pyramid.
        gel: the pyramid.
    """

    def __init__(self, sensor: TouchSensor, gel: Pyramid) -> None:
        assert sensor.markers is not None
        self._warp = wp = start_warp()
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

    def move(self, shear: npt.NDArray[np.float32]) -> npt.NDArray[Any]:
        """Move the dots with the gels that were pressed last, and draw them into `coverage`.

        Args:
            shear: (n, 3) x and y in m, turn in rad.

        Returns:
            (n, dots, 2) chart coordinates in m, a copy.
        """
        gel, level, count = self._gel, self._level, len(shear)
        grid = gel.grids[level]
        self._shear.assign(np.pad(shear, ((0, gel.num - count), (0, 0))))
        self._launch(kernels.sum_rows, count * grid.rows, [gel.depth[level], grid, self._sums])
        self._launch(kernels.find_contact, count, [self._sums, grid, self._chart, self._contacts])
        smooth = [gel.shape[-1], gel.grids[-1], self._chart]
        args = [self._rest, *smooth, self._contacts, self._shear, self._places]
        self._launch(kernels.move_markers, count * self.count, args)
        self.coverage.zero_()
        args = [self._places, self.count, gel.grids[0], self._chart, self.coverage]
        self._launch(kernels.draw_markers, count * self.count, args)
        return self._places.numpy().reshape(gel.num, self.count, 2)[:count].copy()

    def _launch(self, kernel: Any, threads: int, args: list[Any]) -> None:
        self._warp.launch(kernel, threads, args, device=self._gel.device)
