"""The Minecraft tasks on a real protocol server: `minecraft_server/approach`, `break`, `interact`, `hunt`, `place`.

This module only names the tasks; the class that runs them is imported when it is asked for.
"""

from collections.abc import Mapping
from typing import ClassVar

from trunkline.envs.base import World
from trunkline.envs.minecraft.server_tasks import LEFT_OUT, SERVER_FAMILY, TASKS
from trunkline.envs.registry import world


@world(SERVER_FAMILY)
class MinecraftServerFamily(World):
    """The family `minecraft_server`; never made itself, see `world_class`."""

    family = SERVER_FAMILY
    left_out: ClassVar[Mapping[str, str]] = LEFT_OUT

    @classmethod
    def task_names(cls) -> tuple[str, ...]:
        return TASKS

    @classmethod
    def world_class(cls, task: str) -> type[World]:
        from trunkline.envs.minecraft.server_world import MinecraftServerWorld

        return MinecraftServerWorld
