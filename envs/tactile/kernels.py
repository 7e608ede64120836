"""Warp kernels of the gel: one source for CPU and CUDA.

A picture is a plane of float32: rows of `stride` numbers, with `HALO` extra ones around the picture that repeat its
border, so that no kernel asks where the border is. The planes of a batch follow one another in one flat array.

A thread owns `block` consecutive pixels of a row: 32 on a CPU, 1 on CUDA. Four things let the CPU compiler turn the
inner loop into vector instructions, 6 to 10 times faster: its count is a constant; every array has one dimension; no
index can be negative in its eyes (`natural`), because Warp lets negative indices count from the end; and one loop
writes to one row.
"""

import functools
from types import SimpleNamespace

import warp as wp

CPU_BLOCK = 32
HALO = 2
_NATURAL = 0x7FFFFFFF  # all bits of an int32 but the sign
# Quadratic B-spline at the quarter points: the weights of the nearer and the farther neighbour and of the pixel itself.
_NEAR, _FAR, _SELF = 0.28125, 0.03125, 0.6875

Plane = wp.array[wp.float32]


@wp.struct
class Grid:
    """The layout of one picture in a flat array."""

    rows: int
    cols: int
    stride: int
    plane: int
    blocks: int  # of a row


@wp.func
def natural(i: int):
    """An index that the compiler knows is not negative."""
    return i & wp.static(_NATURAL)


@wp.func
def pixel(grid: Grid, thread: int, block: int):
    """Index of the first pixel of a thread, and its place."""
    x = (thread % grid.blocks) * block
    row = thread // grid.blocks
    y = row % grid.rows
    b = row // grid.rows
    return b * grid.plane + (y + wp.static(HALO)) * grid.stride + wp.static(HALO) + x, b, y, x


@wp.func
def extend(plane: Plane, grid: Grid, start: int, y: int, x: int, block: int):
    """Repeat the border that a thread has just written into the halo beside it."""
    first = start - x
    last = first + grid.cols - 1
    left = start
    right = wp.min(start + block - 1, last)
    if x == 0:
        for k in range(wp.static(HALO)):
            plane[first - 1 - k] = plane[first]
        left = first - wp.static(HALO)
    if x + block >= grid.cols:
        for k in range(wp.static(HALO)):
            plane[last + 1 + k] = plane[last]
        right = last + wp.static(HALO)
    if y == 0:
        for i in range(left, right + 1):
            for k in range(wp.static(HALO)):
                plane[i - (k + 1) * grid.stride] = plane[i]
    if y == grid.rows - 1:
        for i in range(left, right + 1):
            for k in range(wp.static(HALO)):
                plane[i + (k + 1) * grid.stride] = plane[i]


@wp.func
def larger(a: float, b: float):
    """Not `wp.max`, whose care for what is not a number costs a second instruction."""
    return wp.where(a > b, a, b)


def module_named(name: str) -> str:
    """A Warp module with the options that all of ours share, so that they share one precompiled header."""
    # LLVM's default of 8 alias checks is too few for a 3×3 neighbourhood.
    flags = f"{wp.config.cpu_compiler_flags} -ffp-contract=fast -mllvm=-runtime-memory-check-threshold=64"
    wp.set_module_options({"enable_backward": False, "cpu_compiler_flags": flags}, module=wp.get_module(name))
    return name


