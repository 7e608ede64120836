"""What the experts of W worlds do: one thread a world. See `expert.py`.

Whoever is learning from an expert sees pictures: so it looks where it walks, and at its target as soon as that is in
sight; it stands still to aim; and what it does depends on what is there, not on what it did.
"""

import warp as wp

from trunkline.envs.minecraft.actions import ATTACK, PLACE, USE
from trunkline.envs.minecraft.kernels.aim import suits, turn_to, wrapped
from trunkline.envs.minecraft.kernels.attention import attend, choose_point
from trunkline.envs.minecraft.kernels.combat import charged
from trunkline.envs.minecraft.kernels.course import set_course
from trunkline.envs.minecraft.kernels.goal import BREAK, HUNT, INTERACT, SHOOT, Targets
from trunkline.envs.minecraft.kernels.goal import PLACE as PLACING
from trunkline.envs.minecraft.kernels.intent import Intent, Senses, perceive
from trunkline.envs.minecraft.kernels.path import Plan, own_node
from trunkline.envs.minecraft.kernels.pick import MELEE_REACH, REACH, pick_block, pick_body
from trunkline.envs.minecraft.kernels.player import JUMPING, SNEAKING, SPRINTING
from trunkline.envs.minecraft.state import Game, Rules, look_vector

wp.set_module_options({"enable_backward": False, "max_unroll": 0})

DRAWN = 20  # ticks after which a bow is fully drawn
AIMED = 1.2  # degrees at which an arrow is let go
RESEARCH = 8  # ticks between searches
STUCK_JUMP, STUCK_SEARCH, STUCK_DIG = 12, 30, 60  # ticks without getting on after which something else is tried


@wp.kernel
def choose(
    game: Game,
    rules: Rules,
    targets: Targets,
    plan: Plan,
    running: wp.array[wp.uint8],
    ticks: int,
    bins: wp.array[wp.float32],
    actions: wp.array2d[wp.int64],
):
    """The experts' actions (W, 6) for the present states.

    Args:
        game, rules, targets: the worlds.
        plan: the experts' own.
        running: (W,) worlds with an episode.
        ticks: that an action lasts.
        bins: (11,) degrees that the camera's bins turn by.
        actions: filled.
    """
    w = wp.tid()
    for i in range(6):
        actions[w, i] = wp.int64(wp.where(i == 3 or i == 4, 5, 0))
    if running[w] == wp.uint8(0):
        return
    me = perceive(game, rules, targets, w)
    plan.age[w] = plan.age[w] + ticks
    intent = Intent()
    intent.node = own_node(game, rules, plan, w)
    if intent.node >= 0:
        intent.way = int(plan.way[w, intent.node])
    elif plan.age[w] >= wp.static(RESEARCH) and (me.grounded or me.wet):
        plan.wanted[w] = wp.uint8(1)
    intent = choose_point(game, rules, targets, plan, me, intent)
    intent = set_course(game, rules, plan, me, intent)
    intent = attend(game, rules, targets, me, intent)
    yaw, pitch = turn_to(game, w, bins, actions, intent.yaw, intent.pitch)
    intent = use_hand(game, rules, targets, me, intent, yaw, pitch)
    rel = wrapped(intent.course - yaw)
    if intent.goes:
        press(actions, w, rel, intent.all_sides or not me.grounded or intent.sneak)
        moving = actions[w, 0] != wp.int64(0) or actions[w, 1] != wp.int64(0)
        intent = get_on(game, plan, me, intent, moving, ticks)
    else:
        plan.stuck[w] = 0
    if me.wet and (intent.rise >= 0 or game.oxygen[w] < 200):
        intent.jump = True
    if me.mob >= 0 and not intent.acts and plan.age[w] >= wp.static(RESEARCH):
        moved = wp.vec3(game.body_position[w, me.mob]) - plan.goal[w]
        if wp.length(moved) > 1.0:
            plan.wanted[w] = wp.uint8(1)
    plan.last[w] = game.position[w]
    if intent.sneak:
        actions[w, 2] = wp.int64(wp.static(SNEAKING))
    elif intent.jump:
        actions[w, 2] = wp.int64(wp.static(JUMPING))
    elif intent.sprint and intent.goes and wp.abs(rel) < 25.0:
        actions[w, 2] = wp.int64(wp.static(SPRINTING))
    actions[w, 5] = wp.int64(intent.hand)


