"""Names that scripts take from `minedojo.sim`."""

from trunkline.envs.minecraft.dojo.names import InventoryItem, biomes, craft_names, item_names

ALL_CRAFT_SMELT_ITEMS = list(craft_names())
ALL_ITEMS = sorted({name for name, _ in item_names()})  # those that are simulated
BIOMES_MAP = dict(biomes())

__all__ = ["ALL_CRAFT_SMELT_ITEMS", "ALL_ITEMS", "BIOMES_MAP", "InventoryItem"]
