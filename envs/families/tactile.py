"""The worlds that feel: `tactile/touch`, `tactile/insertion`, `tactile/grip`.

The tasks have bodies, sensors and scenes of their own; this module only names them, and the class that runs each is
imported when it is asked for.
"""

from importlib import import_module

from trunkline.envs.base import World
from trunkline.envs.registry import world

_CLASSES = {
    "touch": ("trunkline.envs.tactile.touch", "Touch"),
    "insertion": ("trunkline.envs.tactile.insertion", "Insertion"),
    "grip": ("trunkline.envs.tactile.grip", "Grip"),
}


@world("tactile")
class Tactile(World):
    """The family `tactile`; never made itself, see `world_class`."""

    family = "tactile"

    @classmethod
    def task_names(cls) -> tuple[str, ...]:
        return tuple(_CLASSES)

    @classmethod
    def world_class(cls, task: str) -> type[World]:
        module, name = _CLASSES[task]
        found: type[World] = getattr(import_module(module), name)
        return found
