"""What a player's screen shows over the world: a crosshair in the middle, and the item in the hand.

Only the picture changes; depth and segmentation are of the world behind it. Legend: K pictures, S pixels a side,
I items, h rows of an item's picture.
"""

import functools
from collections.abc import Sequence

import numpy as np

from trunkline.envs.minecraft.items import Item, items
from trunkline.envs.minecraft.look import item_pictures
from trunkline.envs.minecraft.paint import SIDE
from trunkline.envs.minecraft.textures import picture
from trunkline.errors import InputError, unknown

PARTS = ("crosshair", "hand")
_ARM = 1 / 24  # of a picture's side: the crosshair's arms
_HAND = 0.4  # of it: the item's picture
_LOWERED = 0.15  # of the item's picture: what is cut off below


def check_overlay(overlay: Sequence[str]) -> tuple[str, ...]:
    """The parts of an overlay, each once.

    Raises:
        InputError: an unknown part (with the nearest match), or not a list.
    """
    if isinstance(overlay, str):
        raise InputError(f"overlay={overlay!r} must be a list, e.g. [{overlay}]")
    for part in overlay:
        if part not in PARTS:
            raise unknown("part of overlay", part, PARTS)
    return tuple(dict.fromkeys(overlay))


def lay_over(rgb: np.ndarray, overlay: Sequence[str], held: np.ndarray) -> None:
    """Draw an overlay into pictures (K, S, S, 3) uint8.

    Args:
        rgb: changed in place.
        overlay: of PARTS.
        held: numbers (K,) of the items in the hands, 0 for none.
    """
    size = rgb.shape[1]
    if "hand" in overlay:
        pixels, solid = _sprites(max(4, round(size * _HAND)))
        shown = pixels.shape[1]
        corner = rgb[:, size - shown :, size - pixels.shape[2] :]
        np.copyto(corner, pixels[held], where=solid[held])
    if "crosshair" in overlay:
        cross = _crosshair(size)
        rgb[:, cross] = 255 - rgb[:, cross]


@functools.cache
def _sprites(size: int) -> tuple[np.ndarray, np.ndarray]:
    """The items' pictures (I, h, size, 3), h < size, and where they are solid (I, h, size, 1)."""
    drawn = np.stack([_held(item, name) for item, name in zip(items(), item_pictures(), strict=True)])
    places = ((np.arange(size) + 0.5) * SIDE / size).astype(np.int64)
    scaled = drawn[:, places[: size - round(size * _LOWERED)]][:, :, places]
    return scaled[..., :3].copy(), scaled[..., 3:] > 0


def _held(item: Item, name: str) -> np.ndarray:
    """An item as a hand at the lower right holds it, (SIDE, SIDE, 4) uint8: pieces of its picture, and a handle."""
    shown = picture(name)[:, ::-1].copy()
    head, handle = _shape(item)
    shown[handle] = picture("oak_log")[handle]
    shown[~(head | handle), 3] = 0
    return shown


def _shape(item: Item) -> tuple[np.ndarray, np.ndarray]:
    """Where an item's picture shows what it is made of, and where its handle, (SIDE, SIDE) bool each."""
    row, column = np.mgrid[:SIDE, :SIDE]
    along, across = row + column, row - column  # of the diagonal from the upper left, which a tool points along
    shaft = (abs(across) <= 1) & (along >= 8)
    none = np.zeros((SIDE, SIDE), bool)
    if item.kind == "none":
        return none, none
    if item.kind == "block":
        return (row >= 5) & (column >= 5), none
    if item.kind == "sword":
        guard = (abs(along - 19) <= 1) & (abs(across) <= 5)
        return ((abs(across) <= 1) & (along < 19)) | guard, shaft & (along > 20)
    if item.kind == "bow":
        away = np.hypot(row - SIDE, column - SIDE)
        return none, (abs(away - 11) <= 1) | (along == 21)
    heads = {
        "pickaxe": (abs(along - 7) <= 1) & (abs(across) <= 9),
        "axe": (abs(along - 8) <= 3) & (across >= -2) & (across <= 6),
        "shovel": (abs(across) <= 3) & (along >= 2) & (along <= 9),
        "hoe": (abs(along - 7) <= 1) & (across >= -1) & (across <= 7),
    }
    if item.tool in heads:
        return heads[item.tool], shaft & ~heads[item.tool]
    return np.hypot(row - 10, column - 10) <= 5, none


@functools.cache
def _crosshair(size: int) -> np.ndarray:
    """Pixels (S, S) bool of the crosshair, as thick as one in 64."""
    thick, arm = max(1, size // 64), max(1, round(size * _ARM))
    low = (size - thick) // 2  # in the middle, where thickness and side are both even or both odd
    across = np.zeros((size, size), bool)
    across[low : low + thick, low - arm : low + thick + arm] = True
    cross: np.ndarray = across | across.T
    return cross
