"""MineDojo's observation and `info` of a voxel world, but for the masks and the changes of the inventory."""

import math
from collections import Counter
from typing import Any

import numpy as np

from trunkline.envs.minecraft.blocks import block_states
from trunkline.envs.minecraft.dojo.game import Game
from trunkline.envs.minecraft.dojo.lidar import cast_rays
from trunkline.envs.minecraft.dojo.names import BARRIER, SLOTS, biome_facts, block_facts, item_names
from trunkline.envs.minecraft.dojo.options import sun_angle
from trunkline.envs.minecraft.dojo.spaces import EQUIPMENT, Limits
from trunkline.envs.minecraft.items import items
from trunkline.envs.minecraft.terrain import BIOMES, sea_level

_BRIGHT = 15  # levels of light

Part = dict[str, Any]


class Observer:
    """Reads observations off a game.

    Args:
        game: the world.
    """

    def __init__(self, game: Game) -> None:
        self.game = game
        self._lit: tuple[tuple[int, int, int, int], tuple[int, bool]] | None = None

    def observe(self) -> Part:
        """Everything but `masks`, `delta_inv` and `nearby_tools`."""
        game = self.game
        seen: Part = {
            "damage_source": self._damage(),
            "equipment": _slots(game, EQUIPMENT),
            "inventory": _slots(game, SLOTS),
            "life_stats": self._life(),
            "location_stats": self._location(),
            "rgb": game.picture().transpose(2, 0, 1).copy(),
        }
        if (limits := game.options.limits) is not None:
            seen["voxels"] = voxels(game, limits)
        if len(game.options.rays):
            seen["rays"] = cast_rays(game, game.options.rays)
        return seen

    def info(self, stats: dict[str, Any]) -> Part:
        """MineDojo's `info`: what Minecraft's client says of the agent, as far as it is simulated."""
        game = self.game
        x, y, z = (float(v) for v in game.read("position"))
        name, id, temperature, rainfall = biome_facts(self._biome())
        light, sky = self._light()
        slots = _slots(game, SLOTS)
        held = [
            {
                "slot": slot,
                "inventory": "inventory",
                "name": item_names()[int(game.read("item")[slot])][0] if slots["quantity"][slot] else "air",
                "variant": int(slots["variant"][slot]),
                "quantity": int(slots["quantity"][slot]),
                "max_durability": int(slots["max_durability"][slot]),
                "cur_durability": int(slots["cur_durability"][slot]),
            }
            for slot in range(SLOTS)
        ]
        return {
            "name": game.options.sim_name,
            "life": float(game.read("health")),
            "food": int(game.read("food")),
            "saturation": float(game.read("saturation")),
            "air": int(game.read("oxygen")),
            "armor": 0,
            "xp": 0,
            "is_alive": bool(game.read("health") > 0),
            "is_dead": bool(game.read("health") <= 0),
            "xpos": x,
            "ypos": y,
            "zpos": z,
            "yaw": float(game.read("yaw")),
            "pitch": float(game.read("pitch")),
            "biome_name": name,
            "biome_id": id,
            "biome_temperature": temperature,
            "biome_rainfall": rainfall,
            "light_level": light,
            "can_see_sky": sky,
            "is_raining": False,
            "sea_level": sea_level(game.size[1]),
            "world_time": int(game.read("day")),
            "total_time": int(game.read("tick")),
            "inventory": held,
            "stat": {key: _copied(value) for key, value in stats.items()},
        }

    def _damage(self) -> Part:
        flags = ("is_explosion", "is_fire_damage", "is_magic_damage", "is_projectile", "is_unblockable")
        numbers = ("damage_distance", "damage_pitch", "damage_yaw", "hunger_damage")
        amount = {"damage_amount": _one(min(float(self.game.read("damage")), 40.0))}
        return amount | {name: _one(0) for name in numbers} | {name: np.array(False) for name in flags}

    def _life(self) -> Part:
        fields = {"life": "health", "food": "food", "saturation": "saturation", "oxygen": "oxygen"}
        stats: Part = {name: _one(max(float(self.game.read(field)), 0.0)) for name, field in fields.items()}
        return stats | {"armor": _one(0), "xp": _one(0), "is_sleeping": np.array(0, np.int64)}

    def _location(self) -> Part:
        game = self.game
        _, id, temperature, rainfall = biome_facts(self._biome())
        light, sky = self._light()
        height = math.cos(2 * math.pi * sun_angle(int(game.read("day")))) * 2
        return {
            "pos": np.asarray(game.read("position"), np.float32),
            "yaw": _one(float(game.read("yaw"))),
            "pitch": _one(float(game.read("pitch"))),
            "biome_id": np.array(id, np.int64),
            "temperature": _one(min(temperature, 1.0)),  # of deserts it is 2, beyond the bounds of MineDojo's space
            "rainfall": _one(rainfall),
            "sea_level": _one(sea_level(game.size[1])),
            "light_level": _one(light),
            "can_see_sky": np.array(int(sky), np.int64),
            "is_raining": np.array(0, np.int64),
            "sun_brightness": _one(min(max(height + 0.5, 0.0), 1.0)),
            "sky_light_level": _one(min(max(height + 0.2, 0.0), 1.0) * 0.8 + 0.2),
        }

    def _cell(self) -> tuple[int, int, int]:
        x, y, z = (int(v) for v in np.floor(self.game.read("position")))
        return x, y, z

    def _biome(self) -> str:
        x, _, z = self._cell()
        nx, nz = self.game.biomes.shape
        return BIOMES[int(self.game.biomes[min(max(x, 0), nx - 1), min(max(z, 0), nz - 1)])]

    def forget(self) -> None:
        """Measure the light anew: blocks have changed."""
        self._lit = None

    def _light(self) -> tuple[int, bool]:
        """Light at the agent's feet, of the sky at noon and of blocks; and whether the sky is straight above."""
        cell = self._cell()
        key = (*cell, int(max(self.game.read("broken"), self.game.read("placed"))))
        if self._lit is None or self._lit[0] != key:
            self._lit = key, light_at(self.game, cell)
        return self._lit[1]


