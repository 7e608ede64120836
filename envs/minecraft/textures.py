"""Pictures of blocks, items and animals, made from their names: our own, drawn by the patterns of `paint.py`.

Alpha is 0 where a picture is cut out, GLOWING where it needs no light, and 255 elsewhere.
"""

import functools
from collections.abc import Callable

import numpy as np

from trunkline.envs.minecraft import paint
from trunkline.envs.minecraft.colors import (
    DYES,
    FLOWERS,
    LINED,
    MATERIALS,
    METALS,
    MIXED,
    ORES,
    PLAIN,
    TREES,
)
from trunkline.envs.minecraft.paint import SIDE, Color

GLOWING = 254


def picture(name: str) -> np.ndarray:
    """(16, 16, 4) uint8: red, green, blue, alpha. A name that is not known gets a colour of its own."""
    rng = paint.generator(name)
    stem, _, last = name.rpartition("_")
    if name in PLAIN:
        plain = paint.speckled(rng, *PLAIN[name])
        if name in LINED:  # furrows
            plain[3::4, :, :3] = plain[3::4, :, :3] // 4 * 3
        return plain
    if name in MIXED:
        return paint.mottled(rng, MIXED[name])
    if name in FLOWERS:
        return paint.flower(rng, *FLOWERS[name])
    if name in _ODD:
        return _ODD[name](rng)
    if last == "wool" and stem in DYES:
        return paint.woven(rng, DYES[stem])
    if last == "ore" and stem in ORES:
        return paint.studded(rng, picture("stone"), ORES[stem])
    if last == "block" and stem in METALS:
        return paint.framed(paint.speckled(rng, METALS[stem], 0.05, 0.06))
    if stem == "wheat" or last in ("0", "7"):
        return _crop(rng, stem, int(last))
    tree = _tree(rng, name)
    if tree is not None:
        return tree
    if name.startswith("polished_"):
        return paint.framed(paint.mottled(rng, MIXED[name.removeprefix("polished_")], 0.03), 0.82, 1.08)
    return paint.framed(paint.speckled(rng, _own_color(name)))


def _own_color(name: str) -> Color:
    words = name.split("_")
    for word, color in MATERIALS.items():
        if word in (words[0], words[-1]):
            return color
    for dye, color in DYES.items():
        if name.startswith(dye):
            return color
    red, green, blue = paint.generator(name + " colour").integers(60, 220, 3)
    return (int(red), int(green), int(blue))


def _tree(rng: np.random.Generator, name: str) -> np.ndarray | None:
    for kind in sorted(TREES, key=len, reverse=True):
        if name.startswith(kind + "_"):
            around, wood, leaves = TREES[kind]
            part = name.removeprefix(kind + "_")
            if part == "log":
                return paint.birch_bark(rng) if kind == "birch" else paint.bark(rng, around)
            if part == "log_top":
                return paint.rings(rng, wood, around)
            if part == "planks":
                return paint.planks(rng, wood)
            if part == "leaves":
                return paint.foliage(rng, leaves)
            if part == "sapling":
                return _sapling(rng, leaves)
    return None


def _sapling(rng: np.random.Generator, color: Color) -> np.ndarray:
    out = paint.empty()
    for row in range(9, SIDE):
        paint.dot(out, row, 7, (104, 82, 50), rng.uniform(0.8, 1.1))
    for row in range(2, 11):
        for column in range(3, 13):
            if abs(row - 6) + abs(column - 7.5) < 5.5 and rng.random() < 0.8:
                paint.dot(out, row, column, color, rng.uniform(0.75, 1.25))
    return out


def _crop(rng: np.random.Generator, kind: str, age: int) -> np.ndarray:
    green, ripe = (60, 150, 40), {"wheat": (214, 184, 84), "carrots": (60, 160, 40), "potatoes": (70, 140, 50)}
    return paint.blades(rng, paint.mix(green, ripe.get(kind, green), (age / 7) ** 2), 8, 3 + age + (2 if age else 0))


