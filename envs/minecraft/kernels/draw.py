"""Pictures on a CPU: a thread draws a tile of 16×4 rays. `kernels/ray.py` draws the same ray by ray.

The rays of a tile march in step. Their numbers lie in local vectors, so that the compiler handles eight rays with one
instruction; only the leaps are read one by one. A tile of terrain takes about eight passes.
Three things matter to that compiler: loops over rays have constant counts; a vector's elements are written whatever
happens, because masked stores are slow; and what is chosen with `wp.where` has no side effects.
"""

import warp as wp

from trunkline.envs.minecraft.kernels.cast import (
    CROSS_FACE,
    MOST_STEPS,
    MURK,
    Ray,
    Scene,
    between,
    face_axis,
    follow,
    larger,
    meet,
    natural,
    picture_color,
    smaller,
    texel_of,
)
from trunkline.envs.minecraft.kernels.shade import (
    FAR,
    SUN,
    WATER,
    brightness,
    channel,
    fog_at,
    light_cell,
    sky_light,
    sky_part,
    sun_part,
    water_at,
)
from trunkline.envs.minecraft.kernels.view import (
    Models,
    Views,
    body_pixel,
    entry_cell,
    entry_part,
    flushed,
    not_zero,
    part_time,
)
from trunkline.envs.minecraft.look import AIR, FULL, LIQUID, SLAB
from trunkline.envs.minecraft.modules import inline_all

inline_all(__name__)

WIDE, HIGH = 16, 4  # rays of a tile
RAYS = WIDE * HIGH
STRAGGLERS = 12  # with so few rays on their way, the others no longer wait for them
LONERS = 12  # with so few rays before something that may not hide what is behind it, they go on alone
NEVER = 1.0e30
ENTITY = 256  # what is added to an entity's kind where a block's state would be

Floats = wp.types.vector(RAYS, wp.float32)
Ints = wp.types.vector(RAYS, wp.int32)
Bytes = wp.types.vector(RAYS, wp.uint8)


@wp.struct
class Picture:
    """K pictures, and which parts of them are drawn."""

    rows: int
    cols: int
    across: int  # tiles
    down: int
    pitch: float  # tangent from one pixel to the next
    left: float  # tangents of the edges
    top: float
    has_rgb: int
    has_depth: int
    has_segmentation: int
    rgb: wp.array[wp.uint8]
    depth: wp.array[wp.float32]
    segmentation: wp.array[wp.int32]


@wp.func
def outside(scene: Scene, eye: wp.vec3i):
    """Whether an eye is not in the world."""
    beside = eye[0] < 0 or eye[2] < 0 or eye[0] >= scene.nx or eye[2] >= scene.nz
    return beside or eye[1] < 0 or eye[1] >= scene.ny


@wp.func
def begins_at(eye: int, size: int, sign: int):
    """The mirrored cell in which the world begins along one axis, as seen from an eye."""
    return wp.where(sign < 0, eye - size + 1, -eye)


@wp.func
def ends_at(eye: int, size: int, sign: int):
    """The mirrored cell in which the world has ended along one axis."""
    return wp.where(sign < 0, eye + 1, size - eye)


@wp.func
def overlaps(bounds: wp.vec4, left: float, right: float, bottom: float, top: float):
    """Whether a body may be seen in a part of the picture."""
    return bounds[0] <= right and bounds[1] >= left and bounds[2] <= top and bounds[3] >= bottom


@wp.func
def leap_on(
    leap: int,
    time: float,
    x: int,
    y: int,
    z: int,
    ox: float,
    oy: float,
    oz: float,
    dx: float,
    dy: float,
    dz: float,
    ix: float,
    iy: float,
    iz: float,
):
    """(time, x, y, z) of the cell that a ray enters where it leaves an empty cube; the same again if `leap` is 0.

    Then it needs no choice between old and new: the compiler would make masked stores of these, which are slow.
    """
    gx = x + leap
    gy = y + leap
    gz = z + leap
    tx = (float(gx) - ox) * ix
    ty = (float(gy) - oy) * iy
    tz = (float(gz) - oz) * iz
    after = smaller(tx, smaller(ty, tz))
    nx = wp.where(tx <= after, gx, between(int(ox + after * dx), x, gx - 1))
    ny = wp.where(ty <= after, gy, between(int(oy + after * dy), y, gy - 1))
    nz = wp.where(tz <= after, gz, between(int(oz + after * dz), z, gz - 1))
    return larger(after, time), nx, ny, nz


