"""Where an expert walks next: the plan's next cell, what is between, and how far the way can be cut short."""

import warp as wp

from trunkline.envs.minecraft.kernels.aim import yaw_to
from trunkline.envs.minecraft.kernels.footing import WET, carries, passes, room
from trunkline.envs.minecraft.kernels.goal import APPROACH, SHOOT
from trunkline.envs.minecraft.kernels.intent import Intent, Senses
from trunkline.envs.minecraft.kernels.path import HERE, Plan, blocker, next_cell, node_middle
from trunkline.envs.minecraft.state import Game, Rules, cell_index

wp.set_module_options({"enable_backward": False, "max_unroll": 0})

LOOKAHEAD = 10  # steps of a way that are cut short where there is room
LONG_WAY = 30  # cost of a way that is worth sprinting


@wp.func
def middle_of(cell: wp.vec3i):
    """x and z of the middle of a cell."""
    return wp.vec2(float(cell[0]) + 0.5, float(cell[2]) + 0.5)


@wp.func
def set_course(game: Game, rules: Rules, plan: Plan, me: Senses, intent: Intent):
    """The intent with its way: along the plan, or straight to a target in sight."""
    intent.goal = me.here
    intent.digs = -1
    if intent.way == wp.static(HERE):
        return arrive(game, me, intent)
    if intent.way != 0:
        return walk_on(game, rules, plan, me, intent)
    if intent.seen:
        intent.goes = True
        intent.goal = me.here + wp.vec2(me.towards[0], me.towards[2])
    return intent


@wp.func
def arrive(game: Game, me: Senses, intent: Intent):
    """In the cell from which the target can be dealt with: to its middle, or on to the target."""
    intent.to = next_cell(game, intent.node, intent.way)
    intent.goes = True
    intent.goal = middle_of(intent.to)
    straight = me.mob >= 0 or me.what == wp.static(APPROACH)
    if me.what == wp.static(SHOOT):  # seen from the middle of the cell
        straight = wp.length(intent.goal - me.here) < 0.15
    if straight:  # there, and still something to go
        intent.goal = me.here + wp.vec2(me.towards[0], me.towards[2])
    return intent


@wp.func
def walk_on(game: Game, rules: Rules, plan: Plan, me: Senses, intent: Intent):
    """To the plan's next cell."""
    node = intent.node
    to = next_cell(game, node, intent.way)
    intent.to = to
    intent.goes = True
    intent.goal = middle_of(to)
    intent.digs = blocker(game, rules, me.w, node, to)
    intent.rise = to[1] - node % game.ny
    level_on = intent.rise == 0 and intent.digs < 0
    if level_on:
        wet_to = room(game, rules, me.w, to[0], to[1], to[2]) == wp.static(WET)
        intent.bridges = not wet_to and not carries(game, rules, me.w, to[0], to[1] - 1, to[2])
    costly = int(plan.cost[me.w, node]) > wp.static(LONG_WAY)
    steps = int(1)
    if level_on and not intent.bridges and to[1] == me.feet:
        steps, goal = cut_short(game, rules, plan, me, to)
        intent.goal = goal
    intent.long_way = intent.rise == 0 and not intent.bridges and costly and steps >= 3
    blocked = game.blocked[me.w] != wp.uint8(0) and intent.way < wp.static(HERE)
    if blocked and steps < 3 and intent.digs < 0 and not intent.bridges:
        # Caught at a corner beside the way: to its middle first.
        ahead = middle_of(to) - node_middle(game, node)
        gap = me.here - node_middle(game, node)
        gap = gap - ahead * (wp.dot(gap, ahead) / wp.dot(ahead, ahead))
        intent.caught = wp.length(gap) > 0.08
        if intent.caught:
            intent.along = yaw_to(wp.vec3(ahead[0], 0.0, ahead[1]))
            intent.goal = me.here - gap + 0.1 * ahead
    return intent


@wp.func
def cut_short(game: Game, rules: Rules, plan: Plan, me: Senses, to: wp.vec3i):
    """How many steps of the way ahead can be taken in a straight line, and where they end."""
    cell = cell_index(game, to[0], to[1], to[2])
    goal = middle_of(to)
    cutting = bool(True)
    steps = int(1)
    while cutting and steps < wp.static(LOOKAHEAD):
        steps += 1
        then = int(plan.way[me.w, cell])
        cutting = then != 0 and then < wp.static(HERE)
        if cutting:
            far = next_cell(game, cell, then)
            spot = middle_of(far)
            cutting = far[1] == to[1] and passes(game, rules, me.w, me.here, spot, to[1])
            if cutting:
                goal = spot
                cell = cell_index(game, far[0], far[1], far[2])
    return steps, goal
