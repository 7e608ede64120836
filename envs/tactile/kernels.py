"""Warp kernels of the gel: one source for CPU and CUDA.

A picture is a plane of float32: rows of `stride` numbers, with `HALO` extra ones around the picture that repeat its
border, so that no kernel asks where the border is. The planes of a batch follow one another in one flat array.

A thread owns `block` consecutive pixels of a row: 32 on a CPU, 1 on CUDA. Four things let the CPU compiler turn the
inner loop into vector instructions (10× here): its count is a constant; every array has one dimension; no index can be
negative in its eyes (`natural`), because Warp lets negative indices count from the end; and one loop writes to one row.
"""

import functools
from types import SimpleNamespace
from typing import Any

import warp as wp

CPU_BLOCK = 32
HALO = 2
_NATURAL = 0x7FFFFFFF  # all bits of an int32 but the sign
_COUNTER = 0x1E3779B9  # odd, spreads consecutive counters
_RED, _GREEN, _BLUE = 0x735A2D97, 0x2C1B3C6D, 0x297A2D39  # odd multipliers of the hashes of the three channels
# Four bytes that are uniform over 0…255 sum to 510 on average, with a standard deviation of sqrt(4 · (256² − 1) / 12).
_BYTES_MEAN = 510.0
_BYTES_STD = 147.799
# Quadratic B-spline at the quarter points: the weights of the nearer and the farther neighbour and of the pixel itself.
_NEAR, _FAR, _SELF = 0.28125, 0.03125, 0.6875

MAX_LIGHTS = 8
Vectors = wp.types.matrix(shape=(MAX_LIGHTS, 3), dtype=wp.float32)
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
def stir(x: wp.uint32):
    """First half of a hash: a bijection of 32-bit words."""
    x = x ^ (x >> wp.uint32(16))
    x = x * wp.uint32(0x21F0AAAD)
    return x ^ (x >> wp.uint32(15))


@wp.func
def finish(x: wp.uint32, multiplier: wp.uint32):
    """Second half: after both, every bit depends on every bit. Other multipliers give uncorrelated hashes."""
    x = x * multiplier
    return x ^ (x >> wp.uint32(15))


@wp.func
def byte_sum(h: wp.uint32):
    """Nearly normal noise from a hash: the sum of its four bytes, 0…1020."""
    pairs = (h & wp.uint32(0x00FF00FF)) + ((h >> wp.uint32(8)) & wp.uint32(0x00FF00FF))
    return wp.float32(wp.int32((pairs + (pairs >> wp.uint32(16))) & wp.uint32(0xFFFF)))


@wp.func
def larger(a: float, b: float):
    """Not `wp.max`, whose care for what is not a number costs a second instruction."""
    return wp.where(a > b, a, b)


@wp.func
def channel(word: wp.uint32, shift: wp.uint32):
    """One byte of a word."""
    return wp.float32(wp.int32((word >> shift) & wp.uint32(255)))


@wp.func
def count(value: float):
    """A value that has been given its half for rounding, as a byte."""
    positive = larger(value, 0.0)
    return wp.uint8(wp.int32(wp.where(positive < 255.0, positive, 255.0)))


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
        """Twice the size by quadratic B-splines, nowhere above the object. A thread makes two pixels of each of its own."""
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


@functools.cache
def shade_kernel(block: int, lights: int, markers: bool) -> Any:
    """The kernel that draws the image, for threads of `block` pixels, `lights` lights, with printed dots or not.

    Each is a module of its own, so that only those in use are compiled.
    """
    module = module_named(f"trunkline.tactile.shade{block}_{lights}{'_markers' if markers else ''}")

    @wp.kernel(module=module)
    def shade(
        height: Plane,
        coverage: Plane,
        background: wp.array[wp.uint32],
        marker: wp.vec3,
        seeds: wp.array[wp.uint32],
        directions: Vectors,
        colours: Vectors,
        slope_x: float,
        slope_y: float,
        deviation: float,
        out: wp.array[wp.uint8],
        grid: Grid,
    ):
        """Normals, lights, markers, noise. The slopes are Sobel's, so they carry a little smoothing of their own."""
        here, b, y, x = pixel(grid, wp.tid(), wp.static(block))
        here = natural(here)
        left = natural(here - 1)
        up = natural(left - grid.stride)
        down = natural(left + grid.stride)
        still = natural(here - b * grid.plane)
        first = natural(3 * here)
        key = finish(stir(seeds[b] + wp.uint32(wp.static(_COUNTER))), wp.uint32(wp.static(_RED)))
        key += wp.uint32(y * grid.cols + x) * wp.uint32(wp.static(_COUNTER))
        # Lambert's light of the untouched gel, which the background holds already.
        untouched = wp.vec3()
        for k in range(wp.static(lights)):
            untouched += directions[k, 2] * wp.vec3(colours[k, 0], colours[k, 1], colours[k, 2])
        noise = deviation * wp.static(1.0 / _BYTES_STD)
        offset = 0.5 - wp.static(_BYTES_MEAN) * noise
        for j in range(wp.static(block)):
            a = height[up + j]
            c = height[up + j + 2]
            d = height[down + j]
            e = height[down + j + 2]
            gx = slope_x * ((c - a) + 2.0 * (height[left + j + 2] - height[left + j]) + (e - d))
            gy = slope_y * ((a - d) + 2.0 * (height[up + j + 1] - height[down + j + 1]) + (c - e))
            nz = 1.0 / wp.sqrt(1.0 + gx * gx + gy * gy)
            red = float(0.0)
            green = float(0.0)
            blue = float(0.0)
            for k in range(wp.static(lights)):
                light = larger(directions[k, 2] - directions[k, 0] * gx - directions[k, 1] * gy, 0.0)
                red += colours[k, 0] * light
                green += colours[k, 1] * light
                blue += colours[k, 2] * light
            look = background[still + j]
            gain = channel(look, wp.uint32(24)) * wp.static(1.0 / 255.0)
            red = (red * nz - untouched[0]) * gain + channel(look, wp.uint32(0))
            green = (green * nz - untouched[1]) * gain + channel(look, wp.uint32(8))
            blue = (blue * nz - untouched[2]) * gain + channel(look, wp.uint32(16))
            if wp.static(markers):
                cover = coverage[here + j]
                red += cover * (marker[0] - red)
                green += cover * (marker[1] - green)
                blue += cover * (marker[2] - blue)
            word = stir(key + wp.uint32(j) * wp.uint32(wp.static(_COUNTER)))
            red += noise * byte_sum(finish(word, wp.uint32(wp.static(_RED)))) + offset
            green += noise * byte_sum(finish(word, wp.uint32(wp.static(_GREEN)))) + offset
            blue += noise * byte_sum(finish(word, wp.uint32(wp.static(_BLUE)))) + offset
            out[first + 3 * j] = count(red)
            out[first + 3 * j + 1] = count(green)
            out[first + 3 * j + 2] = count(blue)

    return shade
