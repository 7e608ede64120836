"""A scripted expert for all interactions: it searches a way, walks, digs and bridges, aims, and does what is asked for.

It knows the blocks and where everything is, and acts by the same six choices as everybody (`actions.py`). Ways are
searched on the voxels once an episode, and again when the target has moved or the agent has lost its way
(`kernels/search.py`, `kernels/path.py`); then every step is one kernel (`kernels/expert.py`).
"""

from typing import Any

import numpy as np

from trunkline.envs.minecraft.actions import CHOICES, bin_degrees
from trunkline.envs.warp import start_warp

QUEUE = 32768  # cells that a search meets, at most


class Expert:
    """Acts in all worlds at once.

    Args:
        worlds: `state.Worlds`.
        rules: `state.Rules` on the same device.
        targets: `kernels.goal.Targets` of the worlds.
        ticks: that an action lasts.
    """

    def __init__(self, worlds: Any, rules: Any, targets: Any, ticks: int) -> None:
        wp = start_warp()
        from trunkline.envs.minecraft.kernels import expert as expert_kernels
        from trunkline.envs.minecraft.kernels import path as path_kernels
        from trunkline.envs.minecraft.kernels import search as search_kernels

        self.worlds = worlds
        count, device = worlds.count, worlds.device
        struct: Any = path_kernels.Plan
        self.plan: Any = struct()
        shapes = {"cost": worlds.cells, "way": worlds.cells, "queue": QUEUE, "met": QUEUE}
        for name, variable in struct.vars.items():
            shape = (count, shapes[name]) if name in shapes else (count,)
            setattr(self.plan, name, wp.zeros(shape, dtype=variable.type.dtype, device=device))
        self.plan.cost.fill_(path_kernels.UNKNOWN)
        self._running = wp.zeros(count, dtype=wp.uint8, device=device)
        self._actions = wp.zeros((count, len(CHOICES)), dtype=wp.int64, device=device)
        bins = wp.array(bin_degrees(), dtype=wp.float32, device=device)
        inputs = [worlds.game, rules, targets, self.plan]
        choices = [*inputs, self._running, ticks, bins, self._actions]
        self._commands = (
            wp.launch(search_kernels.search, count, inputs, device=device, record_cmd=True),
            wp.launch(expert_kernels.choose, count, choices, device=device, record_cmd=True),
        )

    def begin(self, rows: np.ndarray) -> None:
        """New episodes have begun in the worlds `rows`."""
        for name in ("wanted", "rough", "age", "goal", "aim", "aimed", "last", "stuck"):
            array = getattr(self.plan, name)
            values = array.numpy()
            values[rows] = 1 if name == "wanted" else 0
            if self.worlds.device != "cpu":
                array.assign(values)

    def actions(self, running: np.ndarray) -> np.ndarray:
        """What the experts do next, (W, 6) int64; those of worlds that do not run (W,) stand still."""
        values = self._running.numpy()
        values[:] = running
        if self.worlds.device != "cpu":
            self._running.assign(values)
        for command in self._commands:
            command.launch()
        chosen: np.ndarray = self._actions.numpy().copy()
        return chosen
