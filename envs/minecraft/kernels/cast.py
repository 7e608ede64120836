"""Rays among blocks: how a ray leaps over empty space, and what it meets.

A ray is described in *mirrored* coordinates: every axis on which it goes backwards is turned round, so that it goes
forwards on all three. They count from the cell of the eye: that one is (0, 0, 0), and cells ahead have numbers from 0.
Times are distances along a direction whose part along the gaze is 1: times the ray's `length`, they are blocks.
"""

import warp as wp

from trunkline.envs.minecraft.look import AIR, CROSS, FULL, LIQUID

MOST_STEPS = 4096
# Blocks of water through which nothing is seen any more.
MURK = 8.0
CROSS_FACE = 6

Bytes = wp.array[wp.uint8]


@wp.struct
class Scene:
    """The worlds, and how blocks look: see `look.py`."""

    nx: int
    ny: int
    nz: int
    blocks: wp.array2d[wp.uint8]
    leaps: wp.array2d[wp.uint8]
    ceiling: wp.array2d[wp.uint8]
    kind: wp.array[wp.uint8]  # (256,)
    layer: wp.array[wp.int32]  # (256·6,) the picture on each face
    low: wp.array[wp.vec3]  # (256,)
    high: wp.array[wp.vec3]
    atlas: wp.array[wp.uint32]  # (pictures·256,) red, green, blue and alpha from the lowest byte


@wp.struct
class Ray:
    """One ray in mirrored coordinates."""

    origin: wp.vec3  # in the cell of the eye, 0 to 1
    direction: wp.vec3  # no part negative or 0
    inverse: wp.vec3
    backwards: wp.vec3i  # 1 on axes that are mirrored
    stride: wp.vec3i  # of the index of a cell, from one to the next
    base: int  # index of the cell of the eye
    quadrant: int  # where its plane of leaps begins
    shift: int  # of its half of a byte of leaps
    leaves: float  # when it leaves the world; not positive if it misses it
    length: float


@wp.struct
class Hit:
    """What a ray met."""

    time: float
    state: int  # 0 for the sky
    cell: int
    face: int  # 0 −x, 1 +x, 2 −y, 3 +y, 4 −z, 5 +z; CROSS_FACE
    color: int  # of the picture, as in the atlas
    water: float  # time that it spent in water


@wp.func
def natural(i: int):
    """An index that the compiler knows is not negative."""
    return i & 0x7FFFFFFF


@wp.func
def smaller(a: float, b: float):
    """Not `wp.min`, whose care for what is not a number costs a second instruction."""
    return wp.where(a < b, a, b)


@wp.func
def larger(a: float, b: float):
    """See `smaller`."""
    return wp.where(a > b, a, b)


@wp.func
def between(cell: int, low: int, high: int):
    """A number brought between two others."""
    cell = wp.where(cell > high, high, cell)
    return wp.where(cell < low, low, cell)


@wp.func
def face_axis(x: float, y: float, z: float):
    """The axis of the last of three times: the face through which a ray enters a box."""
    return wp.where(x >= larger(y, z), 0, wp.where(y >= z, 1, 2))


@wp.func
def texel_of(axis: int, backwards: int, x: float, y: float, z: float):
    """Index of the pixel of a 16×16 picture at a place of a face, in the cell's own coordinates."""
    u = wp.where(axis == 0, z, x)
    v = wp.where(axis == 1, z, 1.0 - y)
    # Pictures are not mirrored: seen from outside, they begin at the left.
    turned = wp.where(axis == 0, backwards, wp.where(axis == 2, 1 - backwards, 0))
    u = wp.where(turned == 1, 1.0 - u, u)
    column = between(int(u * 16.0), 0, 15)
    row = between(int(v * 16.0), 0, 15)
    return row * 16 + column


@wp.func
def picture_color(scene: Scene, state: int, face: int, texel: int):
    """The pixel of a block's picture."""
    return int(scene.atlas[natural(scene.layer[natural(state * 6 + face)] * 256 + texel)])


@wp.func
def box_times(ray: Ray, cell: wp.vec3, low: wp.vec3, high: wp.vec3):
    """When a ray enters a box of a cell, along each axis, and when it leaves the box."""
    enter = wp.vec3()
    leave = float(1.0e30)
    for k in range(3):
        near = wp.where(ray.backwards[k] == 1, 1.0 - high[k], low[k])
        far = wp.where(ray.backwards[k] == 1, 1.0 - low[k], high[k])
        enter[k] = (cell[k] + near - ray.origin[k]) * ray.inverse[k]
        leave = smaller(leave, (cell[k] + far - ray.origin[k]) * ray.inverse[k])
    return enter, leave


@wp.func
def place_in_cell(ray: Ray, cell: wp.vec3, time: float):
    """Where a ray is, in the unmirrored coordinates of a cell."""
    p = wp.vec3()
    for k in range(3):
        q = ray.origin[k] + time * ray.direction[k] - cell[k]
        p[k] = wp.where(ray.backwards[k] == 1, 1.0 - q, q)
    return p


@wp.func
def meet_box(scene: Scene, ray: Ray, cell: wp.vec3, state: int):
    """(time, face, colour) at which a ray meets the box of a block; the time is negative if it does not."""
    enter, leave = box_times(ray, cell, scene.low[state], scene.high[state])
    axis = face_axis(enter[0], enter[1], enter[2])
    time = enter[axis]
    face = 2 * axis + ray.backwards[axis]
    color = int(0)
    if time >= 0.0 and time < leave:
        p = place_in_cell(ray, cell, time)
        color = picture_color(scene, state, face, texel_of(axis, ray.backwards[axis], p[0], p[1], p[2]))
    if ((color >> 24) & 128) == 0:
        time = -1.0
    return time, face, color


