"""What the agent's hands have to know besides `Rules`. Import it only after `envs.warp.start_warp`."""

import warp as wp


@wp.struct
class Handbook:
    """Tables by block state (S), item (I) and recipe (R): see `handbook.py`, which fills it."""

    drop: wp.array2d[wp.int16]  # (S, D) items that a broken block leaves, 0 none
    drop_low: wp.array2d[wp.int8]  # how many at least
    drop_high: wp.array2d[wp.int8]
    drop_chance: wp.array2d[wp.float32]  # those below 1 exclude each other
    itself: wp.array[wp.int16]  # (S,) what shears get
    placing: wp.array2d[wp.uint8]  # (I, 24) state that is placed, by face · 4 + direction of the agent; 0 none
    soil: wp.array[wp.uint8]  # (S,) bits of the soils that a block is, or that carry it if it is a plant; 0 none
    doubled: wp.array[wp.uint8]  # (S,) what a slab becomes when another is put on it, 0 none
    upper: wp.array[wp.uint8]  # (S,) the other half of a door's lower half, 0 none
    first: wp.array[wp.int32]  # (245,) recipes of entry i of the craft list: first[i] to first[i + 1] − 1
    made: wp.array[wp.int16]  # (R,)
    made_count: wp.array[wp.int16]
    station: wp.array[wp.uint8]  # (R,) 0 by hand, 1 at a crafting table, 2 in a furnace
    need: wp.array3d[wp.int16]  # (R, K, G) items of which any does, 0 none
    need_count: wp.array2d[wp.int16]  # (R, K)
    fuel: wp.array[wp.float32]  # (I,) pieces that it smelts
