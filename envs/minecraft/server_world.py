"""The Minecraft tasks on a protocol server: the same TaskSpecs, sensors and actions; physics and rules are its own.

A TaskSpec's terrain is laid into the server, its agent and mobs are put there, and every tick what comes back (blocks,
poses, entities, inventory) is what the sensors show and what decides whether the goal is reached.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from trunkline.envs.base import Loss
from trunkline.envs.minecraft import server_process
from trunkline.envs.minecraft.server_tasks import SERVER_FAMILY, TASKS, in_voxels, sample, server_splits
from trunkline.envs.minecraft.world import Minecraft, Options
from trunkline.envs.spec import TaskSpec
from trunkline.errors import InputError


@dataclass(frozen=True)
class ServerOptions(Options):
    """Options of the Minecraft worlds on protocol servers.

    Attributes:
        timeout_s: seconds that a server has for a tick or a reset; then it counts as hung, and its episode is lost.
    """

    timeout_s: float = 30.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.timeout_s <= 0:
            raise InputError(f"timeout_s={self.timeout_s}; must be positive")
        if self.device != "cpu":
            raise InputError(f"device={self.device}: worlds on protocol servers are kept on the CPU; leave device out")


class MinecraftServerWorld(Minecraft):
    """The family `minecraft_server`: see `Minecraft` for goals, sensors and actions.

    Every simulation has a server in a process of its own. One that dies, hangs or sends garbage is replaced, and its
    episode begins anew.

    What differs from the voxel worlds, because it is the server's: mobs stand still unless they are struck, a blow
    counts in full however soon it follows the last, nothing hurts the agent, blocks do not fall or break for want of
    support, and chests with air above are the only blocks that can be used.

    Args:
        task: one of `server_tasks.TASKS`.
        num_envs: E.
        sensors: names of the sensors to read.
        num_threads: has no effect.
        **options: of `ServerOptions`.

    Raises:
        InputError: Node.js is missing or too old, or the packages are not installed.
    """

    family = SERVER_FAMILY
    keeps_processes = True
    options_class = ServerOptions

    def make_simulation(self) -> Any:
        from trunkline.envs.minecraft.server_engine import ServerEngine

        assert isinstance(self.options, ServerOptions)
        return ServerEngine(self.worlds, self.rules, self.options.timeout_s)

    @classmethod
    def require(cls) -> None:
        server_process.require()

    @classmethod
    def task_names(cls) -> tuple[str, ...]:
        return TASKS

    @classmethod
    def splits(cls, task: str) -> tuple[str, ...]:
        return server_splits(task)

    @classmethod
    def sample_tasks(cls, task: str, count: int, seed: int, split: str) -> list[TaskSpec]:
        return sample(task, count, seed, split)

    @staticmethod
    def in_voxels(spec: TaskSpec) -> TaskSpec:
        return in_voxels(spec)

    def _start(self, ids: np.ndarray, tasks: Sequence[TaskSpec]) -> None:
        super()._start(ids, tasks)
        self.simulation.start(ids)

    def _losses(self) -> Mapping[int, Loss]:
        losses: Mapping[int, Loss] = self.simulation.take_losses()
        return losses

    def close_extras(self, **kwargs: Any) -> None:
        if hasattr(self, "simulation"):  # closing is also called on a world whose construction failed
            self.simulation.close()
