"""The gel's shape: pressed where there is contact, bent freely around it.

The depth is halved until the gel's bend is about one pixel wide. Then, from coarse to fine, the shape is blurred and
doubled, and after each step pushed down again to wherever the object reaches deeper (the shrinking Gaussians of Taxim,
Si and Yuan 2022, in octaves). So the gel lies on the object inside a contact and leaves it smoothly at the edge.
"""

import functools
import math
from typing import Any

import numpy as np
import numpy.typing as npt

from trunkline.envs.tactile import kernels
from trunkline.envs.warp import find_device, start_warp

Floats = npt.NDArray[np.float32]
_SMALLEST = 8  # pixels a side of the coarsest level, at least
_SKIN = 1 / 16  # width of what the skin of the gel no longer follows, as a share of the bend (Taxim: 5 of 101 pixels)


class Pyramid:
    """Planes and kernels for `num` gels of rows × cols pixels.

    Args:
        num: gels.
        rows, cols: pixels of the finest level.
        bend: width of the gel's bend around a contact, in pixels of the finest level.
        device: of Warp.
    """

    def __init__(self, num: int, rows: int, cols: int, bend: float, device: str) -> None:
        self._warp = start_warp()
        self.num, self.device = num, find_device(device)
        self.block = kernels.CPU_BLOCK if self.device.is_cpu else 1
        octaves = max(0, round(math.log2(max(bend, 1.0))))
        octaves = min(octaves, int(math.log2(max(1.0, min(rows, cols) / _SMALLEST))))
        self._skin = bend * _SKIN > 0.75
        self.grids = [self._grid(-(-rows >> level), -(-cols >> level)) for level in range(octaves + 1)]
        # The depth of every level, the shape of every level, and one plane between the two passes of a blur.
        self.depth = [self.plane(grid) for grid in self.grids]
        self.shape = [self.plane(grid) for grid in self.grids]
        self._between = self.plane(self.grids[0])
        self._host = self.depth[0] if self.device.is_cpu else self.plane(self.grids[0], "cpu", pinned=True)
        self._commands = functools.lru_cache(maxsize=8)(self._record)

    def press(self, depth: Floats) -> None:
        """Shape the gels under `depth` (n ≤ num, rows, cols) m."""
        self.view(self._host)[: len(depth)] = depth
        if self._host is not self.depth[0]:
            self._warp.copy(self.depth[0], self._host)
        for command in self._commands(len(depth)):
            command.launch()

    def _record(self, count: int) -> list[Any]:
        """The launches that shape `count` gels; replaying them costs a fraction of making them."""
        k, grids, last = kernels.gel_kernels(self.block), self.grids, len(self.grids) - 1
        commands = []

        def blur(level: int, source: Any, press: float) -> None:
            rows = [source, self._between, grids[level]]
            columns = [self._between, self.depth[level], press, self.shape[level], grids[level]]
            commands.append(self.command(k.blur_rows, self.threads(count, grids[level]), rows))
            commands.append(self.command(k.blur_columns, self.threads(count, grids[level]), columns))

        for level in range(last):
            args = [self.depth[level], self.depth[level + 1], self.shape[level + 1], grids[level], grids[level + 1]]
            commands.append(self.command(k.halve, self.threads(count, grids[level + 1]), args))
        blur(last, self.shape[last] if last else self.depth[0], 1.0)
        for level in range(last - 1, -1, -1):
            args = [self.shape[level + 1], self.depth[level], self.shape[level], grids[level + 1], grids[level]]
            commands.append(self.command(k.double, count * grids[level].rows * grids[level + 1].blocks, args))
            if level > 0:
                blur(level, self.shape[level], 1.0)
        if last and self._skin:
            blur(0, self.shape[0], 0.0)
        return commands

    def command(self, kernel: Any, threads: int, args: list[Any]) -> Any:
        """A launch to be replayed."""
        return self._warp.launch(kernel, threads, args, device=self.device, record_cmd=True)

    def threads(self, count: int, grid: Any) -> int:
        """Threads that cover `count` pictures of a level."""
        return int(count * grid.rows * grid.blocks)

    def plane(self, grid: Any, device: Any = None, *, pinned: bool = False, dtype: Any = None, depth: int = 1) -> Any:
        """A zeroed flat array for `num` pictures of `depth` values a pixel, with room for reads beyond the last."""
        size = (self.num * grid.plane + 2 * grid.stride + 2 * kernels.CPU_BLOCK) * depth
        device = device or self.device
        return self._warp.zeros(size, dtype=dtype or self._warp.float32, device=device, pinned=pinned)

    def view(self, plane: Any, depth: int = 1) -> npt.NDArray[Any]:
        """The pixels of a plane of the finest level, (num, rows, cols) or (num, rows, cols, depth).

        A view if the plane is in host memory, else a copy.
        """
        grid, edge = self.grids[0], kernels.HALO
        pictures: npt.NDArray[Any] = plane.numpy()[: self.num * grid.plane * depth]
        pictures = pictures.reshape(self.num, -1, grid.stride, *((depth,) if depth > 1 else ()))
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
