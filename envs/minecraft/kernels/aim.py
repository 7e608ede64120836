"""Where an expert looks: points of a target that it can see and reach, and turns of the head by the camera's bins."""

import warp as wp

from trunkline.envs.minecraft.flags import FACES
from trunkline.envs.minecraft.kernels.footing import replaceable
from trunkline.envs.minecraft.kernels.goal import PLACE, Targets, holds
from trunkline.envs.minecraft.kernels.pick import pick_block
from trunkline.envs.minecraft.kernels.place import bodies_in
from trunkline.envs.minecraft.kernels.projectile import line_clear
from trunkline.envs.minecraft.state import Game, Rules

wp.set_module_options({"enable_backward": False, "max_unroll": 0})

INSET = 0.2  # of a face's width: points nearer to its edges are not aimed at
MISS = 0.009  # radians by which a gaze may miss: half of the camera's smallest turn
STILL = 5  # the bin of the camera that does not turn
GRAVITY, DRAG, BOW_SPEED = 0.05, 0.99, 3.0  # of arrows


@wp.func
def wrapped(degrees: float):
    """An angle in [−180, 180)."""
    return degrees - 360.0 * wp.floor((degrees + 180.0) / 360.0)


@wp.func
def yaw_to(d: wp.vec3):
    """The yaw of a direction."""
    return wp.degrees(wp.atan2(-d[0], d[2]))


@wp.func
def pitch_to(d: wp.vec3):
    """The pitch of a direction."""
    return -wp.degrees(wp.atan2(d[1], wp.sqrt(d[0] * d[0] + d[2] * d[2])))


@wp.func
def nearest_bin(bins: wp.array[wp.float32], degrees: float):
    """The bin of the camera that turns by the nearest angle."""
    best = int(wp.static(STILL))
    gap = wp.abs(degrees)
    for b in range(bins.shape[0]):
        off = wp.abs(degrees - bins[b])
        if off < gap - 1.0e-4:
            gap = off
            best = b
    return best


@wp.func
def suits(game: Game, rules: Rules, targets: Targets, w: int, cell: int, face: int):
    """Whether the hand does what is asked when the crosshair is on this face of a cell."""
    if not holds(targets, w, cell):
        return False
    if targets.interaction != wp.static(PLACE):
        return True
    y = cell % game.ny
    z = (cell // game.ny) % game.nz
    x = cell // (game.ny * game.nz)
    x += wp.where(face == 1, 1, 0) - wp.where(face == 0, 1, 0)
    y += wp.where(face == 3, 1, 0) - wp.where(face == 2, 1, 0)
    z += wp.where(face == 5, 1, 0) - wp.where(face == 4, 1, 0)
    state = int(rules.item_places[int(game.item[w, 0])])
    return replaceable(game, rules, w, x, y, z) and not bodies_in(game, rules, w, x, y, z, state)


@wp.func
def hits(game: Game, rules: Rules, targets: Targets, w: int, eye: wp.vec3d, point: wp.vec3, reach: float):
    """Whether gazes to a point, and a little beside it, meet the target within reach, on a face that suits."""
    d = wp.normalize(point - wp.vec3(eye))
    # The camera turns in steps, so that a gaze may end up a little beside the point.
    right = wp.normalize(wp.vec3(-d[2], 0.0, d[0]) + wp.vec3(0.0, 0.0, 1.0e-6)) * wp.static(MISS)
    up = wp.cross(right, d)
    good = bool(True)
    for k in range(5):
        if good:
            gaze = d
            if k > 0:
                gaze = wp.normalize(d + wp.where(k % 2 == 0, 1.0, -1.0) * right + wp.where(k < 3, 1.0, -1.0) * up)
            cell, face, distance = pick_block(game, rules, w, eye, gaze, reach)
            good = cell >= 0 and suits(game, rules, targets, w, cell, face)
    return good


@wp.func
def find_point(game: Game, rules: Rules, targets: Targets, w: int, eye: wp.vec3d, reach: float):
    """The nearest point of the target that an eye can see and reach: whether there is one, and where."""
    found = bool(False)
    best = wp.vec3(0.0, 0.0, 0.0)
    nearest = float(reach)
    e = wp.vec3(eye)
    for b in range(targets.boxes[w]):
        low = targets.low[w, b]
        high = targets.high[w, b]
        middle = 0.5 * (low + high)
        for face in range(wp.static(len(FACES))):
            axis = face // 2
            plane = wp.where(face % 2 == 0, low[axis], high[axis])
            faces = wp.where(face % 2 == 0, e[axis] < plane, e[axis] > plane)
            if faces:
                for k in range(2):
                    # The middle of the face, then its nearest point.
                    point = middle
                    if k == 1:
                        for other in range(3):
                            inset = wp.static(INSET) * (high[other] - low[other])
                            point[other] = wp.clamp(e[other], low[other] + inset, high[other] - inset)
                    point[axis] = plane
                    away = wp.length(point - e) + 0.3 * float(1 - k)
                    if away < nearest and hits(game, rules, targets, w, eye, point, reach):
                        nearest = away
                        best = point
                        found = True
    return found, best


@wp.func
def sees_point(game: Game, rules: Rules, w: int, eye: wp.vec3d, point: wp.vec3):
    """Whether nothing solid stands between an eye and a point, a hand's breadth of it left out."""
    d = point - wp.vec3(eye)
    length = wp.length(d)
    if length < 0.3:
        return True
    return line_clear(game, rules, w, eye, wp.vec3d(d * ((length - 0.15) / length))) >= wp.float64(1.0)


@wp.func
def bow_aim(start: wp.vec3, point: wp.vec3, velocity: wp.vec3):
    """Where a fully drawn bow has to point so that its arrow meets what moves at some blocks a tick: a direction."""
    aim = point - start
    for _ in range(4):
        d = point - start
        flat = wp.sqrt(d[0] * d[0] + d[2] * d[2])
        up = wp.normalize(aim)
        pace = wp.static(BOW_SPEED) * wp.max(wp.sqrt(up[0] * up[0] + up[2] * up[2]), 0.1)
        # The arrow's way over the ground, and its fall, tick by tick.
        gone = float(0.0)
        fall = float(0.0)
        sink = float(0.0)
        ticks = float(0.0)
        while gone < flat and ticks < 60.0:
            part = wp.min((flat - gone) / pace, 1.0)
            gone += pace
            fall += sink * part
            sink = sink * wp.static(DRAG) + wp.static(GRAVITY)
            pace = pace * wp.static(DRAG)
            ticks += part
        there = point + velocity * ticks
        aim = there - start + wp.vec3(0.0, fall, 0.0)
    return aim


@wp.func
def turn_to(game: Game, w: int, bins: wp.array[wp.float32], actions: wp.array2d[wp.int64], yaw: float, pitch: float):
    """Turn the head as near to a gaze as one step can; returns the gaze after it."""
    p = nearest_bin(bins, wp.clamp(pitch, -89.0, 89.0) - game.pitch[w])
    y = nearest_bin(bins, wrapped(yaw - game.yaw[w]))
    actions[w, 3] = wp.int64(p)
    actions[w, 4] = wp.int64(y)
    return wrapped(game.yaw[w] + bins[y]), wp.clamp(game.pitch[w] + bins[p], -90.0, 90.0)
