"""Surface textures: periodic relief, the same for ever from its name, repeats and grain.

A texture is a depth below the crests, 0 to 1, on a square tile that repeats seamlessly; u runs along the object's x, v
along its y.
"""

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from trunkline.envs.random import generator
from trunkline.errors import unknown

TILE = 0.012  # m, edge of the tile
PIXELS = 256  # a side
_GRAIN_WIDTH = 0.35  # of the noise's band, relative to its frequency

Array = np.ndarray


def _ridges(u: Array, v: Array, n: int) -> Array:
    depth: Array = 0.5 - 0.5 * np.cos(2 * np.pi * n * u) + 0 * v
    return depth


def _knurl(u: Array, v: Array, n: int) -> Array:
    """Diamonds between two sets of diagonal grooves."""
    depth: Array = 1 - np.minimum(_saw(n * (u + v)), _saw(n * (u - v)))
    return depth


def _bumps(u: Array, v: Array, n: int) -> Array:
    """Round caps on a square lattice."""
    square = ((n * u) % 1 - 0.5) ** 2 + ((n * v) % 1 - 0.5) ** 2
    depth: Array = 1 - np.sqrt(np.maximum(1 - square / 0.16, 0))
    return depth


def _grid(u: Array, v: Array, n: int) -> Array:
    """Square tiles between rounded grooves."""
    groove = np.minimum(_saw(n * u), _saw(n * v)) / 0.3
    depth: Array = 1 - np.sin(np.pi / 2 * np.minimum(groove, 1))
    return depth


def _weave(u: Array, v: Array, n: int) -> Array:
    """Plain weave: two sets of threads that pass over and under each other."""
    warp = np.sqrt(_saw(n * u)) * (0.6 + 0.4 * np.sign(np.sin(np.pi * n * u)) * np.sin(np.pi * n * v))
    weft = np.sqrt(_saw(n * v)) * (0.6 - 0.4 * np.sign(np.sin(np.pi * n * v)) * np.sin(np.pi * n * u))
    depth: Array = 1 - np.maximum(warp, weft)
    return depth


def _grain(u: Array, v: Array, n: int) -> Array:
    """Noise of about n grains a tile, without a direction."""
    noise = generator("touch texture", "grain", n).standard_normal(u.shape)
    frequency = np.fft.fftfreq(PIXELS, 1 / PIXELS)
    radius = np.hypot(frequency[:, None], frequency[None, :])
    band = np.exp(-0.5 * ((radius - n) / (_GRAIN_WIDTH * n)) ** 2) * (radius > 0)
    rough = np.fft.ifft2(np.fft.fft2(noise) * band).real
    low, high = np.percentile(rough, (2, 98))
    clipped: Array = np.clip((rough - low) / (high - low), 0, 1)
    return clipped


def _honeycomb(u: Array, v: Array, n: int) -> Array:
    """Hexagonal cells between walls: the walls are the crests."""
    rows = 2 * max(1, round(n / np.sqrt(3)))
    distances = []
    for j in range(-1, rows + 1):
        offset = 0.5 * (j % 2)
        across = (n * u - offset + 0.5) % 1 - 0.5
        distances.append(np.hypot(across / n, v - (j + 0.5) / rows))
    first, second = np.partition(np.stack(distances), 1, axis=0)[:2]
    # Within a row the second nearest centre is the next along u.
    for j in range(-1, rows + 1):
        across = 1 - np.abs((n * u - 0.5 * (j % 2) + 0.5) % 1 - 0.5)
        second = np.minimum(second, np.hypot(across / n, v - (j + 0.5) / rows))
    wall: Array = np.clip((second - first) * n / 0.45, 0, 1)
    depth: Array = np.sin(np.pi / 2 * wall)
    return depth


def _saw(x: Array) -> Array:
    """0 on the whole numbers, 1 half way between them."""
    saw: Array = 1 - np.abs(2 * (x % 1) - 1)
    return saw


def _plain(u: Array, v: Array, n: int) -> Array:
    depth: Array = 0 * u * v
    return depth


_TEXTURES: dict[str, Callable[[Array, Array, int], Array]] = {
    "plain": _plain,
    "ridges": _ridges,
    "knurl": _knurl,
    "bumps": _bumps,
    "grid": _grid,
    "weave": _weave,
    "grain": _grain,
    "honeycomb": _honeycomb,
}
TEXTURES = tuple(_TEXTURES)


@lru_cache(maxsize=128)
def tile(texture: str, repeats: int) -> np.ndarray:
    """Depth below the crests, 0 to 1, (PIXELS, PIXELS) float32, read-only; [row, column] is [v, u].

    Args:
        texture: one of `TEXTURES`.
        repeats: how often the pattern repeats along the tile; even, so that the weave closes.

    Raises:
        InputError: a texture nobody knows.
    """
    if texture not in _TEXTURES:
        raise unknown("texture", texture, TEXTURES)
    assert repeats % 2 == 0
    centres = (np.arange(PIXELS) + 0.5) / PIXELS
    u, v = np.meshgrid(centres, centres)
    depth = _TEXTURES[texture](u, v, repeats).astype(np.float32)
    depth.flags.writeable = False
    return depth
