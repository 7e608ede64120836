"""Where experts' ways lead to: cells from which a target can be seen and reached; and the search from them."""

import warp as wp

from trunkline.envs.minecraft.kernels.aim import find_point, sees_point
from trunkline.envs.minecraft.kernels.footing import stands
from trunkline.envs.minecraft.kernels.goal import APPROACH, SHOOT, Targets, nearest_in
from trunkline.envs.minecraft.kernels.path import HERE, Plan, forget, home_cell, relax, spread
from trunkline.envs.minecraft.state import Game, Rules, cell_index, inside

wp.set_module_options({"enable_backward": False, "max_unroll": 0})

EYE = 1.62
COMFORT = 3.4  # m to a target at which it is dealt with; further off only where there is no nearer place
FURTHEST = 4.3
ARRIVED = 2.7  # m at the end of an approach
SHOT_NEAR = 8.0  # m to a mob that is to be shot, at most, at the end of a way
AWAY_COST = 40  # a metre beyond what is comfortable
AROUND, AROUND_SHOT = 5, 8  # cells around a target from which it may be dealt with, and shot at


@wp.func
def find_body_point(game: Game, rules: Rules, w: int, eye: wp.vec3d, low: wp.vec3, high: wp.vec3, reach: float):
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
def seed_places(game: Game, rules: Rules, targets: Targets, plan: Plan, w: int, blind: bool):
    """Put the cells from which the target can be dealt with into the queue; returns how many there are.

    `blind` takes those near a mob too from which it is not seen.
    """
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
    around = wp.where(what == wp.static(SHOOT), wp.static(AROUND_SHOT), wp.static(AROUND))
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
                        shoots = what == wp.static(SHOOT) and not blind
                        most = wp.where(shoots, wp.static(SHOT_NEAR), wp.static(ARRIVED))
                        if away <= most:
                            price = int(away * 10.0)
                            if what != wp.static(APPROACH) and not blind:
                                found, point = find_body_point(game, rules, w, wp.vec3d(eye), low, high, most)
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
    tail = seed_places(game, rules, targets, plan, w, False)
    if tail == 0 and targets.mob[w] >= 0:
        tail = seed_places(game, rules, targets, plan, w, True)
    spread(game, rules, plan, w, tail, home, rough, bridges)
    if home >= 0 and not rough and plan.way[w, home] == wp.uint8(0):
        forget(plan, w)
        rough = True
        tail = seed_places(game, rules, targets, plan, w, targets.mob[w] >= 0)
        spread(game, rules, plan, w, tail, home, rough, bridges)
    plan.rough[w] = wp.uint8(wp.where(rough, 1, 0))
    plan.wanted[w] = wp.uint8(0)
    plan.age[w] = 0
    if targets.mob[w] >= 0:
        plan.goal[w] = wp.vec3(game.body_position[w, targets.mob[w]])