@wp.func
def meet_cross(scene: Scene, ray: Ray, cell: wp.vec3, state: int):
    """(time, colour) at which a ray meets two crossed pictures; the time is negative if it does not."""
    start = place_in_cell(ray, cell, 0.0)
    dx = wp.where(ray.backwards[0] == 1, -ray.direction[0], ray.direction[0])
    dy = wp.where(ray.backwards[1] == 1, -ray.direction[1], ray.direction[1])
    dz = wp.where(ray.backwards[2] == 1, -ray.direction[2], ray.direction[2])
    best = float(-1.0)
    color = int(0)
    for k in range(2):
        along = dx - dz
        time = start[2] - start[0]
        if k == 1:
            along = dx + dz
            time = 1.0 - start[0] - start[2]
        if wp.abs(along) > 1.0e-9:
            time = time / along
            x = start[0] + time * dx
            y = start[1] + time * dy
            if time > 0.0 and x >= 0.0 and x < 1.0 and y >= 0.0 and y < 1.0 and (best < 0.0 or time < best):
                here = picture_color(scene, state, 3, int((1.0 - y) * 15.999) * 16 + int(x * 16.0))
                if ((here >> 24) & 128) != 0:
                    best = time
                    color = here
    return best, color


@wp.func
def meet(scene: Scene, ray: Ray, cell: wp.vec3, state: int, kind: int):
    """(time, face, colour) at which a ray meets what is not a full cube; the time is negative if it does not."""
    time = float(-1.0)
    face = int(wp.static(CROSS_FACE))
    color = int(0)
    if kind == wp.static(CROSS):
        met, picture = meet_cross(scene, ray, cell, state)
        time = met
        color = picture
    else:
        met_box, side, picture_box = meet_box(scene, ray, cell, state)
        time = met_box
        face = side
        color = picture_box
    return time, face, color


@wp.func
def follow(
    scene: Scene,
    blocks: Bytes,
    leaps: Bytes,
    ray: Ray,
    x0: int,
    y0: int,
    z0: int,
    start: float,
    water: float,
    end: float,
    skips: int,
):
    """Follow a ray from a cell, which it enters at `start`, until it meets something, leaves the world, or at `end`.

    It has spent the time `water` in water before. With `skips` 0 it goes from cell to cell.
    """
    hit = Hit()
    hit.cell = -1
    hit.water = water
    until = smaller(end, ray.leaves)
    x = x0 + 0
    y = y0 + 0
    z = z0 + 0
    time = start + 0.0
    for _ in range(wp.static(MOST_STEPS)):
        if time >= until:
            break
        cell = natural(ray.base + x * ray.stride[0] + y * ray.stride[1] + z * ray.stride[2])
        leap = int(1)
        state = int(0)
        if skips == 1:
            leap = (int(leaps[natural(cell + ray.quadrant)]) >> ray.shift) & 15
        if skips == 0 or leap == 0:
            state = int(blocks[cell])
            leap = 1
        kind = int(wp.static(AIR))
        if state != 0:
            kind = int(scene.kind[state])
        if kind != wp.static(AIR) and kind != wp.static(LIQUID):
            place = wp.vec3(float(x), float(y), float(z))
            met, face, color = meet(scene, ray, place, state, kind)
            hit.time = met
            hit.face = face
            hit.color = color
            if kind == wp.static(FULL) and met < 0.0:  # the eye is within it
                hit.time = time
            if hit.time >= 0.0 and hit.time < end:
                hit.state = state
                hit.cell = cell
                break
        if kind == wp.static(LIQUID):
            # Through all cells of the same liquid, one by one.
            inside = int(state)
            while inside == state:
                if hit.water * ray.length >= wp.static(MURK):
                    break
                tx = (float(x + 1) - ray.origin[0]) * ray.inverse[0]
                ty = (float(y + 1) - ray.origin[1]) * ray.inverse[1]
                tz = (float(z + 1) - ray.origin[2]) * ray.inverse[2]
                after = smaller(tx, smaller(ty, tz))
                hit.water += smaller(after, until) - time
                time = after
                x += wp.where(tx <= time, 1, 0)
                y += wp.where(ty <= time, 1, 0)
                z += wp.where(tz <= time, 1, 0)
                inside = -1
                if time < until:
                    cell = natural(ray.base + x * ray.stride[0] + y * ray.stride[1] + z * ray.stride[2])
                    inside = int(blocks[cell])
            if inside == state:
                hit.state = state
                hit.cell = cell
                hit.time = time
                hit.face = wp.static(CROSS_FACE)
                hit.color = picture_color(scene, state, 3, 0)
                break
        else:
            gx = x + leap
            gy = y + leap
            gz = z + leap
            tx = (float(gx) - ray.origin[0]) * ray.inverse[0]
            ty = (float(gy) - ray.origin[1]) * ray.inverse[1]
            tz = (float(gz) - ray.origin[2]) * ray.inverse[2]
            time = smaller(tx, smaller(ty, tz))
            if leap == 1:
                x += wp.where(tx <= time, 1, 0)
                y += wp.where(ty <= time, 1, 0)
                z += wp.where(tz <= time, 1, 0)
            else:
                x = wp.where(tx <= time, gx, between(int(ray.origin[0] + time * ray.direction[0]), x, gx - 1))
                y = wp.where(ty <= time, gy, between(int(ray.origin[1] + time * ray.direction[1]), y, gy - 1))
                z = wp.where(tz <= time, gz, between(int(ray.origin[2] + time * ray.direction[2]), z, gz - 1))
    return hit
