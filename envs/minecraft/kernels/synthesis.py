"""Kernels of task synthesis: from where a target can be reached, and how much of it an eye sees.

Legend: K tasks of one terrain, V its cells, N its nodes (see `survey.py`), B boxes of a target, C eyes of a task.
"""

import math

import warp as wp

from trunkline.envs.minecraft.modules import inline_all
from trunkline.envs.minecraft.survey import OPEN, SEEN, TARGET, VEIL

inline_all(__name__)

EYE = 1.62
PIXELS = 64  # a side of the picture in which targets are measured
FIELD = 70.0  # degrees
FOCAL = PIXELS / 2 / math.tan(math.radians(FIELD / 2))
RAYS = 16  # a side, at most
_FAR = 1.0e9
_DROP = 3  # blocks that one falls unhurt


@wp.struct
class Terrain:
    """K copies of one terrain, each with the blocks of its task."""

    nx: int
    ny: int
    nz: int
    bits: wp.array2d[wp.uint8]  # (K, V)
    index: wp.array[wp.int32]  # (V,)
    nodes: wp.array[wp.vec3i]  # (N,)
    low: wp.array2d[wp.vec3]  # (K, B) boxes of the targets
    high: wp.array2d[wp.vec3]
    boxes: wp.array[wp.int32]  # (K,)


@wp.func
def bit(terrain: Terrain, k: int, x: int, y: int, z: int, mask: int):
    """Whether a cell has one of the bits; none has outside the world."""
    if x < 0 or y < 0 or z < 0 or x >= terrain.nx or y >= terrain.ny or z >= terrain.nz:
        return False
    return (int(terrain.bits[k, (x * terrain.nz + z) * terrain.ny + y]) & mask) != 0


@wp.func
def node_at(terrain: Terrain, k: int, x: int, y: int, z: int):
    """The node in a cell if the task's blocks leave it free, else −1."""
    if x < 0 or y < 0 or z < 0 or x >= terrain.nx or y + 1 >= terrain.ny or z >= terrain.nz:
        return -1
    cell = (x * terrain.nz + z) * terrain.ny + y
    if (int(terrain.bits[k, cell]) & int(terrain.bits[k, cell + 1]) & wp.static(OPEN)) == 0:
        return -1
    return terrain.index[cell]


@wp.func
def hidden(terrain: Terrain, k: int, eye: wp.vec3, ray: wp.vec3, length: float, clear: int):
    """Whether a ray (of length 1) meets a cell without any of the bits `clear`: Amanatides and Woo (1987)."""
    cell = wp.vec3i(int(wp.floor(eye[0])), int(wp.floor(eye[1])), int(wp.floor(eye[2])))
    step = wp.vec3i(0, 0, 0)
    next = wp.vec3(wp.static(_FAR), wp.static(_FAR), wp.static(_FAR))
    delta = wp.vec3(wp.static(_FAR), wp.static(_FAR), wp.static(_FAR))
    for axis in range(3):
        if ray[axis] > 1.0e-6:
            step[axis] = 1
            delta[axis] = 1.0 / ray[axis]
            next[axis] = (float(cell[axis]) + 1.0 - eye[axis]) * delta[axis]
        elif ray[axis] < -1.0e-6:
            step[axis] = -1
            delta[axis] = -1.0 / ray[axis]
            next[axis] = (eye[axis] - float(cell[axis])) * delta[axis]
    blocked = bool(False)
    walking = bool(True)
    while walking:
        axis = int(0)
        if next[1] < next[axis]:
            axis = 1
        if next[2] < next[axis]:
            axis = 2
        if next[axis] >= length:
            walking = False
        else:
            cell[axis] = cell[axis] + step[axis]
            next[axis] = next[axis] + delta[axis]
            if not bit(terrain, k, cell[0], cell[1], cell[2], clear):
                # Above the world is air; below and beside it nothing is to be seen.
                walking = cell[1] >= terrain.ny
                blocked = not walking
    return blocked


@wp.func
def enter(eye: wp.vec3, ray: wp.vec3, low: wp.vec3, high: wp.vec3):
    """How far a ray goes before it enters a box; negative where it misses."""
    near = float(0.0)
    far = float(_FAR)
    for axis in range(3):
        if wp.abs(ray[axis]) < 1.0e-6:
            if eye[axis] < low[axis] or eye[axis] > high[axis]:
                far = -1.0
        else:
            a = (low[axis] - eye[axis]) / ray[axis]
            b = (high[axis] - eye[axis]) / ray[axis]
            near = wp.max(near, wp.min(a, b))
            far = wp.min(far, wp.max(a, b))
    return wp.where(near <= far, near, -1.0)


