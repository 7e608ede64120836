"""The objects that are touched: a solid, the texture of its surface, and how smooth it feels.

Their order is frozen: an object's index is its label `obj_idx` in every data set.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import mujoco
import numpy as np

from trunkline.envs.tactile import solids
from trunkline.envs.tactile.solids import Solid
from trunkline.envs.tactile.textures import TEXTURES
from trunkline.errors import unknown

# Depth of the relief in metres by grade of smoothness: 0 is the roughest, 4 has none.
RELIEF = (0.35e-3, 0.2e-3, 0.1e-3, 0.05e-3, 0.0)


@dataclass(frozen=True, eq=False)
class TouchObject:
    """One object.

    Attributes:
        name: e.g. "ridged_plate".
        part: "train" (and the trials of its validation and test), or the part that alone has it: "validation", "test".
        solid: its shape.
        texture: of its surface, one of `TEXTURES`.
        smoothness: grade 0 (rough) to 4 (smooth).
        repeats: of the texture along a tile of 12 mm.
    """

    name: str
    part: str
    solid: Solid
    texture: str = "plain"
    smoothness: int = 4
    repeats: int = 8

    def __post_init__(self) -> None:
        assert (self.texture == "plain") == (self.smoothness == 4), self.name

    @property
    def index(self) -> int:
        """The label `obj_idx`."""
        return object_names().index(self.name)

    @property
    def texture_index(self) -> int:
        """The label `texture`."""
        return TEXTURES.index(self.texture)


@lru_cache(maxsize=1)
def touch_objects() -> tuple[TouchObject, ...]:
    """Every object, in the order of `obj_idx`."""
    plate = solids.box(0.009, 0.009)
    line = np.linspace(-1, 1, 49)
    x, y = np.meshgrid(line, line)
    egg = 0.0003 * (2 - np.cos(2.5 * np.pi * x) - np.cos(2.5 * np.pi * y))
    saddle = 0.0007 * (x * x - y * y + 1)
    swell = 0.0012 * (x * x + y * y)
    pipe_bend = 0.0012 * (x - 0.35 * y * y) ** 2
    dome = [(0.006 * np.sin(t), 0.006 * (1 - np.cos(t))) for t in np.linspace(0, np.pi / 2, 40)]
    seen = [
        TouchObject("sphere", "train", solids.sphere(0.006)),
        TouchObject("post", "train", solids.post(0.0045)),
        TouchObject("cross", "train", solids.prism(solids.cross(0.007, 0.0022))),
        TouchObject("ridged_plate", "train", plate, "ridges", 0, 8),
        TouchObject("ridged_roller", "train", solids.roller(0.005, 0.008), "ridges", 2, 10),
        TouchObject("ridged_hexagon", "train", solids.prism(solids.polygon(6, 0.006)), "ridges", 1, 6),
        TouchObject("knurled_plate", "train", plate, "knurl", 1, 6),
        TouchObject("knurled_star", "train", solids.prism(solids.star(5, 0.008, 0.0045)), "knurl", 3, 8),
        TouchObject("knurled_swell", "train", solids.surface(swell, 0.008), "knurl", 0, 6),
        TouchObject("bumpy_plate", "train", plate, "bumps", 2, 8),
        TouchObject("bumpy_ball", "train", solids.sphere(0.011), "bumps", 0, 6),
        TouchObject("bumpy_block", "train", solids.box(0.006, 0.0035), "bumps", 1, 10),
        TouchObject("tiled_plate", "train", plate, "grid", 3, 6),
        TouchObject("tiled_egg", "train", solids.ellipsoid(0.008, 0.006, 0.006), "grid", 1, 8),
        TouchObject("tiled_pyramid", "train", solids.pyramid(solids.polygon(4, 0.011), 0.55, 0.01), "grid", 0, 8),
        TouchObject("woven_plate", "train", plate, "weave", 0, 6),
        TouchObject("woven_capsule", "train", solids.capsule(0.0045, 0.006), "weave", 2, 8),
        TouchObject("woven_post", "train", solids.post(0.0065), "weave", 3, 8),
        TouchObject("grainy_plate", "train", plate, "grain", 1, 8),
        TouchObject("grainy_torus", "train", solids.torus(0.005, 0.0018), "grain", 3, 6),
        TouchObject("grainy_gear", "train", solids.prism(solids.gear(8, 0.008, 0.0058)), "grain", 2, 10),
        TouchObject("honeycomb_plate", "train", plate, "honeycomb", 2, 6),
        TouchObject("honeycomb_dome", "train", solids.turned([*dome, (0.0, 0.006)], rounded=True), "honeycomb", 0, 8),
        TouchObject("honeycomb_waves", "train", solids.surface(egg, 0.008), "honeycomb", 3, 8),
    ]
    validation = [
        TouchObject("pipe", "validation", solids.tube(0.0065, 0.004)),
        TouchObject("ridged_triangle", "validation", solids.prism(solids.polygon(3, 0.008)), "ridges", 3, 8),
        TouchObject("knurled_capsule", "validation", solids.capsule(0.006, 0.004), "knurl", 2, 8),
        TouchObject("bumpy_post", "validation", solids.post(0.0075), "bumps", 3, 6),
        TouchObject("tiled_star", "validation", solids.prism(solids.star(4, 0.009, 0.0055)), "grid", 2, 8),
        TouchObject("woven_saddle", "validation", solids.surface(saddle, 0.008), "weave", 1, 6),
        TouchObject("grainy_edge", "validation", solids.edge(0.007), "grain", 0, 8),
        TouchObject("honeycomb_bar", "validation", solids.box(0.0085, 0.0028), "honeycomb", 1, 6),
    ]
    test = [
        TouchObject("cone", "test", solids.turned([(0, 0), (0.0012, 0.0), (0.008, 0.0085), (0, 0.0085)])),
        TouchObject("ridged_egg", "test", solids.ellipsoid(0.006, 0.009, 0.007), "ridges", 0, 6),
        TouchObject("knurled_roller", "test", solids.roller(0.0065, 0.006), "knurl", 1, 8),
        TouchObject("bumpy_gear", "test", solids.prism(solids.gear(6, 0.0085, 0.006)), "bumps", 2, 8),
        TouchObject("tiled_ball", "test", solids.sphere(0.008), "grid", 3, 8),
        TouchObject("woven_pentagon", "test", solids.prism(solids.polygon(5, 0.0075)), "weave", 2, 8),
        TouchObject("grainy_bend", "test", solids.surface(pipe_bend, 0.008), "grain", 0, 6),
        TouchObject("honeycomb_disc", "test", solids.post(0.0085), "honeycomb", 1, 8),
    ]
    return (*seen, *validation, *test)


@lru_cache(maxsize=1)
def object_names() -> tuple[str, ...]:
    """Names of all objects, in the order of `obj_idx`."""
    return tuple(o.name for o in touch_objects())


def touch_object(name: str) -> TouchObject:
    """The object of that name.

    Raises:
        InputError: nobody knows it.
    """
    if name not in object_names():
        raise unknown("touch object", name, object_names())
    return touch_objects()[object_names().index(name)]


_TYPES = {
    "sphere": mujoco.mjtGeom.mjGEOM_SPHERE,
    "ellipsoid": mujoco.mjtGeom.mjGEOM_ELLIPSOID,
    "capsule": mujoco.mjtGeom.mjGEOM_CAPSULE,
    "cylinder": mujoco.mjtGeom.mjGEOM_CYLINDER,
    "box": mujoco.mjtGeom.mjGEOM_BOX,
    "mesh": mujoco.mjtGeom.mjGEOM_MESH,
}


def add_meshes(spec: Any, objects: Sequence[TouchObject], sdf: bool = False) -> None:
    """Add the meshes of objects to an `MjSpec`, named as they are.

    Args:
        spec: the `MjSpec`.
        objects: those whose solid is a primitive need none.
        sdf: also build the distance fields that MuJoCo's own tactile sensor needs (up to a second each).
    """
    for thing in objects:
        if thing.solid.vertices is not None and thing.solid.faces is not None:
            mesh = spec.add_mesh(name=thing.name)
            mesh.uservert = thing.solid.vertices.ravel()
            mesh.userface = thing.solid.faces.ravel()
            mesh.needsdf = sdf
            # Keeps the convex hull, without which contacts are single points, even if no geom shows the mesh yet.
            mesh.inertia = mujoco.mjtMeshInertia.mjMESH_INERTIA_CONVEX


def add_object_geom(body: Any, name: str, thing: TouchObject, **options: Any) -> Any:
    """Add an object's geom to a body; the meshes must have been added by `add_meshes`."""
    solid = thing.solid
    if solid.kind == "mesh":
        options["meshname"] = thing.name
    return body.add_geom(
        name=name, type=_TYPES[solid.kind], size=solid.size, pos=solid.position, quat=solid.quaternion, **options
    )


@dataclass(frozen=True)
class ObjectTable:
    """The geom fields of every object, one row each, to be written into the simulations of one batch."""

    geom_type: np.ndarray
    geom_dataid: np.ndarray
    geom_size: np.ndarray
    geom_pos: np.ndarray
    geom_quat: np.ndarray
    geom_rbound: np.ndarray
    geom_aabb: np.ndarray

    @classmethod
    def compile(cls, objects: Sequence[TouchObject]) -> "ObjectTable":
        """Let MuJoCo compile the objects side by side and read what it made of them.

        `geom_dataid` counts the meshes in the order of the objects, as `add_meshes` adds them.
        """
        spec = mujoco.MjSpec()
        add_meshes(spec, objects)
        for thing in objects:
            add_object_geom(spec.worldbody.add_body(name=thing.name, pos=(0, 0, 1)), thing.name, thing, mass=0.1)
        model = spec.compile()
        ids = [model.geom(thing.name).id for thing in objects]
        return cls(**{name: np.array(getattr(model, name)[ids]) for name in cls.__dataclass_fields__})
