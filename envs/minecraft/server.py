"""A real Minecraft-protocol server (1.16.5) and its players, stepped in lockstep in a Node process.

Terrain, physics, drops and block rules are the server's and its client's own (flying-squid, mineflayer); this side
sends controls and gets poses, inventories, entities and the blocks around every player. Install with
`trunkline envs install minecraft-server`. Coordinates are Minecraft's: x east, y up, z south; yaw 0° looks to +z, 90°
to −x; pitch is positive down.

Legend: A agents, n voxels along each side.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trunkline.envs.minecraft.server_facts import facts
from trunkline.envs.minecraft.server_observation import INVENTORY_SLOTS, ServerObservation
from trunkline.envs.minecraft.server_process import PACKAGES, start_process
from trunkline.envs.remote.process import RemoteError, close_all
from trunkline.errors import InputError

Spawn = tuple[str, tuple[float, float, float], float] | tuple[str, tuple[float, float, float], float, float]

MINECRAFT = "1.16.5"
MAX_AGENTS = 8


@dataclass(frozen=True)
class Terrain:
    """Blocks to lay over the generated world.

    Attributes:
        blocks: (nx, ny, nz) uint16, numbers of block states in Minecraft's own palette.
        origin: where its lowest corner lies.
        fence: whether invisible barriers stand around its sides, eight blocks higher than it.
    """

    blocks: NDArray[np.uint16]
    origin: tuple[int, int, int] = (0, 0, 0)
    fence: bool = True

    def to_wire(self) -> dict[str, Any]:
        """As the server takes it.

        Raises:
            InputError: blocks of another type or number of dimensions.
        """
        if self.blocks.dtype != np.uint16 or self.blocks.ndim != 3:
            raise InputError(
                f"terrain blocks are {self.blocks.dtype} {self.blocks.shape}; give uint16 (nx, ny, nz) palette numbers"
            )
        return {"blocks": self.blocks, "origin": [int(c) for c in self.origin], "fence": self.fence}


@dataclass(frozen=True)
class ServerConfig:
    """A server and the world that it generates.

    Attributes:
        agents: players, 1 to 8, all in one world.
        generator: "superflat" (grass at y = 4, one stands at 5), "diamond_square" (hills) or "blocks" (air, but for
            terrain).
        seed: of the world, and of where drops leap.
        voxels: n, the side of the cube of blocks that is observed around every player; 0 for none.
        entity_range: blocks up to which other entities are observed.
        port: a port of this machine on which a Minecraft 1.16.5 client may join to watch; None opens none.
        timeout_s: the deadline of a step or reset; starting may take four times as long.
    """

    agents: int = 1
    generator: str = "superflat"
    seed: int = 0
    voxels: int = 32
    entity_range: float = 32.0
    port: int | None = None
    timeout_s: float = 30.0

    def __post_init__(self) -> None:
        if not 1 <= self.agents <= MAX_AGENTS:
            raise InputError(f"agents={self.agents}; a server takes 1 to {MAX_AGENTS}")
        if not 0 <= self.voxels <= 64:
            raise InputError(f"voxels={self.voxels}; 0 (none) to 64 along each side")
        if not 0 <= self.seed < 2**31:
            raise InputError(f"seed={self.seed}; 0 to 2147483647")
        if self.timeout_s <= 0:
            raise InputError(f"timeout_s={self.timeout_s}; must be positive")


class MinecraftServer:
    """A server in a process of its own; a context manager that ends it.

    Args:
        config: the world and its players.
        terrain: blocks that lie over the generated world from the start.

    Attributes:
        config: as given.
        item_names, entity_names: names by number.

    Raises:
        InputError: Node.js is missing or too old, the packages are not installed, the port is in use, an unknown
            generator.
        RemoteError: the server did not start.
    """

    def __init__(self, config: ServerConfig | None = None, terrain: Terrain | None = None) -> None:
        self.config = config = config or ServerConfig()
        folder = PACKAGES.require()
        self._process = start_process(folder, config.timeout_s)
        self._inventory = np.zeros((config.agents, INVENTORY_SLOTS, 2), np.int16)
        self._voxels = np.zeros((config.agents, *(config.voxels,) * 3), np.uint16)
        try:
            answer = self._process.call(
                "configure",
                4 * config.timeout_s,
                agents=config.agents,
                generator=config.generator,
                seed=config.seed,
                voxels=config.voxels,
                range=config.entity_range,
                port=config.port,
                facts=facts(),
                terrain=None if terrain is None else terrain.to_wire(),
            )
        except BaseException:
            self._process.close()
            raise
        self._names = {name: [text or "" for text in answer[name]] for name in ("items", "entities")}
        self.item_names, self.entity_names = self._names["items"], self._names["entities"]
        self._read(answer["observation"])

    def __enter__(self) -> "MinecraftServer":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @property
    def pid(self) -> int:
        """The process id of the server."""
        return self._process.pid

    def close(self) -> None:
        """End the server; the object cannot be used afterwards."""
        self._process.close()

    def reset(
        self,
        agent: int = 0,
        *,
        pose: Sequence[float] | None = None,
        inventory: Sequence[tuple[int, str, int]] | None = None,
        slot: int | None = None,
        game_mode: str | None = None,
        health: float | None = None,
        terrain: Terrain | None = None,
        blocks: Mapping[tuple[int, int, int], int] | None = None,
        entities: Sequence[Spawn] = (),
        clear: float = 64.0,
        restart: bool = False,
    ) -> ServerObservation:
        """Begin an agent's episode; what is None is left as it is.

        Args:
            agent: which.
            pose: x y z of the feet, yaw, pitch.
            inventory: (slot, item's name, count) of all that it has.
            slot: of the hotbar, to hold.
            game_mode: "survival", "creative", "adventure" or "spectator".
            health: 0 to 20.
            terrain: takes the place of this agent's last terrain; edits within are undone.
            blocks: palette numbers by coordinates, set one by one.
            entities: mobs to spawn: (Minecraft's name, position of the feet, yaw), and their health if it is not 20.
            clear: mobs and drops within so many blocks of the agent, or of where it is put, are removed first.
            restart: also set the count of ticks and the chances of drops to their beginning, for an episode that goes
                the same way every time.

        Raises:
            InputError: an unknown item, mob or game mode (with the nearest match), a number out of range.
            RemoteError: the server died or hangs.
        """
        args: dict[str, Any] = {"agent": agent, "clear": clear, "restart": restart}
        if pose is not None:
            args["pose"] = [float(value) for value in pose]
        if inventory is not None:
            args["inventory"] = [[int(at), str(name), int(count)] for at, name, count in inventory]
        if terrain is not None:
            args["terrain"] = terrain.to_wire()
        if blocks:
            args["blocks"] = {
                "positions": np.array(list(blocks), np.int32).reshape(-1, 3),
                "states": np.array(list(blocks.values()), np.uint16),
            }
        args["entities"] = [_spawn(*entity) for entity in entities]
        given = {"slot": slot, "game_mode": game_mode, "health": health}
        args |= {name: value for name, value in given.items() if value is not None}
        return self._read(self._process.call("reset", **args))

    def step(
        self,
        controls: ArrayLike,
        look: ArrayLike,
        action: ArrayLike = 0,
        slot: ArrayLike = -1,
        *,
        relative: bool = False,
    ) -> ServerObservation:
        """One tick of all agents; a scalar stands for all of them.

        Args:
            controls: (A,) control bytes, see `server_observation.control_bits`; one sprints only forward and standing
                up.
            look: (A, 2) yaw and pitch in degrees.
            action: (A,) index in `ACTIONS`. "attack" hits the entity or digs the block under the crosshair (reach 3
                and 4.5 blocks), "use" clicks on it with what is in hand, "place" does so only if that is a block with
                room for it.
            slot: (A,) the hotbar slot to take in hand, or −1.
            relative: whether `look` is added to the present yaw and pitch.

        Raises:
            InputError: a number out of range or of the wrong count.
            RemoteError: the server died or hangs; it has been ended.
        """
        self.send_step(controls, look, action, slot, relative=relative)
        return self.receive_step()

    def send_step(
        self,
        controls: ArrayLike,
        look: ArrayLike,
        action: ArrayLike = 0,
        slot: ArrayLike = -1,
        *,
        relative: bool = False,
    ) -> None:
        """Begin a `step`, so that several servers go at the same time; errors as there."""
        rows = np.empty((self.config.agents, 5))
        columns = (("controls", controls, 0), ("look", look, slice(1, 3)), ("action", action, 3), ("slot", slot, 4))
        for name, value, column in columns:
            try:
                rows[:, column] = value
            except ValueError:
                shape = rows[:, column].shape
                raise InputError(f"{name} has the shape {np.shape(value)}; expected {shape}") from None
        self._process.send("step", controls=rows, relative=relative)

    def receive_step(self) -> ServerObservation:
        """What the step led to that was begun; errors as `step`."""
        return self._read(self._process.receive())

    def observe(self) -> ServerObservation:
        """The present state, without a tick."""
        return self._read(self._process.call("observe"))

    def hash(self) -> str:
        """SHA-256 of all that agents observe, to compare runs by."""
        return str(self._process.call("hash"))

    def blocks(self, origin: Sequence[int], shape: Sequence[int]) -> NDArray[np.uint16]:
        """The server's own blocks in a box, (nx, ny, nz) palette numbers."""
        corner, sides = [int(c) for c in origin], [int(c) for c in shape]
        return np.asarray(self._process.call("blocks", origin=corner, shape=sides))

    def memory_mb(self) -> float:
        """The server's resident memory, MiB."""
        return float(self._process.call("memory")["rss_mb"])

    def _read(self, answer: dict[str, Any]) -> ServerObservation:
        try:
            if "moved" in answer:
                self._voxels[answer["moved"]] = answer["voxels"]
            if "inventory" in answer:
                self._inventory = answer["inventory"]
            voxels = self._voxels.copy() if self.config.voxels else None
            return ServerObservation.read(answer, self._inventory, voxels, self._names)
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            self.close()
            raise RemoteError(f"{PACKAGES.name}: an answer that is not a server's: {error!r}") from error


def _spawn(name: str, place: tuple[float, float, float], yaw: float, health: float = 20.0) -> dict[str, Any]:
    """A mob as the server takes it."""
    return {"type": name, "position": [float(c) for c in place], "yaw": float(yaw), "health": float(health)}


def close_servers(servers: Iterable[MinecraftServer]) -> None:
    """End several side by side, so that they cost the time of the slowest."""
    close_all(server._process for server in servers)
