"""The Warp kernel of the gripper's gel images; import it only after `envs.warp.start_warp`."""

import warp as wp

from trunkline.envs.tactile.underside import COUNT, NOTHING, PITCH

_MIDDLE = (COUNT - 1) / 2


@wp.kernel(enable_backward=False)
def capsule_underside(
    centres: wp.array[wp.vec3],
    halves: wp.array[wp.vec3],
    radii: wp.array[wp.float32],
    heights: wp.array3d[wp.float32],
):
    """Height of a capsule's lower surface over every point of the grid; one thread a (contact, grid row).

    `halves` go from the centre to the end of the axis, in the pad's frame. A vertical line is cut with the cylinder,
    and beyond its ends with the balls.
    """
    row, j = wp.tid()
    radius = radii[row]
    tail = centres[row] - halves[row]
    axis = 2.0 * halves[row]
    square = wp.dot(axis, axis)
    flat = square - axis[2] * axis[2]
    y = (float(j) - wp.static(_MIDDLE)) * wp.static(PITCH)
    for i in range(wp.static(COUNT)):
        x = (float(i) - wp.static(_MIDDLE)) * wp.static(PITCH)
        o = wp.vec3(x, y, 0.0) - tail
        along = wp.dot(axis, o)
        b = square * o[2] - along * axis[2]
        c = square * (wp.dot(o, o) - radius * radius) - along * along
        root = b * b - flat * c
        height = float(wp.static(NOTHING))
        if root >= 0.0 and flat > 0.0:
            t = (-b - wp.sqrt(root)) / flat
            place = along + t * axis[2]
            if place > 0.0 and place < square:
                height = t
            else:
                end = o
                if place >= square:
                    end = o - axis
                deep = end[2] * end[2] - wp.dot(end, end) + radius * radius
                if deep > 0.0:
                    height = -end[2] - wp.sqrt(deep)
        heights[row, j, i] = height
