"""What a pad sees of an object: the height of its underside over a grid, by exact geometry.

MuJoCo's tactile sensor returns distances to the nearest face, smoothed for boxes and coarse for meshes (see `pads`),
which would wash out edges and every texture. So the solid is projected down along z here, from the same shapes and
poses: primitives by MuJoCo's own rays, boxes and meshes by drawing their triangles (a ray against a mesh costs a
microsecond, a drawn point a few nanoseconds; both give the same heights). The relief of the texture, which the
contact physics does not feel, is then taken away in the object's frame, where it is defined.
"""

from typing import Any

import numpy as np

from trunkline.envs.tactile.objects import RELIEF
from trunkline.envs.tactile.solids import triangles
from trunkline.envs.tactile.textures import PIXELS, TILE, tile
from trunkline.envs.tactile.touch_rig import OBJECT_GROUP, Rig
from trunkline.envs.warp import start_warp

HALF = 0.012  # m, the grid covers [−HALF, HALF]²
PITCH = 0.00025  # m
COUNT = 2 * round(HALF / PITCH) + 1  # points a side
NOTHING = 1.0  # m, the height where there is nothing above
RELEVANT = 0.004  # m above the lowest point; no gel reaches higher
_BELOW = 0.02  # m below the pad's surface where rays start


class Underside:
    """Heights of the undersides of a rig's objects over the grid.

    Args:
        rig: whose objects; the geometry is read from its present state.
    """

    def __init__(self, rig: Rig) -> None:
        self._warp: Any = start_warp()
        from trunkline.envs.tactile import contact_kernels

        self._kernels = contact_kernels
        self._rig = rig
        line = (np.arange(COUNT) - COUNT // 2) * PITCH
        x, y = np.meshgrid(line, line)
        self._rays = np.stack([x.ravel(), y.ravel(), np.full(x.size, -_BELOW)], -1)
        self._groups = np.arange(6) == OBJECT_GROUP
        self._gather_meshes()
        self._gather_textures()

    def heights(self, ids: np.ndarray) -> np.ndarray:
        """Height of the lowest surface over each grid point in simulations `ids`, (n, COUNT, COUNT) float32, metres.

        Rows run along +y, columns along +x. `NOTHING` where there is none.
        """
        kinds = self._rig.kind[ids]
        heights = self.solid_heights(ids)
        lowest = heights.reshape(len(ids), -1).min(1)
        planes = [self._frames(ids).ravel(), self._tile_of[kinds], self._relief[kinds], lowest]
        frames, tile_of, relief, lowest = (self._wrap(plane) for plane in planes)
        inputs = [frames, self._tiles, tile_of, relief, lowest]
        outputs = [self._wrap(heights.reshape(-1))]
        self._warp.launch(self._kernels.carve, (len(ids), COUNT), inputs=inputs, outputs=outputs, device="cpu")
        return heights

    def solid_heights(self, ids: np.ndarray) -> np.ndarray:
        """The same without the texture's relief."""
        heights = np.full((len(ids), COUNT, COUNT), NOTHING, np.float32)
        kinds = self._rig.kind[ids]
        drawn = self._ranges[kinds, 1] > 0
        rows = np.flatnonzero(~drawn)
        if len(rows):
            distance = self._rig.batch.ray(self._rays, (0, 0, 1), self._groups, ids=ids[rows].astype(np.int32))[0]
            heights[rows] = np.where(distance < 0, NOTHING, distance - _BELOW).reshape(len(rows), COUNT, COUNT)
        for kind in np.unique(kinds[drawn]):  # as many as there are kinds of objects at most
            rows = np.flatnonzero(kinds == kind)
            first, count = self._ranges[kind].tolist()
            plane = np.full((len(rows), COUNT, COUNT), NOTHING, np.float32)
            inputs = [self._vertices, self._faces, first, self._poses(ids[rows])]
            outputs = [self._wrap(plane.reshape(-1))]
            self._warp.launch(self._kernels.draw, (len(rows), count), inputs=inputs, outputs=outputs, device="cpu")
            heights[rows] = plane
        return heights

    def _poses(self, ids: np.ndarray) -> Any:
        position, quaternion = self._rig.position[ids], self._rig.quaternion[ids]
        values = np.concatenate([position, quaternion[:, 1:], quaternion[:, :1]], 1).astype(np.float32)
        return self._warp.array(values, dtype=self._warp.transform, device="cpu")

    def _frames(self, ids: np.ndarray) -> np.ndarray:
        """Where the tile lies: factors of x, y, z and offset of u, then of v, in pixels, (n, 8) float32."""
        position, turn = self._rig.position[ids], self._rig.rotation[ids].reshape(-1, 3, 3)
        axes = turn[:, :, :2].transpose(0, 2, 1) * (PIXELS / TILE)  # the object's x and y in the pad's frame
        along = axes[..., 0] * position[:, :1] + axes[..., 1] * position[:, 1:2] + axes[..., 2] * position[:, 2:]
        frames = np.concatenate([axes, PIXELS / 2 - along[..., None]], 2)
        return frames.reshape(-1, 8).astype(np.float32)

    def _wrap(self, values: np.ndarray) -> Any:
        return self._warp.array(values, device="cpu", copy=False)

    def _gather_meshes(self) -> None:
        """One list of vertices and faces of all objects; `_ranges` holds each object's first face and their number."""
        vertices, faces, ranges = [np.zeros((1, 3))], [np.zeros((1, 3), int)], []
        points, count = 1, 1
        for thing in self._rig.objects:
            mesh = triangles(thing.solid)
            ranges.append((count, 0 if mesh is None else len(mesh[1])))
            if mesh is not None:
                vertices.append(mesh[0])
                faces.append(mesh[1] + points)
                points, count = points + len(mesh[0]), count + len(mesh[1])
        wp = self._warp
        self._ranges = np.array(ranges)
        self._vertices = wp.array(np.concatenate(vertices), dtype=wp.vec3, device="cpu")
        self._faces = wp.array(np.concatenate(faces), dtype=wp.vec3i, device="cpu")

    def _gather_textures(self) -> None:
        keys = [(thing.texture, thing.repeats) for thing in self._rig.objects]
        unique = sorted(set(keys))
        self._tiles = self._warp.array(np.stack([tile(*key) for key in unique]).ravel(), device="cpu")
        self._tile_of = np.array([unique.index(key) for key in keys], np.int32)
        self._relief = np.array([RELIEF[thing.smoothness] for thing in self._rig.objects], np.float32)