def _grass_side(rng: np.random.Generator, top: str) -> np.ndarray:
    return paint.capped(rng, picture("dirt"), picture(top))


def _glass(rng: np.random.Generator) -> np.ndarray:
    out = paint.empty()
    for edge in (0, SIDE - 1):
        out[edge, :] = out[:, edge] = (198, 226, 232, 255)
    for at in (3, 4, 5):
        out[at, 8 - at] = out[at + 6, 16 - at] = (226, 242, 246, 255)
    return out


def _glow(rng: np.random.Generator, base: Color, spots: Color, share: float = 0.4) -> np.ndarray:
    out = paint.speckled(rng, base, 0.12, 0.1)
    bright = rng.random((8, 8)).repeat(2, 0).repeat(2, 1) < share
    out[bright] = paint.speckled(rng, spots, 0.08)[bright]
    out[..., 3] = GLOWING
    return out


def _furnace(rng: np.random.Generator, lit: bool) -> np.ndarray:
    out = paint.framed(paint.cobbles(rng, (122, 122, 122), 0.7))
    paint.rectangle(out, slice(3, 6), slice(3, 13), (60, 60, 62))
    paint.rectangle(out, slice(8, 14), slice(3, 13), (34, 32, 32))
    if lit:
        for column in range(4, 12):
            tall = int(rng.integers(2, 5))
            paint.rectangle(out, slice(14 - tall, 14), slice(column, column + 1), (250, 160, 40), GLOWING)
    return out


def _panelled(rng: np.random.Generator, window: bool) -> np.ndarray:
    out = paint.framed(paint.planks(rng, (160, 126, 74)))
    for rows in (slice(2, 7), slice(9, 14)):
        for columns in (slice(2, 7), slice(9, 14)):
            paint.rectangle(out, rows, columns, (104, 80, 44))
            inner = (slice(rows.start + 1, rows.stop - 1), slice(columns.start + 1, columns.stop - 1))
            paint.rectangle(out, *inner, (150, 190, 214) if window and rows.start == 2 else (134, 104, 60))
    if not window:
        paint.rectangle(out, slice(1, 3), slice(13, 15), (60, 60, 60))
    return out


def _chest(rng: np.random.Generator, lid: bool = True, lock: bool = False) -> np.ndarray:
    out = paint.framed(paint.planks(rng, (164, 112, 44)))
    out[0, :, :3] = out[-1, :, :3] = out[:, 0, :3] = out[:, -1, :3] = (60, 40, 18)
    if lid:
        out[5, :, :3] = (60, 40, 18)
    if lock:
        paint.rectangle(out, slice(4, 8), slice(7, 9), (206, 206, 206))
    return out


def _table(rng: np.random.Generator, top: bool) -> np.ndarray:
    out = paint.planks(rng, (178, 128, 74))
    if top:
        out = paint.framed(out)
        for at in (2, 6, 9, 13):
            out[at, 2:14, :3] = out[2:14, at, :3] = (96, 62, 32)
        return out
    out[:3, :, :3] = (110, 72, 38)
    paint.rectangle(out, slice(5, 12), slice(3, 4), (90, 60, 30))
    paint.rectangle(out, slice(5, 7), slice(2, 6), (150, 150, 154))
    paint.rectangle(out, slice(5, 13), slice(11, 12), (90, 60, 30))
    return paint.rectangle(out, slice(5, 9), slice(9, 11), (150, 150, 154))


def _books(rng: np.random.Generator) -> np.ndarray:
    out = picture("oak_planks")
    for rows in (slice(1, 7), slice(9, 15)):
        paint.rectangle(out, rows, slice(0, SIDE), (46, 32, 18))
        column = 0
        while column < SIDE:
            wide = int(rng.integers(1, 3))
            paint.rectangle(
                out, slice(rows.start + int(rng.integers(0, 3)), rows.stop), slice(column, column + wide),
                [(150, 34, 30), (40, 70, 140), (44, 110, 50), (170, 130, 60), (110, 50, 120)][rng.integers(5)],
            )  # fmt: skip
            column += wide + int(rng.integers(0, 2))
    return out


