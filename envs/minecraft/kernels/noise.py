"""Noise in whole numbers: terrain is then the same to the bit on every device.

Lattice points lie 2^k blocks apart. Fractions have 8 bits, smoothed weights 12.
"""

import warp as wp

from trunkline.envs.minecraft.kernels.random import mix

wp.set_module_options({"enable_backward": False, "max_unroll": 0})

# Large odd numbers; typed here, because Warp writes a literal in a kernel as a signed one.
_X = wp.constant(wp.uint32(0x8DA6B343))
_Y = wp.constant(wp.uint32(0xCB1AB31F))
_Z = wp.constant(wp.uint32(0xD8163841))
_WHAT = wp.constant(wp.uint32(0x9E3779B9))


@wp.func
def purpose(seed: wp.uint32, what: int):
    """The seed of one kind of noise of a world."""
    return mix(seed ^ (wp.uint32(what) * _WHAT))


@wp.func
def hash2(seed: wp.uint32, x: int, z: int):
    """32 random bits of a point in the plane."""
    return mix(seed + wp.uint32(x) * _X + wp.uint32(z) * _Z)


@wp.func
def hash3(seed: wp.uint32, x: int, y: int, z: int):
    """32 random bits of a point in space."""
    return hash2(seed + wp.uint32(y) * _Y, x, z)


@wp.func
def smooth(f: int):
    """The weight 3f² − 2f³ of a fraction of 8 bits, of 12 bits."""
    return (f * f * (768 - 2 * f)) >> 12


@wp.func
def slope(h: wp.uint32, dx: int, dz: int):
    """A lattice point's random plane, at (dx, dz) of 8 bits from it."""
    return (int(h & wp.uint32(255)) - 128) * dx + (int((h >> wp.uint32(8)) & wp.uint32(255)) - 128) * dz


@wp.func
def noise2(seed: wp.uint32, x: int, z: int, k: int):
    """Gradient noise (Perlin 1985) of period 2^k, k ≤ 8: mean 0, seldom beyond ±16384."""
    i = x >> k
    j = z >> k
    fx = (x - (i << k)) << (8 - k)
    fz = (z - (j << k)) << (8 - k)
    a = slope(hash2(seed, i, j), fx, fz)
    b = slope(hash2(seed, i + 1, j), fx - 256, fz)
    c = slope(hash2(seed, i, j + 1), fx, fz - 256)
    d = slope(hash2(seed, i + 1, j + 1), fx - 256, fz - 256)
    sx = smooth(fx)
    north = a + (((b - a) * sx) >> 12)
    south = c + (((d - c) * sx) >> 12)
    return north + (((south - north) * smooth(fz)) >> 12)


@wp.func
def level3(seed: wp.uint32, x: int, y: int, z: int, k: int):
    """Value noise on a level of the lattice: point y of it, (x, z) in blocks; within ±2048.

    Between two levels, `blend` interpolates: a column then costs four hashes a level, not eight a cell.
    """
    i = x >> k
    j = z >> k
    sx = smooth((x - (i << k)) << (8 - k))
    sz = smooth((z - (j << k)) << (8 - k))
    mask = wp.uint32(4095)
    a = int(hash3(seed, i, y, j) & mask)
    b = int(hash3(seed, i + 1, y, j) & mask)
    c = int(hash3(seed, i, y, j + 1) & mask)
    d = int(hash3(seed, i + 1, y, j + 1) & mask)
    north = a + (((b - a) * sx) >> 12)
    south = c + (((d - c) * sx) >> 12)
    return north + (((south - north) * sz) >> 12) - 2048


@wp.func
def blend(below: int, above: int, weight: int):
    """Between two levels, by a weight of 12 bits."""
    return below + (((above - below) * weight) >> 12)
