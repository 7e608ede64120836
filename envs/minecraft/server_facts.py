"""What a protocol server is told of Minecraft because its data lack it: outlines of plants, damage of weapons."""

from typing import Any

import numpy as np

from trunkline.envs.minecraft.blocks import block_states
from trunkline.envs.minecraft.items import items


def facts() -> dict[str, Any]:
    """As the server takes them.

    Returns:
        outlines: of blocks that nothing collides with, `states` (n,) uint16 palette numbers and `boxes` (n, 6) float64,
            from corner to corner; without it, a crosshair takes a plant for a whole block.
        damage: half hearts of a blow by the item's name; without it, every blow is the fist's.
    """
    thin = [state for state in block_states() if not state.solid and state.shape not in ("none", "liquid")]
    return {
        "outlines": {
            "states": np.asarray([state.palette_id for state in thin], np.uint16),
            "boxes": np.asarray([state.box for state in thin], np.float64),
        },
        "damage": {item.name: float(item.damage) for item in items() if item.damage > 1},
    }
