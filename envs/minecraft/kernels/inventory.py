"""What goes into the agent's inventory while a world runs."""

import warp as wp

from trunkline.envs.minecraft.state import SLOTS, Game, Rules

wp.set_module_options({"enable_backward": False, "max_unroll": 0})


@wp.func
def take_item(game: Game, rules: Rules, w: int, item: int, count: int, uses: int):
    """Put `count` of an item into the inventory: to its kind first, then into free slots; returns what did not fit.

    `uses` are those left of a tool, 0 for a new one.
    """
    left = int(count)
    stack = int(rules.item_stack[item])
    if stack > 1:
        for slot in range(wp.static(SLOTS)):
            held = int(game.count[w, slot])
            if left > 0 and int(game.item[w, slot]) == item and held > 0 and held < stack:
                moved = wp.min(left, stack - held)
                game.count[w, slot] = wp.int16(held + moved)
                left -= moved
    for slot in range(wp.static(SLOTS)):
        if left > 0 and game.count[w, slot] == wp.int16(0):
            moved = wp.min(left, stack)
            game.item[w, slot] = wp.int16(item)
            game.count[w, slot] = wp.int16(moved)
            game.durability[w, slot] = rules.item_durability[item]
            if uses > 0:
                game.durability[w, slot] = wp.int16(uses)
            left -= moved
    return left
