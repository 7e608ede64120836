"""Ways of an expert through a world: how much it costs to walk from every cell to where its target can be dealt with.

A search goes backwards from those places. A step leads to one of eight neighbours, up by one block at most and down by
three, or through water. Where there is no such way, a second search also digs and bridges.

Legend: W worlds, V cells of a world, Q places of the queue.
"""

import warp as wp

from trunkline.envs.minecraft.kernels.dig import harvests
from trunkline.envs.minecraft.kernels.footing import (
    FREE,
    NEVER,
    WALL,
    WET,
    carries,
    dangerous,
    replaceable,
    room,
    stands,
)
from trunkline.envs.minecraft.state import Game, Rules, cell_index, inside

wp.set_module_options({"enable_backward": False, "max_unroll": 0})

# Costs: 10 is the time in which one walks a block, 4.6 ticks.
STRAIGHT, DIAGONAL, UP, DOWN, SWIM, DANGER, DIG, BRIDGE = 10, 14, 5, 2, 25, 60, 15, 200
COST_A_TICK = 2.2
SLACK = 80  # by how much further than to the agent the search goes
UNKNOWN = 65535
# `Plan.way`: 0 for none, 1 + 5·direction + fall (−1 to 3) + 1, and two of their own.
HERE, RISE = 41, 42
_WAITS = 128  # in the queue
_DEEPEST = 3


@wp.struct
class Plan:
    """What the experts of W worlds know and intend."""

    cost: wp.array2d[wp.uint16]  # (W, V) to a place from which the target can be dealt with
    way: wp.array2d[wp.uint8]  # (W, V) the next step
    queue: wp.array2d[wp.int32]  # (W, Q) of the search, cyclic
    met: wp.array2d[wp.int32]  # (W, Q) cells that the last search met
    count: wp.array[wp.int32]  # (W,) how many
    wanted: wp.array[wp.uint8]  # (W,) a search is due: 1 on foot, 2 digging too
    rough: wp.array[wp.uint8]  # (W,) the last search dug
    age: wp.array[wp.int32]  # (W,) ticks since the last search
    goal: wp.array[wp.vec3]  # (W,) where the mob was at the last search
    aim: wp.array[wp.vec3]  # (W,) the point of the target that is aimed at
    aimed: wp.array[wp.uint8]  # (W,) whether there is one
    last: wp.array[wp.vec3d]  # (W,) where the agent was
    stuck: wp.array[wp.int32]  # (W,) ticks for which it has wanted to move and did not


@wp.func
def clearing(game: Game, rules: Rules, w: int, x: int, y: int, z: int):
    """What it costs to free a cell for a body, −1 if it cannot be done."""
    kind = room(game, rules, w, x, y, z)
    if kind <= wp.static(WET):
        return 0
    if kind == wp.static(NEVER):
        return -1
    # What falls from above, or flows in, makes a hole of it.
    above = room(game, rules, w, x, y + 1, z)
    if above == wp.static(WET):
        return -1
    state = int(game.blocks[w, cell_index(game, x, y, z)])
    item = int(game.item[w, 0])
    speed = float(1.0)
    if rules.tool[state] != wp.uint8(0) and rules.item_tool[item] == rules.tool[state]:
        speed = rules.item_speed[item]
    ticks = rules.hardness[state] / speed * wp.where(harvests(game, rules, w, state), 30.0, 100.0)
    if ticks > 400.0:
        return -1
    return wp.static(DIG) + int(ticks * wp.static(COST_A_TICK))


@wp.func
def side_x(direction: int):
    """The step along x of one of eight directions, the straight ones first."""
    if direction == 0 or direction == 4 or direction == 5:
        return 1
    return wp.where(direction == 1 or direction == 6 or direction == 7, -1, 0)


@wp.func
def side_z(direction: int):
    """The step along z of one of eight directions."""
    if direction == 2 or direction == 4 or direction == 6:
        return 1
    return wp.where(direction == 3 or direction == 5 or direction == 7, -1, 0)


