"""The voxel worlds: `minecraft/approach`, `break`, `interact`, `hunt`, `shoot`, `place`.

This module only names the tasks; the class that runs them is imported when it is asked for.
"""

from trunkline.envs.base import World
from trunkline.envs.minecraft.goals import INTERACTIONS
from trunkline.envs.registry import world


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
