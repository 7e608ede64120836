"""Compliant pads, and MuJoCo's tactile sensor on them.

For every point of a sensor mesh MuJoCo returns how deep it lies in the touching geom and how fast that geom moves along
the surface there. Measured with MuJoCo 4.0 on one core: exact for spheres; up to a fifth too deep inside boxes, whose
distance field is smoothed; meshes through an octree that resolves about a millimetre. A point costs 20 (sphere), 40
(box) or 170 ns (mesh). Several sensor meshes can share one pad, and their points may lie outside of it: the pad's
geom must only touch.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np

from trunkline.errors import InputError

# A tactile sensor wants a geom that can collide; no other geom answers to this bit, so only listed pairs do collide.
_OWN_BIT = 1 << 30


@dataclass(frozen=True)
class PadConfig:
    """A soft pad.

    Attributes:
        size: width and height of its surface, m.
        thickness: of the gel, m.
        stiffness: of a contact, per mass: a load of m kilograms times a gives an indentation of about a / stiffness
        (1/s²).
        damping: of a contact, per mass (1/s).
        friction: sliding, of two surfaces alike.
        twist_friction: torque of a contact per normal force, m.
    """

    size: tuple[float, float] = (0.024, 0.024)
    thickness: float = 0.006
    stiffness: float = 4.0e3
    damping: float = 150.0
    friction: float = 0.8
    twist_friction: float = 0.003

    def __post_init__(self) -> None:
        for name in ("thickness", "stiffness", "damping", "friction"):
            if getattr(self, name) <= 0:
                raise InputError(f"pad {name}={getattr(self, name)} must be positive")
        if min(self.size) <= 0:
            raise InputError(f"pad size={self.size} must be positive")


def add_pad(
    spec: Any,
    body: Any,
    name: str,
    config: PadConfig,
    pos: Sequence[float] = (0, 0, 0),
    quat: Sequence[float] = (1, 0, 0, 0),
) -> Any:
    """Add a pad's geom, a box, to a body; it collides in listed pairs only (`add_pad_pair`).

    Args:
        spec: the `MjSpec` that the body is of.
        body: what carries it.
        name: of the geom.
        config: the pad.
        pos: where the middle of its surface lies in the body's frame.
        quat: its orientation there; the pad's +z points out of the gel.
    """
    del spec  # a pad may need materials of its own one day; callers already hand it over
    half = (config.size[0] / 2, config.size[1] / 2, config.thickness / 2)
    down = np.zeros(3)
    mujoco.mju_rotVecQuat(down, np.array([0, 0, -config.thickness / 2]), np.asarray(quat, float))
    box = mujoco.mjtGeom.mjGEOM_BOX
    return body.add_geom(
        name=name, type=box, size=half, pos=np.add(pos, down), quat=quat, contype=_OWN_BIT, conaffinity=0, mass=0
    )


def add_pad_pair(spec: Any, pad: str, geom: str, config: PadConfig) -> Any:
    """Let a geom touch a pad, softly."""
    pair = spec.add_pair(name=f"{pad}-{geom}", geomname1=pad, geomname2=geom)
    pair.condim = 4
    pair.friction = [config.friction, config.friction, config.twist_friction, 1e-4, 1e-4]
    pair.solref = [-config.stiffness, -config.damping]
    pair.solimp = [0.95, 0.95, 0.001, 0.5, 2]
    return pair


class TactileGrid:
    """MuJoCo's tactile sensor over a grid (or any list) of points of one pad.

    Use: `declare` before compiling the `MjSpec`, `place` on the compiled model, `read` on a batch of it.

    Args:
        name: of the sensor and of its mesh.
        pad: name of the pad's geom.
        points: (rows, cols, 3), metres in the pad's frame: the middle of its surface at the origin, +z out of the gel.
        config: the pad.
    """

    def __init__(self, name: str, pad: str, points: np.ndarray, config: PadConfig) -> None:
        if points.ndim != 3 or points.shape[2] != 3 or min(points.shape[:2]) < 2:
            raise InputError(f"tactile points have shape {points.shape}; give at least 2 × 2 of them, (rows, cols, 3)")
        self.name, self.pad, self.points = name, pad, points
        self._lift = np.array([0, 0, config.thickness / 2])

    @classmethod
    def flat(cls, name: str, pad: str, rows: int, cols: int, config: PadConfig) -> "TactileGrid":
        """Rows × cols cell centres over all of the pad's surface, row 0 on top (+y)."""
        x = ((np.arange(cols) + 0.5) / cols - 0.5) * config.size[0]
        y = (0.5 - (np.arange(rows) + 0.5) / rows) * config.size[1]
        plane = np.stack([*np.meshgrid(x, y), np.zeros((rows, cols))], -1)
        return cls(name, pad, plane, config)

    def declare(self, spec: Any) -> None:
        """Add the mesh and the sensor."""
        rows, cols = self.points.shape[:2]
        index = np.arange(rows * cols).reshape(rows, cols)
        a, b, c, d = (i.ravel() for i in (index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]))
        mesh = spec.add_mesh(name=self.name)
        mesh.uservert = self.points.ravel()
        mesh.userface = np.concatenate([np.stack([a, d, c], -1), np.stack([a, c, b], -1)]).ravel()
        mesh.inertia = mujoco.mjtMeshInertia.mjMESH_INERTIA_SHELL
        spec.add_sensor(
            name=self.name,
            type=mujoco.mjtSensor.mjSENS_TACTILE,
            objtype=mujoco.mjtObj.mjOBJ_MESH,
            objname=self.name,
            reftype=mujoco.mjtObj.mjOBJ_GEOM,
            refname=self.pad,
        )

    def place(self, model: Any) -> None:
        """Put the points where they belong: the compiler centres and turns every mesh, the sensor takes it as it is."""
        mesh = model.mesh(self.name).id
        first, count = int(model.mesh_vertadr[mesh]), int(model.mesh_vertnum[mesh])
        assert count == self.points[..., 0].size, "the compiler merged points of a tactile mesh"
        model.mesh_vert[first : first + count] = self.points.reshape(-1, 3) + self._lift
        first, count = int(model.mesh_normaladr[mesh]), int(model.mesh_normalnum[mesh])
        quaternion = np.array(model.mesh_quat[mesh])
        for row in model.mesh_normal[first : first + count]:  # once a model
            turned = np.zeros(3)
            mujoco.mju_rotVecQuat(turned, row.astype(float), quaternion)
            row[:] = turned

    def bind(self, batch: Any) -> np.ndarray:
        """A live view (E, 3, rows, cols): penetration in m, then speeds along the two tangents in m/s."""
        sensor = batch.model.sensor(self.name)
        data = batch.bind("sensordata")[:, sensor.adr[0] : sensor.adr[0] + sensor.dim[0]]
        view: np.ndarray = data.reshape(batch.nsim, 3, *self.points.shape[:2])
        return view


@contextmanager
def unsensed(batch: Any) -> Iterator[None]:
    """Steps of a batch without sensors, which cost more than the physics: sense once, at the end of a control step."""
    flags = batch.expand("opt.disableflags")
    before = flags.copy()
    flags[:] = before.astype(np.int64) | int(mujoco.mjtDisableBit.mjDSBL_SENSOR)
    try:
        yield
    finally:
        flags[:] = before
