"""Runs the worlds of tasks on protocol servers: `state.Worlds` follows what the servers tell.

Every world has a server, with one player, in a process of its own: so an episode goes the same way whatever the others
do, and is lost alone. Blocks, poses, entities and inventories are the servers'; what they do not tell of (oxygen, wear
of tools) stays as it was at first.

Legend: W worlds, M entities of a world.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import numpy as np

from trunkline.envs.base import Loss
from trunkline.envs.minecraft import server_process
from trunkline.envs.minecraft.entities import ENTITIES
from trunkline.envs.minecraft.items import items
from trunkline.envs.minecraft.palette import palette_to_states, state_to_palette
from trunkline.envs.minecraft.server import MinecraftServer, ServerConfig, Terrain, close_servers
from trunkline.envs.minecraft.server_mirror import Mirror
from trunkline.envs.remote.process import RemoteCallError, RemoteError
from trunkline.envs.warp import start_warp
from trunkline.errors import InputError

_STARTS = 3  # in a row that may fail before a server is not replaced again
_BODY = ("kind", "body_position", "body_yaw", "body_health")
_CLEAR = 1e6  # blocks around the player within which the last episode's mobs and drops vanish: everywhere


class ServerEngine:
    """Protocol servers for the rows of a `state.Worlds`, stepped side by side.

    Args:
        worlds: `state.Worlds` on a CPU.
        rules: `state.Rules`.
        timeout_s: the deadline of a tick; starting a server may take four times as long.

    Raises:
        InputError: Node.js is missing or too old, or the packages are not installed.
    """

    def __init__(self, worlds: Any, rules: Any, timeout_s: float) -> None:
        server_process.require()
        wp = start_warp()
        from trunkline.envs.minecraft.kernels.pick import look
        from trunkline.envs.minecraft.kernels.start import put_blocks

        self.wp, self.worlds, self.rules = wp, worlds, rules
        everywhere = 2.0 * sum(worlds.size)
        self.config = ServerConfig(generator="blocks", voxels=0, entity_range=everywhere, timeout_s=timeout_s)
        self.servers: list[MinecraftServer | None] = [None] * worlds.count
        self.mirror = Mirror(worlds)
        self._losses: dict[int, Loss] = {}
        self._put = put_blocks
        self._look = wp.launch(look, worlds.count, [worlds.game, rules], device="cpu", record_cmd=True)

    # Episodes

    def start(self, rows: np.ndarray) -> None:
        """Take the worlds of `rows`, as they are, to their servers; servers that were lost are replaced.

        A world that its server cannot be set up as is lost.

        Raises:
            RemoteError: no server could be started.
        """
        for row in rows.tolist():
            self._losses.pop(row, None)
        with ThreadPoolExecutor(min(len(rows), 2 * (os.cpu_count() or 1))) as pool:
            self._edit(np.concatenate(list(pool.map(self._begin, rows.tolist()))))

    def _begin(self, row: int) -> np.ndarray:
        for left in reversed(range(_STARTS)):
            server = None
            try:
                server = self.servers[row] = self.servers[row] or MinecraftServer(self.config)
                return self._reset(row, server)
            except (RemoteError, RemoteCallError) as error:
                self._end(row)
                if left:
                    continue
                if server is None:
                    raise RemoteError(f"world {row}: {error}") from error
                self._losses[row] = Loss(str(error))
        return np.zeros((0, 5), np.int32)

    def _reset(self, row: int, server: MinecraftServer) -> np.ndarray:
        """Set a server up as its world is; returns the blocks that it has otherwise: row, x, y, z, state."""
        view = self.worlds.view
        nx, ny, nz = self.worlds.size
        states = view("blocks")[row].reshape(nx, nz, ny).transpose(0, 2, 1)
        pose = [*view("position")[row].tolist(), float(view("yaw")[row]), float(view("pitch")[row])]
        held = zip(view("item")[row].tolist(), view("count")[row].tolist(), strict=True)
        stacks = [(slot, items()[item].name, count) for slot, (item, count) in enumerate(held) if count > 0]
        bodies = zip(*(view(name)[row].tolist() for name in _BODY), strict=True)
        mobs = [(ENTITIES[kind].name, tuple(p), yaw, health) for kind, p, yaw, health in bodies if kind]
        observation = server.reset(
            0,
            pose=pose,
            inventory=stacks,
            slot=0,
            game_mode="survival",
            health=20,
            terrain=Terrain(np.ascontiguousarray(state_to_palette()[states], np.uint16)),
            entities=mobs,
            clear=_CLEAR,
            restart=True,
        )
        with _sound_answers():
            self.mirror.begin(row, observation)
            there = palette_to_states(server.blocks((0, 0, 0), self.worlds.size).astype(np.int64))
            x, y, z = np.nonzero(there != states)
            return np.stack([np.full(len(x), row), x, y, z, there[x, y, z]], 1).astype(np.int32)

    # Ticks

    def tick(self) -> None:
        """One tick of all active worlds; those whose servers break down are lost."""
        asked = []
        for row in np.flatnonzero(self.worlds.view("active")).tolist():
            server = self.servers[row]
            if server is not None:
                bits, action = self.mirror.control(row)
                pose = self.mirror.turn(row)
                self._guarded(row, server.send_step, bits, pose, action)
                asked.append(row)
        changed: list[np.ndarray] = []
        for row in asked:
            server = self.servers[row]
            if server is not None:
                changes = self._guarded(row, self._follow, row, server)
                if changes is not None:
                    changed.append(changes)
        if changed:
            self._edit(np.concatenate(changed))
        self._look.launch()

    def _guarded(self, row: int, call: Callable[..., Any], *args: Any) -> Any:
        """What a call to a server returns; None if it broke down, which is noted."""
        try:
            return call(*args)
        except (RemoteError, RemoteCallError) as error:
            self._losses[row] = Loss(str(error))
            self._end(row)
            return None

    def _follow(self, row: int, server: MinecraftServer) -> np.ndarray:
        """What a server tells goes into its world; returns the blocks that changed: row, x, y, z, state."""
        observation = server.receive_step()
        with _sound_answers():
            changes = np.array(observation.changes)
            changes[:, 0] = row
            at = changes[:, 1:4]
            changes = changes[((at >= 0) & (at < np.asarray(self.worlds.size))).all(1)]
            changes[:, 4] = palette_to_states(changes[:, 4])
            self.mirror.follow(row, observation, changes[:, 1:])
            return changes

    def _edit(self, changes: np.ndarray) -> None:
        if not len(changes):
            return
        rows, first = np.unique(changes[:, 0], return_index=True)  # they come by row
        wp = self.wp
        inputs = [
            self.worlds.game,
            self.rules,
            wp.array(rows, dtype=wp.int32, device="cpu"),
            wp.array(np.append(first, len(changes)), dtype=wp.int32, device="cpu"),
            wp.array(changes[:, 1:4], dtype=wp.vec3i, device="cpu"),
            wp.array(changes[:, 4], dtype=wp.int32, device="cpu"),
        ]
        wp.launch(self._put, len(rows), inputs, device="cpu")

    def take_losses(self) -> Mapping[int, Loss]:
        """Worlds that were lost since the last call of this, and why; `start` gets them going again."""
        losses, self._losses = self._losses, {}
        return losses

    def close(self) -> None:
        """End all servers."""
        close_servers(server for server in self.servers if server is not None)
        self.servers = [None] * len(self.servers)

    def _end(self, row: int) -> None:
        server, self.servers[row] = self.servers[row], None
        if server is not None:
            server.close()


@contextmanager
def _sound_answers() -> Iterator[None]:
    """Numbers that mean nothing (an item, a block, a place that there is not) are a broken server's."""
    try:
        yield
    except (InputError, LookupError, TypeError, ValueError) as error:
        raise RemoteError(f"{server_process.PACKAGES.name}: an answer that is not a server's: {error!r}") from error
