"""The state of W voxel worlds: one Warp struct of arrays, which every kernel takes.

Import it only after `envs.warp.start_warp`. Legend: W worlds, V cells of a world, M entities of a world.

Coordinates are Minecraft's: x east, y up, z south, in blocks; yaw 0 looks to +z, 90 to -x; pitch is positive downwards.
A cell (i, j, k) has the index (i·nz + k)·ny + j: a column lies together.
"""

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import warp as wp

SLOTS = 36  # of the inventory; the main hand holds slot 0
DEFAULT_SIZE = (128, 64, 128)

# Kinds of entities; 0 is a free place.
FREE, COW, PIG, SHEEP, ZOMBIE, SKELETON, ITEM, ARROW, FALLING = range(9)
ENTITY_NAMES = ("", "cow", "pig", "sheep", "zombie", "skeleton", "item", "arrow", "falling_block")
# What a mob does: `body_task`.
IDLE, STROLL, PANIC, PURSUE = range(4)

# Factors of `control`, which is MineDojo's action: Fan et al., MineDojo (2022).
FORWARD, STRAFE, JUMP, PITCH, YAW, FUNCTION, CRAFT, SLOT = range(8)
# Values of the factor FUNCTION.
NOTHING, USE, DROP, ATTACK, CRAFTING, EQUIP, PLACE, DESTROY = range(8)


@wp.struct
class Rules:
    """What blocks and items are, by state (S ≤ 256) and by item: see `rules.py`, which fills it."""

    flags: wp.array[wp.uint32]  # (S,) bits of `flags.py`
    low: wp.array[wp.vec3]  # (S,) the box that is drawn and hit, and collided with where SOLID
    high: wp.array[wp.vec3]
    hardness: wp.array[wp.float32]  # (S,) −1 for never
    tool: wp.array[wp.uint8]  # (S,) class of the tool that digs it faster, 0 none
    harvest: wp.array[wp.int8]  # (S,) tier that a drop needs, −1 none
    interact: wp.array[wp.uint8]  # (S,) what using it does, 0 nothing
    toggle: wp.array[wp.uint8]  # (S,) the state it becomes when used; itself where nothing changes
    item_tool: wp.array[wp.uint8]  # (I,) its class of tool, 0 none
    item_tier: wp.array[wp.int8]
    item_speed: wp.array[wp.float32]  # digging, 1 for the hand
    item_damage: wp.array[wp.float32]  # half hearts of a full blow, 1 for the hand
    item_attack_speed: wp.array[wp.float32]  # blows a second, 4 for the hand
    item_durability: wp.array[wp.int16]  # uses, 0 for ever
    item_stack: wp.array[wp.int16]
    item_food: wp.array[wp.int16]
    item_saturation: wp.array[wp.float32]
    item_places: wp.array[wp.uint8]  # (I,) block state, 0 none
    arrow: wp.array[wp.int16]  # (1,) the item that a bow shoots
    loot: wp.array2d[wp.int16]  # (K, 2) items that each kind of entity leaves, 0 none
    loot_low: wp.array2d[wp.int8]  # how many at least
    loot_high: wp.array2d[wp.int8]
    body_width: wp.array[wp.float32]  # (K,) of each kind's box
    body_height: wp.array[wp.float32]
    body_speed: wp.array[wp.float32]  # (K,) Minecraft's attribute of movement, 0 for what does not walk
    body_panic: wp.array[wp.float32]  # (K,) the same for a mob in panic


