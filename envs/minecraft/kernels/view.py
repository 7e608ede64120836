"""Cameras: where they stand, what light they see by, and which bodies may be in their pictures."""

import warp as wp

from trunkline.envs.minecraft.kernels.cast import Ray, Scene, between, face_axis, larger, natural, smaller, texel_of
from trunkline.envs.minecraft.modules import inline_all
from trunkline.envs.minecraft.state import FALLING, FREE, ITEM, Game, look_vector

inline_all(__name__)

EYE_HEIGHT, SNEAKING_EYE_HEIGHT = 1.62, 1.27
# Eyes farther outside the world see it from this far; then all indices fit into 32 bits.
OUTSIDE = 64
NIGHT, DAY = wp.constant(wp.vec3(9.0, 12.0, 26.0)), wp.constant(wp.vec3(190.0, 214.0, 250.0))
NIGHT_ABOVE, DAY_ABOVE = wp.constant(wp.vec3(3.0, 4.0, 12.0)), wp.constant(wp.vec3(112.0, 160.0, 248.0))
DUSK = wp.constant(wp.vec3(235.0, 140.0, 84.0))


@wp.struct
class Models:
    """Of which boxes the bodies of each kind of entity are made, in blocks; z is forwards, y upwards."""

    first: wp.array[wp.int32]  # (kinds,) its first box
    count: wp.array[wp.int32]
    low: wp.array[wp.vec3]  # (boxes,)
    high: wp.array[wp.vec3]
    top: wp.array[wp.int32]  # pictures
    side: wp.array[wp.int32]
    front: wp.array[wp.int32]
    radius: wp.array[wp.float32]  # (kinds,) of a sphere around its middle that holds it all
    middle: wp.array[wp.float32]  # (kinds,) height of that middle
    item_picture: wp.array[wp.int32]  # (I,)


@wp.struct
class Views:
    """K cameras, and up to M bodies that each may see: b = v·M + i."""

    most: int  # M
    world: wp.array[wp.int32]
    cell: wp.array[wp.vec3i]  # of the eye
    place: wp.array[wp.vec3]  # of the eye in its cell
    forward: wp.array[wp.vec3]
    right: wp.array[wp.vec3]
    up: wp.array[wp.vec3]
    daylight: wp.array[wp.float32]  # 0 to 1
    sun: wp.array[wp.vec3]  # where it stands
    horizon: wp.array[wp.vec3]  # colours
    zenith: wp.array[wp.vec3]
    bodies: wp.array[wp.int32]  # how many may be seen
    body_bounds: wp.array[wp.vec4]  # tangents of the rectangle that holds it: left, right, bottom, top
    body_eye: wp.array[wp.vec3]  # the eye in the body's axes
    body_x: wp.array[wp.vec3]  # the body's axes
    body_y: wp.array[wp.vec3]
    body_z: wp.array[wp.vec3]
    body_kind: wp.array[wp.int32]
    body_index: wp.array[wp.int32]  # its place in the world
    body_skin: wp.array[wp.int32]  # the one picture on all its faces, −1 for those of its boxes
    body_hurt: wp.array[wp.int32]
    body_column: wp.array[wp.int32]  # of the cell whose light falls on it
    body_height: wp.array[wp.int32]


@wp.func
def camera_axes(yaw: float, pitch: float):
    """Forward, right and up of a gaze."""
    a = wp.radians(yaw)
    forward = look_vector(yaw, pitch)
    right = wp.vec3(-wp.cos(a), 0.0, -wp.sin(a))
    return forward, right, wp.cross(right, forward)


@wp.func
def put_light(views: Views, v: int, day: int):
    """The sky at a time of the day: the sun rises in the east at 0 and stands highest at 6000."""
    angle = float(day % 24000 - 6000) * wp.static(2.0 * 3.14159265358979 / 24000.0)
    high = wp.cos(angle)
    light = wp.min(wp.max(2.0 * high + 0.5, 0.0), 1.0)
    dusk = 0.6 * wp.max(1.0 - 3.0 * wp.abs(high), 0.0)
    horizon = NIGHT + light * (DAY - NIGHT)
    views.daylight[v] = 0.18 + 0.82 * light
    views.sun[v] = wp.vec3(-wp.sin(angle), high, 0.0)
    views.horizon[v] = horizon + dusk * (DUSK - horizon)
    views.zenith[v] = NIGHT_ABOVE + light * (DAY_ABOVE - NIGHT_ABOVE)


