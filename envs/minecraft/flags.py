"""Bits of `Rules.flags`, and the numbers that stand for names in the other tables of rules.

Kernels take them as Python constants: `flags & wp.uint32(SOLID)`.
"""

SOLID = 1 << 0  # bodies collide with its box
OPAQUE = 1 << 1  # a full cube that hides what is behind it
WATER = 1 << 2
LAVA = 1 << 3
LIQUID = WATER | LAVA
SOURCE = 1 << 4  # a liquid that does not flow
REPLACEABLE = 1 << 5  # a block can be placed into it
GRAVITY = 1 << 6  # falls when nothing is below it
CLIMBABLE = 1 << 7
NEEDS_SUPPORT = 1 << 8  # breaks when the block that carries it goes: see `Support`
CROSS = 1 << 9  # two crossed pictures, no box
HURTS = 1 << 10  # to touch
SLIPPERY = 1 << 11
SHEARS = 1 << 12  # shears get the block itself
FULL = 1 << 13  # its box fills the cell
FOLIAGE = 1 << 14  # leaves
DIGGABLE = 1 << 15  # can be broken, and hit by a ray: not air, not a liquid
AXIS_X = 1 << 16  # its top faces west and east
AXIS_Z = 1 << 17  # its top faces north and south
TWO_HIGH = 1 << 18  # half of a door: goes with the other half
UPPER = 1 << 19  # its upper half

# Classes of tools: of `Rules.tool` and `Rules.item_tool`.
TOOLS = ("", "pickaxe", "axe", "shovel", "hoe", "shears", "sword", "bow")
NO_TOOL, PICKAXE, AXE, SHOVEL, HOE, SHEARS_TOOL, SWORD, BOW = range(8)

# Tiers: of `Rules.harvest` and `Rules.item_tier`.
NO_TIER, WOOD_TIER, STONE_TIER, IRON_TIER, DIAMOND_TIER = -1, 0, 1, 2, 3

# What using a block does: of `Rules.interact`.
INTERACTIONS = ("", "crafting_table", "furnace", "chest", "door", "lever")
NO_INTERACTION, CRAFTING_TABLE, FURNACE, CHEST, DOOR, LEVER = range(6)

# The faces of a cell, in the order of `Game.look_face` and of `Block.texture`.
FACES = ("west", "east", "down", "up", "north", "south")
WEST, EAST, DOWN, UP, NORTH, SOUTH = range(6)
