"""Warp kernels between the simulation and the sensors; import them only after `envs.warp.start_warp`.

Every output element is computed by one thread in a fixed order, or by minima, so that results do not depend on the
batch.
"""

import warp as wp

from trunkline.envs.tactile.textures import PIXELS
from trunkline.envs.tactile.underside import COUNT, NOTHING, PITCH, RELEVANT

_MIDDLE = (COUNT - 1) / 2
_STEPS = 40  # of Newton; the force is piecewise linear in the move, so they end at the exact piece
_SETTLED = 1.0e-8  # m
_NATURAL = 0x7FFFFFFF  # all bits of an int32 but the sign

Floats = wp.array[wp.float32]
Words = wp.array[wp.int32]


@wp.func
def natural(i: int):
    """An index that is never negative: Warp lets negative ones count from the end, at the price of a test each."""
    return i & wp.static(_NATURAL)


@wp.kernel
def draw(
    vertices: wp.array[wp.vec3], faces: wp.array[wp.vec3i], first: int, poses: wp.array[wp.transform], heights: Floats
):
    """Lower `heights` to the triangles over each grid point; one thread a (simulation, triangle)."""
    row, f = wp.tid()
    pose = poses[row]
    face = faces[first + f]
    a = wp.transform_point(pose, vertices[face[0]])
    b = wp.transform_point(pose, vertices[face[1]])
    c = wp.transform_point(pose, vertices[face[2]])
    area = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
    if area < 0.0:  # from above, the corners of a face that looks down run clockwise
        low_x = wp.max(int(wp.ceil(wp.min(a[0], wp.min(b[0], c[0])) / wp.static(PITCH) + wp.static(_MIDDLE))), 0)
        high_x = wp.min(
            int(wp.floor(wp.max(a[0], wp.max(b[0], c[0])) / wp.static(PITCH) + wp.static(_MIDDLE))),
            wp.static(COUNT - 1),
        )
        low_y = wp.max(int(wp.ceil(wp.min(a[1], wp.min(b[1], c[1])) / wp.static(PITCH) + wp.static(_MIDDLE))), 0)
        high_y = wp.min(
            int(wp.floor(wp.max(a[1], wp.max(b[1], c[1])) / wp.static(PITCH) + wp.static(_MIDDLE))),
            wp.static(COUNT - 1),
        )
        slack = 1.0e-5 * area  # points on an edge belong to both its faces
        for j in range(low_y, high_y + 1):
            y = (float(j) - wp.static(_MIDDLE)) * wp.static(PITCH)
            for i in range(low_x, high_x + 1):
                x = (float(i) - wp.static(_MIDDLE)) * wp.static(PITCH)
                u = (b[0] - x) * (c[1] - y) - (b[1] - y) * (c[0] - x)
                v = (c[0] - x) * (a[1] - y) - (c[1] - y) * (a[0] - x)
                w = area - u - v
                if u <= -slack and v <= -slack and w <= -slack:
                    wp.atomic_min(
                        heights,
                        natural((row * wp.static(COUNT) + j) * wp.static(COUNT) + i),
                        (u * a[2] + v * b[2] + w * c[2]) / area,
                    )


@wp.kernel
def carve(frames: Floats, tiles: Floats, tile_of: Words, relief: Floats, lowest: Floats, heights: Floats):
    """Raise the undersides by their textures' relief, projected along the object's z; one thread a grid row.

    `frames` holds 8 numbers a simulation: u and v on the tile, in pixels, are affine in x, y and z.
    """
    row, j = wp.tid()
    limit = lowest[row] + wp.static(RELEVANT)
    if relief[row] > 0.0 and limit < wp.static(2.0 * RELEVANT):
        f = 8 * row
        ux, uy, uz, u0 = frames[f], frames[f + 1], frames[f + 2], frames[f + 3]
        vx, vy, vz, v0 = frames[f + 4], frames[f + 5], frames[f + 6], frames[f + 7]
        y = (float(j) - wp.static(_MIDDLE)) * wp.static(PITCH)
        tile = tile_of[row] * wp.static(PIXELS * PIXELS)
        start = (row * wp.static(COUNT) + j) * wp.static(COUNT)
        for i in range(wp.static(COUNT)):
            z = heights[natural(start + i)]
            if z < limit:
                x = (float(i) - wp.static(_MIDDLE)) * wp.static(PITCH)
                # Pixels are a power of two, so the remainder is a mask.
                column = int(wp.floor(ux * x + uy * y + uz * z + u0)) & wp.static(PIXELS - 1)
                line = int(wp.floor(vx * x + vy * y + vz * z + v0)) & wp.static(PIXELS - 1)
                heights[natural(start + i)] = z + relief[row] * tiles[natural(tile + line * wp.static(PIXELS) + column)]


@wp.kernel
def press(
    heights: Floats,
    force: Floats,
    corner: Words,
    along: Floats,
    up: Floats,
    surface: Floats,
    cosine: Floats,
    weight: Floats,
    deepest: float,
    reach: Floats,
    share: Floats,
    depth: Floats,
    move: Floats,
):
    """Winkler equilibrium of one gel, see `Feel.press`; one thread a contact. `weight` is 0 where there is no gel.

    `reach` and `share` are scratch of the size of `depth`: the cells that may touch, and their weights.
    """
    row = wp.tid()
    cells = corner.shape[0]
    first = row * cells
    plane = row * wp.static(COUNT * COUNT)
    highest = float(wp.static(-NOTHING))
    if force[row] > 0.0:
        for p in range(cells):
            k = natural(plane + corner[natural(p)])
            s, t = along[natural(p)], up[natural(p)]
            low = heights[k] + s * (heights[natural(k + 1)] - heights[k])
            next = natural(k + wp.static(COUNT))
            high = heights[next] + s * (heights[natural(next + 1)] - heights[next])
            overlap = surface[natural(p)] - low - t * (high - low)
            if weight[natural(p)] <= 0.0:
                overlap = float(wp.static(-NOTHING))
            depth[natural(first + p)] = overlap
            highest = wp.max(highest, overlap)
    if highest > wp.static(-0.5 * NOTHING):
        sunk = deepest - highest
        count = int(0)
        for p in range(cells):
            overlap = depth[natural(first + p)]
            if overlap + sunk > 0.0:
                reach[natural(first + count)] = overlap
                share[natural(first + count)] = weight[natural(p)]
                count += 1
        # From the deepest place Newton's steps run up monotonically, the force being convex: cells once free stay free.
        for _ in range(wp.static(_STEPS)):
            total = float(0.0)
            stiffness = float(0.0)
            kept = int(0)
            for q in range(count):
                overlap = reach[natural(first + q)]
                if overlap + sunk > 0.0:
                    w = share[natural(first + q)]
                    total += (overlap + sunk) * w
                    stiffness += w
                    reach[natural(first + kept)] = overlap
                    share[natural(first + kept)] = w
                    kept += 1
            count = kept
            if total <= force[row]:
                break  # settled; or, in the first round, the gel bottoms out
            step = (total - force[row]) / stiffness
            sunk -= step
            if step < wp.static(_SETTLED):
                break
        for p in range(cells):
            k = natural(first + p)
            depth[k] = wp.max(depth[k] + sunk, 0.0) * cosine[natural(p)]
        move[row] = sunk
    else:
        for p in range(cells):
            depth[natural(first + p)] = 0.0
        move[row] = 0.0
