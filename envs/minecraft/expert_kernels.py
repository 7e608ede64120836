"""What the experts of W worlds do: one thread a world. See `expert.py`.

Whoever is learning from an expert sees pictures: so it looks where it walks, and at its target as soon as that is in
sight; it stands still to aim; and what it does depends on what is there, not on what it did.
"""

import warp as wp

from trunkline.envs.minecraft.actions import ATTACK, PLACE, USE
from trunkline.envs.minecraft.aim_kernels import (
    bow_aim,
    find_point,
    hits,
    nearest_bin,
    pitch_to,
    sees_point,
    suits,
    wrapped,
    yaw_to,
)
from trunkline.envs.minecraft.combat_kernels import charged
from trunkline.envs.minecraft.goal_kernels import APPROACH, HUNT, INTERACT, SHOOT, Targets, nearest_in, to_target
from trunkline.envs.minecraft.goal_kernels import BREAK, PLACE as PLACING
from trunkline.envs.minecraft.path_kernels import (
    FREE,
    HERE,
    NEVER,
    RISE,
    UNKNOWN,
    WALL,
    WET,
    Plan,
    carries,
    forget,
    home_cell,
    own_node,
    relax,
    room,
    side_x,
    side_z,
    spread,
    stands,
)
from trunkline.envs.minecraft.pick_kernels import MELEE_REACH, REACH, eye_of, pick_block, pick_body
from trunkline.envs.minecraft.player_kernels import JUMPING, SNEAKING, SPRINTING
from trunkline.envs.minecraft.state import Game, Rules, cell_index, inside, look_vector

wp.set_module_options({"enable_backward": False, "max_unroll": 0})

EYE = 1.62
COMFORT = 3.4  # m to a target at which it is dealt with; further off only where there is no nearer place
FURTHEST = 4.3
ARRIVED = 2.7  # m at the end of an approach
AWAY_COST = 40  # a metre beyond what is comfortable
AROUND = 5  # cells around a target from which it may be dealt with
LOOKAHEAD = 10  # steps of a way that are cut short where there is room
HALF = 0.31  # of the body's width, and a little
SHOT_RANGE = 11.0
DRAWN = 20
AIMED = 1.2  # degrees at which an arrow is let go
RESEARCH = 8  # ticks between searches
STUCK_JUMP, STUCK_SEARCH, STUCK_DIG = 12, 30, 60
GLIDE = 0.546  # of its speed that a walking mob keeps from tick to tick


@wp.func
def find_body_point(
    game: Game, rules: Rules, w: int, eye: wp.vec3d, low: wp.vec3, high: wp.vec3, reach: float
):
    """A point of a body that an eye can see and reach: whether there is one, and where (else the body's middle)."""
    e = wp.vec3(eye)
    middle = 0.5 * (low + high)
    tall = high[1] - low[1]
    best = middle
    found = bool(False)
    for k in range(5):
        point = wp.vec3(middle[0], wp.clamp(e[1], low[1] + 0.25 * tall, low[1] + 0.8 * tall), middle[2])
        if k > 0:
            # The nearest point, a little within; then that of the lower and the upper part; then the top.
            inner = wp.vec3(0.05, 0.05, 0.05)
            point = nearest_in(e, low + inner, high - inner)
            if k == 2:
                point[1] = low[1] + 0.1
            elif k == 3:
                point[1] = middle[1]
            elif k == 4:
                point[1] = high[1] - 0.1
        if not found and wp.length(nearest_in(e, low, high) - e) <= reach and sees_point(game, rules, w, eye, point):
            found = wp.length(point - e) <= reach + 0.3
            best = wp.where(found, point, best)
    return found, best


@wp.func
def body_box(game: Game, rules: Rules, targets: Targets, w: int, m: int):
    """The box of the target: two corners."""
    kind = int(targets.kind[w])
    feet = wp.vec3(game.body_position[w, m])
    half = 0.5 * rules.body_width[kind]
    return feet - wp.vec3(half, 0.0, half), feet + wp.vec3(half, rules.body_height[kind], half)


@wp.func
def seed_places(game: Game, rules: Rules, targets: Targets, plan: Plan, w: int):
    """Put the cells from which the target can be dealt with into the queue; returns how many there are."""
    low = wp.vec3(1.0e9, 1.0e9, 1.0e9)
    high = wp.vec3(-1.0e9, -1.0e9, -1.0e9)
    m = targets.mob[w]
    what = targets.interaction
    if m >= 0:
        low, high = body_box(game, rules, targets, w, m)
    for b in range(targets.boxes[w]):
        low = wp.min(low, targets.low[w, b])
        high = wp.max(high, targets.high[w, b])
    tail = int(0)
    first = wp.vec3i(int(wp.floor(low[0])), int(wp.floor(low[1])), int(wp.floor(low[2])))
    last = wp.vec3i(int(wp.floor(high[0])), int(wp.floor(high[1])), int(wp.floor(high[2])))
    around = wp.static(AROUND)
    for x in range(first[0] - around, last[0] + around + 1):
        for z in range(first[2] - around, last[2] + around + 1):
            for y in range(first[1] - around - 1, last[1] + around):
                if inside(game, x, y, z) and stands(game, rules, w, x, y, z):
                    eye = wp.vec3(float(x) + 0.5, float(y) + wp.static(EYE), float(z) + 0.5)
                    away = float(1.0e9)
                    if m >= 0:
                        away = wp.length(nearest_in(eye, low, high) - eye)
                    for b in range(targets.boxes[w]):
                        to = nearest_in(eye, targets.low[w, b], targets.high[w, b]) - eye
                        away = wp.min(away, wp.length(to))
                    price = int(-1)
                    if m >= 0 or what == wp.static(APPROACH):
                        if away <= wp.static(ARRIVED):
                            price = int(away * 10.0)
                            if what == wp.static(HUNT):
                                found, point = find_body_point(
                                    game, rules, w, wp.vec3d(eye), low, high, wp.static(ARRIVED)
                                )
                                if not found:
                                    price = -1
                    elif away <= wp.static(FURTHEST):
                        found, point = find_point(game, rules, targets, w, wp.vec3d(eye), wp.static(FURTHEST))
                        if found:
                            far = wp.length(point - eye)
                            price = int(wp.max(far - wp.static(COMFORT), 0.0) * float(wp.static(AWAY_COST)))
                    if price >= 0:
                        tail = relax(plan, w, cell_index(game, x, y, z), price, wp.static(HERE), tail)
    return tail


