"""Kernels that find every leap of a world: see `kernels/edit.py` for what a leap is.

The side of the largest empty cube is the max-norm distance to the nearest block within an octant. It separates: the
distance along y, then the least max(i, that of the i-th column) along z, then the same along x. The world's border
counts as a block.
"""

import functools
from types import SimpleNamespace

import warp as wp

from trunkline.envs.minecraft.kernels.edit import casts_shadow
from trunkline.envs.minecraft.kernels.leaps import LONGEST_LEAP
from trunkline.envs.minecraft.state import Rules


@functools.cache
def clear_kernels(block: int) -> SimpleNamespace:
    """The kernels, for threads of `block` cells of a column; the last of a column overlaps the one before.

    The constant count and the local vector let the CPU compiler handle them in one instruction.
    """
    module = f"trunkline.minecraft.clear{block}"
    wp.set_module_options({"enable_backward": False}, module=wp.get_module(module))
    Cells = wp.types.vector(block, wp.uint8)

    @wp.kernel(module=module)
    def leap_along_y(
        rows: wp.array[wp.int32],
        blocks: wp.array2d[wp.uint8],
        rules: Rules,
        ny: int,
        ceiling: wp.array2d[wp.uint8],
        out: wp.array2d[wp.uint8],
    ):
        """Empty cells below and above, itself counted, two in a byte: (R, V). And the ceiling of every column."""
        r, column = wp.tid()
        w = rows[r]
        start = column * ny
        top = int(0)
        down = int(0)
        for y in range(ny):
            state = int(blocks[w, start + y])
            down = wp.where(state == 0, wp.min(down + 1, wp.static(LONGEST_LEAP)), 0)
            out[r, start + y] = wp.uint8(down)
        up = int(0)
        for i in range(ny):
            y = ny - 1 - i
            below = int(out[r, start + y])
            up = wp.where(below != 0, wp.min(up + 1, wp.static(LONGEST_LEAP)), 0)
            out[r, start + y] = wp.uint8(below | (up << 4))
            if below == 0 and top == 0 and casts_shadow(rules, int(blocks[w, start + y])):
                top = y + 1
        ceiling[w, column] = wp.uint8(wp.min(top, 255))

    @wp.func
    def spread(source: wp.array[wp.uint8], first: int, stride: int, ahead: int):
        """The least max(i, distance of the i-th column ahead); `ahead` columns lie there, then the border."""
        low = Cells()
        high = Cells()
        for y in range(wp.static(block)):
            both = source[(first + y) & 0x7FFFFFFF]
            low[y] = both & wp.uint8(15)
            high[y] = both >> wp.uint8(4)
        for i in range(1, wp.min(ahead + 1, wp.static(LONGEST_LEAP))):
            least = wp.uint8(i)
            longest = wp.uint8(0)
            for y in range(wp.static(block)):
                either = low[y] | high[y]
                longest = wp.where(longest > either, longest, either)
            if longest <= least:
                break  # what is farther than i cannot matter
            for y in range(wp.static(block)):
                both = source[(first + i * stride + y) & 0x7FFFFFFF]
                a = both & wp.uint8(15)
                b = both >> wp.uint8(4)
                a = wp.where(a > least, a, least)
                b = wp.where(b > least, b, least)
                low[y] = wp.where(low[y] < a, low[y], a)
                high[y] = wp.where(high[y] < b, high[y], b)
        most = wp.uint8(wp.min(ahead + 1, wp.static(LONGEST_LEAP)))
        for y in range(wp.static(block)):
            a = wp.where(low[y] < most, low[y], most)
            b = wp.where(high[y] < most, high[y], most)
            low[y] = a | (b << wp.uint8(4))
        return low

    @wp.kernel(module=module)
    def leap_along_z(source: wp.array2d[wp.uint8], nx: int, ny: int, nz: int, out: wp.array3d[wp.uint8]):
        """(R, V) → (R, 2, V): towards smaller and larger z."""
        r, grows, column, part = wp.tid()
        z = column % nz
        ahead = wp.where(grows == 1, nz - 1 - z, z)
        first = column * ny + wp.min(part * wp.static(block), ny - wp.static(block))
        both = spread(source[r], first, ny * (2 * grows - 1), ahead)
        line = out[r][grows]
        for y in range(wp.static(block)):
            line[(first + y) & 0x7FFFFFFF] = both[y]

    @wp.kernel(module=module)
    def leap_along_x(
        rows: wp.array[wp.int32], source: wp.array3d[wp.uint8], nx: int, ny: int, nz: int, leaps: wp.array2d[wp.uint8]
    ):
        """(R, 2, V) → the leaps of worlds, (W, 4V)."""
        r, quadrant, column, part = wp.tid()
        x = column // nz
        grows = quadrant & 1
        ahead = wp.where(grows == 1, nx - 1 - x, x)
        first = column * ny + wp.min(part * wp.static(block), ny - wp.static(block))
        both = spread(source[r][quadrant >> 1], first, ny * nz * (2 * grows - 1), ahead)
        line = leaps[rows[r]]
        to = quadrant * nx * ny * nz + first
        for y in range(wp.static(block)):
            line[(to + y) & 0x7FFFFFFF] = both[y]

    return SimpleNamespace(leap_along_y=leap_along_y, leap_along_z=leap_along_z, leap_along_x=leap_along_x)
