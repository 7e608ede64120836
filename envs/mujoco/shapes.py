"""Primitive shapes that differ between the simulations of one batch.

A shape is its name and its three half extents in its own frame; the axis of cylinders and capsules is z.
MuJoCo's geom and inertia fields follow from these in closed form.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np

from trunkline.errors import unknown

SHAPES = ("box", "cylinder", "capsule", "ellipsoid")
_GEOM_TYPES = np.array(
    [
        mujoco.mjtGeom.mjGEOM_BOX,
        mujoco.mjtGeom.mjGEOM_CYLINDER,
        mujoco.mjtGeom.mjGEOM_CAPSULE,
        mujoco.mjtGeom.mjGEOM_ELLIPSOID,
    ],
    np.int32,
)
_BOX, _CYLINDER, _CAPSULE, _ELLIPSOID = range(4)


def shape_indices(names: Sequence[str]) -> np.ndarray:
    """Indices (n,) into `SHAPES`.

    Raises:
        InputError: a shape nobody knows.
    """
    for name in names:
        if name not in SHAPES:
            raise unknown("shape", name, SHAPES)
    return np.array([SHAPES.index(name) for name in names])


def inertias(shapes: np.ndarray, extents: np.ndarray, masses: np.ndarray) -> np.ndarray:
    """Principal moments of inertia (n, 3) of solid bodies of uniform density.

    Args:
        shapes: (n,) indices into `SHAPES`.
        extents: (n, 3) half extents, metres.
        masses: (n,) kilograms.
    """
    x, y, z = extents.T
    square = np.stack([y * y + z * z, x * x + z * z, x * x + y * y], axis=1)
    box, ellipsoid = square / 3, square / 5
    cylinder = np.stack([x * x / 4 + z * z / 3, x * x / 4 + z * z / 3, x * x / 2], axis=1)
    # Capsule: a cylinder of half length c and two hemispheres, their centres of mass 3r/8 beyond its ends.
    c = np.maximum(z - x, 0)
    share = 2 * c / (2 * c + 4 * x / 3)
    across = share * (x * x / 4 + c * c / 3) + (1 - share) * (0.4 * x * x + c * c + 0.75 * c * x)
    along = share * x * x / 2 + (1 - share) * 0.4 * x * x
    capsule = np.stack([across, across, along], axis=1)
    unit = np.choose(shapes[:, None], [box, cylinder, capsule, ellipsoid])
    moments: np.ndarray = masses[:, None] * unit
    return moments


@dataclass(frozen=True)
class ShapeFields:
    """Per-simulation views of one geom's shape, and of its body's inertia if the geom is all of the body."""

    geom_type: np.ndarray
    geom_size: np.ndarray
    geom_rbound: np.ndarray
    geom_aabb: np.ndarray
    body_mass: np.ndarray | None
    body_inertia: np.ndarray | None

    @classmethod
    def of(cls, batch: Any, geom: str, body: str | None = None) -> "ShapeFields":
        """Expand the fields of `geom`, and of `body` if given, in a `mujoco.batch.Batch`."""
        g = batch.model.geom(geom).id
        b = None if body is None else batch.model.body(body).id
        return cls(
            geom_type=batch.expand("geom_type")[:, g],
            geom_size=batch.expand("geom_size")[:, g],
            geom_rbound=batch.expand("geom_rbound")[:, g],
            geom_aabb=batch.expand("geom_aabb")[:, g],
            body_mass=None if b is None else batch.expand("body_mass")[:, b],
            body_inertia=None if b is None else batch.expand("body_inertia")[:, b],
        )

    def write(self, ids: np.ndarray, shapes: np.ndarray, extents: np.ndarray, masses: np.ndarray | None = None) -> None:
        """Give simulations `ids` these shapes; with masses also the inertia (then call the batch's `set_const`)."""
        size = extents.copy()
        rounded = (shapes == _CYLINDER) | (shapes == _CAPSULE)
        size[rounded, 1] = np.where(shapes == _CAPSULE, extents[:, 2] - extents[:, 0], extents[:, 2])[rounded]
        size[rounded, 2] = 0
        x, y, z = extents.T
        radius = np.choose(
            shapes, [np.sqrt(x * x + y * y + z * z), np.sqrt(x * x + z * z), z, np.maximum(np.maximum(x, y), z)]
        )
        self.geom_type[ids] = _GEOM_TYPES[shapes]
        self.geom_size[ids] = size
        self.geom_rbound[ids] = radius
        self.geom_aabb[ids] = np.concatenate([np.zeros_like(extents), extents], axis=1)
        if masses is not None:
            assert self.body_mass is not None and self.body_inertia is not None
            self.body_mass[ids] = masses
            self.body_inertia[ids] = inertias(shapes, extents, masses)
