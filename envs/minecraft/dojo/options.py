"""What `dojo.make` takes: MineDojo's keyword arguments, checked, and the few that are our own."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from trunkline.envs.minecraft.dojo.names import InventoryItem, NotSimulatedError, item_number, our_biome, slot_of
from trunkline.envs.minecraft.dojo.spaces import Limits
from trunkline.envs.minecraft.items import items
from trunkline.errors import InputError, unknown

DAY = 24000  # ticks
_SIDES = ("xmin", "xmax", "ymin", "ymax", "zmin", "zmax")
_START = ("x", "y", "z", "yaw", "pitch")
_WORLDS = ("default", "flat", "specified_biome")
# Arguments of MineDojo's for which there is one value only.
_ONLY: dict[str, tuple[object, ...]] = {
    "initial_weather": (None, "normal", "clear"),
    "spawn_in_village": (False,),
    "drawing_str": (None,),
    "break_speed_multiplier": (1, 1.0),
    "world_file_path": (None,),
    "use_depth": (False,),
    "event_level_control": (True,),
}


@dataclass(frozen=True)
class Options:
    """MineDojo's keyword arguments that the voxel worlds know, and `world_size`, `entities` and `device` of our own.

    Attributes:
        image_size: rows and columns of `rgb`, or one number for both.
        seed: of all that is drawn; None draws it.
        world_seed: of the terrain, a number or a text as Minecraft takes it; None draws it.
        generate_world_type: "default" (several biomes), "flat" or "specified_biome".
        specified_biome: a name or id of MineDojo's.
        flat_world_seed_string: Minecraft's preset of a flat world; None for grass over dirt over bedrock.
        regenerate_world_after_reset: whether a reset makes a default world anew; others are always made anew.
        initial_inventory: of `InventoryItem`.
        start_position: x, y, z, yaw and pitch.
        start_health: half hearts.
        start_food: half drumsticks.
        start_time: ticks, 6000 is noon.
        allow_time_passage: whether the time of day goes on.
        allow_mob_spawn: whether animals are about when a world begins.
        use_voxel: whether `voxels` is observed.
        voxel_size: offsets xmin, xmax, ymin, ymax, zmin, zmax from the agent's cell.
        use_lidar: whether `rays` is observed.
        lidar_rays: of (pitch, yaw, distance): radians from the gaze, upwards and to the left, and blocks.
        fast_reset: whether resets after the first move the agent elsewhere instead of making a world.
        fast_reset_random_teleport_range: blocks, 200 where None.
        cam_interval: degrees by which values of the camera's choices differ.
        sim_name: is kept.
        raise_error_on_invalid_cmds: whether commands that MineDojo does not know are errors.
        world_size: blocks (nx, ny, nz).
        entities: places for mobs, drops and arrows.
        device: of Warp.
    """

    image_size: int | tuple[int, int] = (160, 256)
    seed: int | None = None
    world_seed: int | str | None = None
    generate_world_type: str = "default"
    specified_biome: str | int | None = None
    flat_world_seed_string: str | None = None
    regenerate_world_after_reset: bool = False
    initial_inventory: Sequence[InventoryItem] | None = None
    start_position: Mapping[str, float] | None = None
    start_health: float | None = None
    start_food: int | None = None
    start_time: int | None = None
    allow_time_passage: bool = True
    allow_mob_spawn: bool = True
    use_voxel: bool = False
    voxel_size: Mapping[str, int] | None = None
    use_lidar: bool = False
    lidar_rays: Sequence[tuple[float, float, float]] | None = None
    fast_reset: bool = False
    fast_reset_random_teleport_range: int | None = None
    cam_interval: float = 15
    sim_name: str = "MineDojoSim"
    raise_error_on_invalid_cmds: bool = False
    world_size: tuple[int, int, int] = (128, 64, 128)
    entities: int = 32
    device: str = "cpu"

    def __post_init__(self) -> None:
        if self.generate_world_type == "from_file":
            raise NotSimulatedError("generate_world_type='from_file' is not simulated: no files of Minecraft are read")
        if self.generate_world_type not in _WORLDS:
            raise unknown("generate_world_type", str(self.generate_world_type), _WORLDS)
        if (self.specified_biome is None) != (self.generate_world_type != "specified_biome"):
            raise InputError("specified_biome goes with generate_world_type='specified_biome'; give both or neither")
        if self.specified_biome is not None:
            our_biome(self.specified_biome)
        sides = (self.image_size,) * 2 if isinstance(self.image_size, int) else self.image_size
        if not isinstance(sides, tuple | list) or len(sides) != 2 or any(type(n) is not int or n < 1 for n in sides):
            raise InputError(f"image_size={self.image_size!r}: give rows and columns, whole numbers of at least 1")
        for name, most in (("start_health", 20.0), ("start_food", 20), ("start_time", DAY)):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= most:
                raise InputError(f"{name}={value}; choose 0 to {most}")
        for name, table, keys in (
            ("start_position", self.start_position, _START),
            ("voxel_size", self.voxel_size, _SIDES),
        ):
            if table is not None and set(table) != set(keys):
                raise InputError(f"{name} has the keys {', '.join(table)}; it needs {', '.join(keys)}")
        if any(low > high for low, high in self.limits or ()):
            raise InputError(f"voxel_size={dict(self.voxel_size or {})}: every minimum must be below its maximum")
        if self.rays.ndim != 2 or self.rays.shape[1:] != (3,) or not np.isfinite(self.rays).all():
            raise InputError(f"lidar_rays={self.lidar_rays}: give (pitch, yaw, distance) of every ray")
        if not 0 < self.cam_interval <= 180:
            raise InputError(f"cam_interval={self.cam_interval}; choose degrees above 0, up to 180")
        if len(self.world_size) != 3 or min(self.world_size) < 16:
            raise InputError(f"world_size={self.world_size}; choose three numbers of at least 16 blocks")
        if (self.fast_reset_random_teleport_range or 0) < 0:
            raise InputError(f"fast_reset_random_teleport_range={self.fast_reset_random_teleport_range} is negative")
        self.stacks()

    @property
    def picture(self) -> tuple[int, int]:
        """Rows and columns."""
        size = self.image_size
        return (size, size) if isinstance(size, int) else (size[0], size[1])

    @property
    def limits(self) -> Limits | None:
        """Lowest and highest offsets of voxels along x, y, z; None for no voxels."""
        if not self.use_voxel:
            return None
        size = self.voxel_size or dict(zip(_SIDES, (-1, 1) * 3, strict=True))
        x0, x1, y0, y1, z0, z1 = (int(size[side]) for side in _SIDES)
        return (x0, x1), (y0, y1), (z0, z1)

    @property
    def rays(self) -> np.ndarray:
        """(N, 3) of pitch, yaw and distance; N is 0 for no rays."""
        if not self.use_lidar:
            return np.zeros((0, 3))
        return np.asarray(self.lidar_rays or [(0.0, 0.0, 10.0)], np.float64)

    def stacks(self) -> list[tuple[int, int, int]]:
        """Slot, item and count of what the agent begins with.

        Raises:
            InputError: a slot or count that there is not.
            NotSimulatedError: an item or slot that is not simulated.
        """
        return [inventory_stack(entry) for entry in self.initial_inventory or ()]


def inventory_stack(entry: InventoryItem | Sequence[Any]) -> tuple[int, int, int]:
    """Slot, number of our item and count of an `InventoryItem`; the item is 0 for "air"."""
    slot, name, variant, quantity = (*entry, None, None)[:4]
    place = slot_of(slot)
    if name == "air":
        return place, 0, 0
    number, count = item_number(str(name), int(variant or 0)), int(quantity or 1)
    if not 1 <= count <= items()[number].stack:
        raise InputError(f"{count} {name} in slot {slot!r}: a slot holds 1 to {items()[number].stack} of it")
    return place, number, count


def read_options(arguments: Mapping[str, Any]) -> Options:
    """Options of MineDojo's keyword arguments.

    Raises:
        InputError: an argument or value that MineDojo does not know.
        NotSimulatedError: one that it knows and the voxel worlds do not.
    """
    rest = dict(arguments)
    for name, allowed in _ONLY.items():
        if (value := rest.pop(name, allowed[0])) not in allowed:
            raise NotSimulatedError(f"{name}={value!r} is not simulated; leave it out")
    known = [field.name for field in dataclasses.fields(Options)]
    for name in rest:
        if name not in known:
            raise unknown("argument of make", name, [*known, *_ONLY])
    if rest.get("specified_biome") is not None:
        rest.setdefault("generate_world_type", "specified_biome")
    return Options(**rest)


def world_number(seed: int | str | None) -> int | None:
    """The number of a world seed, as Minecraft reads it: a text that is no number is hashed as Java does."""
    if seed is None or seed == "":
        return None
    try:
        return int(seed)
    except ValueError:
        value = 0
        for unit in np.frombuffer(str(seed).encode("utf-16-le"), "<u2"):
            value = (31 * value + int(unit)) & 0xFFFFFFFF
        return value - (1 << 32) if value >> 31 else value


def sun_angle(day: int) -> float:
    """The angle of the sun as a part of a turn, 0 at noon (Minecraft's celestial angle)."""
    part = ((day % DAY) / DAY - 0.25) % 1.0
    eased = 1.0 - (math.cos(part * math.pi) + 1.0) / 2.0
    return part + (eased - part) / 3.0