@functools.cache
def gel_kernels(block: int) -> SimpleNamespace:
    """The kernels that shape the gel, for threads of `block` pixels."""
    module = module_named(f"trunkline.tactile.gel{block}")

    @wp.kernel(module=module)
    def halve(fine: Plane, coarse: Plane, smooth: Plane, fine_grid: Grid, grid: Grid):
        """Means of 2×2 pixels, into two planes."""
        start, b, y, x = pixel(grid, wp.tid(), wp.static(block))
        start = natural(start)
        above = natural(b * fine_grid.plane + (2 * y + wp.static(HALO)) * fine_grid.stride + wp.static(HALO) + 2 * x)
        below = natural(above + fine_grid.stride)
        for j in range(wp.static(block)):
            mean = fine[above + 2 * j] + fine[above + 2 * j + 1] + fine[below + 2 * j] + fine[below + 2 * j + 1]
            coarse[start + j] = 0.25 * mean
            smooth[start + j] = 0.25 * mean
        extend(smooth, grid, start, y, x, wp.static(block))

    @wp.kernel(module=module)
    def double(smooth: Plane, depth: Plane, out: Plane, coarse: Grid, grid: Grid):
        """Twice the size by quadratic B-splines, nowhere above the object; two pixels from each of a thread's own."""
        thread = wp.tid()
        x = (thread % coarse.blocks) * wp.static(block)
        line = thread // coarse.blocks
        y = line % grid.rows
        b = line // grid.rows
        left = natural(b * coarse.plane + (y // 2 + wp.static(HALO)) * coarse.stride + wp.static(HALO) + x - 1)
        up = natural(left - coarse.stride)
        down = natural(left + coarse.stride)
        weight_up = wp.where(y % 2 == 0, wp.static(_NEAR), wp.static(_FAR))
        weight_down = wp.where(y % 2 == 0, wp.static(_FAR), wp.static(_NEAR))
        start = natural(b * grid.plane + (y + wp.static(HALO)) * grid.stride + wp.static(HALO) + 2 * x)
        for j in range(wp.static(block)):
            p = weight_up * smooth[up + j] + wp.static(_SELF) * smooth[left + j] + weight_down * smooth[down + j]
            q = (
                weight_up * smooth[up + j + 1]
                + wp.static(_SELF) * smooth[left + j + 1]
                + weight_down * smooth[down + j + 1]
            )
            r = (
                weight_up * smooth[up + j + 2]
                + wp.static(_SELF) * smooth[left + j + 2]
                + weight_down * smooth[down + j + 2]
            )
            even = wp.static(_NEAR) * p + wp.static(_SELF) * q + wp.static(_FAR) * r
            odd = wp.static(_FAR) * p + wp.static(_SELF) * q + wp.static(_NEAR) * r
            out[start + 2 * j] = larger(even, depth[start + 2 * j])
            out[start + 2 * j + 1] = larger(odd, depth[start + 2 * j + 1])
        extend(out, grid, start, y, 2 * x, wp.static(2 * block))

    @wp.kernel(module=module)
    def blur_rows(source: Plane, out: Plane, grid: Grid):
        """[1 4 6 4 1] / 16 along x: deviation one pixel."""
        start, b, y, x = pixel(grid, wp.tid(), wp.static(block))
        start = natural(start)
        left = natural(start - 2)
        for j in range(wp.static(block)):
            outer = source[left + j] + source[left + j + 4]
            inner = source[left + j + 1] + source[left + j + 3]
            out[start + j] = 0.0625 * outer + 0.25 * inner + 0.375 * source[left + j + 2]
        extend(out, grid, start, y, x, wp.static(block))

    @wp.kernel(module=module)
    def blur_columns(source: Plane, depth: Plane, press: float, out: Plane, grid: Grid):
        """[1 4 6 4 1] / 16 along y; then, if `press` is 1 and not 0, nowhere above the object."""
        start, b, y, x = pixel(grid, wp.tid(), wp.static(block))
        start = natural(start)
        m2 = natural(start - 2 * grid.stride)
        m1 = natural(start - grid.stride)
        p1 = natural(start + grid.stride)
        p2 = natural(start + 2 * grid.stride)
        for j in range(wp.static(block)):
            outer = source[m2 + j] + source[p2 + j]
            inner = source[m1 + j] + source[p1 + j]
            free = 0.0625 * outer + 0.25 * inner + 0.375 * source[start + j]
            out[start + j] = larger(press * depth[start + j], free)
        extend(out, grid, start, y, x, wp.static(block))

    return SimpleNamespace(halve=halve, double=double, blur_rows=blur_rows, blur_columns=blur_columns)