@wp.struct
class Game:
    """W worlds. Only `Worlds` makes one."""

    nx: int
    ny: int
    nz: int
    active: wp.array[wp.uint8]  # (W,) worlds that are stepped
    seed: wp.array[wp.uint32]  # (W,) of all that is drawn while it runs
    tick: wp.array[wp.int32]
    day: wp.array[wp.int32]  # (W,) time of day in ticks, 6000 is noon

    # blocks
    blocks: wp.array2d[wp.uint8]  # (W, V)
    leaps: wp.array2d[wp.uint8]  # (W, 4V) sides of empty cubes, two a byte: see `kernels/edit.py`
    ceiling: wp.array2d[wp.uint8]  # (W, nx·nz) one more than the height of the highest block that casts a shadow

    # what the agent is told to do in this tick
    control: wp.array2d[wp.int32]  # (W, 8) MineDojo's action; its camera factors are ignored for `turn`
    turn: wp.array2d[wp.float32]  # (W, 2) degrees of pitch and of yaw

    # the agent
    position: wp.array[wp.vec3d]  # (W,) of its feet
    velocity: wp.array[wp.vec3d]  # blocks a tick
    yaw: wp.array[wp.float32]  # degrees
    pitch: wp.array[wp.float32]
    on_ground: wp.array[wp.uint8]
    in_water: wp.array[wp.uint8]
    in_lava: wp.array[wp.uint8]
    sneaking: wp.array[wp.uint8]
    sprinting: wp.array[wp.uint8]
    blocked: wp.array[wp.uint8]  # by a wall in this tick
    jump_delay: wp.array[wp.int32]
    fallen: wp.array[wp.float32]  # blocks since it left the ground
    health: wp.array[wp.float32]  # half hearts, 20 at most; dead at 0
    food: wp.array[wp.int32]
    saturation: wp.array[wp.float32]
    exhaustion: wp.array[wp.float32]
    food_timer: wp.array[wp.int32]
    oxygen: wp.array[wp.int32]  # ticks, 300 at most
    hurt: wp.array[wp.int32]  # ticks in which it cannot be hurt again
    charge: wp.array[wp.int32]  # ticks since its last blow
    draw: wp.array[wp.int32]  # ticks the bow has been drawn
    eating: wp.array[wp.int32]
    use_delay: wp.array[wp.int32]
    held: wp.array[wp.int32]  # the function of the tick before: a key that is held is not pressed anew
    heat: wp.array[wp.float32]  # pieces that fuel already burnt still smelts
    dig_cell: wp.array[wp.int32]  # −1 for none
    dig_progress: wp.array[wp.float32]  # 0 to 1
    dig_delay: wp.array[wp.int32]
    item: wp.array2d[wp.int16]  # (W, SLOTS)
    count: wp.array2d[wp.int16]
    durability: wp.array2d[wp.int16]  # uses left

    # what the crosshair is on, within reach, after this tick
    look_cell: wp.array[wp.int32]  # −1 for none
    look_face: wp.array[wp.int32]  # 0 −x, 1 +x, 2 −y, 3 +y, 4 −z, 5 +z
    look_entity: wp.array[wp.int32]  # −1 for none; nearer than the cell if both are set
    look_distance: wp.array[wp.float32]

    # what happened in this tick
    broken: wp.array[wp.int32]  # the cell that the agent broke, −1 none
    broken_state: wp.array[wp.uint8]
    placed: wp.array[wp.int32]
    used: wp.array[wp.int32]
    struck: wp.array[wp.int32]  # the entity that its blow hit
    shot: wp.array[wp.int32]  # the entity that its arrow hit
    killed: wp.array[wp.int32]  # the entity that it killed
    damage: wp.array[wp.float32]  # that the agent took

    # entities
    kind: wp.array2d[wp.uint8]  # (W, M)
    body_position: wp.array2d[wp.vec3d]
    body_velocity: wp.array2d[wp.vec3d]
    body_yaw: wp.array2d[wp.float32]  # an arrow's and a head's direction, degrees
    body_pitch: wp.array2d[wp.float32]
    body_health: wp.array2d[wp.float32]
    body_on_ground: wp.array2d[wp.uint8]
    body_age: wp.array2d[wp.int32]  # ticks
    body_task: wp.array2d[wp.uint8]  # what a mob does: IDLE, STROLL, PANIC or PURSUE
    body_timer: wp.array2d[wp.int32]  # ticks that a mob's task lasts, or an arrow is stuck; uses left of a dropped tool
    body_delay: wp.array2d[wp.int32]  # ticks before a monster's next blow or shot, or a drop's pick-up
    body_fallen: wp.array2d[wp.float32]  # blocks since it left the ground
    body_hurt: wp.array2d[wp.int32]
    body_goal: wp.array2d[wp.vec2]  # where it walks to, x and z
    body_item: wp.array2d[wp.int16]  # what a drop is; the block of a falling one
    body_count: wp.array2d[wp.int16]  # of a drop; 1 for an arrow of a fully drawn bow
    body_owner: wp.array2d[wp.int32]  # of an arrow: −1 the agent, else the place of the shooter


