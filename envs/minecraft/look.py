"""How blocks and entities look: tables for sight, from the facts of `blocks.py` and the pictures of `textures.py`."""

import functools
from dataclasses import dataclass

import numpy as np

from trunkline.envs.minecraft.blocks import LIMIT, BlockState, block_states
from trunkline.envs.minecraft.items import items
from trunkline.envs.minecraft.rules import face_textures, texture_names
from trunkline.envs.minecraft.textures import packed

# How a ray treats a block.
AIR = 0
FULL = 1  # its six faces hide everything
CUTOUT = 2  # its box, of whose pictures parts may be missing
CROSS = 3  # two crossed pictures
LIQUID = 4  # seen through
SLAB = 5  # the lower part of a cell, of which nothing is missing

Corner = tuple[float, float, float]


@dataclass(frozen=True)
class Part:
    """One box of an entity's body, in blocks from its feet; x to its right, y up, z ahead.

    Attributes:
        low, high: corners.
        top, side, front: names of pictures.
    """

    low: Corner
    high: Corner
    top: str
    side: str
    front: str


def _part(size: Corner, middle: Corner, picture: str, front: str = "", top: str = "") -> Part:
    """A box of a size, in sixteenths of a block, whose middle is where it says; y of its lower side."""
    low = ((middle[0] - size[0] / 2) / 16, middle[1] / 16, (middle[2] - size[2] / 2) / 16)
    high = ((middle[0] + size[0] / 2) / 16, (middle[1] + size[1]) / 16, (middle[2] + size[2] / 2) / 16)
    return Part(low, high, top or picture, picture, front or picture)


def _legs(size: Corner, x: float, z: float, picture: str) -> tuple[Part, ...]:
    return tuple(_part(size, (side * x, 0, end * z), picture) for side in (-1, 1) for end in (-1, 1))


def _person(limb: float, skin: str, chest: str, legs: str, face: str, ahead: bool) -> tuple[Part, ...]:
    arms = (limb, 4, 12) if ahead else (limb, 12, limb)
    at = (18.5, 5.0) if ahead else (12.0, 0.0)
    return (
        _part((8, 8, 8), (0, 24, 0), skin, face),
        _part((8, 12, 4), (0, 12, 0), chest),
        *(_part((limb, 12, limb), (side * 2, 0, 0), legs) for side in (-1, 1)),
        *(_part(arms, (side * (4 + limb / 2), *at), skin) for side in (-1, 1)),
    )


# By number of kind, as in `state.ENTITY_NAMES`.
_MODELS: tuple[tuple[Part, ...], ...] = (
    (),
    (_part((12, 10, 18), (0, 11, -1), "cow"), _part((8, 8, 6), (0, 14, 11), "cow", "cow_face"),
     *_legs((4, 11, 4), 4, 6, "cow")),
    (_part((10, 8, 16), (0, 6, 0), "pig"), _part((8, 8, 8), (0, 6, 10), "pig", "pig_face"),
     *_legs((4, 6, 4), 3, 5, "pig")),
    (_part((12, 10, 16), (0, 10, 0), "sheep"), _part((6, 6, 7), (0, 15, 10), "sheep", "sheep_face"),
     *_legs((4, 10, 4), 3, 5, "sheep")),
    _person(4, "zombie_skin", "zombie_shirt", "zombie_trousers", "zombie_face", True),
    _person(2, "skeleton", "skeleton", "skeleton", "skeleton_face", False),
    (_part((4, 4, 4), (0, 1, 0), "stone"),),
    (_part((1, 1, 10), (0, 0, 0), "arrow"), _part((3, 3, 3), (0, -1, -4), "white_wool")),
    (_part((15.7, 15.7, 15.7), (0, 0, 0), "stone"),),
)  # fmt: skip


@dataclass(frozen=True)
class Tables:
    """What kernels know of looks; the fields of `kernels.cast.Scene` and `kernels.view.Models` by name."""

    scene: dict[str, np.ndarray]
    models: dict[str, np.ndarray]


def _kind(state: BlockState) -> int:
    if state.shape == "none":
        return AIR
    if state.shape == "cross":
        return CROSS
    if state.shape == "liquid":
        return LIQUID if state.name == "water" else FULL
    if any((packed(name) >> 24 == 0).any() for name in state.texture):
        return CUTOUT
    x0, y0, z0, x1, y1, z1 = state.box
    if (x0, y0, z0, x1, z1) != (0.0, 0.0, 0.0, 1.0, 1.0):
        return CUTOUT
    return FULL if y1 == 1.0 else SLAB


@functools.cache
def item_pictures() -> tuple[str, ...]:
    """The name of every item's picture, by the item's number."""
    states = block_states()
    return tuple(states[item.places].texture[0] if item.places else item.name for item in items())


@functools.cache
def tables() -> Tables:
    """The tables of all blocks, items and entities."""
    states = block_states()
    names = dict.fromkeys(texture_names())
    names |= dict.fromkeys(name for model in _MODELS for part in model for name in (part.top, part.side, part.front))
    names |= dict.fromkeys(item_pictures())
    number = {name: i for i, name in enumerate(names)}
    kind = np.zeros(LIMIT, np.uint8)
    layer = np.zeros((LIMIT, 6), np.int32)
    layer[: len(states)] = face_textures()  # the blocks' pictures are the first
    low, high = np.zeros((LIMIT, 3), np.float32), np.zeros((LIMIT, 3), np.float32)
    for state in states:
        i = state.number
        kind[i] = _kind(state)
        low[i], high[i] = (0.0, 1.0) if kind[i] == FULL else (state.box[:3], state.box[3:])
    parts = [part for model in _MODELS for part in model]
    count = np.array([len(model) for model in _MODELS], np.int32)
    nothing = [((0.0, 0.0, 0.0), (0.0, 0.0, 0.0))]
    corners = [np.array([(p.low, p.high) for p in model] or nothing) for model in _MODELS]
    middle = [float(box[..., 1].min() + box[..., 1].max()) / 2 for box in corners]
    reach = [box - np.array([0.0, m, 0.0]) for box, m in zip(corners, middle, strict=True)]
    # The farthest corner may mix coordinates of both corners of a box.
    radius = [float(np.linalg.norm(abs(box).max(axis=1), axis=-1).max()) for box in reach]
    return Tables(
        scene={
            "kind": kind,
            "layer": layer.reshape(-1),
            "low": low,
            "high": high,
            "atlas": np.concatenate([packed(name) for name in names]),
        },
        models={
            "first": np.concatenate([[0], np.cumsum(count)[:-1]]).astype(np.int32),
            "count": count,
            "low": np.array([p.low for p in parts], np.float32),
            "high": np.array([p.high for p in parts], np.float32),
            "top": np.array([number[p.top] for p in parts], np.int32),
            "side": np.array([number[p.side] for p in parts], np.int32),
            "front": np.array([number[p.front] for p in parts], np.int32),
            "radius": np.array(radius, np.float32),
            "middle": np.array(middle, np.float32),
            "item_picture": np.array([number[name] for name in item_pictures()], np.int32),
        },
    )
