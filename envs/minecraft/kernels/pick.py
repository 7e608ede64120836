"""What the agent's crosshair is on: the nearest block or mob along its gaze, within reach."""

import warp as wp

from trunkline.envs.minecraft.flags import DIGGABLE
from trunkline.envs.minecraft.kernels.collision import cell_of
from trunkline.envs.minecraft.kernels.combat import EYE, EYE_SNEAKING, is_mob
from trunkline.envs.minecraft.kernels.leaps import get_leap
from trunkline.envs.minecraft.kernels.projectile import box_entry
from trunkline.envs.minecraft.state import Game, Rules, cell_index, inside, look_vector

wp.set_module_options({"enable_backward": False, "max_unroll": 0})

REACH = 4.5  # blocks, of the hand
MELEE_REACH = 3.0
_STEPS = 16  # cells that a gaze passes within reach, at most
_FAR = 1e9


@wp.func
def eye_of(game: Game, w: int):
    """Where the agent's eye is."""
    height = wp.where(game.sneaking[w] != wp.uint8(0), wp.static(EYE_SNEAKING), wp.static(EYE))
    return game.position[w] + wp.vec3d(wp.float64(0.0), wp.float64(height), wp.float64(0.0))


@wp.func
def box_face(start: wp.vec3d, step: wp.vec3d, low: wp.vec3d, high: wp.vec3d):
    """The face by which a line enters a box: 0 −x, 1 +x, 2 −y, 3 +y, 4 −z, 5 +z."""
    face = int(0)
    latest = wp.float64(-1.0e9)
    for k in range(3):
        if step[k] != wp.float64(0.0):
            entry = (wp.where(step[k] > wp.float64(0.0), low[k], high[k]) - start[k]) / step[k]
            if entry > latest:
                latest = entry
                face = 2 * k + wp.where(step[k] > wp.float64(0.0), 0, 1)
    return face


@wp.func
def pick_block(game: Game, rules: Rules, w: int, eye: wp.vec3d, gaze: wp.vec3, reach: float):
    """The first block whose box a gaze meets.

    Returns:
        its cell (−1 for none), the face that is met, and the distance.
    """
    step = wp.vec3d(gaze)
    x = cell_of(eye[0])
    y = cell_of(eye[1])
    z = cell_of(eye[2])
    quadrant = wp.where(gaze[0] > 0.0, 1, 0) + wp.where(gaze[2] > 0.0, 2, 0)
    size = wp.vec3i(game.nx, game.ny, game.nz)
    if float(get_leap(game.leaps, size, w, quadrant, wp.where(gaze[1] > 0.0, 1, 0), x, y, z)) > reach + 1.0:
        return -1, 0, 0.0
    ways = wp.vec3i(0, 0, 0)
    pace = wp.vec3d()  # distance between two faces across each axis
    ahead = wp.vec3d()  # distance to the next face across each axis
    for k in range(3):
        pace[k] = wp.float64(wp.static(_FAR))
        ahead[k] = wp.float64(wp.static(_FAR))
        inner = eye[k] - wp.floor(eye[k])
        if step[k] > wp.float64(0.0):
            ways[k] = 1
            pace[k] = wp.float64(1.0) / step[k]
            ahead[k] = (wp.float64(1.0) - inner) * pace[k]
        elif step[k] < wp.float64(0.0):
            ways[k] = -1
            pace[k] = wp.float64(-1.0) / step[k]
            ahead[k] = inner * pace[k]
    for _ in range(wp.static(_STEPS)):
        if inside(game, x, y, z):
            state = int(game.blocks[w, cell_index(game, x, y, z)])
            if (rules.flags[state] & wp.static(wp.uint32(DIGGABLE))) != wp.uint32(0):
                corner = wp.vec3d(wp.float64(x), wp.float64(y), wp.float64(z))
                low = corner + wp.vec3d(rules.low[state])
                high = corner + wp.vec3d(rules.high[state])
                far = wp.float64(reach)
                part = box_entry(eye, step * far, low, high)
                if part <= wp.float64(1.0):
                    return cell_index(game, x, y, z), box_face(eye, step, low, high), float(part * far)
        k = wp.where(ahead[0] < ahead[1], wp.where(ahead[0] < ahead[2], 0, 2), wp.where(ahead[1] < ahead[2], 1, 2))
        if ahead[k] > wp.float64(reach):
            return -1, 0, 0.0
        ahead[k] = ahead[k] + pace[k]
        x += wp.where(k == 0, ways[0], 0)
        y += wp.where(k == 1, ways[1], 0)
        z += wp.where(k == 2, ways[2], 0)
    return -1, 0, 0.0


@wp.func
def pick_body(game: Game, rules: Rules, w: int, eye: wp.vec3d, gaze: wp.vec3, reach: float):
    """The first mob whose box a gaze meets: its place (−1 for none), and the distance."""
    found = int(-1)
    nearest = wp.float64(1.0)
    step = wp.vec3d(gaze) * wp.float64(reach)
    for m in range(game.kind.shape[1]):
        kind = int(game.kind[w, m])
        if is_mob(kind):
            feet = game.body_position[w, m]
            half = wp.float64(0.5 * rules.body_width[kind])
            low = feet - wp.vec3d(half, wp.float64(0.0), half)
            high = feet + wp.vec3d(half, wp.float64(rules.body_height[kind]), half)
            part = box_entry(eye, step, low, high)
            if part <= nearest:
                nearest = part
                found = m
    return found, float(nearest) * reach


@wp.func
def pick(game: Game, rules: Rules, w: int):
    """What the agent can reach along its gaze.

    Returns:
        the block's cell (−1 for none) and face, the mob's place (−1 for none, or if it is behind the block), and the
        distance of the nearer.
    """
    eye = eye_of(game, w)
    gaze = look_vector(game.yaw[w], game.pitch[w])
    cell, face, distance = pick_block(game, rules, w, eye, gaze, wp.static(REACH))
    reach = wp.where(cell >= 0, wp.min(distance, wp.static(MELEE_REACH)), wp.static(MELEE_REACH))
    body, body_distance = pick_body(game, rules, w, eye, gaze, reach)
    if body >= 0:
        distance = body_distance
    return cell, face, body, distance


@wp.kernel
def look(game: Game, rules: Rules):
    """Note what every agent's crosshair is on."""
    w = wp.tid()
    if game.active[w] == wp.uint8(0):
        return
    cell, face, body, distance = pick(game, rules, w)
    game.look_cell[w] = cell
    game.look_face[w] = face
    game.look_entity[w] = body
    game.look_distance[w] = distance
