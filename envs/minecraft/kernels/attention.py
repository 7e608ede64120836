"""Where an expert looks, which direction it walks in meanwhile, and whether it stands still to deal with its target."""

import warp as wp

from trunkline.envs.minecraft.actions import USE
from trunkline.envs.minecraft.kernels.aim import bow_aim, find_point, hits, pitch_to, sees_point, wrapped, yaw_to
from trunkline.envs.minecraft.kernels.course import middle_of
from trunkline.envs.minecraft.kernels.footing import passes
from trunkline.envs.minecraft.kernels.goal import APPROACH, HUNT, Targets
from trunkline.envs.minecraft.kernels.intent import Intent, Senses
from trunkline.envs.minecraft.kernels.path import HERE, Plan, node_middle
from trunkline.envs.minecraft.kernels.pick import REACH
from trunkline.envs.minecraft.kernels.search import COMFORT, FURTHEST, body_box, find_body_point
from trunkline.envs.minecraft.state import Game, Rules

wp.set_module_options({"enable_backward": False, "max_unroll": 0})

AHEAD = 8.0  # degrees by which it looks down on its way
SHOT_RANGE = 11.0  # m from which it shoots
GLIDE = 0.546  # of its speed that a walking mob keeps from tick to tick


@wp.func
def choose_point(game: Game, rules: Rules, targets: Targets, plan: Plan, me: Senses, intent: Intent):
    """The intent with the point of the target to deal with, and whether it can be dealt with from here.

    A point that was chosen is kept as long as it can be reached.
    """
    near = me.gaze_from + me.offset
    middle = me.gaze_from + me.towards
    intent.seen = sees_point(game, rules, me.w, me.eye, near) or sees_point(game, rules, me.w, me.eye, middle)
    intent.point = near
    if me.mob >= 0:
        intent.point = middle
        return intent
    if me.what == wp.static(APPROACH):
        return intent
    aim = plan.aim[me.w]
    kept = plan.aimed[me.w] != wp.uint8(0)
    if kept and hits(game, rules, targets, me.w, me.eye, aim, wp.static(REACH - 0.05)):
        intent.acts = True
        intent.point = aim
    elif me.distance < wp.static(FURTHEST):
        reach = float(wp.static(COMFORT))
        if intent.way == wp.static(HERE):
            reach = wp.static(FURTHEST)
        found, point = find_point(game, rules, targets, me.w, me.eye, reach)
        plan.aim[me.w] = point
        intent.acts = found
        if found:
            intent.point = point
    plan.aimed[me.w] = wp.uint8(wp.where(intent.acts, 1, 0))
    return intent


@wp.func
def attend(game: Game, rules: Rules, targets: Targets, me: Senses, intent: Intent):
    """The intent with its gaze: at what it deals with, or else where it goes."""
    way = intent.goal - me.here
    intent.yaw = yaw_to(wp.vec3(way[0], 0.0, way[1]))
    if wp.length(way) < 0.05:
        intent.yaw = game.yaw[me.w]
    intent.course = intent.yaw
    intent.pitch = wp.static(AHEAD)
    if me.mob >= 0 and me.what == wp.static(HUNT):
        intent = stalk(game, rules, targets, me, intent)
    elif me.mob >= 0 and me.what != wp.static(APPROACH):
        intent = take_aim(game, rules, targets, me, intent)
    else:
        intent = face_target(me, intent)
    return clear_way(game, rules, me, intent)


@wp.func
def stalk(game: Game, rules: Rules, targets: Targets, me: Senses, intent: Intent):
    """Run after a mob; look at it when it is near."""
    flat = wp.sqrt(me.towards[0] * me.towards[0] + me.towards[2] * me.towards[2])
    middle = wp.vec2(me.gaze_from[0] + me.towards[0], me.gaze_from[2] + me.towards[2])
    low, high = body_box(game, rules, targets, me.w, me.mob)
    found, point = find_body_point(game, rules, me.w, me.eye, low, high, 6.0)
    intent.point = point
    intent.seen = intent.seen or found
    intent.sprint = intent.long_way and flat > 5.0
    if not intent.seen or flat >= 6.0:
        return intent
    d = point - me.gaze_from
    intent.yaw = yaw_to(d)
    intent.pitch = pitch_to(d)
    intent.all_sides = True
    ahead = me.here + (middle - me.here) * wp.min(1.0, 2.0 / wp.max(flat, 0.01))
    level_way = passes(game, rules, me.w, me.here, ahead, me.feet)
    arrived = intent.way == wp.static(HERE)
    if level_way or arrived:
        climbs = arrived and not level_way and game.blocked[me.w] != wp.uint8(0)
        intent.course = intent.yaw
        intent.rise = wp.where(climbs, 1, 0)
        intent.digs = -1
        intent.bridges = False
        intent.goes = flat > 1.3
        intent.goal = middle
    return intent


