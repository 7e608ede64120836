"""The gel's shape: pressed where there is contact, bent freely around it.

The depth is halved until the gel's smoothing is about one pixel wide; then, from coarse to fine, it is doubled and blurred,
and after each step the pressed depth is restored where there is contact (the pyramid of Taxim, in octaves).
"""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from trunkline.envs.tactile import kernels
from trunkline.envs.tactile.start import find_device, start_warp

Floats = npt.NDArray[np.float32]
_SMALLEST = 8  # pixels a side of the coarsest level, at least


class Pyramid:
    """Planes and kernels for `num` gels of rows × cols pixels.

    Args:
        num: gels.
        rows, cols: pixels of the finest level.
        smoothing: width of the gel's bend, in pixels of the finest level.
        device: of Warp.
    """

    def __init__(self, num: int, rows: int, cols: int, smoothing: float, device: str) -> None:
        warp = start_warp()
        self.num, self.device = num, find_device(device)
        self.block = kernels.CPU_BLOCK if self.device.is_cpu else 1
        self.kernels = kernels.gel_kernels(self.block)
        octaves = max(0, round(math.log2(max(smoothing, 1.0))))
        octaves = min(octaves, int(math.log2(max(1.0, min(rows, cols) / _SMALLEST))))
        self.grids = [self._grid(-(-rows >> level), -(-cols >> level)) for level in range(octaves + 1)]
        # The depth of every level, the shape of every level, and one plane between the two passes of a blur.
        self.depth = [self.plane(grid) for grid in self.grids]
        self.shape = [self.plane(grid) for grid in self.grids]
        self._between = self.plane(self.grids[0])
        self._host = self.depth[0] if self.device.is_cpu else self.plane(self.grids[0], "cpu", pinned=True)
        self._warp = warp

    def press(self, depth: Floats) -> None:
        """Shape the gels under `depth` (n ≤ num, rows, cols) m."""
        count = len(depth)
        self.view(self._host)[:count] = depth
        if self._host is not self.depth[0]:
            self._warp.copy(self.depth[0], self._host)
        k, grids, last = self.kernels, self.grids, len(self.grids) - 1
        for level in range(last):
            outputs = [self.depth[level + 1], self.shape[level + 1], grids[level], grids[level + 1]]
            self.launch(k.halve, count, grids[level + 1], [self.depth[level], *outputs])
        source = self.shape[last] if last else self.depth[0]
        for level in range(last, -1, -1):
            if level < last:
                args = [self.shape[level + 1], self.depth[level], self.shape[level], grids[level + 1], grids[level]]
                threads = count * grids[level].rows * grids[level + 1].blocks
                self._warp.launch(k.double, threads, args, device=self.device)
                source = self.shape[level]
            self.launch(k.blur_rows, count, grids[level], [source, self._between, grids[level]])
            args = [self._between, self.depth[level], self.shape[level], grids[level]]
            self.launch(k.blur_columns, count, grids[level], args)

    def launch(self, kernel: Any, count: int, grid: Any, args: list[Any]) -> None:
        """Run a kernel over the pixels of `count` pictures."""
        self._warp.launch(kernel, count * grid.rows * grid.blocks, args, device=self.device)

    def plane(self, grid: Any, device: Any = None, *, pinned: bool = False, dtype: Any = None, depth: int = 1) -> Any:
        """A zeroed flat array for `num` pictures of `depth` values a pixel, with room for reads beyond the last."""
        size = (self.num * grid.plane + 2 * grid.stride + 2 * kernels.CPU_BLOCK) * depth
        warp = start_warp()
        return warp.zeros(size, dtype=dtype or warp.float32, device=device or self.device, pinned=pinned)

    def view(self, plane: Any, grid: Any = None, depth: int = 1) -> npt.NDArray[Any]:
        """The pixels of a plane in host memory, (num, rows, cols) or (num, rows, cols, depth); a view."""
        grid = grid or self.grids[0]
        pictures = plane.numpy()[: self.num * grid.plane * depth]
        pictures = pictures.reshape(self.num, -1, grid.stride, *((depth,) if depth > 1 else ()))
        edge = kernels.HALO
        return pictures[:, edge : edge + grid.rows, edge : edge + grid.cols]

    def _grid(self, rows: int, cols: int) -> Any:
        grid = kernels.Grid()
        grid.rows, grid.cols = rows, cols
        grid.blocks = -(-cols // self.block)
        # A block at the end of a row may write beyond the picture, and twice as far when it doubles a coarser level.
        width = max(grid.blocks * self.block, 2 * self.block * -(-((cols + 1) // 2) // self.block))
        grid.stride = width + 2 * kernels.HALO
        grid.plane = (rows + (rows & 1) + 2 * kernels.HALO) * grid.stride
        return grid
