"""One voxel world behind MineDojo's interface: how it is made, what is in it, and how the agent begins in it."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from trunkline.envs.minecraft import inventory
from trunkline.envs.minecraft.blocks import block_state, block_states
from trunkline.envs.minecraft.clear import find_leaps
from trunkline.envs.minecraft.dojo.names import BARRIER, our_biome, placed_state
from trunkline.envs.minecraft.dojo.options import Options
from trunkline.envs.minecraft.entities import spawn
from trunkline.envs.minecraft.items import items
from trunkline.envs.minecraft.terrain import BIOMES, MIXED, biome_number, generate, surface_heights
from trunkline.envs.warp import find_device, start_warp
from trunkline.errors import InputError

EYE, EYE_SNEAKING = 1.62, 1.27
_FLAT = "minecraft:bedrock,2*minecraft:dirt,minecraft:grass"
_ANIMALS, _HERD, _ROAM = ("cow", "pig", "sheep"), 6, 24
_ALIVE = {"health": 20.0, "food": 20, "saturation": 5.0, "oxygen": 300, "charge": 100}
_AT_REST = ("exhaustion", "food_timer", "hurt", "draw", "eating", "use_delay", "dig_progress", "dig_delay", "heat")


class Game:
    """A world and its agent, changed from outside between ticks.

    Args:
        options: which world.

    Attributes:
        worlds: `state.Worlds` of one world.
        rules: `state.Rules`.
        simulation: `Simulation`.
        home: where the agent appears, x y z.
        biomes: (nx, nz) indices of `terrain.BIOMES`.
    """

    def __init__(self, options: Options) -> None:
        start_warp()
        find_device(options.device)
        from trunkline.envs.minecraft.render import Renderer
        from trunkline.envs.minecraft.rules import make_rules
        from trunkline.envs.minecraft.simulation import Simulation
        from trunkline.envs.minecraft.state import Worlds

        self.options = options
        self.worlds: Any = Worlds(1, options.world_size, options.entities, options.device)
        self.rules = make_rules(options.device)
        self.simulation = Simulation(self.worlds, self.rules)
        self.renderer = Renderer(self.worlds, self.rules, *options.picture, depth=False, segmentation=False)
        self.home = (0.0, 0.0, 0.0)
        self.biomes = np.zeros((self.size[0], self.size[2]), np.uint8)
        self.write("active", 1)

    @property
    def size(self) -> tuple[int, int, int]:
        """Blocks (nx, ny, nz)."""
        size: tuple[int, int, int] = self.worlds.size
        return size

    def read(self, name: str) -> Any:
        """A field of the world's row; on a CPU an array that shares the world's memory."""
        return self.worlds.view(name)[0]

    def write(self, name: str, value: Any) -> None:
        """Set a field."""
        values = self.worlds.view(name)
        values[0] = value
        if self.worlds.device != "cpu":
            self.worlds.put(name, values)

    @property
    def cells(self) -> np.ndarray:
        """(nx, nz, ny) block states."""
        nx, ny, nz = self.size
        cells: np.ndarray = self.read("blocks").reshape(nx, nz, ny)
        return cells

    @property
    def eye(self) -> np.ndarray:
        """(3,) where the agent's eye is."""
        height = EYE_SNEAKING if self.read("sneaking") else EYE
        eye: np.ndarray = np.asarray(self.read("position"), np.float64) + np.array([0.0, height, 0.0])
        return eye

    def look_vector(self) -> np.ndarray:
        """(3,) the agent's gaze."""
        return direction(float(self.read("yaw")), float(self.read("pitch")))

    def grid(self, low: Sequence[int], high: Sequence[int]) -> np.ndarray:
        """Block states by x, y, z of a box of cells, corners included: bedrock below the world, air above it."""
        nx, ny, nz = self.size
        x, y, z = (np.arange(a, b + 1) for a, b in zip(low, high, strict=True))
        inner = (x.clip(0, nx - 1)[:, None, None], z.clip(0, nz - 1)[None, None, :], y.clip(0, ny - 1)[None, :, None])
        states: np.ndarray = self.cells[inner].copy()
        states[:, y < 0], states[:, y >= ny] = block_state("bedrock"), 0
        states[(x < 0) | (x >= nx)] = BARRIER
        states[:, :, (z < 0) | (z >= nz)] = BARRIER
        return states

    def picture(self) -> np.ndarray:
        """(H, W, 3) what the agent sees."""
        image: np.ndarray = self.renderer.draw_agents()["rgb"].numpy()[0].copy()
        return image

    def make_world(self, seed: int) -> None:
        """Lay out the terrain and empty it of entities; the agent is not placed yet.

        Raises:
            InputError: a size or preset that no world has.
        """
        nx, ny, nz = self.size
        if self.options.generate_world_type == "flat":
            layers = _layers(self.options.flat_world_seed_string)
            if len(layers) >= ny:
                raise InputError(f"flat_world_seed_string has {len(layers)} layers; the world is {ny} blocks high")
            cells = np.zeros((nx, nz, ny), np.uint8)
            cells[..., : len(layers)] = layers
            blocks = self.worlds.view("blocks")
            blocks[0] = cells.ravel()
            if self.worlds.device != "cpu":
                self.worlds.put("blocks", blocks)
            self.biomes = np.full((nx, nz), BIOMES.index("plains"), np.uint8)
        else:
            biome = self.options.specified_biome
            number = MIXED if biome is None else biome_number(our_biome(biome))
            land = generate(self.worlds.fields["blocks"], [0], [seed], [number], self.size, self.worlds.device)
            self.biomes = land.biome_map(0)
        find_leaps(self.worlds, self.rules, [0])

    def populate(self, rng: np.random.Generator) -> None:
        """Remove all entities, put the agent at home as it begins, and animals around it."""
        self.worlds.clear_rows(np.array([0]))
        self.write("active", 1)
        self.write("seed", int(rng.integers(1 << 32)))
        nx, _, nz = self.size
        self.home = self.standing(nx / 2, nz / 2)
        self.write("day", self.options.start_time or 0)
        self.begin()
        if self.options.allow_mob_spawn:
            for kind in rng.choice(_ANIMALS, min(_HERD, self.options.entities // 2)):
                x, z = rng.uniform(-_ROAM, _ROAM, 2) + np.array([nx / 2, nz / 2])
                if (where := self.near(x, z)) is not None:
                    spawn(self.worlds, 0, str(kind), where, float(rng.uniform(-180, 180)))
        self.simulation.look()

    def begin(self) -> None:
        """The agent alive at home, with what it begins with."""
        self.revive()
        for slot, number, count in self.options.stacks():
            inventory.give(self.worlds, 0, number, count, slot)
        if self.options.start_health is not None:
            self.write("health", self.options.start_health)
        if self.options.start_food is not None:
            self.write("food", self.options.start_food)
        if (start := self.options.start_position) is not None:
            place = [start[name] for name in ("x", "y", "z")]
            self.simulation.place_agent(0, place, start["yaw"], start["pitch"])

    def revive(self) -> None:
        """The agent well, at home and with empty hands."""
        inventory.clear(self.worlds, 0)
        for name, value in _ALIVE.items():
            self.write(name, value)
        for name in _AT_REST:
            self.write(name, 0)
        self.write("dig_cell", -1)
        self.simulation.place_agent(0, self.home)

    def leave_belongings(self) -> None:
        """Drop what the agent carries where it is, as far as there are places for entities."""
        where = np.clip(self.read("position"), 0.5, np.asarray(self.size) - 0.5)
        for stack in inventory.stacks(self.worlds, 0):
            if (self.read("kind") == 0).any():
                number = int(self.read("item")[stack.slot])
                spawn(self.worlds, 0, "item", where, item=number, count=stack.count)
        inventory.clear(self.worlds, 0)

    def standing(self, x: float, z: float) -> tuple[float, float, float]:
        """Where one can stand nearest to a column.

        Raises:
            InputError: nowhere in this world.
        """
        found = self.near(x, z)
        if found is None:
            raise InputError("nowhere in this world can an agent stand; choose another world_seed")
        return found

    def near(self, x: float, z: float) -> tuple[float, float, float] | None:
        """The middle of the nearest column with firm dry ground and room above it, on the ground; None for none."""
        nx, ny, nz = self.size
        heights = surface_heights(self.cells.ravel(), self.size).astype(np.int64)
        rows, cols = np.meshgrid(np.arange(nx), np.arange(nz), indexing="ij")
        room = (heights >= 0) & (heights + 2 < ny)
        for above in (1, 2):
            room &= _free()[self.cells[rows, cols, np.minimum(heights + above, ny - 1)]]
        room &= _firm()[self.cells[rows, cols, np.maximum(heights, 0)]]
        room[[0, -1]], room[:, [0, -1]] = False, False
        if not room.any():
            return None
        far = np.where(room, np.hypot(rows + 0.5 - x, cols + 0.5 - z), np.inf)
        i, k = np.unravel_index(int(np.argmin(far)), far.shape)
        return float(i) + 0.5, float(heights[i, k]) + 1.0, float(k) + 0.5


def direction(yaw: float, pitch: float) -> np.ndarray:
    """(3,) a gaze, of length 1, from degrees."""
    a, b = np.radians(yaw), np.radians(pitch)
    return np.array([-np.sin(a) * np.cos(b), -np.sin(b), np.cos(a) * np.cos(b)])


def _free() -> np.ndarray:
    """(256,) whether a body can be in a block."""
    free = np.zeros(256, bool)
    for state in block_states():
        free[state.number] = not state.solid and not state.liquid
    return free


def _firm() -> np.ndarray:
    """(256,) whether one stands on a block's upper face, unhurt."""
    firm = np.zeros(256, bool)
    for state in block_states():
        firm[state.number] = state.solid and not state.hurts and state.box[4] == 1.0
    return firm


def _layers(preset: str | None) -> list[int]:
    """Block states from the bottom of a flat world; from "3;minecraft:bedrock,2*minecraft:dirt;1" and the like."""
    text = preset or _FLAT
    parts = text.split(";")
    layers = parts[1] if len(parts) > 1 else parts[0]
    found: list[int] = []
    for layer in layers.split(","):
        count, star, name = layer.strip().rpartition("*")
        if star and not count.isdigit():
            raise InputError(f"flat_world_seed_string={preset!r}: {layer!r} is not COUNT*BLOCK")
        found += [placed_state(name)] * (int(count) if star else 1)
    return found


def stack_counts(game: Game) -> np.ndarray:
    """(I,) how many pieces of each item of ours the agent carries."""
    counts = np.zeros(len(items()), np.int64)
    np.add.at(counts, np.asarray(game.read("item"), np.int64), np.asarray(game.read("count"), np.int64))
    counts[0] = 0
    return counts
