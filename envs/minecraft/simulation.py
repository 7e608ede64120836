"""W worlds that run: ticks of all of them at once, and changes to single ones between ticks."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from trunkline.envs.minecraft import saving
from trunkline.envs.minecraft.blocks import block_states
from trunkline.envs.minecraft.clear import find_leaps
from trunkline.envs.minecraft.entities import spawn
from trunkline.envs.minecraft.handbook import make_handbook
from trunkline.envs.warp import start_warp
from trunkline.errors import InputError

# MineDojo's MultiDiscrete action: the factors of `Game.control`.
CHOICES = (3, 3, 4, 25, 25, 8, 244, 36)
THREADS = 32  # of a block on CUDA: a world is a thread's work, and small blocks spread few worlds over all processors
FACTORS = ("forward/back", "left/right", "jump/sneak/sprint", "pitch", "yaw", "function", "craft", "slot")


class Simulation:
    """Runs the active worlds of a `state.Worlds`, 20 ticks a second of their time.

    A tick goes: the agents' hands act on what they looked at, their bodies move, entities move, blocks fall, and the
    crosshairs are set anew. Worlds run independently: the course of one depends on its state and its actions alone.

    Args:
        worlds: `state.Worlds`.
        rules: `state.Rules` on the same device.
    """

    def __init__(self, worlds: Any, rules: Any) -> None:
        wp = start_warp()
        from trunkline.envs.minecraft.kernels.entity import tick_entities
        from trunkline.envs.minecraft.kernels.falling import fall_blocks
        from trunkline.envs.minecraft.kernels.hands import act
        from trunkline.envs.minecraft.kernels.pick import look
        from trunkline.envs.minecraft.kernels.player import move_players

        self.worlds, self.rules = worlds, rules
        self.book = make_handbook(worlds.device)

        def record(kernel: Any, *more: Any) -> Any:
            inputs = [worlds.game, rules, *more]
            device = worlds.device
            return wp.launch(kernel, worlds.count, inputs, device=device, record_cmd=True, block_dim=THREADS)

        self._look = record(look)
        self._tick = (
            record(act, self.book),
            record(move_players),
            record(tick_entities),
            record(fall_blocks, self.book),
            self._look,
        )

    def act(self, control: np.ndarray, turn: np.ndarray | None = None) -> None:
        """Tell all agents what to do in the next ticks.

        Args:
            control: (W, 8) integers, MineDojo's action.
            turn: (W, 2) degrees of pitch and of yaw; left out, what `control` says in steps of 15 degrees.

        Raises:
            InputError: another shape, a choice out of range, or a turn that is not finite.
        """
        control = np.asarray(control)
        if control.shape != (self.worlds.count, len(CHOICES)) or control.dtype.kind not in "iu":
            raise InputError(
                f"control is {control.dtype}{list(control.shape)}; integers [{self.worlds.count}, 8] are needed"
            )
        wrong = np.argwhere((control < 0) | (control >= np.asarray(CHOICES)))
        if len(wrong):
            row, factor = wrong[0]
            most = CHOICES[factor] - 1
            raise InputError(f"action of world {row}: {FACTORS[factor]} is {control[row, factor]}; choose 0 to {most}")
        if turn is None:
            turn = (control[:, 3:5] - 12) * 15.0
        turn = np.asarray(turn, np.float32)
        if turn.shape != (self.worlds.count, 2) or not np.isfinite(turn).all():
            raise InputError(f"turn is {list(turn.shape)}; finite degrees [{self.worlds.count}, 2] are needed")
        self.worlds.put("control", control)
        self.worlds.put("turn", turn)

    def tick(self) -> None:
        """One tick of all active worlds."""
        for command in self._tick:
            command.launch()

    def look(self) -> None:
        """Set the crosshairs of all active worlds, after something was changed between ticks."""
        self._look.launch()

    def place_agent(self, row: int, position: Sequence[float], yaw: float = 0.0, pitch: float = 0.0) -> None:
        """Put the agent somewhere, standing still.

        Args:
            row: of the world.
            position: of its feet, blocks.
            yaw: degrees.
            pitch: degrees, positive downwards.

        Raises:
            InputError: a place outside the world.
        """
        self._check_row(row)
        feet = np.asarray(position, np.float64)
        limits = np.asarray(self.worlds.size, np.float64)
        inner = np.array([0.3, 0.0, 0.3])
        if feet.shape != (3,) or not bool(np.all((feet >= inner) & (feet <= limits - inner))):
            raise InputError(f"agent at {feet.tolist()}: choose a place within {self.worlds.size} blocks")
        if not np.isfinite([yaw, pitch]).all() or abs(pitch) > 90:
            raise InputError(f"agent looks to yaw {yaw}, pitch {pitch}: finite degrees, pitch within ±90, are needed")
        still = {"velocity": 0.0, "fallen": 0.0, "on_ground": 0, "sprinting": 0, "jump_delay": 0}
        wrapped = (yaw + 180.0) % 360.0 - 180.0
        for name, value in ({"position": feet, "yaw": wrapped, "pitch": pitch} | still).items():
            self._write(name, row, value)

    def spawn(self, row: int, kind: str | int, position: Sequence[float], yaw: float = 0.0) -> int:
        """Put a mob into a world: see `entities.spawn`. Returns its place."""
        return spawn(self.worlds, row, kind, position, yaw)

    def set_blocks(self, row: int, cells: np.ndarray, states: np.ndarray | int) -> None:
        """Change blocks between ticks; nothing falls or breaks because of it.

        Args:
            row: of the world.
            cells: (N, 3) of x, y, z.
            states: (N,) or one for all.

        Raises:
            InputError: a cell outside the world, or a state that there is not.
        """
        self._check_row(row)
        cells = np.asarray(cells, np.int64).reshape(-1, 3)
        outside = cells[((cells < 0) | (cells >= np.asarray(self.worlds.size))).any(1)]
        if len(outside):
            raise InputError(f"cell {outside[0].tolist()} is outside the world of {self.worlds.size} blocks")
        values = np.broadcast_to(np.asarray(states, np.int64), (len(cells),))
        if len(values) and not 0 <= values.min() <= values.max() < len(block_states()):
            raise InputError(f"block state {values.max()}: states are 0 to {len(block_states()) - 1}")
        _, ny, nz = self.worlds.size
        blocks = self.worlds.view("blocks")
        blocks[row, (cells[:, 0] * nz + cells[:, 2]) * ny + cells[:, 1]] = values
        if self.worlds.device != "cpu":
            self.worlds.put("blocks", blocks)
        find_leaps(self.worlds, self.rules, [row])

    def save(self, row: int) -> dict[str, np.ndarray]:
        """All arrays of one world."""
        self._check_row(row)
        return saving.world_arrays(self.worlds, row)

    def load(self, row: int, arrays: Mapping[str, np.ndarray]) -> None:
        """Make one world what `save` took, bit for bit.

        Raises:
            InputError: arrays of another size or version.
        """
        self._check_row(row)
        saving.put_arrays(self.worlds, row, arrays)

    def save_file(self, row: int, path: str | Path) -> None:
        """Write one world to a file."""
        saving.write_world(path, self.save(row), self.worlds.size)

    def load_file(self, row: int, path: str | Path) -> None:
        """Make one world what a file says.

        Raises:
            InputError: no such file, a damaged one, or one of another size or version.
        """
        self.load(row, saving.read_world(path, self.worlds))

    def _check_row(self, row: int) -> None:
        if not 0 <= row < self.worlds.count:
            raise InputError(f"world {row}: there are {self.worlds.count}, from 0")

    def _write(self, name: str, row: int, value: Any) -> None:
        values = self.worlds.view(name)
        values[row] = value
        if self.worlds.device != "cpu":
            self.worlds.put(name, values)
