"""Colours of the pictures on blocks and items, red, green and blue of 255; their patterns are in `textures.py`."""

from trunkline.envs.minecraft.paint import Color

STONE, DIRT, SAND, RED_SAND, GRASS, SNOW = (
    (126, 126, 128), (134, 96, 67), (219, 207, 163), (190, 102, 33), (98, 158, 58), (240, 248, 250),
)  # fmt: skip
DYES: dict[str, Color] = {
    "white": (233, 236, 236), "orange": (240, 118, 19), "magenta": (189, 68, 179), "light_blue": (58, 175, 217),
    "yellow": (248, 198, 39), "lime": (112, 185, 25), "pink": (237, 141, 172), "gray": (62, 68, 71),
    "light_gray": (142, 142, 134), "cyan": (21, 137, 145), "purple": (121, 42, 172), "blue": (53, 57, 157),
    "brown": (114, 71, 40), "green": (84, 109, 27), "red": (161, 39, 34), "black": (26, 27, 31),
}  # fmt: skip
# Bark, wood and leaves.
TREES: dict[str, tuple[Color, Color, Color]] = {
    "oak": ((104, 82, 50), (178, 143, 88), (58, 122, 36)),
    "spruce": ((58, 38, 22), (114, 84, 48), (48, 84, 58)),
    "birch": ((214, 212, 203), (200, 183, 122), (104, 146, 70)),
    "acacia": ((104, 98, 88), (170, 92, 50), (110, 140, 30)),
    "jungle": ((86, 68, 26), (160, 115, 80), (52, 130, 20)),
    "dark_oak": ((60, 46, 26), (68, 44, 22), (40, 92, 24)),
}
ORES: dict[str, Color] = {
    "coal": (40, 40, 42), "iron": (216, 175, 147), "gold": (252, 226, 90), "lapis": (38, 76, 176),
    "redstone": (214, 22, 18), "diamond": (98, 232, 226), "emerald": (34, 208, 92),
}  # fmt: skip
METALS: dict[str, Color] = {
    "coal": (24, 24, 26), "iron": (222, 222, 222), "gold": (248, 210, 62), "lapis": (36, 70, 150),
    "redstone": (172, 26, 6), "diamond": (104, 226, 220), "emerald": (46, 202, 94),
}  # fmt: skip
FLOWERS: dict[str, tuple[Color, Color]] = {
    "dandelion": ((252, 218, 32), (240, 180, 16)), "poppy": ((222, 34, 26), (56, 18, 16)),
    "blue_orchid": ((42, 172, 240), (220, 240, 250)), "allium": ((184, 112, 236), (214, 160, 250)),
    "azure_bluet": ((236, 240, 244), (240, 214, 60)), "red_tulip": ((212, 44, 36), (240, 80, 60)),
    "orange_tulip": ((236, 130, 38), (250, 170, 70)), "white_tulip": ((236, 240, 236), (214, 226, 214)),
    "pink_tulip": ((236, 160, 196), (250, 196, 220)), "oxeye_daisy": ((240, 242, 240), (244, 206, 44)),
    "cornflower": ((72, 104, 226), (46, 66, 170)), "lily_of_the_valley": ((248, 250, 248), (212, 236, 212)),
}  # fmt: skip
PLAIN: dict[str, tuple[Color, float, float]] = {  # colour, grain of pixels and of patches
    "stone": (STONE, 0.05, 0.06), "dirt": (DIRT, 0.14, 0.1), "sand": (SAND, 0.06, 0.02),
    "red_sand": (RED_SAND, 0.08, 0.03), "clay": ((160, 166, 178), 0.04, 0.03), "snow": (SNOW, 0.025, 0.01),
    "grass_block_top": (GRASS, 0.14, 0.08), "grass_path_top": ((150, 124, 66), 0.1, 0.05),
    "obsidian": ((22, 17, 34), 0.35, 0.3), "netherrack": ((112, 54, 52), 0.2, 0.18),
    "terracotta": ((152, 94, 68), 0.04, 0.02), "packed_ice": ((142, 180, 250), 0.04, 0.05),
    "ice": ((152, 190, 252), 0.03, 0.06), "sandstone_top": ((224, 214, 170), 0.03, 0.02),
    "sandstone_bottom": ((214, 202, 154), 0.07, 0.04), "red_sandstone_top": ((188, 100, 34), 0.03, 0.02),
    "red_sandstone_bottom": ((180, 94, 30), 0.07, 0.04), "white_terracotta": ((210, 178, 161), 0.03, 0.02),
    "orange_terracotta": ((162, 84, 38), 0.03, 0.02), "yellow_terracotta": ((186, 133, 36), 0.03, 0.02),
    "red_terracotta": ((143, 61, 47), 0.03, 0.02), "brown_terracotta": ((77, 51, 36), 0.03, 0.02),
    "farmland": ((118, 80, 50), 0.05, 0.0), "farmland_moist": ((74, 46, 26), 0.05, 0.0),
    "water": ((52, 100, 190), 0.06, 0.03),
}  # fmt: skip
MIXED: dict[str, tuple[Color, ...]] = {
    "granite": ((154, 106, 88), (170, 122, 102), (134, 90, 76)),
    "diorite": ((206, 206, 208), (176, 176, 178), (232, 232, 232)),
    "andesite": ((134, 136, 136), (148, 150, 150), (118, 120, 120)),
    "gravel": ((132, 128, 126), (106, 102, 100), (160, 154, 150), (88, 84, 84)),
    "bedrock": ((52, 52, 52), (88, 88, 88), (124, 124, 124), (28, 28, 28)),
    "coarse_dirt": (DIRT, (104, 76, 54), (128, 116, 104)),
    "podzol_top": ((92, 62, 26), (122, 84, 36), (76, 52, 24)),
}
# What items whose names begin or end so are made of.
MATERIALS: dict[str, Color] = {
    "wooden": (150, 112, 62), "stone": (140, 140, 142), "iron": (214, 214, 214), "golden": (246, 208, 62),
    "gold": (246, 208, 62), "diamond": (92, 224, 218), "emerald": (40, 206, 96), "coal": (36, 36, 38),
    "charcoal": (54, 46, 38), "redstone": (196, 24, 12), "lapis": (40, 76, 170), "bone": (226, 222, 200),
    "beef": (186, 60, 52), "porkchop": (236, 150, 140), "mutton": (200, 84, 70), "apple": (206, 40, 36),
    "stick": (134, 100, 56), "leather": (166, 98, 52), "feather": (240, 240, 240), "wheat": (214, 184, 84),
    "bread": (190, 132, 62), "flint": (58, 58, 60), "string": (232, 232, 232), "clay": (160, 166, 178),
}  # fmt: skip
LINED = {"farmland", "farmland_moist"}
