"""The Warp kernel that turns the shape of a gel into its image; laid out as `kernels` says."""

import functools
from typing import Any

import warp as wp

from trunkline.envs.tactile.kernels import Grid, Plane, larger, module_named, natural, pixel
from trunkline.envs.tactile.sensor import MAX_LIGHTS

Vectors = wp.types.matrix(shape=(MAX_LIGHTS, 3), dtype=wp.float32)
_COUNTER = 0x1E3779B9  # odd, spreads consecutive counters
_RED, _GREEN, _BLUE = 0x735A2D97, 0x2C1B3C6D, 0x297A2D39  # odd multipliers of the hashes of the three channels
# Four bytes that are uniform over 0…255 sum to 510 on average, with a standard deviation of sqrt(4 · (256² − 1) / 12).
_BYTES_MEAN = 510.0
_BYTES_STD = 147.799


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
def channel(word: wp.uint32, shift: wp.uint32):
    """One byte of a word."""
    return wp.float32(wp.int32((word >> shift) & wp.uint32(255)))


@wp.func
def count(value: float):
    """A value that has been given its half for rounding, as a byte."""
    positive = larger(value, 0.0)
    return wp.uint8(wp.int32(wp.where(positive < 255.0, positive, 255.0)))


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
                cover = coverage[left + j + 1]
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