@wp.kernel
def search(game: Game, rules: Rules, targets: Targets, plan: Plan):
    """Find ways anew where one is wanted."""
    w = wp.tid()
    if plan.wanted[w] == wp.uint8(0):
        return
    forget(plan, w)
    home = home_cell(game, rules, w)
    rough = plan.wanted[w] == wp.uint8(2)
    bridges = rules.item_places[int(game.item[w, 0])] != wp.uint8(0)
    tail = seed_places(game, rules, targets, plan, w)
    spread(game, rules, plan, w, tail, home, rough, bridges)
    if home >= 0 and not rough and plan.way[w, home] == wp.uint8(0):
        forget(plan, w)
        rough = True
        tail = seed_places(game, rules, targets, plan, w)
        spread(game, rules, plan, w, tail, home, rough, bridges)
    plan.rough[w] = wp.uint8(wp.where(rough, 1, 0))
    plan.wanted[w] = wp.uint8(0)
    plan.age[w] = 0
    if targets.mob[w] >= 0:
        plan.goal[w] = wp.vec3(game.body_position[w, targets.mob[w]])


@wp.func
def passes(game: Game, rules: Rules, w: int, a: wp.vec2, b: wp.vec2, y: int):
    """Whether the body can walk straight from a to b, at one height, with the ground below it."""
    d = b - a
    count = int(wp.ceil(wp.length(d) / 0.25))
    for i in range(1, count + 1):
        p = a + d * (float(i) / float(count))
        if not carries(game, rules, w, int(wp.floor(p[0])), y - 1, int(wp.floor(p[1]))):
            return False
        for corner in range(4):
            x = int(wp.floor(p[0] + wp.where(corner % 2 == 0, -wp.static(HALF), wp.static(HALF))))
            z = int(wp.floor(p[1] + wp.where(corner < 2, -wp.static(HALF), wp.static(HALF))))
            if room(game, rules, w, x, y, z) != wp.static(FREE) or room(game, rules, w, x, y + 1, z) > wp.static(WET):
                return False
    return True


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


@wp.func
def turn_to(game: Game, w: int, bins: wp.array[wp.float32], actions: wp.array2d[wp.int64], yaw: float, pitch: float):
    """Turn the head as near to a gaze as one step can; returns the gaze after it."""
    p = nearest_bin(bins, wp.clamp(pitch, -89.0, 89.0) - game.pitch[w])
    y = nearest_bin(bins, wrapped(yaw - game.yaw[w]))
    actions[w, 3] = wp.int64(p)
    actions[w, 4] = wp.int64(y)
    return wrapped(game.yaw[w] + bins[y]), wp.clamp(game.pitch[w] + bins[p], -90.0, 90.0)


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
    if m >= 0 and plan.age[w] >= wp.static(RESEARCH):
        moved = wp.vec3(game.body_position[w, m]) - plan.goal[w]
        if wp.length(moved) > 1.0:
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
            if m >= 0 or what == wp.static(APPROACH):
                # There, and still something to go: straight on.
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
            level_way = passes(game, rules, w, here, here + (mid - here) * wp.min(1.0, 2.0 / wp.max(flat, 0.01)), feet_y)
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

    dig_point = wp.vec3(0.0, 0.0, 0.0)
    if digs >= 0 and not acts and goes:
        y = digs % game.ny
        z = (digs // game.ny) % game.nz
        x = digs // (game.ny * game.nz)
        state = int(game.blocks[w, digs])
        dig_point = wp.vec3(float(x), float(y), float(z)) + 0.5 * (rules.low[state] + rules.high[state])
        d = dig_point - e
        yaw = yaw_to(d)
        pitch = pitch_to(d)
        goes = False
    elif bridges and not acts and goes:
        # Backwards over the edge, looking at the face that is to carry the next block.
        sneak = True
        all_sides = True
        mx = float(node // (game.ny * game.nz)) + 0.5
        mz = float((node // game.ny) % game.nz) + 0.5
        out = wp.vec2(float(to[0]) + 0.5 - mx, float(to[2]) + 0.5 - mz)
        point = wp.vec3(mx + 0.5 * out[0], float(to[1]) - 0.5, mz + 0.5 * out[1])
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
        gone = float(wp.length(p - plan.last[w]))
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
    plan.last[w] = p
    if sneak:
        actions[w, 2] = wp.int64(wp.static(SNEAKING))
    elif jump:
        actions[w, 2] = wp.int64(wp.static(JUMPING))
    elif sprint and goes and wp.abs(rel) < 25.0:
        actions[w, 2] = wp.int64(wp.static(SPRINTING))
    actions[w, 5] = wp.int64(hand)