@wp.func
def take_aim(game: Game, rules: Rules, targets: Targets, me: Senses, intent: Intent):
    """Draw the bow within range of a mob, ahead of it by what the arrow's flight takes."""
    low, high = body_box(game, rules, targets, me.w, me.mob)
    found, point = find_body_point(game, rules, me.w, me.eye, low, high, 2.0 * wp.static(SHOT_RANGE))
    intent.point = point
    drawing = game.draw[me.w] > 0
    # Who has begun to draw lets it get a little further away.
    intent.acts = found and me.distance < wp.static(SHOT_RANGE) + wp.where(drawing, 3.0, 0.0)
    if intent.way == wp.static(HERE):
        intent.yaw = yaw_to(me.towards)
        intent.all_sides = True
    if found:
        velocity = wp.vec3(game.body_velocity[me.w, me.mob])
        lead = wp.vec3(velocity[0], 0.0, velocity[2]) / wp.static(GLIDE)
        start = me.gaze_from - wp.vec3(0.0, 0.1, 0.0)
        own = wp.vec3(game.velocity[me.w])
        aim = bow_aim(start, point, lead - wp.vec3(own[0], 0.0, own[2]))
        intent.yaw = yaw_to(aim)
        intent.pitch = pitch_to(aim)
        intent.all_sides = True
    if intent.acts:
        intent.goes = False
    if intent.acts or drawing:
        intent.hand = wp.static(USE)
    intent.sprint = intent.long_way and not intent.acts
    return intent


@wp.func
def face_target(me: Senses, intent: Intent):
    """Look at blocks that are dealt with, and at any target on the way as far as that is not out of the way."""
    d = intent.point - me.gaze_from
    if intent.acts:
        intent.yaw = yaw_to(d)
        intent.pitch = pitch_to(d)
        intent.goes = False
        return intent
    intent.sprint = intent.long_way
    if intent.way == wp.static(HERE):
        intent.yaw = yaw_to(d)
        intent.pitch = pitch_to(d)
        intent.all_sides = True
        blocks = me.mob < 0 and me.what != wp.static(APPROACH)
        if blocks and wp.length(intent.goal - me.here) < 0.1:
            intent.goes = False
    elif intent.seen and wp.abs(wrapped(yaw_to(d) - intent.course)) < 50.0 and me.distance < 16.0:
        intent.yaw = yaw_to(d)
        intent.pitch = wp.clamp(pitch_to(d), -60.0, 60.0)
        intent.all_sides = True
    return intent


@wp.func
def clear_way(game: Game, rules: Rules, me: Senses, intent: Intent):
    """Look at what has to be done first to get on: a corner to go round, a block to dig, a floor to lay."""
    if intent.caught and intent.goes:
        intent.yaw = intent.along
        intent.pitch = wp.static(AHEAD)
        intent.all_sides = True
    if intent.acts or not intent.goes:
        return intent
    if intent.digs >= 0:
        cell = intent.digs
        corner = wp.vec3(float(cell // (game.ny * game.nz)), float(cell % game.ny), float((cell // game.ny) % game.nz))
        state = int(game.blocks[me.w, cell])
        d = corner + 0.5 * (rules.low[state] + rules.high[state]) - me.gaze_from
        intent.yaw = yaw_to(d)
        intent.pitch = pitch_to(d)
        intent.goes = False
    elif intent.bridges:
        # Backwards over the edge, looking at the face that is to carry the next block.
        intent.sneak = True
        intent.all_sides = True
        intent.goal = middle_of(intent.to)
        out = intent.goal - node_middle(game, intent.node)
        face_at = node_middle(game, intent.node) + 0.5 * out
        intent.point = wp.vec3(face_at[0], float(intent.to[1]) - 0.5, face_at[1])
        intent.yaw = yaw_to(wp.vec3(-out[0], 0.0, -out[1]))
        intent.pitch = pitch_to(intent.point - me.gaze_from)
        way = intent.goal - me.here
        intent.course = yaw_to(wp.vec3(way[0], 0.0, way[1]))
    return intent
