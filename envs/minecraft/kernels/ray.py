"""Pictures drawn ray by ray: for CUDA, and, without leaps, the plain caster that `kernels/draw.py` is compared with."""

import warp as wp

from trunkline.envs.minecraft.kernels.cast import Scene, follow, natural
from trunkline.envs.minecraft.kernels.draw import ENTITY, HIGH, NEVER, RAYS, WIDE, Picture, begins_at, ends_at, overlaps
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
    make_ray,
    not_zero,
    part_time,
)
from trunkline.envs.minecraft.modules import inline_all

inline_all(__name__)


@wp.kernel
def draw_rays(scene: Scene, models: Models, views: Views, picture: Picture, skips: int):
    """One ray a thread, with leaps if `skips` is 1; RAYS threads a tile, and 32 neighbours draw a square of 8 × 4.

    The threads of a warp wait for each other, so its rays should go the same way: rows of pixels take a sixth longer.
    """
    thread = wp.tid()
    lane = thread % wp.static(RAYS)
    tile = thread // wp.static(RAYS)
    column = (tile % picture.across) * wp.static(WIDE) + lane // 32 * 8 + lane % 8
    tile = tile // picture.across
    row = (tile % picture.down) * wp.static(HIGH) + lane // 8 % wp.static(HIGH)
    v = tile // picture.down
    if row >= picture.rows or column >= picture.cols:
        return
    pixel = (v * picture.rows + row) * picture.cols + column
    w = views.world[v]
    s = (float(column) + 0.5) * picture.pitch - picture.left
    t = picture.top - (float(row) + 0.5) * picture.pitch
    ray = make_ray(scene, views, v, s, t)
    eye = views.cell[v]
    size = wp.vec3i(scene.nx, scene.ny, scene.nz)
    gaze = wp.vec3()
    parts = wp.vec3()
    begins = wp.vec3i()
    cells = wp.vec3i()
    for k in range(3):
        sign = 1 - 2 * ray.backwards[k]
        gaze[k] = float(sign) * ray.direction[k]
        begins[k] = begins_at(eye[k], size[k], sign)
        parts[k] = entry_part(ray.origin[k], ray.inverse[k], begins[k])
    first = wp.max(parts[0], wp.max(parts[1], parts[2]))
    for k in range(3):
        ends = ends_at(eye[k], size[k], 1 - 2 * ray.backwards[k])
        cells[k] = entry_cell(first, parts[k], ray.origin[k], ray.direction[k], begins[k], ends)

    end = float(wp.static(NEVER))
    texel = int(0)
    body = int(0)
    face = int(0)
    for i in range(views.bodies[v]):
        n = v * views.most + i
        if overlaps(views.body_bounds[n], s, s, t, t):
            origin = views.body_eye[n]
            direction = wp.vec3(
                not_zero(wp.dot(gaze, views.body_x[n])),
                not_zero(wp.dot(gaze, views.body_y[n])),
                not_zero(wp.dot(gaze, views.body_z[n])),
            )
            kind = views.body_kind[n]
            for k in range(models.count[kind]):
                part = models.first[kind] + k
                met, axis = part_time(origin, direction, models.low[part], models.high[part])
                if met > 0.0 and met < end:
                    texel_met, face_met = body_pixel(models, part, views.body_skin[n], origin, direction, met, axis)
                    end = met
                    texel = texel_met
                    face = face_met
                    body = n

    hit = follow(scene, scene.blocks[w], scene.leaps[w], ray, cells[0], cells[1], cells[2], first, 0.0, end, skips)
    time = hit.time
    state = int(-1)
    instance = int(-1)
    color = hit.color
    light = float(1.0)
    if hit.state > 0:
        state = hit.state
        instance = hit.cell
        face = hit.face
        light_column, light_height = light_cell(scene, hit.state, hit.cell, hit.face)
        light = sky_light(int(scene.ceiling[w, light_column]), light_height)
    elif end < wp.static(NEVER):
        time = end
        state = wp.static(ENTITY) + views.body_kind[body]
        instance = scene.nx * scene.ny * scene.nz + views.body_index[body]
        color = flushed(int(scene.atlas[texel]), views.body_hurt[body])
        light = sky_light(int(scene.ceiling[w, views.body_column[body]]), views.body_height[body])

    if picture.has_segmentation == 1:
        picture.segmentation[natural(2 * pixel)] = state
        picture.segmentation[natural(2 * pixel + 1)] = instance
    if picture.has_depth == 1:
        picture.depth[natural(pixel)] = wp.where(state >= 0, time * ray.length, wp.static(FAR))
    if picture.has_rgb == 1:
        daylight = views.daylight[v]
        sun = views.sun[v]
        horizon = views.horizon[v]
        zenith = views.zenith[v]
        lit = brightness(color, face, light, daylight)
        fog = fog_at(time * ray.length)
        murk = water_at(hit.water * ray.length)
        gaze = gaze / ray.length
        glow = sun_part(wp.dot(gaze, sun))
        above = sky_part(gaze[1])
        sky = wp.where(state < 0, 1, 0)
        for k in range(3):
            value = channel(
                color, 8 * k, lit, horizon[k], zenith[k], SUN[k], daylight * WATER[k], above, glow, murk, fog, sky
            )
            picture.rgb[natural(3 * pixel + k)] = wp.uint8(value)
