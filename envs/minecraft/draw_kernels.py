"""Pictures: a thread draws a tile of 8×8 rays on a CPU, one ray on CUDA.

On a CPU the rays of a tile march in step: the numbers of all lie in local vectors, so that the compiler handles eight
rays with one instruction; only reading the leaps is done one by one. A pass takes about 5 cycles a ray, and a tile of
terrain about 8 passes. What a ray then meets is looked at ray by ray; that is a table's entry for a full cube.
"""

import warp as wp

from trunkline.envs.minecraft.cast_kernels import (
    CROSS_FACE,
    MOST_STEPS,
    MURK,
    Ray,
    Scene,
    between,
    face_axis,
    follow,
    meet,
    natural,
    picture_color,
    smaller,
    texel_of,
)
from trunkline.envs.minecraft.look import AIR, FULL, LIQUID
from trunkline.envs.minecraft.shade_kernels import (
    FAR,
    Views,
    brightness,
    channel,
    fog_at,
    sky_light,
    sky_part,
    sun_part,
    water_at,
)

wp.set_module_options({"enable_backward": False})

EDGE = 8  # rays of a tile's side
RAYS = EDGE * EDGE
# With so few rays still on their way, the others no longer wait for them.
STRAGGLERS = 3
SUN = wp.constant(wp.vec3(255.0, 248.0, 214.0))
WATER = wp.constant(wp.vec3(42.0, 84.0, 168.0))

Floats = wp.types.vector(RAYS, wp.float32)
Ints = wp.types.vector(RAYS, wp.int32)


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