@wp.func
def use_hand(game: Game, rules: Rules, targets: Targets, me: Senses, intent: Intent, yaw: float, pitch: float):
    """The intent with what the hand does, for the gaze that the head comes to."""
    w = me.w
    gaze = look_vector(yaw, pitch)
    cell, face, away = pick_block(game, rules, w, me.eye, gaze, wp.static(REACH))
    reach = wp.where(cell >= 0, wp.min(away, wp.static(MELEE_REACH)), wp.static(MELEE_REACH))
    body, body_away = pick_body(game, rules, w, me.eye, gaze, reach)
    off = wp.max(wp.abs(wrapped(intent.yaw - yaw)), wp.abs(intent.pitch - pitch))
    if intent.digs >= 0 and not intent.acts:
        if body < 0 and cell >= 0 and (cell == intent.digs or off < 3.0):
            intent.hand = wp.static(ATTACK)
        elif off < 3.0 and cell < 0:
            intent.goes = True
    elif intent.bridges and not intent.acts:
        if body < 0 and cell >= 0 and cell == intent.node - 1 and face != 3 and face != 2:
            intent.hand = wp.static(PLACE)
    elif me.what == wp.static(HUNT) and me.mob >= 0:
        if body == me.mob and charged(game, rules, w) >= 0.97:
            intent = strike(game, rules, targets, me, intent, body_away)
    elif me.what == wp.static(SHOOT) and me.mob >= 0:
        if intent.acts and game.draw[w] >= wp.static(DRAWN) and off < wp.static(AIMED):
            intent.hand = 0
    elif intent.acts and body < 0 and cell >= 0 and suits(game, rules, targets, w, cell, face):
        if me.what == wp.static(BREAK):
            intent.hand = wp.static(ATTACK)
        elif me.what == wp.static(INTERACT):
            intent.hand = wp.static(USE)
        elif me.what == wp.static(PLACING):
            intent.hand = wp.static(PLACE)
    return intent


@wp.func
def strike(game: Game, rules: Rules, targets: Targets, me: Senses, intent: Intent, away: float):
    """Hit the mob before it; one that flees from a first blow gets it in falling, which hurts more."""
    kind = int(targets.kind[me.w])
    flees = rules.body_panic[kind] != rules.body_speed[kind]
    falling = game.fallen[me.w] > 0.0 and not me.grounded and game.sprinting[me.w] == wp.uint8(0)
    last = game.body_health[me.w, me.mob] <= 7.0
    if falling or me.wet or not flees or last:
        intent.hand = wp.static(ATTACK)
    elif intent.seen and me.grounded and away < 2.8:
        intent.jump = True
    return intent


@wp.func
def get_on(game: Game, plan: Plan, me: Senses, intent: Intent, moving: bool, ticks: int):
    """The intent with a jump where the way rises or the agent is stuck; asks for a new search if it stays so."""
    w = me.w
    if intent.rise > 0 and me.grounded and moving:
        edge = wp.max(wp.abs(intent.goal[0] - me.here[0]), wp.abs(intent.goal[1] - me.here[1])) - 0.5
        if edge < 0.6 + 0.2 * float(ticks) or game.blocked[w] != wp.uint8(0):
            intent.jump = True
    gone = wp.length(me.here - wp.vec2(float(plan.last[w][0]), float(plan.last[w][2])))
    if moving and gone < 0.03 * float(ticks):
        plan.stuck[w] = plan.stuck[w] + ticks
    else:
        plan.stuck[w] = wp.max(plan.stuck[w] - 2 * ticks, 0)
    stuck = plan.stuck[w]
    if stuck > wp.static(STUCK_JUMP) and me.grounded:
        intent.jump = True
    if stuck > wp.static(STUCK_SEARCH) and plan.age[w] > wp.static(STUCK_SEARCH):
        plan.wanted[w] = wp.uint8(1)
    if stuck > wp.static(STUCK_DIG):
        plan.wanted[w] = wp.uint8(2)
        plan.stuck[w] = 0
    return intent


@wp.func
def press(actions: wp.array2d[wp.int64], w: int, rel: float, all_sides: bool):
    """Hold the keys that lead in a direction `rel` degrees to the right of the gaze."""
    size = wp.abs(rel)
    side = wp.where(rel > 0.0, 2, 1)
    if not all_sides:
        if size <= 50.0:
            actions[w, 0] = wp.int64(1)
            if size > 25.0:
                actions[w, 1] = wp.int64(side)
        return
    if size <= 67.5:
        actions[w, 0] = wp.int64(1)
    elif size > 112.5:
        actions[w, 0] = wp.int64(2)
    if size > 22.5 and size < 157.5:
        actions[w, 1] = wp.int64(side)
