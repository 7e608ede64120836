"""How blocks and entities look: tables for sight, from the facts of `blocks.py` and the pictures of `textures.py`."""

# How a ray treats a block.
AIR = 0
FULL = 1  # its six faces hide everything
CUTOUT = 2  # its box, of whose pictures parts may be missing
CROSS = 3  # two crossed pictures
LIQUID = 4  # seen through
