"""What the experts of W worlds do: one thread a world. See `expert.py`.

Whoever is learning from an expert sees pictures: so it looks where it walks, and at its target as soon as that is in
sight; it stands still to aim; and what it does depends on what is there, not on what it did.
"""

import warp as wp

from trunkline.envs.minecraft.actions import ATTACK, PLACE, USE
from trunkline.envs.minecraft.kernels.aim import (
    bow_aim,
    find_point,
    hits,
    pitch_to,
    sees_point,
    suits,
    turn_to,
    wrapped,
    yaw_to,
)
from trunkline.envs.minecraft.kernels.combat import charged
from trunkline.envs.minecraft.kernels.goal import APPROACH, BREAK, HUNT, INTERACT, SHOOT, Targets, to_target
from trunkline.envs.minecraft.kernels.goal import PLACE as PLACING
from trunkline.envs.minecraft.kernels.path import (
    HERE,
    WET,
    Plan,
    blocker,
    carries,
    next_cell,
    node_middle,
    own_node,
    passes,
    room,
)
from trunkline.envs.minecraft.kernels.pick import MELEE_REACH, REACH, eye_of, pick_block, pick_body
from trunkline.envs.minecraft.kernels.player import JUMPING, SNEAKING, SPRINTING
from trunkline.envs.minecraft.kernels.search import COMFORT, FURTHEST, body_box, find_body_point
from trunkline.envs.minecraft.state import Game, Rules, cell_index, look_vector

wp.set_module_options({"enable_backward": False, "max_unroll": 0})