_FIRST = {"health": 20.0, "food": 20, "saturation": 5.0, "oxygen": 300, "charge": 100, "day": 6000}
_NONE = ("dig_cell", "look_cell", "look_entity", "broken", "placed", "used", "struck", "shot", "killed")
# Not state: what is derived, or is overwritten before it is read.
_DERIVED = frozenset({"active", "leaps", "ceiling", "control", "turn"})


class Worlds:
    """W worlds in memory: the struct that kernels take, and NumPy's view of every field.

    On a CPU `view(name)` shares memory with the kernels; on CUDA it is a copy, and `put` writes one back.

    Args:
        count: W.
        size: blocks (nx, ny, nz).
        entities: M, places a world.
        device: of Warp.
    """

    def __init__(self, count: int, size: Sequence[int] = DEFAULT_SIZE, entities: int = 16, device: str = "cpu") -> None:
        self.count, self.device, self.entities = count, device, entities
        self.size = (int(size[0]), int(size[1]), int(size[2]))
        self.cells = self.size[0] * self.size[1] * self.size[2]
        self.game: Any = Game()
        self.game.nx, self.game.ny, self.game.nz = self.size
        columns = {"blocks": self.cells, "leaps": 4 * self.cells, "ceiling": self.size[0] * self.size[2]}
        columns |= {"control": 8, "turn": 2}
        columns |= {"item": SLOTS, "count": SLOTS, "durability": SLOTS}
        self.fields: dict[str, Any] = {}
        for name, variable in Game.vars.items():
            kind = variable.type
            if not hasattr(kind, "ndim"):  # a number
                continue
            width = columns.get(name, entities)
            shape = (count,) if kind.ndim == 1 else (count, width)
            self.fields[name] = wp.zeros(shape, dtype=kind.dtype, device=device)
            setattr(self.game, name, self.fields[name])
        self.clear_rows(np.arange(count))

    def view(self, name: str) -> np.ndarray:
        """A field as NumPy sees it, (W, …); vectors have a last dimension of their own."""
        array: np.ndarray = self.fields[name].numpy()
        return array

    def put(self, name: str, value: np.ndarray) -> None:
        """Write a whole field, also on CUDA, where `view` is a copy."""
        if self.device == "cpu":
            self.view(name)[:] = value
        else:
            self.fields[name].assign(value)

    def clear_rows(self, rows: np.ndarray) -> None:
        """Everything but the blocks of some worlds as at first: a healthy agent with empty hands, no entities."""
        for name in self.fields:
            if name in ("blocks", "leaps", "ceiling"):
                continue
            values = self.view(name)
            values[rows] = -1 if name in _NONE else _FIRST.get(name, 0)
            if self.device != "cpu":
                self.put(name, values)

    def hash(self, row: int) -> str:
        """SHA-256 of all state of one world: equal states, equal text, at any place in any batch."""
        digest = hashlib.sha256(np.asarray(self.size, np.int64).tobytes())
        for name in self.fields:
            if name not in _DERIVED:
                digest.update(np.ascontiguousarray(self.view(name)[row]).tobytes())
        return digest.hexdigest()


@wp.func
def cell_index(game: Game, x: int, y: int, z: int):
    """Index of a cell that lies within the world."""
    return (x * game.nz + z) * game.ny + y


@wp.func
def inside(game: Game, x: int, y: int, z: int):
    """Whether a cell lies within the world."""
    return x >= 0 and y >= 0 and z >= 0 and x < game.nx and y < game.ny and z < game.nz


@wp.func
def look_vector(yaw: float, pitch: float):
    """The direction of a gaze, of length 1."""
    a = wp.radians(yaw)
    b = wp.radians(pitch)
    return wp.vec3(-wp.sin(a) * wp.cos(b), -wp.sin(b), wp.cos(a) * wp.cos(b))
