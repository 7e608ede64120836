"""The shape of a gel, and how its pixels lie on it.

A pixel grid is a chart of the surface: its coordinates are arc lengths from the apex (x right, y up, row 0 on top), so
one pixel is one pixel pitch along the gel. The pad's frame has the apex at the origin and +z out of the gel.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from trunkline.errors import InputError

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Gel:
    """The soft surface, undeformed, and how it yields.

    Attributes:
        form: `flat`; `cylinder`, curved across x, straight along y (a finger's length); `dome`, part of a sphere.
        size_mm: width and height of the chart; arc lengths where the gel is curved.
        stiffness_n_mm3: Winkler modulus k: pressure = k · depth, so the normal force is ∫ k · depth dA.
        radius_mm: radius of curvature; None if flat.
        rim_deg: polar angle at which a dome's gel ends. Pixels beyond it see no gel; the surface goes on straight.
        smoothing_mm: width over which the free gel bends around a contact's edge.
        drag_mm: distance from the contact at which the free gel still follows 60% of its tangential movement.
    """

    form: Literal["flat", "cylinder", "dome"]
    size_mm: tuple[float, float]
    stiffness_n_mm3: float
    radius_mm: float | None = None
    rim_deg: float = 90.0
    smoothing_mm: float = 0.5
    drag_mm: float = 3.0

    def __post_init__(self) -> None:
        if min(self.size_mm) <= 0:
            raise InputError(f"gel.size_mm={self.size_mm} must be positive")
        for name in ("stiffness_n_mm3", "smoothing_mm", "drag_mm"):
            if getattr(self, name) <= 0:
                raise InputError(f"gel.{name}={getattr(self, name)} must be positive")
        if (self.form == "flat") != (self.radius_mm is None):
            needed = "no radius_mm" if self.form == "flat" else "a radius_mm"
            raise InputError(f"gel.form={self.form!r} needs {needed}; radius_mm={self.radius_mm}")
        if self.radius_mm is not None and self.radius_mm <= 0:
            raise InputError(f"gel.radius_mm={self.radius_mm} must be positive")
        if not 0 < self.rim_deg <= 90:
            raise InputError(f"gel.rim_deg={self.rim_deg} must be in (0, 90]")
        if self.form == "cylinder" and self.size_mm[0] > np.pi * self._radius:
            raise InputError(f"gel.size_mm={self.size_mm}: a width over π·radius_mm wraps around the cylinder")

    @property
    def _radius(self) -> float:
        assert self.radius_mm is not None
        return self.radius_mm

    def chart(self, rows: int, cols: int) -> Array:
        """Chart coordinates (P, 2) in m of the centres of rows × cols pixels, row by row from the top left."""
        width, height = np.array(self.size_mm) * 1e-3
        x = ((np.arange(cols) + 0.5) / cols - 0.5) * width
        y = (0.5 - (np.arange(rows) + 0.5) / rows) * height
        return np.stack(np.broadcast_arrays(x[None, :], y[:, None]), -1).reshape(-1, 2)

    def place(self, chart: Array) -> tuple[Array, Array]:
        """Points (P, 3) in m and inward unit normals (P, 3), in the pad's frame, of chart coordinates (P, 2) in m."""
        x, y = chart[:, 0], chart[:, 1]
        zero, one = np.zeros_like(x), np.ones_like(x)
        if self.form == "flat":
            return np.stack([x, y, zero], -1), np.stack([zero, zero, -one], -1)
        radius = self._radius * 1e-3
        if self.form == "cylinder":
            sine, cosine = np.sin(x / radius), np.cos(x / radius)
            points = np.stack([radius * sine, y, radius * (cosine - 1)], -1)
            return points, -np.stack([sine, zero, cosine], -1)
        arc = np.hypot(x, y)
        angle = np.minimum(arc / radius, np.deg2rad(self.rim_deg))
        beyond = arc - radius * angle
        along = np.stack([x, y], -1) / np.maximum(arc, 1e-12)[:, None]
        outward = radius * np.sin(angle) + beyond * np.cos(angle)
        down = radius * (np.cos(angle) - 1) - beyond * np.sin(angle)
        points = np.concatenate([along * outward[:, None], down[:, None]], -1)
        return points, -np.concatenate([along * np.sin(angle)[:, None], np.cos(angle)[:, None]], -1)

    def mask(self, rows: int, cols: int) -> Mask:
        """Which pixels see gel, (rows, cols): all but those beyond a dome's rim."""
        if self.form != "dome":
            return np.ones((rows, cols), bool)
        arc = np.linalg.norm(self.chart(rows, cols), axis=-1)
        return np.asarray(arc <= self._radius * 1e-3 * np.deg2rad(self.rim_deg)).reshape(rows, cols)

    def areas(self, rows: int, cols: int) -> Array:
        """Area in m² of the gel under each pixel, (rows, cols); zero where there is none."""
        width, height = np.array(self.size_mm) * 1e-3
        area = np.full((rows, cols), width * height / (rows * cols))
        if self.form == "dome":
            # Arc lengths are true along meridians; a parallel is shorter than in the chart by sin θ / θ.
            angle = np.linalg.norm(self.chart(rows, cols), axis=-1).reshape(rows, cols) / (self._radius * 1e-3)
            area *= np.sinc(angle / np.pi)
        return area * self.mask(rows, cols)
