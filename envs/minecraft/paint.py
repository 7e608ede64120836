"""Patterns of 16×16 pixels from which `textures.py` makes pictures: arrays (16, 16, 4) uint8, red green blue alpha."""

import zlib
from collections.abc import Sequence

import numpy as np

SIDE = 16
Color = tuple[int, int, int]
_ROW, _COLUMN = np.mgrid[:SIDE, :SIDE]


def generator(name: str) -> np.random.Generator:
    """The generator of a picture's grain: the same for a name on every machine."""
    return np.random.default_rng(zlib.crc32(name.encode()))


def mix(a: Sequence[float], b: Sequence[float], part: float) -> Color:
    """A colour between two."""
    return tuple(round(x + (y - x) * part) for x, y in zip(a, b, strict=True))  # type: ignore[return-value]


def lit(color: Sequence[float], level: np.ndarray) -> np.ndarray:
    """An opaque picture of one colour, brighter or darker by a factor (16, 16)."""
    picture = np.full((SIDE, SIDE, 4), 255.0)
    picture[..., :3] = np.asarray(color)[None, None] * level[..., None]
    pixels: np.ndarray = np.clip(picture.round(), 0, 255).astype(np.uint8)
    return pixels


def grain(rng: np.random.Generator, fine: float, coarse: float = 0.0, cell: int = 4) -> np.ndarray:
    """Factors around 1: noise of pixels and of squares of `cell` pixels."""
    squares = rng.uniform(-1, 1, (SIDE // cell, SIDE // cell)).repeat(cell, 0).repeat(cell, 1)
    factors: np.ndarray = 1 + fine * rng.uniform(-1, 1, (SIDE, SIDE)) + coarse * squares
    return factors


def speckled(rng: np.random.Generator, color: Color, fine: float = 0.1, coarse: float = 0.05) -> np.ndarray:
    """Earth, sand, stone."""
    return lit(color, grain(rng, fine, coarse, 2))


def mottled(rng: np.random.Generator, colors: Sequence[Color], fine: float = 0.08) -> np.ndarray:
    """Patches of several colours."""
    patches = rng.integers(0, len(colors), (8, 8)).repeat(2, 0).repeat(2, 1)
    patches = np.where(rng.random((SIDE, SIDE)) < 0.35, rng.integers(0, len(colors), (SIDE, SIDE)), patches)
    picture = lit((255, 255, 255), np.ones((SIDE, SIDE)))
    picture[..., :3] = np.clip(np.asarray(colors)[patches] * grain(rng, fine)[..., None], 0, 255)
    return picture


def planks(rng: np.random.Generator, color: Color) -> np.ndarray:
    """Four boards with joints and the grain of wood."""
    board = _ROW // 4
    level = (1 + 0.07 * rng.uniform(-1, 1, 4))[board] + 0.05 * rng.uniform(-1, 1, (SIDE, 4)).repeat(4, 1)
    level += 0.03 * rng.uniform(-1, 1, (SIDE, SIDE))
    joints = rng.permutation(4) * 4 + 1
    level[_ROW % 4 == 3] = 0.66
    level[(joints[board] == _COLUMN) & (_ROW % 4 != 3)] *= 0.74
    return lit(color, level)


def bark(rng: np.random.Generator, color: Color) -> np.ndarray:
    """Upright furrows."""
    level = 1 + 0.2 * rng.uniform(-1, 1, (1, SIDE)) + 0.12 * rng.uniform(-1, 1, (4, SIDE)).repeat(4, 0)
    return lit(color, level + 0.04 * rng.uniform(-1, 1, (SIDE, SIDE)))


def birch_bark(rng: np.random.Generator) -> np.ndarray:
    """White, with dark dashes."""
    picture = lit((214, 212, 203), grain(rng, 0.04))
    for row in rng.permutation(SIDE)[:6]:
        start, length = rng.integers(0, SIDE), rng.integers(2, 6)
        picture[row, (start + np.arange(length)) % SIDE, :3] = mix((40, 38, 36), (90, 86, 80), rng.random())
    return picture


def rings(rng: np.random.Generator, wood: Color, around: Color) -> np.ndarray:
    """The end of a log."""
    distance = np.maximum(abs(_ROW - 7.5), abs(_COLUMN - 7.5)) + 0.35 * rng.uniform(-1, 1, (SIDE, SIDE))
    picture = lit(wood, np.where((distance + 0.5).astype(int) % 2 == 0, 1.0, 0.82) * grain(rng, 0.04))
    edge = np.maximum(abs(_ROW - 7.5), abs(_COLUMN - 7.5)) > 7
    picture[edge] = lit(around, grain(rng, 0.12))[edge]
    return picture


def foliage(rng: np.random.Generator, color: Color) -> np.ndarray:
    """Leaves, with dark gaps between them."""
    level = 0.88 + 0.2 * rng.uniform(-1, 1, (SIDE, SIDE)) + 0.08 * rng.uniform(-1, 1, (8, 8)).repeat(2, 0).repeat(2, 1)
    level[rng.random((SIDE, SIDE)) < 0.16] = 0.45
    return lit(color, level)


def cobbles(rng: np.random.Generator, color: Color, mortar: float = 0.55, count: int = 11) -> np.ndarray:
    """Rounded stones: the nearer of scattered points, and dark where two are as near."""
    points = rng.uniform(0, SIDE, (count, 2))
    away = abs(np.stack([_ROW, _COLUMN], -1)[:, :, None] + 0.5 - points)
    distance = np.sort(np.linalg.norm(np.minimum(away, SIDE - away), axis=-1), -1)
    nearest = np.linalg.norm(np.minimum(away, SIDE - away), axis=-1).argmin(-1)
    level = (1 + 0.16 * rng.uniform(-1, 1, count))[nearest] + 0.04 * rng.uniform(-1, 1, (SIDE, SIDE))
    return lit(color, np.where(distance[..., 1] - distance[..., 0] < 0.9, mortar, level))


def bricks(rng: np.random.Generator, color: Color, mortar: Color, height: int = 4, width: int = 8) -> np.ndarray:
    """Courses of bricks, every second one shifted by half a brick."""
    course = _ROW // height
    along = (_COLUMN + (course % 2) * (width // 2)) % SIDE
    level = (1 + 0.1 * rng.uniform(-1, 1, (SIDE, SIDE)))[course, along // width] * grain(rng, 0.05)
    picture = lit(color, level)
    lines = (_ROW % height == height - 1) | (along % width == width - 1)
    picture[lines] = lit(mortar, grain(rng, 0.05))[lines]
    return picture


def framed(picture: np.ndarray, dark: float = 0.72, bright: float = 1.12) -> np.ndarray:
    """A bevel: bright at the top and left, dark at the bottom and right."""
    out = picture.astype(float)
    out[0, :, :3] *= bright
    out[:, 0, :3] *= bright
    out[-1, :, :3] *= dark
    out[:, -1, :3] *= dark
    pixels: np.ndarray = np.clip(out, 0, 255).astype(np.uint8)
    return pixels


def studded(rng: np.random.Generator, ground: np.ndarray, color: Color, clusters: int = 6) -> np.ndarray:
    """Ore: clusters of coloured grains in the ground."""
    picture = ground.copy()
    for row, column in zip(rng.permutation(6)[:clusters] * 2 + 2, rng.permutation(6)[:clusters] * 2 + 2, strict=True):
        for down, right in ((0, 0), (0, 1), (1, 0), (1, 1), (-1, 1), (1, -1))[: rng.integers(3, 7)]:
            factor = rng.uniform(0.75, 1.2)
            picture[row + down, column + right, :3] = np.clip(np.asarray(color) * factor, 0, 255)
    return picture


def layered(rng: np.random.Generator, color: Color) -> np.ndarray:
    """Sandstone: beds that lie on each other."""
    beds = 0.09 * rng.uniform(-1, 1, (SIDE, 1)).repeat(SIDE, 1)
    return lit(color, 1 + beds + 0.04 * rng.uniform(-1, 1, (SIDE, SIDE)))


def woven(rng: np.random.Generator, color: Color) -> np.ndarray:
    """Wool."""
    weave = 0.05 * np.where((_ROW // 2 + _COLUMN // 2) % 2 == 0, 1, -1)
    return lit(color, 1 + weave + 0.06 * rng.uniform(-1, 1, (SIDE, SIDE)))


def capped(rng: np.random.Generator, below: np.ndarray, cap: np.ndarray, depth: int = 3) -> np.ndarray:
    """A side whose upper edge something hangs over, with a fringe."""
    fringe = depth + rng.integers(-1, 2, SIDE)
    return np.where((fringe[None] > _ROW)[..., None], cap, below)


def empty() -> np.ndarray:
    """Nothing: transparent."""
    return np.zeros((SIDE, SIDE, 4), np.uint8)


def dot(picture: np.ndarray, row: int, column: int, color: Sequence[float], factor: float = 1.0) -> None:
    """Set one opaque pixel, if it lies within the picture."""
    if 0 <= row < SIDE and 0 <= column < SIDE:
        picture[row, column] = (*np.clip(np.asarray(color) * factor, 0, 255).astype(int), 255)


def blades(rng: np.random.Generator, color: Color, count: int = 9, height: int = 12) -> np.ndarray:
    """Stalks that grow from the ground."""
    picture = empty()
    for column in rng.choice(SIDE, count, replace=False):
        lean, tall = rng.uniform(-0.25, 0.25), rng.integers(max(2, height - 5), height + 1)
        shade = rng.uniform(0.75, 1.15)
        for up in range(tall):
            dot(picture, SIDE - 1 - up, round(column + lean * up), color, shade * (0.8 + 0.3 * up / tall))
    return picture


def flower(rng: np.random.Generator, petals: Color, heart: Color, top: int = 5) -> np.ndarray:
    """A stalk with two leaves and a head."""
    picture = empty()
    for row in range(top + 2, SIDE):
        dot(picture, row, 7, (64, 128, 48), rng.uniform(0.85, 1.1))
    for row, column in ((12, 6), (11, 5), (13, 8), (12, 9), (11, 10)):
        dot(picture, row, column, (74, 146, 54), rng.uniform(0.85, 1.1))
    for down in range(-2, 3):
        for right in range(-2, 3):
            if abs(down) + abs(right) < 4:
                dot(picture, top + down, 7 + right, petals, rng.uniform(0.82, 1.1))
    for down, right in ((0, 0), (0, 1), (1, 0)):
        dot(picture, top + down, 7 + right, heart)
    return picture


def rectangle(picture: np.ndarray, rows: slice, columns: slice, color: Sequence[float], alpha: int = 255) -> np.ndarray:
    """Paint part of a picture in one colour, in place."""
    picture[rows, columns] = (*color, alpha)
    return picture