LOOKAHEAD = 10  # steps of a way that are cut short where there is room
SHOT_RANGE = 11.0  # m from which it shoots
DRAWN = 20  # ticks after which a bow is fully drawn
AIMED = 1.2  # degrees at which an arrow is let go
GLIDE = 0.546  # of its speed that a walking mob keeps from tick to tick
RESEARCH = 8  # ticks between searches
STUCK_JUMP, STUCK_SEARCH, STUCK_DIG = 12, 30, 60  # ticks without getting on after which something else is tried


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
    what = targets.interaction
    m = targets.mob[w]
    p = game.position[w]
    eye = eye_of(game, w)
    e = wp.vec3(eye)
    wet = game.in_water[w] != wp.uint8(0)
    grounded = game.on_ground[w] != wp.uint8(0)
    here = wp.vec2(float(p[0]), float(p[2]))
    offset, towards = to_target(game, rules, targets, w, e)
    distance = wp.length(offset)
    feet_y = int(wp.floor(p[1] + wp.float64(0.2)))
    plan.age[w] = plan.age[w] + ticks

    node = own_node(game, rules, plan, w)
    if node < 0 and plan.age[w] >= wp.static(RESEARCH) and (grounded or wet):
        plan.wanted[w] = wp.uint8(1)
    way = int(0)
    if node >= 0:
        way = int(plan.way[w, node])

    # Where it looks, and what its hand is to do there.
    seen = sees_point(game, rules, w, eye, e + offset) or sees_point(game, rules, w, eye, e + towards)
    acts = bool(False)  # stands still and deals with the target
    point = e + offset
    if m >= 0:
        point = e + towards
    elif what != wp.static(APPROACH):
        kept = plan.aimed[w] != wp.uint8(0) and hits(game, rules, targets, w, eye, plan.aim[w], wp.static(REACH - 0.05))
        if kept:
            acts = True
            point = plan.aim[w]
        elif distance < wp.static(FURTHEST):
            reach = float(wp.static(COMFORT))
            if way == wp.static(HERE):
                reach = wp.static(FURTHEST)
            found, point = find_point(game, rules, targets, w, eye, reach)
            acts = found
            plan.aim[w] = point
        plan.aimed[w] = wp.uint8(wp.where(acts, 1, 0))
        if not acts:
            point = e + offset

    # The way: a waypoint, and what is between.
    goes = bool(False)  # wants to walk
    caught = bool(False)
    along = float(0.0)
    goal = here
    rise = int(0)
    digs = int(-1)
    bridges = bool(False)
    long_way = bool(False)
    to = wp.vec3i(0, 0, 0)
    if way != 0:
        to = next_cell(game, node, way)
        goes = True
        if way == wp.static(HERE):
            goal = wp.vec2(float(to[0]) + 0.5, float(to[2]) + 0.5)
            straight = m >= 0 or what == wp.static(APPROACH)
            if what == wp.static(SHOOT):  # seen from the middle of the cell
                straight = wp.length(goal - here) < 0.15
            if straight:  # there, and still something to go
                goal = here + wp.vec2(towards[0], towards[2])
        else:
            digs = blocker(game, rules, w, node, to)
            rise = to[1] - node % game.ny
            level = to[1]
            goal = wp.vec2(float(to[0]) + 0.5, float(to[2]) + 0.5)
            if rise == 0 and digs < 0:
                wet_to = room(game, rules, w, to[0], to[1], to[2]) == wp.static(WET)
                bridges = not wet_to and not carries(game, rules, w, to[0], to[1] - 1, to[2])
            long_way = rise == 0 and not bridges and int(plan.cost[w, node]) > 30
            # Cut the way short as far as there is room.
            cell = cell_index(game, to[0], to[1], to[2])
            cutting = rise == 0 and digs < 0 and not bridges and level == feet_y
            steps = int(1)
            while cutting and steps < wp.static(LOOKAHEAD):
                steps += 1
                then = int(plan.way[w, cell])
                cutting = then != 0 and then < wp.static(HERE)
                if cutting:
                    far = next_cell(game, cell, then)
                    spot = wp.vec2(float(far[0]) + 0.5, float(far[2]) + 0.5)
                    cutting = far[1] == level and passes(game, rules, w, here, spot, level)
                    if cutting:
                        goal = spot
                        cell = cell_index(game, far[0], far[1], far[2])
            if steps < 3:
                long_way = False
            if game.blocked[w] != wp.uint8(0) and steps < 3 and way < wp.static(HERE) and digs < 0 and not bridges:
                # Caught at a corner beside the way: to its middle first.
                ahead = wp.vec2(float(to[0]) + 0.5, float(to[2]) + 0.5) - node_middle(game, node)
                gap = here - node_middle(game, node)
                gap = gap - ahead * (wp.dot(gap, ahead) / wp.dot(ahead, ahead))
                caught = wp.length(gap) > 0.08
                if caught:
                    along = yaw_to(wp.vec3(ahead[0], 0.0, ahead[1]))
                    goal = here - gap + 0.1 * ahead
    elif seen:
        goes = True
        goal = here + wp.vec2(towards[0], towards[2])

    hand = int(0)
    jump = bool(False)
    sneak = bool(False)
    sprint = bool(False)
    all_sides = bool(False)
    yaw = yaw_to(wp.vec3(goal[0] - here[0], 0.0, goal[1] - here[1]))
    if wp.length(goal - here) < 0.05:
        yaw = game.yaw[w]
    course = yaw
    pitch = float(8.0)
    d = point - e

    if m >= 0 and what != wp.static(APPROACH):
        flat = wp.sqrt(towards[0] * towards[0] + towards[2] * towards[2])
        mid = wp.vec2(e[0] + towards[0], e[2] + towards[2])
        velocity = wp.vec3(game.body_velocity[w, m])
        if what == wp.static(HUNT):
            low, high = body_box(game, rules, targets, w, m)
            found, point = find_body_point(game, rules, w, eye, low, high, 6.0)
            seen = seen or found
            d = point - e
            ahead = here + (mid - here) * wp.min(1.0, 2.0 / wp.max(flat, 0.01))
            level_way = passes(game, rules, w, here, ahead, feet_y)
            if seen and flat < 6.0:
                yaw = yaw_to(d)
                pitch = pitch_to(d)
                all_sides = True
                if level_way or way == wp.static(HERE):
                    course = yaw
                    rise = 0
                    digs = -1
                    bridges = False
                    goes = flat > 1.3
                    goal = mid
                    if way == wp.static(HERE) and not level_way and game.blocked[w] != wp.uint8(0):
                        rise = 1
            sprint = long_way and flat > 5.0
        else:
            low, high = body_box(game, rules, targets, w, m)
            found, point = find_body_point(game, rules, w, eye, low, high, 2.0 * wp.static(SHOT_RANGE))
            # Who has begun to draw lets it get a little further away.
            acts = found and distance < wp.static(SHOT_RANGE) + wp.where(game.draw[w] > 0, 3.0, 0.0)
            if way == wp.static(HERE):
                yaw = yaw_to(towards)
                all_sides = True
            if found:
                lead = wp.vec3(velocity[0], 0.0, velocity[2]) / wp.static(GLIDE)
                start = e - wp.vec3(0.0, 0.1, 0.0)
                own = wp.vec3(game.velocity[w])
                aim = bow_aim(start, point, lead - wp.vec3(own[0], 0.0, own[2]))
                yaw = yaw_to(aim)
                pitch = pitch_to(aim)
                all_sides = True
            if acts:
                goes = False
                hand = wp.static(USE)
            elif game.draw[w] > 0:
                hand = wp.static(USE)
            sprint = long_way and not acts
    elif acts:
        yaw = yaw_to(d)
        pitch = pitch_to(d)
        goes = False
    else:
        sprint = long_way
        if way == wp.static(HERE):
            yaw = yaw_to(d)
            pitch = pitch_to(d)
            all_sides = True
            if m < 0 and what != wp.static(APPROACH) and wp.length(goal - here) < 0.1:
                goes = False
        elif seen and wp.abs(wrapped(yaw_to(d) - course)) < 50.0 and distance < 16.0:
            yaw = yaw_to(d)
            pitch = wp.clamp(pitch_to(d), -60.0, 60.0)
            all_sides = True

    if caught and goes:
        yaw = along
        pitch = 8.0
        all_sides = True
    if digs >= 0 and not acts and goes:
        y = digs % game.ny
        z = (digs // game.ny) % game.nz
        x = digs // (game.ny * game.nz)
        state = int(game.blocks[w, digs])
        d = wp.vec3(float(x), float(y), float(z)) + 0.5 * (rules.low[state] + rules.high[state]) - e
        yaw = yaw_to(d)
        pitch = pitch_to(d)
        goes = False
    elif bridges and not acts and goes:
        # Backwards over the edge, looking at the face that is to carry the next block.
        sneak = True
        all_sides = True
        out = wp.vec2(float(to[0]) + 0.5, float(to[2]) + 0.5) - node_middle(game, node)
        face_at = node_middle(game, node) + 0.5 * out
        point = wp.vec3(face_at[0], float(to[1]) - 0.5, face_at[1])
        d = point - e
        yaw = yaw_to(wp.vec3(-out[0], 0.0, -out[1]))
        pitch = pitch_to(d)
        goal = wp.vec2(float(to[0]) + 0.5, float(to[2]) + 0.5)
        course = yaw_to(wp.vec3(goal[0] - here[0], 0.0, goal[1] - here[1]))

    new_yaw, new_pitch = turn_to(game, w, bins, actions, yaw, pitch)
    gaze = look_vector(new_yaw, new_pitch)
    cell, face, away = pick_block(game, rules, w, eye, gaze, wp.static(REACH))
    reach = wp.where(cell >= 0, wp.min(away, wp.static(MELEE_REACH)), wp.static(MELEE_REACH))
    body, body_away = pick_body(game, rules, w, eye, gaze, reach)
    off = wp.max(wp.abs(wrapped(yaw - new_yaw)), wp.abs(pitch - new_pitch))

    # The hand.
    if digs >= 0 and not acts:
        if body < 0 and cell >= 0 and (cell == digs or off < 3.0):
            hand = wp.static(ATTACK)
        elif off < 3.0 and cell < 0:
            goes = True
    elif bridges and not acts:
        if cell >= 0 and body < 0 and (cell == node - 1) and face != 3 and face != 2:
            hand = wp.static(PLACE)
    elif what == wp.static(HUNT) and m >= 0:
        ready = charged(game, rules, w) >= 0.97
        if body == m and ready:
            falling = game.fallen[w] > 0.0 and not grounded and game.sprinting[w] == wp.uint8(0)
            flees = rules.body_panic[int(targets.kind[w])] != rules.body_speed[int(targets.kind[w])]
            last = game.body_health[w, m] <= 7.0
            if falling or wet or not flees or last:
                hand = wp.static(ATTACK)
        flees = rules.body_panic[int(targets.kind[w])] != rules.body_speed[int(targets.kind[w])]
        if flees and seen and ready and grounded and body_away < 2.8 and body == m and hand == 0:
            jump = True
    elif what == wp.static(SHOOT) and m >= 0:
        if acts and game.draw[w] >= wp.static(DRAWN) and off < wp.static(AIMED):
            hand = 0
    elif acts and body < 0 and cell >= 0 and suits(game, rules, targets, w, cell, face):
        if what == wp.static(BREAK):
            hand = wp.static(ATTACK)
        elif what == wp.static(INTERACT):
            hand = wp.static(USE)
        elif what == wp.static(PLACING):
            hand = wp.static(PLACE)

    # The legs.
    rel = wrapped(course - new_yaw)
    if goes:
        press(actions, w, rel, all_sides or not grounded or sneak)
        moving = actions[w, 0] != wp.int64(0) or actions[w, 1] != wp.int64(0)
        if rise > 0 and grounded and moving:
            edge = wp.max(wp.abs(goal[0] - here[0]), wp.abs(goal[1] - here[1])) - 0.5
            if edge < 0.6 + 0.2 * float(ticks) or game.blocked[w] != wp.uint8(0):
                jump = True
        gone = wp.length(here - wp.vec2(float(plan.last[w][0]), float(plan.last[w][2])))
        if moving and gone < 0.03 * float(ticks):
            plan.stuck[w] = plan.stuck[w] + ticks
        else:
            plan.stuck[w] = wp.max(plan.stuck[w] - 2 * ticks, 0)
        stuck = plan.stuck[w]
        if stuck > wp.static(STUCK_JUMP) and grounded:
            jump = True
        if stuck > wp.static(STUCK_SEARCH) and plan.age[w] > wp.static(STUCK_SEARCH):
            plan.wanted[w] = wp.uint8(1)
        if stuck > wp.static(STUCK_DIG):
            plan.wanted[w] = wp.uint8(2)
            plan.stuck[w] = 0
    else:
        plan.stuck[w] = 0
    if wet and (rise >= 0 or game.oxygen[w] < 200):
        jump = True
    if m >= 0 and not acts and plan.age[w] >= wp.static(RESEARCH):
        moved = wp.vec3(game.body_position[w, m]) - plan.goal[w]
        if wp.length(moved) > 1.0:
            plan.wanted[w] = wp.uint8(1)
    plan.last[w] = p
    if sneak:
        actions[w, 2] = wp.int64(wp.static(SNEAKING))
    elif jump:
        actions[w, 2] = wp.int64(wp.static(JUMPING))
    elif sprint and goes and wp.abs(rel) < 25.0:
        actions[w, 2] = wp.int64(wp.static(SPRINTING))
    actions[w, 5] = wp.int64(hand)
