"""MineDojo's action and observation spaces, as Gymnasium spaces of the same shapes, types and bounds."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium import spaces

from trunkline.envs.minecraft.dojo.names import SLOTS, craft_names

EQUIPMENT = 6  # hand, feet, legs, chest, head, off hand
FUNCTIONS = 8
NO_OP = (0, 0, 0, 12, 12, 0, 0, 0)  # with the head turned in steps of 15 degrees
INCREASED, DECREASED = 1, 4  # kinds of items of which `delta_inv` tells
_VARIANTS = 121

Limits = tuple[tuple[int, int], tuple[int, int], tuple[int, int]]


class Text(spaces.Space[np.ndarray]):
    """Arrays of names.

    Args:
        shape: of the arrays.
    """

    def __init__(self, shape: Sequence[int]) -> None:
        super().__init__(tuple(shape), np.str_)

    @property
    def is_np_flattenable(self) -> bool:
        return False

    def sample(self, mask: Any | None = None, probability: Any | None = None) -> np.ndarray:
        letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
        assert self.shape is not None
        lengths = self.np_random.integers(1, 11, math.prod(self.shape))
        picked = ["".join(self.np_random.choice(letters, length)) for length in lengths]
        return np.array(picked, dtype=np.str_).reshape(self.shape)

    def contains(self, x: Any) -> bool:
        return isinstance(x, np.ndarray) and x.shape == self.shape and x.dtype.kind == "U"

    def __repr__(self) -> str:
        return f"Text{self.shape}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Text) and other.shape == self.shape


class MultiDiscrete(spaces.MultiDiscrete):
    """Several choices, with one that does nothing.

    Args:
        nvec: how many values each choice has.
        noop_vec: the values that do nothing.
    """

    def __init__(self, nvec: Sequence[int], noop_vec: Sequence[int]) -> None:
        super().__init__(list(nvec))
        self._noop = np.asarray(noop_vec, np.int64)

    def no_op(self) -> np.ndarray:
        """The action that does nothing."""
        return self._noop.copy()


def action_space(cam_interval: float = 15) -> MultiDiscrete:
    """MineDojo's action: [3, 3, 4, 25, 25, 8, 244, 36] with the head turned in steps of 15 degrees."""
    bins = math.ceil(360 / cam_interval) + 1
    middle = (bins - 1) // 2
    nvec = [3, 3, 4, bins, bins, FUNCTIONS, len(craft_names()), SLOTS]
    return MultiDiscrete(nvec, [0, 0, 0, middle, middle, 0, 0, 0])


def _box(low: float, high: float, *shape: int, dtype: Any = np.float32) -> Any:
    return spaces.Box(low, high, shape, dtype)


def _flag(*shape: int) -> Any:
    return _box(0, 1, *shape, dtype=np.bool_)


def _slots(count: int) -> spaces.Dict:
    return spaces.Dict(
        {
            "name": Text((count,)),
            "variant": spaces.MultiDiscrete([_VARIANTS] * count),
            "quantity": _box(0, 64, count),
            "max_durability": _box(-1, np.inf, count),
            "cur_durability": _box(-1, np.inf, count),
        }
    )


def _life() -> spaces.Dict:
    most = {"life": 20, "armor": 20, "food": 20, "saturation": 20, "xp": 1395, "oxygen": 300}
    return spaces.Dict({name: _box(0, high, 1) for name, high in most.items()} | {"is_sleeping": spaces.Discrete(2)})


def _location() -> spaces.Dict:
    units = ("sun_brightness", "sky_light_level", "rainfall", "temperature")
    return spaces.Dict(
        {name: _box(0, 1, 1) for name in units}
        | {"light_level": _box(0, 15, 1), "sea_level": _box(0, 255, 1), "pos": _box(-640000, 640000, 3)}
        | {name: _box(-180, 180, 1) for name in ("pitch", "yaw")}
        | {name: _box(0, 1, dtype=np.int64) for name in ("can_see_sky", "is_raining")}
        | {"biome_id": _box(0, 167, dtype=np.int64)}
    )


def _damage() -> spaces.Dict:
    flags = ("is_explosion", "is_fire_damage", "is_magic_damage", "is_projectile", "is_unblockable")
    bounds = {"damage_amount": (0, 40), "damage_distance": (0, np.inf), "hunger_damage": (0, 20)}
    bounds |= {"damage_pitch": (-90, 90), "damage_yaw": (-180, 180)}
    return spaces.Dict({name: _box(*bound, 1) for name, bound in bounds.items()} | {name: _flag() for name in flags})


def _voxels(limits: Limits) -> spaces.Dict:
    shape = tuple(1 + high - low for low, high in limits)
    flags = ("is_collidable", "is_tool_not_required", "blocks_movement", "is_liquid", "is_solid", "can_burn")
    return spaces.Dict(
        {
            "block_name": Text(shape),
            "block_meta": _box(0, 120, *shape, dtype=np.int64),
            "cos_look_vec_angle": _box(-1, 1, *shape),
        }
        | {name: _flag(*shape) for name in (*flags, "blocks_light")}
    )


def _rays(n: int) -> spaces.Dict:
    flags = ("is_tool_not_required", "blocks_movement", "is_liquid", "is_solid", "can_burn")
    free = ("ray_pitch", "ray_yaw", "traced_block_x", "traced_block_y", "traced_block_z")
    return spaces.Dict(
        {
            "block_name": Text((n,)),
            "entity_name": Text((n,)),
            "block_meta": _box(0, 120, n, dtype=np.int64),
            "harvest_level": _box(-1, 4, n, dtype=np.int64),
            "block_distance": _box(-1, np.inf, n),
            "entity_distance": _box(-1, np.inf, n),
        }
        | {name: _flag(n) for name in flags}
        | {name: _box(-np.inf, np.inf, n) for name in free}
    )


def _masks() -> spaces.Dict:
    return spaces.Dict(
        {"action_type": _flag(FUNCTIONS), "action_arg": _flag(FUNCTIONS, 1), "craft_smelt": _flag(len(craft_names()))}
        | {name: _flag(SLOTS) for name in ("equip", "place", "destroy")}
    )


def _changes() -> spaces.Dict:
    parts: dict[str, spaces.Space[Any]] = {}
    for way, count in (("inc", INCREASED), ("dec", DECREASED)):
        for cause in ("craft", "other"):
            parts[f"{way}_name_by_{cause}"] = Text((count,))
            parts[f"{way}_quantity_by_{cause}"] = _box(0, 64, count)
    return spaces.Dict(parts)


def observation_space(image_size: tuple[int, int], voxels: Limits | None = None, rays: int = 0) -> spaces.Dict:
    """MineDojo's observation.

    Args:
        image_size: rows and columns of `rgb`.
        voxels: lowest and highest offset of `voxels` along x, y and z; None for no voxels.
        rays: how many are cast; 0 for no `rays`.
    """
    tools = spaces.Dict({"table": _flag(), "furnace": _flag()})
    parts: dict[str, spaces.Space[Any]] = {
        "damage_source": _damage(),
        "equipment": _slots(EQUIPMENT),
        "inventory": _slots(SLOTS),
        "life_stats": _life(),
        "location_stats": _location(),
        "nearby_tools": tools,
        "rgb": _box(0, 255, 3, *image_size, dtype=np.uint8),
    }
    if voxels is not None:
        parts["voxels"] = _voxels(voxels)
    if rays:
        parts["rays"] = _rays(rays)
    return spaces.Dict(parts | {"masks": _masks(), "delta_inv": _changes()})
