"""Warp kernels that move and draw the dots of `markers`."""

import numpy as np
import warp as wp

from trunkline.envs.tactile.kernels import HALO, Grid, Plane, module_named

_MODULE = module_named("trunkline.tactile.markers")


@wp.struct
class Chart:
    """Millimetres and pixels of the gel; everything in metres."""

    width: float
    height: float
    drag: float
    spread: float
    radius: float


@wp.kernel(module=_MODULE)
def sum_rows(depth: Plane, grid: Grid, sums: wp.array[wp.vec4]):
    """Of every row: pixels in contact, and the sums of depth, depth · x and depth · y over them."""
    t = wp.tid()
    y = t % grid.rows
    start = (t // grid.rows) * grid.plane + (y + wp.static(HALO)) * grid.stride + wp.static(HALO)
    touching = float(0.0)
    total = float(0.0)
    moment = float(0.0)
    for x in range(grid.cols):
        d = depth[start + x]
        if d > 0.0:
            touching += 1.0
            total += d
            moment += d * float(x)
    sums[t] = wp.vec4(touching, total, moment, total * float(y))


@wp.kernel(module=_MODULE)
def find_contact(sums: wp.array[wp.vec4], grid: Grid, chart: Chart, contacts: wp.array[wp.vec3]):
    """Centre (chart, m) of each contact and the radius of a disc of its area; radius -1 where there is none."""
    b = wp.tid()
    total = wp.vec4()
    for row in range(grid.rows):
        total += sums[b * grid.rows + row]
    contact = wp.vec3(0.0, 0.0, -1.0)
    if total[0] > 0.0:
        x = (total[2] / total[1] + 0.5) / float(grid.cols) - 0.5
        y = 0.5 - (total[3] / total[1] + 0.5) / float(grid.rows)
        area = total[0] * chart.width * chart.height / float(grid.rows * grid.cols)
        contact = wp.vec3(x * chart.width, y * chart.height, wp.sqrt(area / wp.static(np.pi)))
    contacts[b] = contact


@wp.func
def bilinear(plane: Plane, grid: Grid, b: int, row: float, col: float):
    """The value between four pixels of picture `b`."""
    y = wp.clamp(row, 0.0, float(grid.rows - 1))
    x = wp.clamp(col, 0.0, float(grid.cols - 1))
    j = int(wp.floor(y))
    i = int(wp.floor(x))
    v = y - float(j)
    u = x - float(i)
    at = b * grid.plane + (j + wp.static(HALO)) * grid.stride + wp.static(HALO) + i
    above = plane[at] * (1.0 - u) + plane[at + 1] * u
    below = plane[at + grid.stride] * (1.0 - u) + plane[at + grid.stride + 1] * u
    return above * (1.0 - v) + below * v


@wp.kernel(module=_MODULE)
def move_markers(
    rest: wp.array[wp.vec2],
    smooth: Plane,
    grid: Grid,
    chart: Chart,
    contacts: wp.array[wp.vec3],
    shear: wp.array[wp.vec3],
    places: wp.array[wp.vec2],
):
    """Chart coordinates of every dot, in m."""
    t = wp.tid()
    b = t // rest.shape[0]
    p = rest[t % rest.shape[0]]
    contact = contacts[b]
    place = p
    if contact[2] > 0.0:
        # Outwards, where the gel rises away from the contact.
        row = (0.5 - p[1] / chart.height) * float(grid.rows) - 0.5
        col = (p[0] / chart.width + 0.5) * float(grid.cols) - 0.5
        dx = bilinear(smooth, grid, b, row, col + 1.0) - bilinear(smooth, grid, b, row, col - 1.0)
        dy = bilinear(smooth, grid, b, row - 1.0, col) - bilinear(smooth, grid, b, row + 1.0, col)
        slope = wp.vec2(dx * 0.5 * float(grid.cols) / chart.width, dy * 0.5 * float(grid.rows) / chart.height)
        place -= chart.spread * slope
        # With the contact.
        arm = p - wp.vec2(contact[0], contact[1])
        beyond = wp.max(wp.length(arm) - contact[2], 0.0) / chart.drag
        share = wp.exp(-0.5 * beyond * beyond)
        s = shear[b]
        turned = wp.vec2(wp.cos(s[2]) * arm[0] - wp.sin(s[2]) * arm[1], wp.sin(s[2]) * arm[0] + wp.cos(s[2]) * arm[1])
        place += share * (wp.vec2(s[0], s[1]) + turned - arm)
    places[t] = place


@wp.kernel(module=_MODULE)
def draw_markers(places: wp.array[wp.vec2], count: int, grid: Grid, chart: Chart, coverage: Plane):
    """Share of every pixel that a dot covers. The largest counts where dots overlap, so the order does not matter."""
    t = wp.tid()
    b = t // count
    p = places[t]
    pitch_x = chart.width / float(grid.cols)
    pitch_y = chart.height / float(grid.rows)
    col = (p[0] / chart.width + 0.5) * float(grid.cols) - 0.5
    row = (0.5 - p[1] / chart.height) * float(grid.rows) - 0.5
    reach_x = chart.radius / pitch_x + 1.0
    reach_y = chart.radius / pitch_y + 1.0
    edge = wp.max(pitch_x, pitch_y)
    for y in range(wp.max(int(wp.ceil(row - reach_y)), 0), wp.min(int(row + reach_y), grid.rows - 1) + 1):
        start = b * grid.plane + (y + wp.static(HALO)) * grid.stride + wp.static(HALO)
        for x in range(wp.max(int(wp.ceil(col - reach_x)), 0), wp.min(int(col + reach_x), grid.cols - 1) + 1):
            away = wp.length(wp.vec2((float(x) - col) * pitch_x, (float(y) - row) * pitch_y))
            cover = wp.clamp((chart.radius - away) / edge + 0.5, 0.0, 1.0)
            if cover > 0.0:
                wp.atomic_max(coverage, start + x, cover)
