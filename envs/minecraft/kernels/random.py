"""Draws of a running world: a hash of (seed, tick, who, what for), so that they depend on no order and no batch.

Who: an entity's place, a cell's index or `AGENT`. What for: one of the purposes below; a purpose that needs several
numbers uses those that follow it.
"""

import warp as wp

wp.set_module_options({"enable_backward": False, "max_unroll": 0})

AGENT = -1

# Purposes. A part of the engine keeps to its own hundred: entities from 0, the agent's hands from 100, blocks from 200.
STROLL, STROLL_GOAL, PANIC_GOAL, SWIM, STRAFE_SIDE = 0, 1, 3, 5, 6
SCATTER, SPREAD, CRITICAL, LOOT = 10, 20, 30, 40


@wp.func
def mix(h: wp.uint32):
    """A 32-bit finaliser: every bit of the result depends on every bit of the input (Wellons' lowbias32 constants)."""
    h = h ^ (h >> wp.uint32(16))
    h = h * wp.static(wp.uint32(0x7FEB352D))
    h = h ^ (h >> wp.uint32(15))
    h = h * wp.static(wp.uint32(0x846CA68B))
    return h ^ (h >> wp.uint32(16))


@wp.func
def draw_bits(seed: wp.uint32, tick: int, a: int, b: int):
    """32 random bits."""
    h = mix(seed + wp.static(wp.uint32(0x9E3779B9)))
    h = mix(h + wp.uint32(tick))
    h = mix(h ^ (wp.uint32(a) * wp.static(wp.uint32(0x85EBCA6B))))
    return mix(h + wp.uint32(b) * wp.static(wp.uint32(0xC2B2AE35)))


@wp.func
def draw(seed: wp.uint32, tick: int, a: int, b: int):
    """A float32 in [0, 1), of 24 bits."""
    return float(draw_bits(seed, tick, a, b) >> wp.uint32(8)) * wp.static(2.0**-24)


@wp.func
def draw_between(seed: wp.uint32, tick: int, a: int, b: int, low: int, high: int):
    """An integer in [low, high]."""
    return low + int(draw_bits(seed, tick, a, b) % wp.uint32(high - low + 1))


@wp.func
def draw_normal(seed: wp.uint32, tick: int, a: int, b: int):
    """A normal draw by Box and Muller; uses the purposes b and b + 1."""
    radius = wp.sqrt(-2.0 * wp.log(1.0 - draw(seed, tick, a, b)))
    return radius * wp.cos(wp.static(6.283185307179586) * draw(seed, tick, a, b + 1))
