"""Pictures and depth images without OpenGL: one ray a pixel, cast in the batch's own threads.

Legend: n simulations, R rays (pixels, row by row from the top left).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

FAR = 3.0  # m, the depth of what is hit by no ray
VISIBLE = (1, 1, 1, 0, 0, 0)  # geom groups that are drawn, as OpenGL does by default
_SKY_TOP, _SKY_BOTTOM = np.array([0.90, 0.94, 0.98]), np.array([0.73, 0.79, 0.87])
_AMBIENT, _DIFFUSE, _SHADOW = 0.48, 0.56, 0.55
_SUN = np.array([-0.45, -0.35, 0.8216])  # a unit vector towards it


@dataclass(frozen=True)
class View:
    """A fixed pinhole camera.

    Attributes:
        position, target: where it stands and what it looks at, metres; z is up in the picture.
        field_of_view: vertical, degrees.
    """

    position: tuple[float, float, float]
    target: tuple[float, float, float]
    field_of_view: float = 45.0

    def to_json(self) -> dict[str, Any]:
        """Its attributes as a JSON value."""
        return {"position": list(self.position), "target": list(self.target), "field_of_view": self.field_of_view}

    def axes(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Unit vectors to the right, up and forward."""
        forward = np.subtract(self.target, self.position)
        forward = forward / np.sqrt((forward * forward).sum())
        right = np.cross(forward, [0.0, 0.0, 1.0])
        right = right / np.sqrt((right * right).sum())
        return right, np.cross(right, forward), forward

    def rays(self, size: int) -> np.ndarray:
        """Unit vectors (size², 3) through the centres of the pixels of a square picture."""
        return _rays(self, size)


@lru_cache(maxsize=16)
def _rays(view: View, size: int) -> np.ndarray:
    right, up, forward = view.axes()
    half = np.tan(np.radians(view.field_of_view) / 2)
    offset = half * (2 * (np.arange(size) + 0.5) / size - 1)
    u, v = np.meshgrid(offset, -offset)
    rays: np.ndarray = forward + u.reshape(-1, 1) * right + v.reshape(-1, 1) * up
    rays /= np.sqrt((rays * rays).sum(axis=1, keepdims=True))
    rays.flags.writeable = False
    return rays


@dataclass(frozen=True)
class Marker:
    """A translucent ball drawn into pictures.

    Attributes:
        centres: (n, 3), metres.
        radius: metres.
        rgba: colour and opacity, 0–1.
    """

    centres: np.ndarray
    radius: float
    rgba: tuple[float, float, float, float]


def depth_and_normals(batch: Any, view: View, size: int, ids: np.ndarray | None = None) -> np.ndarray:
    """What a depth camera sees: distance along the optical axis and surface normal, (n, size, size, 4) float32.

    Args:
        batch: a `mujoco.batch.Batch`.
        view: the camera.
        size: pixels a side.
        ids: the simulations; None for all.
    """
    rays = view.rays(size)
    forward = view.axes()[2]
    distance, _, normal = batch.ray(view.position, rays, VISIBLE, ids=ids, normal=True)
    cosine = rays[:, 0] * forward[0] + rays[:, 1] * forward[1] + rays[:, 2] * forward[2]
    image = np.empty((*distance.shape, 4), np.float32)
    image[..., 0] = np.where(distance < 0, FAR, np.minimum(distance * cosine, FAR))
    image[..., 1:] = normal
    return image.reshape(-1, size, size, 4)


def pictures(
    batch: Any, ids: Sequence[int], view: View, size: int, markers: Sequence[Marker] = (), oversampling: int = 2
) -> np.ndarray:
    """Shaded pictures for people, (n, size, size, 3) uint8: Lambert shading, one sun, shadows, a plain sky.

    Args:
        batch: a `mujoco.batch.Batch`; colours are its model's `geom_rgba`.
        ids: the simulations.
        view: the camera.
        size: pixels a side.
        markers: balls to blend in, hidden where something stands before them.
        oversampling: rays a pixel and side, against jagged edges.
    """
    rows = np.asarray(ids, np.int32)
    fine = size * oversampling
    rays, origin = view.rays(fine), np.asarray(view.position)
    distance, geom, normal = batch.ray(origin, rays, VISIBLE, ids=rows, normal=True)
    hit = geom >= 0
    # Normals of boxes seen from within may point away from the eye; a picture wants the side it sees.
    facing = np.where(_dot(normal, rays)[..., None] > 0, -normal, normal)
    # Shadows are soft to the eye anyway: one ray a pixel, not one a sample.
    coarse = np.arange(fine * fine).reshape(fine, fine)[::oversampling, ::oversampling].ravel()
    points = origin + rays[coarse] * distance[:, coarse, None] + 1e-4 * facing[:, coarse]
    _, shading = batch.ray(points, _SUN, VISIBLE, ids=rows)
    shaded = (shading >= 0).reshape(len(rows), size, size).repeat(oversampling, 1).repeat(oversampling, 2)
    shadow = 1.0 - _SHADOW * shaded.reshape(len(rows), -1)
    light = _AMBIENT + _DIFFUSE * shadow * np.maximum(_dot(facing, _SUN), 0.0)
    height = np.linspace(0.0, 1.0, fine).repeat(fine)[:, None]
    sky = _SKY_TOP + (_SKY_BOTTOM - _SKY_TOP) * height
    colour = np.where(hit[..., None], batch.model.geom_rgba[geom, :3] * light[..., None], sky)
    for marker in markers:
        _blend(colour, marker, origin, rays, np.where(hit, distance, np.inf))
    blocks = colour.reshape(len(rows), size, oversampling, size, oversampling, 3)
    mean = sum(blocks[:, :, i, :, j] for i in range(oversampling) for j in range(oversampling)) / oversampling**2
    image: np.ndarray = (255.0 * np.clip(mean, 0.0, 1.0) + 0.5).astype(np.uint8)
    return image


def _dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    product: np.ndarray = a[..., 0] * b[..., 0] + a[..., 1] * b[..., 1] + a[..., 2] * b[..., 2]
    return product


def _blend(colour: np.ndarray, marker: Marker, origin: np.ndarray, rays: np.ndarray, depth: np.ndarray) -> None:
    """Mix a marker into colours (n, R, 3) where it is nearer than depth (n, R); faint where it is behind."""
    offset = (marker.centres - origin)[:, None]
    along = _dot(offset, rays)
    inside = marker.radius**2 - _dot(offset, offset) + along * along
    row, ray = np.nonzero(inside > 0)
    near = along[row, ray] - np.sqrt(inside[row, ray])
    normal = (rays[ray] * near[:, None] - offset[row, 0]) / marker.radius
    light = 0.72 + 0.28 * _dot(normal, _SUN)
    opacity = marker.rgba[3] * np.where(near < depth[row, ray], 1.0, 0.35)[:, None]
    colour[row, ray] += opacity * (np.asarray(marker.rgba[:3]) * light[:, None] - colour[row, ray])
