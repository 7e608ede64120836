"""MineDojo's interface over the voxel worlds: `import trunkline.envs.minecraft.dojo as minedojo`."""

from trunkline.envs.minecraft.dojo import sim, tasks
from trunkline.envs.minecraft.dojo.env import DojoEnv, make
from trunkline.envs.minecraft.dojo.names import InventoryItem, NotSimulatedError

__all__ = ["DojoEnv", "InventoryItem", "NotSimulatedError", "make", "sim", "tasks"]
