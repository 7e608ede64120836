"""The voxel worlds: `minecraft/approach`, `break`, `interact`, `hunt`, `shoot`, `place`.

This module only names the tasks; the class that runs them is imported when it is asked for.
"""

from abc import abstractmethod

from trunkline.envs.base import World
from trunkline.envs.minecraft.goals import INTERACTIONS
from trunkline.envs.registry import world
from trunkline.envs.spec import TaskSpec


@world("minecraft")
class MinecraftFamily(World):
    """The family `minecraft`; never made itself, see `world_class`."""

    family = "minecraft"

    @classmethod
    def task_names(cls) -> tuple[str, ...]:
        return INTERACTIONS

    @classmethod
    def world_class(cls, task: str) -> type[World]:
        from trunkline.envs.minecraft.world import Minecraft

        return Minecraft

    @classmethod
    def splits(cls, task: str) -> tuple[str, ...]:
        return cls.world_class(task).splits(task)

    @classmethod
    @abstractmethod
    def sample_tasks(cls, task: str, count: int, seed: int, split: str) -> list[TaskSpec]:
        """Left to the class that runs the tasks."""
