"""Small worlds to play in, for tests of the voxel engine."""

from typing import Any

import numpy as np

from trunkline.envs.minecraft.blocks import block_state
from trunkline.envs.minecraft.clear import find_leaps
from trunkline.envs.minecraft.inventory import amount, give
from trunkline.envs.warp import start_warp

FLOOR = 4  # height of the ground
NOOP = (0, 0, 0, 12, 12, 0, 0, 0)
FACTORS = ("forward", "strafe", "jump", "pitch", "yaw", "function", "craft", "slot")


class Play:
    """W worlds of air above stone, with an agent standing in the middle of each, and its keys."""

    def __init__(
        self, count: int = 1, size: tuple[int, int, int] = (16, 16, 16), ground: str = "stone", entities: int = 8
    ) -> None:
        start_warp()
        from trunkline.envs.minecraft.rules import make_rules
        from trunkline.envs.minecraft.simulation import Simulation
        from trunkline.envs.minecraft.state import Worlds

        self.worlds: Any = Worlds(count, size, entities)
        self.simulation = Simulation(self.worlds, make_rules("cpu"))
        nx, ny, nz = size
        self.cells = self["blocks"].reshape(count, nx, nz, ny)  # by x, z, y
        self.cells[..., :FLOOR] = block_state(ground)
        find_leaps(self.worlds, self.simulation.rules, range(count))
        self["active"][:] = 1
        self["seed"][:] = np.arange(count) + 1
        self["on_ground"][:] = 1
        self["velocity"][:] = (0, -0.0784, 0)  # of who stands: one tick of gravity
        self["position"][:] = (nx / 2 + 0.5, FLOOR, nz / 2 + 0.5)

    def __getitem__(self, name: str) -> np.ndarray:
        return self.worlds.view(name)

    def block(self, x: int, y: int, z: int, row: int = 0) -> int:
        return int(self.cells[row, x, z, y])

    def put(self, name: str, *boxes: tuple[int, ...], **properties: str) -> None:
        """Fill boxes, given by one or two corner cells, in all worlds."""
        for box in boxes:
            (x0, y0, z0), (x1, y1, z1) = box[:3], box[-3:]
            self.cells[:, x0 : x1 + 1, z0 : z1 + 1, y0 : y1 + 1] = block_state(name, **properties)
        find_leaps(self.worlds, self.simulation.rules, range(self.worlds.count))

    def aim(self, *point: float) -> None:
        """Turn all heads so that they look at a point."""
        for row in range(self.worlds.count):
            eye = self["position"][row] + (0, 1.62, 0)
            dx, dy, dz = np.asarray(point) - eye
            self["yaw"][row] = np.degrees(np.arctan2(-dx, dz))
            self["pitch"][row] = -np.degrees(np.arctan2(dy, np.hypot(dx, dz)))

    def give(self, name: str, count: int = 1, slot: int | None = 0) -> None:
        for row in range(self.worlds.count):
            give(self.worlds, row, name, count, slot)

    def has(self, name: str) -> int:
        return amount(self.worlds, 0, name)

    def keys(self, ticks: int = 1, **factors: int) -> None:
        """Hold keys for some ticks in all worlds."""
        control = np.tile(NOOP, (self.worlds.count, 1))
        for name, value in factors.items():
            control[:, FACTORS.index(name)] = value
        self.simulation.act(control)
        for _ in range(ticks):
            self.simulation.tick()

    def until(self, event: str, most: int = 400, **factors: int) -> int:
        """Hold keys until something happens; returns after how many ticks."""
        for tick in range(1, most + 1):
            self.keys(**factors)
            if self[event][0] >= 0:
                return tick
        raise AssertionError(f"{event} did not happen within {most} ticks")