@wp.kernel
def reach(terrain: Terrain, length: float, queue: wp.array2d[wp.int32], steps: wp.array2d[wp.int16]):
    """Steps (K, N) of a walk from every node to the next one that sees the target within `length`; −1 for no way.

    A step goes to one of the four neighbours, up by one block at most and down by three. A search from the target
    backwards, breadth first.
    """
    k = wp.tid()
    count = terrain.nodes.shape[0]
    tail = int(0)
    for n in range(count):
        steps[k, n] = wp.int16(-1)
        cell = terrain.nodes[n]
        if node_at(terrain, k, cell[0], cell[1], cell[2]) == n:
            eye = wp.vec3(float(cell[0]) + 0.5, float(cell[1]) + wp.static(EYE), float(cell[2]) + 0.5)
            found = bool(False)
            for b in range(terrain.boxes[k]):
                if not found:
                    low = terrain.low[k, b]
                    high = terrain.high[k, b]
                    nearest = wp.vec3(
                        wp.clamp(eye[0], low[0], high[0]),
                        wp.clamp(eye[1], low[1], high[1]),
                        wp.clamp(eye[2], low[2], high[2]),
                    )
                    if wp.length(nearest - eye) <= length:
                        towards = (low + high) * 0.5 - eye
                        far = wp.length(towards)
                        found = not hidden(terrain, k, eye, towards / far, far, wp.static(SEEN | VEIL | TARGET))
            if found:
                steps[k, n] = wp.int16(0)
                queue[k, tail] = n
                tail += 1
    head = int(0)
    while head < tail:
        n = queue[k, head]
        head += 1
        to = terrain.nodes[n]
        done = steps[k, n]
        for side in range(4):
            x = to[0] + wp.where(side == 0, 1, 0) - wp.where(side == 1, 1, 0)
            z = to[2] + wp.where(side == 2, 1, 0) - wp.where(side == 3, 1, 0)
            for rise in range(-1, wp.static(_DROP + 1)):
                m = node_at(terrain, k, x, to[1] + rise, z)
                if m >= 0 and steps[k, m] < wp.int16(0):
                    # Who climbs needs room above the head, who drops needs the column.
                    room = bool(True)
                    if rise < 0:
                        room = bit(terrain, k, x, to[1] + 1, z, wp.static(OPEN))
                    for up in range(rise):
                        room = room and bit(terrain, k, to[0], to[1] + 2 + up, to[2], wp.static(OPEN))
                    if room:
                        steps[k, m] = done + wp.int16(1)
                        queue[k, tail] = m
                        tail += 1


@wp.kernel
def look(
    terrain: Terrain,
    eyes: wp.array2d[wp.vec3],
    gaze: wp.array2d[wp.vec2],
    clear: int,
    whole: wp.array2d[wp.float32],
    seen: wp.array2d[wp.float32],
):
    """Pixels (K, C) of the target in pictures of PIXELS a side: `whole` if nothing were in the way, `seen` as it is.

    Args:
        terrain: the tasks'.
        eyes: where each looks from.
        gaze: yaw and pitch, degrees.
        clear: bits of cells that hide nothing.
        whole, seen: filled.
    """
    k, c = wp.tid()
    eye = eyes[k, c]
    yaw = wp.radians(gaze[k, c][0])
    pitch = wp.radians(gaze[k, c][1])
    forward = wp.vec3(-wp.sin(yaw) * wp.cos(pitch), -wp.sin(pitch), wp.cos(yaw) * wp.cos(pitch))
    right = wp.vec3(-wp.cos(yaw), 0.0, -wp.sin(yaw))
    up = wp.vec3(-wp.sin(yaw) * wp.sin(pitch), wp.cos(pitch), wp.cos(yaw) * wp.sin(pitch))
    # The rectangle of pixels that holds the target.
    x0 = float(PIXELS)
    y0 = float(PIXELS)
    x1 = float(0.0)
    y1 = float(0.0)
    for b in range(terrain.boxes[k]):
        for corner in range(8):
            low = terrain.low[k, b]
            high = terrain.high[k, b]
            at = wp.vec3(
                wp.where((corner & 1) == 0, low[0], high[0]),
                wp.where((corner & 2) == 0, low[1], high[1]),
                wp.where((corner & 4) == 0, low[2], high[2]),
            )
            depth = wp.dot(at - eye, forward)
            if depth < 0.05:
                x0 = 0.0
                y0 = 0.0
                x1 = wp.static(float(PIXELS))
                y1 = wp.static(float(PIXELS))
            else:
                x = wp.static(PIXELS / 2.0) + wp.dot(at - eye, right) / depth * wp.static(FOCAL)
                y = wp.static(PIXELS / 2.0) - wp.dot(at - eye, up) / depth * wp.static(FOCAL)
                x0 = wp.min(x0, x)
                x1 = wp.max(x1, x)
                y0 = wp.min(y0, y)
                y1 = wp.max(y1, y)
    x0 = wp.max(x0, 0.0)
    y0 = wp.max(y0, 0.0)
    x1 = wp.min(x1, wp.static(float(PIXELS)))
    y1 = wp.min(y1, wp.static(float(PIXELS)))
    total = int(0)
    visible = int(0)
    dx = (x1 - x0) / wp.static(float(RAYS))
    dy = (y1 - y0) / wp.static(float(RAYS))
    if dx > 0.0 and dy > 0.0:
        for i in range(wp.static(RAYS)):
            for j in range(wp.static(RAYS)):
                x = (x0 + (float(i) + 0.5) * dx - wp.static(PIXELS / 2.0)) / wp.static(FOCAL)
                y = (wp.static(PIXELS / 2.0) - y0 - (float(j) + 0.5) * dy) / wp.static(FOCAL)
                ray = wp.normalize(forward + right * x + up * y)
                length = float(_FAR)
                for b in range(terrain.boxes[k]):
                    hit = enter(eye, ray, terrain.low[k, b], terrain.high[k, b])
                    if hit >= 0.0:
                        length = wp.min(length, hit)
                if length < wp.static(_FAR):
                    total += 1
                    if not hidden(terrain, k, eye, ray, length, clear):
                        visible += 1
    area = dx * dy
    whole[k, c] = float(total) * area
    seen[k, c] = float(visible) * area
