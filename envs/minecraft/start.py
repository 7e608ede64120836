"""How episodes begin: a TaskSpec's terrain, blocks, mobs and inventory in a world, and its target for the kernels."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from trunkline.envs.minecraft import inventory
from trunkline.envs.minecraft.blocks import block_states, states_of
from trunkline.envs.minecraft.entities import ENTITIES, spawn
from trunkline.envs.minecraft.goals import CLUSTER, INTERACTIONS, Scene, cluster, kin, read_scene
from trunkline.envs.minecraft.terrains import prepared
from trunkline.envs.spec import TaskSpec
from trunkline.envs.warp import start_warp
from trunkline.errors import InputError


class Starter:
    """Begins episodes in the rows of a `state.Worlds`, and holds what is asked for in each.

    Args:
        worlds: `state.Worlds`.
        rules: `state.Rules` on the same device.
        interaction: of all worlds.
        near: m at which there is nothing to be gained by going nearer.

    Attributes:
        targets: `kernels.goal.Targets`.
        scenes: what each row shows, None before its first episode.
    """

    def __init__(self, worlds: Any, rules: Any, interaction: str, near: float) -> None:
        self.wp = start_warp()
        from trunkline.envs.minecraft.kernels import goal as goal_kernels
        from trunkline.envs.minecraft.kernels import start as start_kernels

        self.worlds, self.rules, self.kernels = worlds, rules, start_kernels
        self.scenes: list[Scene | None] = [None] * worlds.count
        wp, count = self.wp, worlds.count
        shapes = {"cells": CLUSTER, "low": CLUSTER, "high": CLUSTER, "state": 4}
        shapes["marks"] = worlds.cells + worlds.entities
        struct: Any = goal_kernels.Targets
        self.targets = struct()
        self.targets.interaction, self.targets.near = INTERACTIONS.index(interaction), near
        for name, variable in struct.vars.items():
            if hasattr(variable.type, "ndim"):
                shape = (count, shapes[name]) if name in shapes else (count,)
                setattr(self.targets, name, wp.zeros(shape, dtype=variable.type.dtype, device=worlds.device))
        self.targets.mob.fill_(-1)
        # On a CPU arrays share their memory with kernels, and asking for it is not free.
        shared = ("progress", "state", "reached", "lost") if worlds.device == "cpu" else ()
        self._shared = {name: getattr(self.targets, name).numpy() for name in shared}

    def read(self, name: str) -> np.ndarray:
        """A field of the targets that changes from step to step, (W, …); to be copied before the next step."""
        found: np.ndarray = self._shared[name] if self._shared else getattr(self.targets, name).numpy()
        return found

    def start(self, ids: np.ndarray, specs: Sequence[TaskSpec]) -> None:
        """Begin an episode in each of the rows `ids`.

        Raises:
            InputError: a TaskSpec that cannot be played in these worlds, see `goals.read_scene`.
        """
        scenes = [self._checked(spec) for spec in specs]
        terrains = [prepared(scene.seed, scene.biome, scene.size) for scene in scenes]
        for name in ("blocks", "leaps", "ceiling"):
            for row, terrain in zip(ids, terrains, strict=True):
                self._copy_row(name, int(row), terrain[name])
        self.worlds.clear_rows(ids)
        self._put_blocks(ids, scenes)
        values = {name: self.worlds.view(name) for name in ("seed", "position", "yaw", "pitch")}
        for row, scene, spec in zip(ids, scenes, specs, strict=True):
            self.scenes[row] = scene
            values["seed"][row] = spec.seed
            values["position"][row] = scene.start[:3]
            values["yaw"][row], values["pitch"][row] = scene.start[3:]
        if self.worlds.device != "cpu":
            for name, value in values.items():
                self.worlds.put(name, value)
        places = []
        for row, scene in zip(ids, scenes, strict=True):
            put = [spawn(self.worlds, int(row), mob.kind, mob.position, mob.yaw) for mob in scene.mobs]
            places.append(-1 if scene.goal.mob is None else put[scene.goal.mob])
            for slot, (number, count) in enumerate(scene.items):
                inventory.give(self.worlds, int(row), number, count, slot)
        self._aim(ids, scenes, places, terrains)

    def _checked(self, spec: TaskSpec) -> Scene:
        scene = read_scene(spec)
        if scene.size != self.worlds.size:
            raise InputError(
                f"TaskSpec {spec.id} is of worlds of size {list(scene.size)}, these are of {list(self.worlds.size)}; "
                f"make the worlds with size={list(scene.size)}"
            )
        if len(scene.mobs) > self.worlds.entities:
            raise InputError(
                f"TaskSpec {spec.id} has {len(scene.mobs)} mobs; make the worlds with entities={len(scene.mobs)}"
            )
        return scene

    def _copy_row(self, name: str, row: int, value: np.ndarray) -> None:
        """Write one row of a large field without moving the others."""
        if self.worlds.device == "cpu":
            self.worlds.view(name)[row] = value
            return
        source = self.wp.array(value, dtype=self.wp.uint8, device=self.worlds.device)
        self.wp.copy(self.worlds.fields[name], source, dest_offset=row * value.size, count=value.size)

    def _put_blocks(self, ids: np.ndarray, scenes: Sequence[Scene]) -> None:
        wp, device = self.wp, self.worlds.device
        put = [block for scene in scenes for block in scene.blocks]
        if not put:
            return
        inputs = [
            self.worlds.game,
            self.rules,
            wp.array(ids.astype(np.int32), dtype=wp.int32, device=device),
            wp.array(np.cumsum([0, *(len(scene.blocks) for scene in scenes)]), dtype=wp.int32, device=device),
            wp.array(np.asarray([cell for cell, _ in put], np.int32), dtype=wp.vec3i, device=device),
            wp.array(np.asarray([state for _, state in put], np.int32), dtype=wp.int32, device=device),
        ]
        wp.launch(self.kernels.put_blocks, len(ids), inputs, device=device)

    def _aim(
        self, ids: np.ndarray, scenes: Sequence[Scene], places: Sequence[int], terrains: Sequence[dict[str, np.ndarray]]
    ) -> None:
        """Write the targets of some rows."""
        wp, device = self.wp, self.worlds.device
        rows = wp.array(ids.astype(np.int32), dtype=wp.int32, device=device)
        self._mark(rows, 0)
        names = ("cells", "low", "high", "boxes", "mob", "kind", "health", "first", "reached", "lost")
        values = {name: getattr(self.targets, name).numpy() for name in names}
        values["reached"][ids] = values["lost"][ids] = values["boxes"][ids] = values["kind"][ids] = 0
        values["first"][ids] = -1.0
        values["health"][ids] = 1.0
        for row, scene, place, terrain in zip(ids, scenes, places, terrains, strict=True):
            values["mob"][row] = place
            if place >= 0:
                values["kind"][row] = scene.mobs[0].kind
                values["health"][row] = ENTITIES[scene.mobs[0].kind].health
                continue
            cells, low, high = _block_target(scene, terrain["blocks"])
            count = len(cells)
            values["cells"][row, :count], values["boxes"][row] = cells, count
            values["low"][row, :count], values["high"][row, :count] = low, high
        if device != "cpu":
            for name, value in values.items():
                getattr(self.targets, name).assign(value)
        self._mark(rows, 1)

    def _mark(self, rows: Any, value: int) -> None:
        inputs = [self.targets, self.worlds.cells, rows, value]
        self.wp.launch(self.kernels.mark, len(rows), inputs, device=self.worlds.device)


def _block_target(scene: Scene, terrain: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Indices (n,) of the target's cells, and the corners (n, 3) of their boxes.

    Raises:
        InputError: the world holds another block there.
    """
    nx, ny, nz = scene.size
    blocks = terrain.reshape(nx, nz, ny).copy()
    for (x, y, z), state in scene.blocks:
        blocks[x, z, y] = state
    cell = scene.goal.cell
    assert cell is not None
    there = int(blocks[cell[0], cell[2], cell[1]])
    if kin()[there] != states_of(scene.goal.block)[0].number:
        found = block_states()[there].name
        raise InputError(f"the target {scene.goal.block} at {list(cell)}: the world holds {found} there")
    cells = cluster(blocks, cell)
    x, y, z = cells.T
    boxes = np.asarray([block_states()[state].box for state in blocks[x, z, y]])
    return (x * nz + z) * ny + y, cells + boxes[:, :3], cells + boxes[:, 3:]