@wp.kernel
def draw_tiles(scene: Scene, models: Models, views: Views, picture: Picture):
    """One tile a thread, with leaps."""
    tile = wp.tid()
    column = (tile % picture.across) * wp.static(WIDE)
    tile = tile // picture.across
    row = (tile % picture.down) * wp.static(HIGH)
    v = tile // picture.down
    w = views.world[v]
    blocks = scene.blocks[w]
    leaps = scene.leaps[w]
    ceiling = scene.ceiling[w]
    eye = views.cell[v]
    place = views.place[v]
    forward = views.forward[v]
    right = views.right[v]
    up = views.up[v]
    plane = scene.nx * scene.ny * scene.nz
    along_x = scene.ny * scene.nz
    base = eye[0] * along_x + eye[1] + eye[2] * scene.ny

    # Rays: origin, direction and its inverse in mirrored coordinates, signs, and what follows from them.
    ox, oy, oz = Floats(), Floats(), Floats()
    dx, dy, dz = Floats(), Floats(), Floats()
    ix, iy, iz = Floats(), Floats(), Floats()
    sx, sy, sz = Ints(), Ints(), Ints()
    step_x, step_z = Ints(), Ints()  # of the index of a cell
    quadrant, shift = Ints(), Ints()
    leaves, length = Floats(), Floats()
    # Where they are.
    x, y, z = Ints(), Ints(), Ints()
    time = Floats()
    index = Ints()
    both = Bytes()
    for j in range(wp.static(RAYS)):
        s = (float(column + (j % wp.static(WIDE))) + 0.5) * picture.pitch - picture.left
        t = picture.top - (float(row + j // wp.static(WIDE)) + 0.5) * picture.pitch
        a = forward[0] + s * right[0] + t * up[0]
        b = forward[1] + s * right[1] + t * up[1]
        c = forward[2] + s * right[2] + t * up[2]
        length[j] = wp.sqrt(1.0 + s * s + t * t)
        sx[j] = wp.where(a < 0.0, -1, 1)
        sy[j] = wp.where(b < 0.0, -1, 1)
        sz[j] = wp.where(c < 0.0, -1, 1)
        a = wp.abs(a)
        b = wp.abs(b)
        c = wp.abs(c)
        dx[j] = wp.where(a > 1.0e-9, a, 1.0e-9)
        dy[j] = wp.where(b > 1.0e-9, b, 1.0e-9)
        dz[j] = wp.where(c > 1.0e-9, c, 1.0e-9)
        ix[j] = 1.0 / dx[j]
        iy[j] = 1.0 / dy[j]
        iz[j] = 1.0 / dz[j]
        ox[j] = wp.where(sx[j] < 0, 1.0 - place[0], place[0])
        oy[j] = wp.where(sy[j] < 0, 1.0 - place[1], place[1])
        oz[j] = wp.where(sz[j] < 0, 1.0 - place[2], place[2])
        side = (float(ends_at(eye[0], scene.nx, sx[j])) - ox[j]) * ix[j]
        side = smaller(side, (float(ends_at(eye[1], scene.ny, sy[j])) - oy[j]) * iy[j])
        leaves[j] = smaller(side, (float(ends_at(eye[2], scene.nz, sz[j])) - oz[j]) * iz[j])
        step_x[j] = wp.where(sx[j] < 0, -along_x, along_x)
        step_z[j] = wp.where(sz[j] < 0, -scene.ny, scene.ny)
        quadrant[j] = wp.where(sx[j] < 0, 0, plane) + wp.where(sz[j] < 0, 0, 2 * plane)
        shift[j] = wp.where(sy[j] < 0, 0, 4)
        x[j] = 0
        y[j] = 0
        z[j] = 0
        time[j] = 0.0
        index[j] = wp.where(leaves[j] > 0.0, base + quadrant[j], 0)
    if outside(scene, eye):
        for j in range(wp.static(RAYS)):
            at_x = begins_at(eye[0], scene.nx, sx[j])
            at_y = begins_at(eye[1], scene.ny, sy[j])
            at_z = begins_at(eye[2], scene.nz, sz[j])
            part_x = entry_part(ox[j], ix[j], at_x)
            part_y = entry_part(oy[j], iy[j], at_y)
            part_z = entry_part(oz[j], iz[j], at_z)
            first = wp.max(part_x, wp.max(part_y, part_z))
            nx = entry_cell(first, part_x, ox[j], dx[j], at_x, ends_at(eye[0], scene.nx, sx[j]))
            ny = entry_cell(first, part_y, oy[j], dy[j], at_y, ends_at(eye[1], scene.ny, sy[j]))
            nz = entry_cell(first, part_z, oz[j], dz[j], at_z, ends_at(eye[2], scene.nz, sz[j]))
            x[j] = nx
            y[j] = ny
            z[j] = nz
            time[j] = first
            cell = base + quadrant[j] + nx * step_x[j] + ny * sy[j] + nz * step_z[j]
            index[j] = wp.where(first < leaves[j], cell, 0)

    # Rays end at bodies.
    until, body_texel, body_face, body = Floats(), Ints(), Ints(), Ints()
    for j in range(wp.static(RAYS)):
        until[j] = leaves[j]
    left = float(column) * picture.pitch - picture.left
    high = picture.top - float(row) * picture.pitch
    tile_right = left + wp.static(float(WIDE)) * picture.pitch
    tile_bottom = high - wp.static(float(HIGH)) * picture.pitch
    for i in range(views.bodies[v]):
        n = v * views.most + i
        if overlaps(views.body_bounds[n], left, tile_right, tile_bottom, high):
            origin = views.body_eye[n]
            body_x = views.body_x[n]
            body_y = views.body_y[n]
            body_z = views.body_z[n]
            kind = views.body_kind[n]
            skin = views.body_skin[n]
            for k in range(models.count[kind]):
                part = models.first[kind] + k
                low = models.low[part]
                far = models.high[part]
                for j in range(wp.static(RAYS)):
                    a = dx[j] * float(sx[j])
                    b = dy[j] * float(sy[j])
                    c = dz[j] * float(sz[j])
                    direction = wp.vec3(
                        not_zero(a * body_x[0] + b * body_x[1] + c * body_x[2]),
                        not_zero(a * body_y[0] + b * body_y[1] + c * body_y[2]),
                        not_zero(a * body_z[0] + b * body_z[1] + c * body_z[2]),
                    )
                    met, axis = part_time(origin, direction, low, far)
                    texel_met, face_met = body_pixel(models, part, skin, origin, direction, met, axis)
                    nearer = met > 0.0 and met < until[j]
                    until[j] = wp.where(nearer, met, until[j])
                    body_texel[j] = wp.where(nearer, texel_met, body_texel[j])
                    body_face[j] = wp.where(nearer, face_met, body_face[j])
                    body[j] = wp.where(nearer, n, body[j])

    # March together until nearly all stand before something.
    for _ in range(wp.static(MOST_STEPS)):
        for j in range(wp.static(RAYS)):
            both[j] = leaps[natural(index[j])]
        going = int(0)
        for j in range(wp.static(RAYS)):
            leap = wp.where(time[j] < until[j], (int(both[j]) >> shift[j]) & 15, 0)
            after, nx, ny, nz = leap_on(
                leap, time[j], x[j], y[j], z[j], ox[j], oy[j], oz[j], dx[j], dy[j], dz[j], ix[j], iy[j], iz[j]
            )
            x[j] = nx
            y[j] = ny
            z[j] = nz
            time[j] = after
            cell = base + quadrant[j] + nx * step_x[j] + ny * sy[j] + nz * step_z[j]
            index[j] = wp.where(after < until[j], cell, 0)
            going += wp.where(leap > 0, 1, 0)
        if going <= wp.static(STRAGGLERS):
            break

    # Look whether that hides what is behind it.
    state, color, face = Ints(), Ints(), Ints()
    stopped = Ints()  # by 1 a full cube, 2 a slab, 3 what else it met
    near = Floats()  # of a slab: mirrored height at which it begins
    wet = Floats()
    others = int(0)
    for j in range(wp.static(RAYS)):
        stopped[j] = 0
        face[j] = 0
        near[j] = 0.0
        wet[j] = 0.0
        if time[j] < until[j]:
            block = int(blocks[natural(index[j] - quadrant[j])])
            state[j] = block
            if int(scene.kind[block]) == wp.static(FULL):
                stopped[j] = 1
            else:
                others += 1

    # If for many it does not, they march on together, and now look at everything on their way.
    if others > wp.static(LONERS):
        water = Floats()
        slab = Floats()  # height of one that a ray stands before
        for _ in range(wp.static(MOST_STEPS)):
            for j in range(wp.static(RAYS)):
                leap = (int(leaps[natural(index[j])]) >> shift[j]) & 15
                if (leap | stopped[j]) == 0 and time[j] < until[j]:
                    leap = 1
                    block = int(blocks[natural(index[j] - quadrant[j])])
                    kind = int(scene.kind[block])
                    state[j] = block
                    if kind == wp.static(FULL):
                        leap = 0
                        stopped[j] = 1
                    elif kind == wp.static(SLAB):
                        slab[j] = scene.high[block][1]
                    elif kind == wp.static(LIQUID):
                        water[j] = 1.0
                        if wet[j] * length[j] >= wp.static(MURK):
                            leap = 0
                            stopped[j] = 3
                            face[j] = wp.static(CROSS_FACE)
                            color[j] = picture_color(scene, block, 3, 0)
                    elif kind != wp.static(AIR):
                        ray = Ray()
                        ray.origin = wp.vec3(ox[j], oy[j], oz[j])
                        ray.direction = wp.vec3(dx[j], dy[j], dz[j])
                        ray.inverse = wp.vec3(ix[j], iy[j], iz[j])
                        ray.backwards = wp.vec3i((1 - sx[j]) >> 1, (1 - sy[j]) >> 1, (1 - sz[j]) >> 1)
                        corner = wp.vec3(float(x[j]), float(y[j]), float(z[j]))
                        met, met_face, met_color = meet(scene, ray, corner, block, kind)
                        if met >= 0.0 and met < until[j]:
                            leap = 0
                            stopped[j] = 3
                            time[j] = met
                            face[j] = met_face
                            color[j] = met_color
                both[j] = wp.uint8(leap)
            going = int(0)
            for j in range(wp.static(RAYS)):
                leap = wp.where(time[j] < until[j], int(both[j]), 0)
                after, nx, ny, nz = leap_on(
                    leap, time[j], x[j], y[j], z[j], ox[j], oy[j], oz[j], dx[j], dy[j], dz[j], ix[j], iy[j], iz[j]
                )
                wet[j] = wet[j] + water[j] * (smaller(after, until[j]) - time[j])
                water[j] = 0.0
                # A slab is met where the ray has entered it along all axes, if it has not left it along one.
                begins = wp.where(sy[j] < 0, 1.0 - slab[j], 0.0)
                ends = wp.where(sy[j] < 0, 1.0, slab[j])
                ex = (float(x[j]) - ox[j]) * ix[j]
                ey = (float(y[j]) + begins - oy[j]) * iy[j]
                ez = (float(z[j]) - oz[j]) * iz[j]
                met_slab = larger(ex, larger(ey, ez))
                leaves_slab = smaller(after, (float(y[j]) + ends - oy[j]) * iy[j])
                meets = slab[j] > 0.0 and met_slab >= 0.0 and met_slab < smaller(leaves_slab, until[j])
                slab[j] = 0.0
                stopped[j] = wp.where(meets, 2, stopped[j])
                near[j] = wp.where(meets, begins, near[j])
                after = wp.where(meets, met_slab, after)
                nx = wp.where(meets, x[j], nx)
                ny = wp.where(meets, y[j], ny)
                nz = wp.where(meets, z[j], nz)
                x[j] = nx
                y[j] = ny
                z[j] = nz
                time[j] = after
                cell = base + quadrant[j] + nx * step_x[j] + ny * sy[j] + nz * step_z[j]
                index[j] = wp.where(after < until[j], cell, 0)
                going += wp.where(leap > 0, 1, 0)
            if going <= wp.static(STRAGGLERS):
                break

    # What a full cube would show there, and the cell before it, whose light falls on it.
    texel, front, height = Ints(), Ints(), Ints()
    for j in range(wp.static(RAYS)):
        ex = (float(x[j]) - ox[j]) * ix[j]
        ey = (float(y[j]) + near[j] - oy[j]) * iy[j]
        ez = (float(z[j]) - oz[j]) * iz[j]
        axis = face_axis(ex, ey, ez)
        back = wp.where(axis == 0, sx[j], wp.where(axis == 1, sy[j], sz[j]))
        back = (1 - back) >> 1
        px = ox[j] + time[j] * dx[j] - float(x[j])
        py = oy[j] + time[j] * dy[j] - float(y[j])
        pz = oz[j] + time[j] * dz[j] - float(z[j])
        px = wp.where(sx[j] < 0, 1.0 - px, px)
        py = wp.where(sy[j] < 0, 1.0 - py, py)
        pz = wp.where(sz[j] < 0, 1.0 - pz, pz)
        texel[j] = texel_of(axis, back, px, py, pz)
        full = wp.where(stopped[j] == 1, 1, 0)
        face[j] = face[j] + wp.where(stopped[j] == 3, 0, 2 * axis + back)
        bx = (x[j] - wp.where(axis == 0, full, 0)) * sx[j] + eye[0]
        by = (y[j] - wp.where(axis == 1, full, 0)) * sy[j] + eye[1]
        bz = (z[j] - wp.where(axis == 2, full, 0)) * sz[j] + eye[2]
        front[j] = between(bx, 0, scene.nx - 1) * scene.nz + between(bz, 0, scene.nz - 1)
        height[j] = by

    instance = Ints()
    for j in range(wp.static(RAYS)):
        instance[j] = -1
        if time[j] < until[j]:
            instance[j] = index[j] - quadrant[j]
            if stopped[j] == 1 or stopped[j] == 2:
                picture_index = scene.layer[natural(state[j] * 6 + face[j])] * 256 + texel[j]
                color[j] = int(scene.atlas[natural(picture_index)])
            elif stopped[j] == 0:
                # It goes on alone.
                ray = Ray()
                ray.origin = wp.vec3(ox[j], oy[j], oz[j])
                ray.direction = wp.vec3(dx[j], dy[j], dz[j])
                ray.inverse = wp.vec3(ix[j], iy[j], iz[j])
                ray.backwards = wp.vec3i((1 - sx[j]) >> 1, (1 - sy[j]) >> 1, (1 - sz[j]) >> 1)
                ray.stride = wp.vec3i(step_x[j], sy[j], step_z[j])
                ray.base = base
                ray.quadrant = quadrant[j]
                ray.shift = shift[j]
                ray.leaves = leaves[j]
                ray.length = length[j]
                hit = follow(scene, blocks, leaps, ray, x[j], y[j], z[j], time[j], wet[j], until[j], 1)
                wet[j] = hit.water
                time[j] = until[j]
                instance[j] = -1
                if hit.state > 0:
                    time[j] = hit.time
                    state[j] = hit.state
                    instance[j] = hit.cell
                    color[j] = hit.color
                    face[j] = hit.face
                    light_column, light_height = light_cell(scene, hit.state, hit.cell, hit.face)
                    front[j] = light_column
                    height[j] = light_height
        if instance[j] < 0:
            state[j] = -1
            time[j] = until[j]
        if instance[j] < 0 and until[j] < leaves[j]:
            n = body[j]
            state[j] = wp.static(ENTITY) + views.body_kind[n]
            instance[j] = plane + views.body_index[n]
            color[j] = flushed(int(scene.atlas[natural(body_texel[j])]), views.body_hurt[n])
            face[j] = body_face[j]
            front[j] = views.body_column[n]
            height[j] = views.body_height[n]
        both[j] = ceiling[natural(front[j])]

    start = (v * picture.rows + row) * picture.cols + column
    last_row = wp.min(picture.rows - row, wp.static(HIGH))
    last_column = wp.min(picture.cols - column, wp.static(WIDE))
    if picture.has_segmentation == 1:
        for i in range(last_row):
            for k in range(last_column):
                j = i * wp.static(WIDE) + k
                to = natural(2 * (start + i * picture.cols + k))
                picture.segmentation[to] = state[j]
                picture.segmentation[to + 1] = instance[j]
    if picture.has_depth == 1:
        for i in range(last_row):
            for k in range(last_column):
                j = i * wp.static(WIDE) + k
                distance = wp.where(state[j] >= 0, time[j] * length[j], wp.static(FAR))
                picture.depth[natural(start + i * picture.cols + k)] = distance
    if picture.has_rgb == 1:
        red, green, blue = Ints(), Ints(), Ints()
        daylight = views.daylight[v]
        sun = views.sun[v]
        horizon = views.horizon[v]
        zenith = views.zenith[v]
        tint = SUN
        deep = daylight * WATER
        for j in range(wp.static(RAYS)):
            lit = brightness(color[j], face[j], sky_light(int(both[j]), height[j]), daylight)
            fog = fog_at(time[j] * length[j])
            murk = water_at(wet[j] * length[j])
            scale = 1.0 / length[j]
            fx = dx[j] * float(sx[j]) * scale
            fy = dy[j] * float(sy[j]) * scale
            fz = dz[j] * float(sz[j]) * scale
            glow = sun_part(fx * sun[0] + fy * sun[1] + fz * sun[2])
            above = sky_part(fy)
            sky = wp.where(state[j] < 0, 1, 0)
            red[j] = channel(color[j], 0, lit, horizon[0], zenith[0], tint[0], deep[0], above, glow, murk, fog, sky)
            green[j] = channel(color[j], 8, lit, horizon[1], zenith[1], tint[1], deep[1], above, glow, murk, fog, sky)
            blue[j] = channel(color[j], 16, lit, horizon[2], zenith[2], tint[2], deep[2], above, glow, murk, fog, sky)
        for i in range(last_row):
            for k in range(last_column):
                j = i * wp.static(WIDE) + k
                to = natural(3 * (start + i * picture.cols + k))
                picture.rgb[to] = wp.uint8(red[j])
                picture.rgb[to + 1] = wp.uint8(green[j])
                picture.rgb[to + 2] = wp.uint8(blue[j])