@wp.func
def step_cost(
    game: Game, rules: Rules, w: int, x: int, y: int, z: int, direction: int, fall: int, rough: bool, bridges: bool
):
    """What a step costs from a cell to the neighbour in a direction, `fall` blocks lower; −1 if there is none.

    `rough` is whether digging is allowed, `bridges` whether the agent has blocks to put under its feet.
    """
    i = x + side_x(direction)
    k = z + side_z(direction)
    j = y - fall
    price = int(wp.static(STRAIGHT))
    if direction >= 4:
        if fall != 0:
            return -1
        price = wp.static(DIAGONAL)
        # Past both corners.
        for dy in range(2):
            if room(game, rules, w, i, y + dy, z) != wp.static(FREE):
                return -1
            if room(game, rules, w, x, y + dy, k) != wp.static(FREE):
                return -1
    # The cells through which it goes.
    last = wp.max(y, j) + 1
    for h in range(j, last + 1):
        kind = room(game, rules, w, i, h, k)
        if kind > wp.static(WET):
            if not rough or direction >= 4:
                return -1
            extra = clearing(game, rules, w, i, h, k)
            if extra < 0:
                return -1
            price += extra
    if fall < 0:
        price += wp.static(UP)
        if room(game, rules, w, x, y + 2, z) > wp.static(WET):
            if not rough:
                return -1
            extra = clearing(game, rules, w, x, y + 2, z)
            if extra < 0:
                return -1
            price += extra
    price += wp.max(fall, 0) * wp.static(DOWN)
    if room(game, rules, w, i, j, k) == wp.static(WET):
        price += wp.static(SWIM)
    elif not carries(game, rules, w, i, j - 1, k):
        if not bridges or fall != 0 or direction >= 4 or not replaceable(game, rules, w, i, j - 1, k):
            return -1
        price += wp.static(BRIDGE)
    if dangerous(game, rules, w, i, j, k):
        price += wp.static(DANGER)
    return price


@wp.func
def relax(plan: Plan, w: int, cell: int, cost: int, way: int, tail: int):
    """Note a way from a cell if it is better than what is known; returns the queue's end."""
    if cost < int(plan.cost[w, cell]):
        size = plan.queue.shape[1]
        old = int(plan.way[w, cell])
        if old == 0:
            seen = plan.count[w]
            if seen >= size - 1:
                return tail
            plan.met[w, seen] = cell
            plan.count[w] = seen + 1
        plan.cost[w, cell] = wp.uint16(cost)
        plan.way[w, cell] = wp.uint8(way | wp.static(_WAITS))
        if (old & wp.static(_WAITS)) == 0:
            plan.queue[w, tail % size] = cell
            tail += 1
    return tail


@wp.func
def forget(plan: Plan, w: int):
    """All cells unknown again."""
    for i in range(plan.count[w]):
        cell = plan.met[w, i]
        plan.cost[w, cell] = wp.uint16(wp.static(UNKNOWN))
        plan.way[w, cell] = wp.uint8(0)
    plan.count[w] = 0