@wp.func
def put_body(scene: Scene, game: Game, models: Models, views: Views, v: int, w: int, m: int, eye: wp.vec3d, b: int):
    """Describe a body to a camera; returns 1 if it may be seen, 0 if it lies behind."""
    kind = int(game.kind[w, m])
    feet = game.body_position[w, m]
    pitch = game.body_pitch[w, m]
    forward, right, up = camera_axes(game.body_yaw[w, m], wp.where(kind == wp.static(ITEM), 0.0, pitch))
    to = wp.vec3(feet - eye)
    middle = to + wp.vec3(0.0, models.middle[kind], 0.0)
    radius = models.radius[kind]
    depth = wp.dot(middle, views.forward[v])
    if depth < -radius:
        return 0
    bounds = wp.vec4(-1.0e9, 1.0e9, -1.0e9, 1.0e9)
    if depth > 1.01 * radius:
        across = wp.dot(middle, views.right[v])
        high = wp.dot(middle, views.up[v])
        near = 1.0 / (depth - radius)
        far = 1.0 / (depth + radius)
        bounds[0] = wp.min((across - radius) * near, (across - radius) * far)
        bounds[1] = wp.max((across + radius) * near, (across + radius) * far)
        bounds[2] = wp.min((high - radius) * near, (high - radius) * far)
        bounds[3] = wp.max((high + radius) * near, (high + radius) * far)
    views.body_bounds[b] = bounds
    views.body_eye[b] = -wp.vec3(wp.dot(to, right), wp.dot(to, up), wp.dot(to, forward))
    views.body_x[b] = right
    views.body_y[b] = up
    views.body_z[b] = forward
    views.body_kind[b] = kind
    views.body_index[b] = m
    views.body_hurt[b] = wp.where(game.body_hurt[w, m] > 0, 1, 0)
    skin = int(-1)
    thing = int(game.body_item[w, m])
    if kind == wp.static(ITEM):
        skin = models.item_picture[wp.min(wp.max(thing, 0), models.item_picture.shape[0] - 1)]
    if kind == wp.static(FALLING):
        skin = scene.layer[(thing & 255) * 6]
    views.body_skin[b] = skin
    x = between(int(wp.floor(feet[0])), 0, scene.nx - 1)
    z = between(int(wp.floor(feet[2])), 0, scene.nz - 1)
    views.body_column[b] = x * scene.nz + z
    views.body_height[b] = int(wp.floor(feet[1] + wp.float64(0.5)))
    return 1


@wp.kernel
def make_views(
    scene: Scene,
    game: Game,
    models: Models,
    world: wp.array[wp.int32],
    eyes: wp.array[wp.vec3d],
    yaw: wp.array[wp.float32],
    pitch: wp.array[wp.float32],
    views: Views,
):
    """Derive all that tiles need from where the eyes are."""
    v = wp.tid()
    w = world[v]
    forward, right, up = camera_axes(yaw[v], pitch[v])
    views.world[v] = w
    views.forward[v] = forward
    views.right[v] = right
    views.up[v] = up
    eye = eyes[v]
    size = wp.vec3i(scene.nx, scene.ny, scene.nz)
    for k in range(3):
        far = wp.float64(wp.static(OUTSIDE))
        eye[k] = wp.min(wp.max(eye[k], -far), wp.float64(size[k]) + far)
        views.cell[v][k] = int(wp.floor(eye[k]))
        views.place[v][k] = float(eye[k] - wp.floor(eye[k]))
    put_light(views, v, game.day[w])
    count = int(0)
    for m in range(views.most):
        if int(game.kind[w, m]) != wp.static(FREE):
            count += put_body(scene, game, models, views, v, w, m, eye, v * views.most + count)
    views.bodies[v] = count


@wp.kernel
def find_eyes(
    game: Game,
    world: wp.array[wp.int32],
    eyes: wp.array[wp.vec3d],
    yaw: wp.array[wp.float32],
    pitch: wp.array[wp.float32],
):
    """The eyes of all agents."""
    w = wp.tid()
    world[w] = w
    height = wp.where(game.sneaking[w] != wp.uint8(0), wp.static(SNEAKING_EYE_HEIGHT), wp.static(EYE_HEIGHT))
    eyes[w] = game.position[w] + wp.vec3d(wp.float64(0.0), wp.float64(height), wp.float64(0.0))
    yaw[w] = game.yaw[w]
    pitch[w] = game.pitch[w]