def _ribbed(rng: np.random.Generator, color: Color, dark: float = 0.78, every: int = 4) -> np.ndarray:
    return paint.lit(color, np.where(np.arange(SIDE)[None] % every == 0, dark, 1.0) * paint.grain(rng, 0.07))


def _carved(rng: np.random.Generator, glows: bool) -> np.ndarray:
    out = _ribbed(rng, (214, 126, 28))
    alpha, color = (GLOWING, (255, 222, 96)) if glows else (255, (58, 30, 8))
    eyes, mouth = (((4, 7), (3, 6)), ((4, 7), (10, 13))), (((9, 11), (3, 13)), ((11, 12), (5, 7)), ((11, 12), (9, 11)))
    for rows, columns in (*eyes, *mouth):
        paint.rectangle(out, slice(*rows), slice(*columns), color, alpha)
    return out


def _cactus(rng: np.random.Generator) -> np.ndarray:
    out = _ribbed(rng, (84, 130, 42), 0.7)
    for row, column in zip(rng.integers(0, SIDE, 10), rng.integers(0, 4, 10) * 4 + 2, strict=True):
        out[row, column, :3] = (220, 224, 180)
    return out


def _stick(rng: np.random.Generator, flame: bool) -> np.ndarray:
    out = paint.lit((112, 84, 46), paint.grain(rng, 0.12))
    if flame:
        out[:8] = (255, 214, 96, GLOWING)
        out[:6] = (255, 242, 190, GLOWING)
    return out


def _ladder(rng: np.random.Generator) -> np.ndarray:
    out = paint.empty()
    wood = paint.lit((140, 106, 58), paint.grain(rng, 0.1))
    keep = np.zeros((SIDE, SIDE), bool)
    keep[:, [2, 3, 12, 13]] = True
    keep[1::4, 1:15] = keep[2::4, 1:15] = True
    out[keep] = wood[keep]
    return out


def _mushroom(rng: np.random.Generator, cap: Color, dotted: bool) -> np.ndarray:
    out = paint.empty()
    paint.rectangle(out, slice(11, 16), slice(7, 9), (222, 210, 190))
    for row in range(7, 11):
        half = row - 4
        paint.rectangle(out, slice(row, row + 1), slice(max(8 - half, 3), min(8 + half, 13)), cap)
    if dotted:
        for row, column in ((8, 6), (9, 10), (10, 5), (10, 8)):
            paint.dot(out, row, column, (240, 236, 230))
    return out


def _tnt(rng: np.random.Generator) -> np.ndarray:
    out = _ribbed(rng, (200, 52, 34), 0.8)
    paint.rectangle(out, slice(5, 11), slice(0, SIDE), (232, 230, 226))
    for columns in (slice(2, 5), slice(7, 9), slice(11, 14)):
        paint.rectangle(out, slice(6, 10), columns, (40, 38, 38))
    return out


def _mossy(rng: np.random.Generator, of: np.ndarray) -> np.ndarray:
    moss = rng.random((8, 8)).repeat(2, 0).repeat(2, 1) < 0.32
    return np.where(moss[..., None], paint.speckled(rng, (92, 120, 62), 0.16), of)


def _cracked(rng: np.random.Generator, of: np.ndarray) -> np.ndarray:
    row, column = 1, int(rng.integers(3, 12))
    for _ in range(22):
        of[row % SIDE, column % SIDE, :3] = (70, 70, 70)
        row, column = row + int(rng.integers(0, 2)), column + int(rng.integers(-1, 2))
    return of


