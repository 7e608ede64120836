"""What sight derives from the blocks of a world: the leaps over empty space, and where it is dark."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from trunkline.envs.warp import start_warp

_CPU_BLOCK = 32  # cells of a thread, which fill a vector register; 1 on CUDA
_TOGETHER = 32  # worlds at a time on CUDA; on a CPU one, which stays in its cache


def find_leaps(worlds: Any, rules: Any, rows: Sequence[int] | np.ndarray) -> None:
    """Derive `leaps` and `ceiling` of some worlds from their blocks, after these were written as a whole.

    While a world runs, `kernels.edit.set_block` keeps both up to date.

    Args:
        worlds: `state.Worlds`.
        rules: `state.Rules`.
        rows: of the worlds.
    """
    wp = start_warp()
    from trunkline.envs.minecraft.kernels.clear import clear_kernels

    nx, ny, nz = worlds.size
    device, on_cpu = worlds.device, worlds.device == "cpu"
    block = next(b for b in (_CPU_BLOCK, 16, 8, 4, 2, 1) if b <= ny) if on_cpu else 1
    kernels, parts, columns = clear_kernels(block), -(-ny // block), nx * nz
    every = np.asarray(rows, np.int32)
    together = 1 if on_cpu else min(_TOGETHER, max(len(every), 1))
    along_y = wp.empty((together, worlds.cells), dtype=wp.uint8, device=device)
    along_z = wp.empty((together, 2, worlds.cells), dtype=wp.uint8, device=device)
    blocks, leaps, ceiling = (worlds.fields[name] for name in ("blocks", "leaps", "ceiling"))
    for start in range(0, len(every), together):
        some = wp.array(every[start : start + together], dtype=wp.int32, device=device)
        count = len(some)
        inputs = [some, blocks, rules, ny, ceiling, along_y]
        wp.launch(kernels.leap_along_y, (count, columns), inputs, device=device)
        wp.launch(kernels.leap_along_z, (count, 2, columns, parts), [along_y, nx, ny, nz, along_z], device=device)
        inputs = [some, along_z, nx, ny, nz, leaps]
        wp.launch(kernels.leap_along_x, (count, 4, columns, parts), inputs, device=device)