@wp.func
def entry_part(origin: float, inverse: float, begins: int):
    """When a ray reaches the world along one axis, in whose mirrored cell `begins` the world begins."""
    return wp.where(begins > 0, (float(begins) - origin) * inverse, 0.0)


@wp.func
def entry_cell(time: float, part: float, origin: float, direction: float, begins: int, ends: int):
    """The mirrored cell that a ray is in when it reaches the world."""
    cell = between(int(origin + time * direction), wp.max(begins, 0), ends - 1)
    return wp.where(begins > 0 and part >= time, begins, cell)


@wp.func
def make_ray(scene: Scene, views: Views, v: int, right: float, up: float):
    """The ray through a place of the picture, in tangents of the angles from its middle."""
    d = views.forward[v] + right * views.right[v] + up * views.up[v]
    place = views.place[v]
    eye = views.cell[v]
    ray = Ray()
    ray.length = wp.sqrt(1.0 + right * right + up * up)
    ray.leaves = float(1.0e30)
    size = wp.vec3i(scene.nx, scene.ny, scene.nz)
    step = wp.vec3i(scene.ny * scene.nz, 1, scene.ny)
    for k in range(3):
        turned = wp.where(d[k] < 0.0, 1, 0)
        ray.backwards[k] = turned
        ray.direction[k] = larger(wp.abs(d[k]), 1.0e-9)
        ray.inverse[k] = 1.0 / ray.direction[k]
        ray.origin[k] = wp.where(turned == 1, 1.0 - place[k], place[k])
        ray.stride[k] = wp.where(turned == 1, -step[k], step[k])
        side = wp.where(turned == 1, eye[k] + 1, size[k] - eye[k])
        ray.leaves = smaller(ray.leaves, (float(side) - ray.origin[k]) * ray.inverse[k])
    ray.base = eye[0] * step[0] + eye[1] + eye[2] * step[2]
    plane = scene.nx * scene.ny * scene.nz
    ray.quadrant = (1 - ray.backwards[0]) * plane + (1 - ray.backwards[2]) * 2 * plane
    ray.shift = 4 - 4 * ray.backwards[1]
    return ray


@wp.func
def part_time(origin: wp.vec3, direction: wp.vec3, low: wp.vec3, high: wp.vec3):
    """(time, axis) at which a ray enters a box that stands along the axes; negative if it does not."""
    ax = (low[0] - origin[0]) / direction[0]
    bx = (high[0] - origin[0]) / direction[0]
    ay = (low[1] - origin[1]) / direction[1]
    by = (high[1] - origin[1]) / direction[1]
    az = (low[2] - origin[2]) / direction[2]
    bz = (high[2] - origin[2]) / direction[2]
    x = smaller(ax, bx)
    y = smaller(ay, by)
    z = smaller(az, bz)
    enter = larger(x, larger(y, z))
    leave = smaller(larger(ax, bx), smaller(larger(ay, by), larger(az, bz)))
    return wp.where(enter < leave, enter, -1.0), face_axis(x, y, z)


@wp.func
def not_zero(d: float):
    """A number that can be divided by."""
    return wp.where(wp.abs(d) > 1.0e-9, d, 1.0e-9)


@wp.func
def body_pixel(models: Models, part: int, skin: int, origin: wp.vec3, direction: wp.vec3, time: float, axis: int):
    """(index in the atlas, face) of what a ray sees of a box of a body."""
    low = models.low[part]
    high = models.high[part]
    qx = (origin[0] + time * direction[0] - low[0]) / (high[0] - low[0])
    qy = (origin[1] + time * direction[1] - low[1]) / (high[1] - low[1])
    qz = (origin[2] + time * direction[2] - low[2]) / (high[2] - low[2])
    along = wp.where(axis == 0, direction[0], wp.where(axis == 1, direction[1], direction[2]))
    back = wp.where(along < 0.0, 1, 0)
    layer = wp.where(axis == 1, models.top[part], models.side[part])
    layer = wp.where(axis == 2 and back == 1, models.front[part], layer)
    layer = wp.where(skin >= 0, skin, layer)
    return natural(layer * 256 + texel_of(axis, back, qx, qy, qz)), 2 * axis + back


@wp.func
def flushed(color: int, hurt: int):
    """The colour of a body that was just hurt is redder."""
    red = (color & wp.static(-16776961)) | 160
    return wp.where(hurt == 1, red | ((color >> 1) & wp.static(0x7F7F00)), color)
