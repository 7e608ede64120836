"""Solids to touch with: primitives, and closed meshes built in code.

Every solid points its touching end along −z: its lowest point (or face) lies at the height 0 of its own frame, on the
z axis. Lengths in metres.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

Array = np.ndarray


@dataclass(frozen=True, eq=False)
class Solid:
    """A shape in the object's frame.

    Attributes:
        kind: "sphere", "ellipsoid", "capsule", "cylinder", "box" (MuJoCo's primitives) or "mesh".
        size: MuJoCo's sizes of the primitive; zeros for a mesh.
        position, quaternion: of the primitive's own frame; a mesh has its vertices in the object's frame already.
        vertices, faces: of the mesh, (V, 3) and (F, 3), outward by the right hand.
        rounded: whether it can roll on its lowest point; others tilt over an edge.
    """

    kind: str
    size: tuple[float, float, float] = (0.0, 0.0, 0.0)
    position: tuple[float, float, float] = (0.0, 0.0, 0.0)
    quaternion: tuple[float, float, float, float] = (1.0, 0.0, 0.0, 0.0)
    vertices: Array | None = None
    faces: Array | None = None
    rounded: bool = False


_LYING = (np.sqrt(0.5), 0.0, np.sqrt(0.5), 0.0)  # turns the axis of a cylinder from z to x


def sphere(radius: float) -> Solid:
    """A ball."""
    return Solid("sphere", (radius, 0, 0), (0, 0, radius), rounded=True)


def ellipsoid(x: float, y: float, z: float) -> Solid:
    """An ellipsoid of these half axes."""
    return Solid("ellipsoid", (x, y, z), (0, 0, z), rounded=True)


def post(radius: float, half: float = 0.008) -> Solid:
    """A cylinder that touches with its flat end."""
    return Solid("cylinder", (radius, half, 0), (0, 0, half))


def roller(radius: float, half: float) -> Solid:
    """A cylinder that lies along x."""
    return Solid("cylinder", (radius, half, 0), (0, 0, radius), _LYING, rounded=True)


def capsule(radius: float, half: float) -> Solid:
    """A capsule that lies along x."""
    return Solid("capsule", (radius, half, 0), (0, 0, radius), _LYING, rounded=True)


def box(x: float, y: float, half: float = 0.008) -> Solid:
    """A box of these half extents that touches with a face."""
    return Solid("box", (x, y, half), (0, 0, half))


def edge(half: float, side: float = 0.008) -> Solid:
    """A box that touches with an edge along x."""
    turn = (np.cos(np.pi / 8), np.sin(np.pi / 8), 0.0, 0.0)
    return Solid("box", (half, side / 2, side / 2), (0, 0, side * np.sqrt(0.5)), turn)


def prism(outline: Array, height: float = 0.012, bevel: float = 0.0006) -> Solid:
    """A prism with a bevelled foot; its outline (n, 2) runs counter-clockwise and is star-shaped about the origin."""
    return _mesh(*_loft([_scaled(outline, bevel), outline, outline], [0.0, bevel, height]))


def pyramid(outline: Array, top: float, height: float) -> Solid:
    """An upturned frustum: the foot is the outline (n, 2) scaled by `top`."""
    return _mesh(*_loft([top * outline, outline], [0.0, height]))


def turned(profile: Sequence[tuple[float, float]], segments: int = 96, rounded: bool = False) -> Solid:
    """A solid of revolution: radius and height from the foot to the top, the first and last point on the axis."""
    angle = 2 * np.pi * np.arange(segments) / segments
    ring = np.stack([np.cos(angle), np.sin(angle)], -1)
    inner = list(profile[1:-1])
    vertices, faces = _loft([r * ring for r, _ in inner], [z for _, z in inner], profile[0][1], profile[-1][1])
    return _mesh(vertices, faces, rounded)


def torus(radius: float, thickness: float, segments: int = 96, around: int = 32) -> Solid:
    """A ring of round cross section that lies flat; `thickness` is the radius of its section."""
    a = 2 * np.pi * np.arange(segments)[:, None] / segments
    b = 2 * np.pi * np.arange(around)[None, :] / around
    r = radius + thickness * np.cos(b)
    points = np.stack([r * np.cos(a), r * np.sin(a), thickness * (1 + np.sin(b)) + 0 * a], -1).reshape(-1, 3)
    i, j = np.meshgrid(np.arange(segments), np.arange(around), indexing="ij")
    k, m = (i + 1) % segments, (j + 1) % around
    p, q, s, t = (x.ravel() for x in (i * around + j, k * around + j, k * around + m, i * around + m))
    return _mesh(points, np.concatenate([np.stack([p, q, s], -1), np.stack([p, s, t], -1)]))


def tube(outer: float, inner: float, height: float = 0.01, segments: int = 96) -> Solid:
    """A pipe that touches with its ring-shaped end."""
    angle = 2 * np.pi * np.arange(segments) / segments
    ring = np.stack([np.cos(angle), np.sin(angle)], -1)
    levels = [(outer, 0.0), (outer, height), (inner, height), (inner, 0.0)]
    points = np.concatenate([np.column_stack([r * ring, np.full(segments, z)]) for r, z in levels])
    i = np.arange(segments)
    faces = []
    for level in range(4):
        low, high = level * segments, (level + 1) % 4 * segments
        k = (i + 1) % segments
        faces += [np.stack([low + i, low + k, high + k], -1), np.stack([low + i, high + k, high + i], -1)]
    return _mesh(points, np.concatenate(faces))


def surface(function: Array, half: float, height: float = 0.008) -> Solid:
    """A block whose underside is a height field (n, n) ≥ 0 over the square [−half, half]², rows along y."""
    n = len(function)
    line = np.linspace(-half, half, n)
    x, y = np.meshgrid(line, line)
    low = np.stack([x.ravel(), y.ravel(), function.ravel()], -1)
    rim = np.concatenate(
        [np.arange(n), n * np.arange(2, n + 1) - 1, n * n - 2 - np.arange(n - 1), n * np.arange(n - 2, 0, -1)]
    )
    top = low[rim] * [1, 1, 0] + [0, 0, height]
    points = np.concatenate([low, top, [[0, 0, height]]])
    index = np.arange(n * n).reshape(n, n)
    a, b, c, d = (v.ravel() for v in (index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]))
    faces = [np.stack([a, c, b], -1), np.stack([a, d, c], -1)]
    m = len(rim)
    i, k = np.arange(m), (np.arange(m) + 1) % m
    faces += [np.stack([rim[i], rim[k], n * n + k], -1), np.stack([rim[i], n * n + k, n * n + i], -1)]
    faces += [np.stack([n * n + i, n * n + k, np.full(m, n * n + m)], -1)]
    return _mesh(points, np.concatenate(faces))


def polygon(sides: int, radius: float) -> Array:
    """The outline of a regular polygon."""
    return star(sides, radius, radius * np.cos(np.pi / sides))


def star(points: int, outer: float, inner: float) -> Array:
    """The outline of a star, (2 · points, 2)."""
    angle = np.pi * np.arange(2 * points) / points
    radius = np.where(np.arange(2 * points) % 2 == 0, outer, inner)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], -1)


def cross(half: float, arm: float) -> Array:
    """The outline of a plus sign: half its length, half the width of its arms."""
    quarter = np.array([[half, -arm], [half, arm], [arm, arm]])
    turns = [quarter]
    for _ in range(3):
        quarter = np.stack([-quarter[:, 1], quarter[:, 0]], -1)
        turns.append(quarter)
    return np.concatenate(turns)


def gear(teeth: int, outer: float, inner: float) -> Array:
    """The outline of a gear wheel with straight teeth."""
    angle = 2 * np.pi * (np.arange(4 * teeth) + np.tile([0.0, 0.35, 0.15, 0.2], teeth)) / (4 * teeth)
    radius = np.tile([outer, outer, inner, inner], teeth)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], -1)


def rectangle(x: float, y: float) -> Array:
    """The outline of a rectangle of these half extents."""
    return np.array([[x, -y], [x, y], [-x, y], [-x, -y]])


def _scaled(outline: Array, inset: float) -> Array:
    radius = np.linalg.norm(outline, axis=1, keepdims=True)
    inner: Array = outline * (1 - inset / radius)
    return inner


def _loft(
    rings: Sequence[Array], heights: Sequence[float], foot: float | None = None, top: float | None = None
) -> tuple[Array, Array]:
    """Vertices and faces of rings (n, 2) stacked at heights; both ends are closed by fans about the z axis."""
    n = len(rings[0])
    foot, top = (heights[0] if foot is None else foot), (heights[-1] if top is None else top)
    stacked = [np.column_stack([ring, np.full(n, z)]) for ring, z in zip(rings, heights, strict=True)]
    points = np.concatenate([*stacked, [[0, 0, foot], [0, 0, top]]])
    i, k = np.arange(n), (np.arange(n) + 1) % n
    last = n * (len(rings) - 1)
    faces = [np.stack([k, i, np.full(n, len(points) - 2)], -1)]
    faces += [np.stack([last + i, last + k, np.full(n, len(points) - 1)], -1)]
    for level in range(len(rings) - 1):
        low, high = level * n, (level + 1) * n
        faces += [np.stack([low + i, low + k, high + k], -1), np.stack([low + i, high + k, high + i], -1)]
    return points, np.concatenate(faces)


def _mesh(vertices: Array, faces: Array, rounded: bool = False) -> Solid:
    return Solid("mesh", vertices=np.asarray(vertices, float), faces=np.asarray(faces), rounded=rounded)


def triangles(solid: Solid) -> tuple[Array, Array] | None:
    """Vertices (V, 3) and outward faces (F, 3) in the object's frame; None for solids with curved faces."""
    if solid.vertices is not None and solid.faces is not None:
        return solid.vertices, solid.faces
    if solid.kind != "box":
        return None
    x, y, z = solid.size
    points, faces = _loft([rectangle(x, y)] * 2, [-z, z])
    w, *v = solid.quaternion
    turned = points + 2 * np.cross(v, np.cross(v, points) + w * points)
    return turned + np.asarray(solid.position), faces