@wp.kernel
def draw_tiles(scene: Scene, views: Views, picture: Picture):
    """One tile a thread."""
    tile = wp.tid()
    column = (tile % picture.across) * wp.static(EDGE)
    tile = tile // picture.across
    row = (tile % picture.down) * wp.static(EDGE)
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

    ox = Floats()
    oy = Floats()
    oz = Floats()
    dx = Floats()
    dy = Floats()
    dz = Floats()
    ix = Floats()
    iy = Floats()
    iz = Floats()
    leaves = Floats()
    length = Floats()
    time = Floats()
    sx = Ints()
    sy = Ints()
    sz = Ints()
    quadrant = Ints()
    shift = Ints()
    x = Ints()
    y = Ints()
    z = Ints()
    index = Ints()
    both = Ints()
    for j in range(wp.static(RAYS)):
        s = (float(column + (j & wp.static(EDGE - 1))) + 0.5) * picture.pitch - picture.left
        t = picture.top - (float(row + j // wp.static(EDGE)) + 0.5) * picture.pitch
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
        side = (float(wp.where(sx[j] < 0, eye[0] + 1, scene.nx - eye[0])) - ox[j]) * ix[j]
        side = smaller(side, (float(wp.where(sy[j] < 0, eye[1] + 1, scene.ny - eye[1])) - oy[j]) * iy[j])
        leaves[j] = smaller(side, (float(wp.where(sz[j] < 0, eye[2] + 1, scene.nz - eye[2])) - oz[j]) * iz[j])
        quadrant[j] = wp.where(sx[j] < 0, 0, plane) + wp.where(sz[j] < 0, 0, 2 * plane)
        shift[j] = wp.where(sy[j] < 0, 0, 4)
        x[j] = 0
        y[j] = 0
        z[j] = 0
        time[j] = 0.0
        index[j] = base + quadrant[j]

    state = Ints()
    color = Ints()
    face = Ints()
    stopped = Ints()
    wet = Floats()
    water = Floats()
    for j in range(wp.static(RAYS)):
        state[j] = 0
        stopped[j] = 0
        wet[j] = 0.0
        water[j] = 0.0
    gathers = int(1)
    for _ in range(wp.static(MOST_STEPS)):
        # March until nearly all rays stand before something.
        for _ in range(wp.static(MOST_STEPS)):
            if gathers == 1:
                for j in range(wp.static(RAYS)):
                    both[j] = (int(leaps[natural(index[j])]) >> shift[j]) & 15
            gathers = 1
            going = int(0)
            for j in range(wp.static(RAYS)):
                leap = wp.where(time[j] < leaves[j], both[j], 0)
                gx = x[j] + leap
                gy = y[j] + leap
                gz = z[j] + leap
                tx = (float(gx) - ox[j]) * ix[j]
                ty = (float(gy) - oy[j]) * iy[j]
                tz = (float(gz) - oz[j]) * iz[j]
                after = smaller(tx, smaller(ty, tz))
                nx = wp.where(tx <= after, gx, between(int(ox[j] + after * dx[j]), x[j], gx - 1))
                ny = wp.where(ty <= after, gy, between(int(oy[j] + after * dy[j]), y[j], gy - 1))
                nz = wp.where(tz <= after, gz, between(int(oz[j] + after * dz[j]), z[j], gz - 1))
                moves = leap > 0
                after = wp.where(moves, after, time[j])
                nx = wp.where(moves, nx, x[j])
                ny = wp.where(moves, ny, y[j])
                nz = wp.where(moves, nz, z[j])
                x[j] = nx
                y[j] = ny
                z[j] = nz
                time[j] = after
                cell = base + quadrant[j] + (nx * sx[j]) * along_x + ny * sy[j] + (nz * sz[j]) * scene.ny
                index[j] = wp.where(after < leaves[j], cell, 0)
                going += wp.where(moves, 1, 0)
            if going <= wp.static(STRAGGLERS):
                break
        # Those before a full cube are done.
        rest = int(0)
        for j in range(wp.static(RAYS)):
            if stopped[j] == 0:
                if time[j] >= leaves[j]:
                    stopped[j] = 3
                else:
                    block = int(blocks[natural(index[j] - quadrant[j])])
                    state[j] = block
                    if int(scene.kind[block]) == wp.static(FULL):
                        stopped[j] = 1
                    else:
                        rest += 1
        if rest <= wp.static(STRAGGLERS):
            break
        # If many stand before something else, they look at it, and those that miss it march on together.
        gathers = 0
        for j in range(wp.static(RAYS)):
            both[j] = 0
            if stopped[j] == 0:
                both[j] = 1
                kind = int(scene.kind[state[j]])
                if kind == wp.static(LIQUID):
                    water[j] = 1.0
                    if wet[j] * length[j] > wp.static(MURK):
                        both[j] = 0
                        stopped[j] = 2
                        face[j] = wp.static(CROSS_FACE)
                        color[j] = picture_color(scene, state[j], 3, 0)
                elif kind != wp.static(AIR):
                    ray = Ray()
                    ray.origin = wp.vec3(ox[j], oy[j], oz[j])
                    ray.direction = wp.vec3(dx[j], dy[j], dz[j])
                    ray.inverse = wp.vec3(ix[j], iy[j], iz[j])
                    ray.backwards = wp.vec3i((1 - sx[j]) >> 1, (1 - sy[j]) >> 1, (1 - sz[j]) >> 1)
                    met, side_met, picture_met = meet(
                        scene, ray, wp.vec3(float(x[j]), float(y[j]), float(z[j])), state[j], kind
                    )
                    if met >= 0.0:
                        both[j] = 0
                        stopped[j] = 2
                        time[j] = met
                        face[j] = side_met
                        color[j] = picture_met

    # What a full cube would show there.
    texel = Ints()
    front = Ints()
    height = Ints()
    for j in range(wp.static(RAYS)):
        ex = (float(x[j]) - ox[j]) * ix[j]
        ey = (float(y[j]) - oy[j]) * iy[j]
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
        face[j] = wp.where(stopped[j] == 1, 2 * axis + back, face[j])
        # The cell before it.
        one = wp.where(stopped[j] == 1, 1, 0)
        bx = (x[j] - wp.where(axis == 0, one, 0)) * sx[j] + eye[0]
        by = (y[j] - wp.where(axis == 1, one, 0)) * sy[j] + eye[1]
        bz = (z[j] - wp.where(axis == 2, one, 0)) * sz[j] + eye[2]
        bx = between(bx, 0, scene.nx - 1)
        bz = between(bz, 0, scene.nz - 1)
        front[j] = bx * scene.nz + bz
        height[j] = by

    cells = Ints()
    for j in range(wp.static(RAYS)):
        cells[j] = -1
        if stopped[j] < 3:
            here = index[j] - quadrant[j]
            cells[j] = here
            if stopped[j] == 1:
                picture_index = scene.layer[natural(state[j] * 6 + face[j])] * 256 + texel[j]
                color[j] = int(scene.atlas[natural(picture_index)])
                both[j] = int(ceiling[natural(front[j])])
            elif stopped[j] == 2:
                both[j] = int(ceiling[natural(front[j])])
            else:
                ray = Ray()
                ray.origin = wp.vec3(ox[j], oy[j], oz[j])
                ray.direction = wp.vec3(dx[j], dy[j], dz[j])
                ray.inverse = wp.vec3(ix[j], iy[j], iz[j])
                ray.backwards = wp.vec3i((1 - sx[j]) >> 1, (1 - sy[j]) >> 1, (1 - sz[j]) >> 1)
                ray.stride = wp.vec3i(sx[j] * along_x, sy[j], sz[j] * scene.ny)
                ray.base = base
                ray.quadrant = quadrant[j]
                ray.shift = shift[j]
                ray.leaves = leaves[j]
                ray.length = length[j]
                hit = follow(scene, blocks, leaps, ray, x[j], y[j], z[j], time[j], 1.0e30, 1)
                time[j] = hit.time
                state[j] = hit.state
                cells[j] = hit.cell
                color[j] = hit.color
                face[j] = hit.face
                wet[j] = wet[j] + hit.water
                both[j] = 0
                if hit.state > 0:
                    over = hit.cell // scene.ny
                    height[j] = hit.cell - over * scene.ny
                    if int(scene.kind[hit.state]) == wp.static(FULL):
                        over += wp.where(hit.face == 0, -scene.nz, 0) + wp.where(hit.face == 1, scene.nz, 0)
                        over += wp.where(hit.face == 4, -1, 0) + wp.where(hit.face == 5, 1, 0)
                        height[j] = height[j] + wp.where(hit.face == 2, -1, 0) + wp.where(hit.face == 3, 1, 0)
                        over = between(over, 0, scene.nx * scene.nz - 1)
                    both[j] = int(ceiling[natural(over)])

    pixels = picture.rows * picture.cols
    start = v * pixels + row * picture.cols + column
    last_row = wp.min(picture.rows - row, wp.static(EDGE))
    last_column = wp.min(picture.cols - column, wp.static(EDGE))
    if picture.has_segmentation == 1:
        for i in range(last_row):
            for k in range(last_column):
                j = i * wp.static(EDGE) + k
                to = natural(2 * (start + i * picture.cols + k))
                picture.segmentation[to] = wp.where(state[j] > 0, state[j], -1)
                picture.segmentation[to + 1] = cells[j]
    if picture.has_depth == 1:
        for i in range(last_row):
            for k in range(last_column):
                j = i * wp.static(EDGE) + k
                distance = wp.where(state[j] > 0, time[j] * length[j], wp.static(FAR))
                picture.depth[natural(start + i * picture.cols + k)] = distance
    if picture.has_rgb == 1:
        red = Ints()
        green = Ints()
        blue = Ints()
        daylight = views.daylight[v]
        sun = views.sun[v]
        horizon = views.horizon[v]
        zenith = views.zenith[v]
        tint = SUN
        deep = (0.25 + 0.75 * daylight) * WATER
        for j in range(wp.static(RAYS)):
            lit = brightness(color[j], face[j], sky_light(both[j], height[j]), daylight)
            fog = fog_at(time[j] * length[j])
            murk = water_at(wet[j] * length[j])
            scale = 1.0 / length[j]
            fx = dx[j] * float(sx[j]) * scale
            fy = dy[j] * float(sy[j]) * scale
            fz = dz[j] * float(sz[j]) * scale
            glow = sun_part(fx * sun[0] + fy * sun[1] + fz * sun[2])
            high = sky_part(fy)
            sky = wp.where(state[j] == 0, 1, 0)
            red[j] = channel(color[j], 0, lit, horizon[0], zenith[0], tint[0], deep[0], high, glow, murk, fog, sky)
            green[j] = channel(color[j], 8, lit, horizon[1], zenith[1], tint[1], deep[1], high, glow, murk, fog, sky)
            blue[j] = channel(color[j], 16, lit, horizon[2], zenith[2], tint[2], deep[2], high, glow, murk, fog, sky)
        for i in range(last_row):
            for k in range(last_column):
                j = i * wp.static(EDGE) + k
                to = natural(3 * (start + i * picture.cols + k))
                picture.rgb[to] = wp.uint8(red[j])
                picture.rgb[to + 1] = wp.uint8(green[j])
                picture.rgb[to + 2] = wp.uint8(blue[j])