def _carved_stone(rng: np.random.Generator, color: Color) -> np.ndarray:
    out = paint.framed(paint.speckled(rng, color, 0.04, 0.02))
    for edge, factor in ((3, 0.72), (6, 0.8)):
        for side in (edge, SIDE - 1 - edge):
            out[side, edge : SIDE - edge, :3] = out[edge : SIDE - edge, side, :3] = np.asarray(color) * factor
    return out


def _hide(rng: np.random.Generator, base: Color, spots: Color, share: float) -> np.ndarray:
    out = paint.speckled(rng, base, 0.06)
    patches = rng.random((4, 4)).repeat(4, 0).repeat(4, 1) < share
    out[patches] = paint.speckled(rng, spots, 0.06)[patches]
    return out


def _face(rng: np.random.Generator, skin: Color, eyes: Color, muzzle: Color, white: bool = True) -> np.ndarray:
    out = paint.speckled(rng, skin, 0.05)
    for column, pupil in ((2, 3), (10, 11)):
        paint.rectangle(out, slice(6, 9), slice(column, column + 4), (236, 236, 236) if white else eyes)
        paint.rectangle(out, slice(6, 9), slice(pupil, pupil + 2), eyes)
    return paint.rectangle(out, slice(10, 15), slice(4, 12), muzzle)