@wp.func
def spread(game: Game, rules: Rules, plan: Plan, w: int, tail: int, home: int, rough: bool, bridges: bool):
    """Search from the `tail` cells in the queue, until all is known that is not much further than the cell `home`."""
    size = plan.queue.shape[1]
    head = int(0)
    while head < tail:
        cell = plan.queue[w, head % size]
        head += 1
        way = int(plan.way[w, cell]) & 127
        plan.way[w, cell] = wp.uint8(way)
        cost = int(plan.cost[w, cell])
        y = cell % game.ny
        z = (cell // game.ny) % game.nz
        x = cell // (game.ny * game.nz)
        limit = int(wp.static(UNKNOWN - 1))
        if home >= 0:
            limit = wp.min(limit, int(plan.cost[w, home]) + wp.static(SLACK))
        if cost < limit:
            for direction in range(8):
                i = x - side_x(direction)
                k = z - side_z(direction)
                for fall in range(-1, wp.static(_DEEPEST + 1)):
                    j = y + fall
                    if inside(game, i, j, k) and (direction < 4 or fall == 0):
                        fits = stands(game, rules, w, i, j, k)
                        if rough and not fits:
                            fits = (
                                clearing(game, rules, w, i, j, k) >= 0
                                and clearing(game, rules, w, i, j + 1, k) >= 0
                                and (bridges or carries(game, rules, w, i, j - 1, k))
                            )
                        if fits:
                            price = step_cost(game, rules, w, i, j, k, direction, fall, rough, bridges)
                            if price >= 0 and cost + price < limit:
                                other = cell_index(game, i, j, k)
                                tail = relax(plan, w, other, cost + price, 1 + 5 * direction + fall + 1, tail)
            # Up through water.
            if y > 0 and room(game, rules, w, x, y - 1, z) == wp.static(WET):
                price = wp.static(SWIM)
                if cost + price < limit:
                    tail = relax(plan, w, cell - 1, cost + price, wp.static(RISE), tail)


@wp.func
def own_node(game: Game, rules: Rules, plan: Plan, w: int):
    """The cell of the search that the agent is in, stands on the edge of, or falls to; −1 for none."""
    p = game.position[w]
    x = int(wp.floor(p[0]))
    y = int(wp.floor(p[1] + wp.float64(0.2)))
    z = int(wp.floor(p[2]))
    best = int(-1)
    grounded = game.on_ground[w] != wp.uint8(0)
    known = inside(game, x, y, z) and plan.way[w, cell_index(game, x, y, z)] != wp.uint8(0)
    if known and (not grounded or stands(game, rules, w, x, y, z)):
        return cell_index(game, x, y, z)
    if grounded:
        least = int(wp.static(UNKNOWN))
        for i in range(x - 1, x + 2):
            for k in range(z - 1, z + 2):
                over = wp.max(wp.abs(float(p[0]) - float(i) - 0.5), wp.abs(float(p[2]) - float(k) - 0.5))
                if over < 0.8 and inside(game, i, y, k) and stands(game, rules, w, i, y, k):
                    cell = cell_index(game, i, y, k)
                    if int(plan.cost[w, cell]) < least:
                        least = int(plan.cost[w, cell])
                        best = cell
    if best < 0:
        for down in range(1, wp.static(_DEEPEST + 2)):
            if best < 0 and inside(game, x, y - down, z):
                cell = cell_index(game, x, y - down, z)
                if plan.way[w, cell] != wp.uint8(0):
                    best = cell
    return best


@wp.func
def home_cell(game: Game, rules: Rules, w: int):
    """The cell in which the agent stands or to which it will fall, from which a way is needed; −1 outside."""
    p = game.position[w]
    y = int(wp.floor(p[1] + wp.float64(0.2)))
    best = int(-1)
    nearest = float(1.0e9)
    for i in range(int(wp.floor(p[0])) - 1, int(wp.floor(p[0])) + 2):
        for k in range(int(wp.floor(p[2])) - 1, int(wp.floor(p[2])) + 2):
            over = wp.max(wp.abs(float(p[0]) - float(i) - 0.5), wp.abs(float(p[2]) - float(k) - 0.5))
            if over < 0.8 and over < nearest and inside(game, i, y, k) and stands(game, rules, w, i, y, k):
                nearest = over
                best = cell_index(game, i, y, k)
    if best < 0:
        i = int(wp.floor(p[0]))
        k = int(wp.floor(p[2]))
        for down in range(1, 6):
            if best < 0 and inside(game, i, y - down, k) and stands(game, rules, w, i, y - down, k):
                best = cell_index(game, i, y - down, k)
    return best


@wp.func
def next_cell(game: Game, cell: int, way: int):
    """Where a step leads to: x, y, z."""
    y = cell % game.ny
    z = (cell // game.ny) % game.nz
    x = cell // (game.ny * game.nz)
    if way == wp.static(HERE):
        return wp.vec3i(x, y, z)
    if way == wp.static(RISE):
        return wp.vec3i(x, y + 1, z)
    direction = (way - 1) // 5
    fall = (way - 1) % 5 - 1
    return wp.vec3i(x + side_x(direction), y - fall, z + side_z(direction))


@wp.func
def node_middle(game: Game, cell: int):
    """The middle of a cell over the ground."""
    column = cell // game.ny
    return wp.vec2(float(column // game.nz) + 0.5, float(column % game.nz) + 0.5)


@wp.func
def blocker(game: Game, rules: Rules, w: int, cell: int, to: wp.vec3i):
    """The first cell that has to be dug before a step can be made, −1 for none."""
    y = cell % game.ny
    z = (cell // game.ny) % game.nz
    x = cell // (game.ny * game.nz)
    if to[1] > y and room(game, rules, w, x, y + 2, z) == wp.static(WALL):
        return cell_index(game, x, y + 2, z)
    if to[0] != x or to[2] != z:
        top = wp.max(y, to[1]) + 1
        for h in range(top - to[1] + 1):
            if room(game, rules, w, to[0], top - h, to[2]) == wp.static(WALL):
                return cell_index(game, to[0], top - h, to[2])
    return -1