def light_at(game: Game, cell: tuple[int, int, int]) -> tuple[int, bool]:
    """Light in a cell, 0 to 15, and whether the sky is straight above: it spreads to six sides and loses one a step."""
    reach = _BRIGHT - 1
    _, ny, _ = game.size
    states = game.grid(
        (cell[0] - reach, cell[1] - reach, cell[2] - reach),
        (cell[0] + reach, max(ny, cell[1] + reach), cell[2] + reach),
    )
    opaque, glow = np.zeros(256, bool), np.zeros(256, np.int8)
    for state in block_states():
        opaque[state.number], glow[state.number] = state.opaque, state.light
    opaque[BARRIER] = True
    dark = opaque[states]
    # A column is lit down to its first block that casts a shadow: of any kind but those that light goes through.
    shade = block_facts()["blocks_light"][states] & (states != BARRIER)
    open_sky = ~np.logical_or.accumulate(shade[:, ::-1], axis=1)[:, ::-1]
    inner = slice(0, 2 * reach + 1)
    light = np.maximum(np.where(open_sky, _BRIGHT, 0), glow[states])[:, inner].astype(np.int8)
    wall = dark[:, inner]
    for _ in range(reach):
        spread = np.zeros_like(light)
        for axis in range(3):
            ahead, behind = [slice(None)] * 3, [slice(None)] * 3
            ahead[axis], behind[axis] = slice(1, None), slice(None, -1)
            for here, there in ((tuple(ahead), tuple(behind)), (tuple(behind), tuple(ahead))):
                spread[here] = np.maximum(spread[here], light[there])
        light = np.maximum(light, np.where(wall, 0, spread - 1)).astype(np.int8)
    middle = tuple(np.full(3, reach))
    sky = bool(open_sky[middle])
    return int(light[middle]), sky


def voxels(game: Game, limits: Limits) -> Part:
    """Blocks around the agent, by x, y, z from its cell."""
    feet = np.floor(game.read("position")).astype(np.int64)
    low, high = (feet + [limit[end] for limit in limits] for end in (0, 1))
    states = game.grid(low, high)
    facts = block_facts()
    seen: Part = {name: facts[name][states] for name in facts if name != "harvest_level"}
    axes = [np.arange(a, b + 1) for a, b in zip(low, high, strict=True)]
    corners = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1) - game.eye
    length = np.maximum(np.linalg.norm(corners, axis=-1), 1e-9)
    seen["cos_look_vec_angle"] = np.clip(corners @ game.look_vector() / length, -1, 1).astype(np.float32)
    return seen


def _slots(game: Game, count: int) -> Part:
    """`inventory`, or `equipment`, where all but the hand is empty: armour is not simulated."""
    shown = np.arange(count) < (1 if count == EQUIPMENT else count)
    held = np.where(shown & (game.read("count")[:count] > 0), game.read("item")[:count], 0)
    things = [items()[number] for number in held]
    names = [item_names()[number] if number else ("air", 0) for number in held]
    most = np.asarray([thing.durability or -1 for thing in things], np.float32)
    left = np.asarray(game.read("durability")[:count], np.float32)
    return {
        "name": np.array([name.replace("_", " ") for name, _ in names], dtype=np.str_),
        "variant": np.asarray([variant for _, variant in names], np.int64),
        "quantity": np.where(held > 0, game.read("count")[:count], 0).astype(np.float32),
        "max_durability": most,
        "cur_durability": np.where(most > 0, left, -1).astype(np.float32),
    }


def _one(value: float) -> np.ndarray:
    return np.array([value], np.float32)


def _copied(value: Any) -> Any:
    if isinstance(value, Counter):
        return Counter(value)
    return {key: _copied(part) for key, part in value.items()} if isinstance(value, dict) else value