_ODD: dict[str, Callable[[np.random.Generator], np.ndarray]] = {
    "air": lambda rng: paint.empty(),
    "grass_block_side": lambda rng: _grass_side(rng, "grass_block_top"),
    "grass_block_snow": lambda rng: _grass_side(rng, "snow"),
    "podzol_side": lambda rng: _grass_side(rng, "podzol_top"),
    "grass_path_side": lambda rng: _grass_side(rng, "grass_path_top"),
    "cobblestone": lambda rng: paint.cobbles(rng, (132, 132, 132)),
    "mossy_cobblestone": lambda rng: _mossy(rng, picture("cobblestone")),
    "stone_bricks": lambda rng: paint.bricks(rng, (128, 128, 130), (84, 84, 86), 8, 16),
    "mossy_stone_bricks": lambda rng: _mossy(rng, picture("stone_bricks")),
    "cracked_stone_bricks": lambda rng: _cracked(rng, picture("stone_bricks")),
    "chiseled_stone_bricks": lambda rng: _carved_stone(rng, (124, 124, 126)),
    "smooth_stone": lambda rng: paint.framed(paint.speckled(rng, (160, 160, 162), 0.02, 0.01), 0.84, 1.04),
    "bricks": lambda rng: paint.bricks(rng, (156, 86, 70), (172, 164, 156)),
    "sandstone": lambda rng: paint.layered(rng, (218, 206, 160)),
    "red_sandstone": lambda rng: paint.layered(rng, (186, 98, 32)),
    "chiseled_sandstone": lambda rng: _carved_stone(rng, (218, 206, 160)),
    "cut_sandstone": lambda rng: paint.framed(paint.layered(rng, (220, 208, 164))),
    "glass": _glass,
    "glowstone": lambda rng: _glow(rng, (150, 106, 60), (255, 226, 150)),
    "lava": lambda rng: _glow(rng, (214, 90, 16), (250, 178, 40)),
    "furnace_front": lambda rng: _furnace(rng, False),
    "furnace_front_on": lambda rng: _furnace(rng, True),
    "furnace_side": lambda rng: paint.framed(paint.cobbles(rng, (122, 122, 122), 0.7)),
    "furnace_top": lambda rng: paint.framed(paint.speckled(rng, (118, 118, 118), 0.05)),
    "oak_door_upper": lambda rng: _panelled(rng, True),
    "oak_door_lower": lambda rng: _panelled(rng, False),
    "chest_top": lambda rng: _chest(rng, lid=False),
    "chest_side": lambda rng: _chest(rng),
    "chest_front": lambda rng: _chest(rng, lock=True),
    "crafting_table_top": lambda rng: _table(rng, True),
    "crafting_table_side": lambda rng: _table(rng, False),
    "bookshelf": _books,
    "pumpkin_side": lambda rng: _ribbed(rng, (214, 126, 28)),
    "pumpkin_top": lambda rng: paint.rings(rng, (206, 120, 28), (190, 108, 24)),
    "carved_pumpkin": lambda rng: _carved(rng, False),
    "jack_o_lantern": lambda rng: _carved(rng, True),
    "melon_side": lambda rng: _ribbed(rng, (122, 152, 32), 0.72, 3),
    "melon_top": lambda rng: paint.mottled(rng, ((122, 152, 32), (100, 132, 28))),
    "hay_block_side": lambda rng: paint.framed(paint.bark(rng, (196, 164, 30))),
    "hay_block_top": lambda rng: paint.rings(rng, (190, 158, 40), (150, 120, 24)),
    "cactus_side": _cactus,
    "cactus_top": lambda rng: paint.rings(rng, (104, 150, 58), (70, 110, 36)),
    "torch": lambda rng: _stick(rng, True),
    "lever": lambda rng: _stick(rng, False),
    "ladder": _ladder,
    "grass": lambda rng: paint.blades(rng, (96, 158, 56)),
    "fern": lambda rng: paint.blades(rng, (70, 132, 52), 11, 13),
    "dead_bush": lambda rng: paint.blades(rng, (124, 88, 40), 6, 10),
    "sugar_cane": lambda rng: paint.blades(rng, (146, 196, 100), 6, 21),
    "brown_mushroom": lambda rng: _mushroom(rng, (150, 110, 82), False),
    "red_mushroom": lambda rng: _mushroom(rng, (208, 34, 30), True),
    "tnt_side": _tnt,
    "tnt_top": lambda rng: paint.rings(rng, (210, 190, 170), (180, 44, 30)),
    "tnt_bottom": lambda rng: paint.speckled(rng, (180, 44, 30)),
    "cow": lambda rng: _hide(rng, (70, 50, 38), (226, 222, 216), 0.3),
    "cow_face": lambda rng: _face(rng, (70, 50, 38), (20, 16, 14), (214, 170, 160)),
    "pig": lambda rng: _hide(rng, (238, 158, 156), (226, 140, 140), 0.3),
    "pig_face": lambda rng: _face(rng, (238, 158, 156), (30, 24, 24), (216, 116, 118)),
    "sheep": lambda rng: paint.woven(rng, (232, 230, 224)),
    "sheep_face": lambda rng: _face(rng, (206, 176, 150), (24, 20, 20), (216, 190, 170)),
    "zombie_skin": lambda rng: paint.speckled(rng, (92, 138, 76), 0.08, 0.06),
    "zombie_face": lambda rng: _face(rng, (92, 138, 76), (16, 20, 16), (70, 106, 58), False),
    "zombie_shirt": lambda rng: paint.speckled(rng, (18, 150, 150), 0.06, 0.05),
    "zombie_trousers": lambda rng: paint.speckled(rng, (66, 58, 150), 0.06, 0.05),
    "skeleton": lambda rng: paint.bricks(rng, (200, 200, 196), (120, 120, 118), 4, 16),
    "skeleton_face": lambda rng: _face(rng, (204, 204, 200), (30, 30, 30), (110, 110, 108), False),
    "arrow": lambda rng: _stick(rng, False),
}  # fmt: skip


@functools.cache
def packed(name: str) -> np.ndarray:
    """(256,) uint32: the pixels of a picture by rows from the top, red in the lowest byte; read-only."""
    pixels = picture(name).astype(np.uint32)
    values = pixels[..., 0] | pixels[..., 1] << 8 | pixels[..., 2] << 16 | pixels[..., 3] << 24
    flat: np.ndarray = values.reshape(-1)
    flat.flags.writeable = False
    return flat
