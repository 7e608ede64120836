"""What the gripper's two pads feel, read once a control step.

Legend: E simulations, n of them that are read, 32 × 32 taxels a pad (row 0 on top).
"""

from typing import Any

import mujoco
import numpy as np

from trunkline.envs.spec import SensorSpec
from trunkline.envs.tactile.gripper import FRAME_RATE, PAD, PAD_AXES, SIDES
from trunkline.envs.tactile.pads import TactileGrid

TAXELS = 32  # rows and columns
TOUCH = tuple(f"touch_{side}" for side in SIDES)
_FORCE, _TORQUE, _POSITION = 2, 4, 16  # bits of MuJoCo's mjtConDataField
_NET_FORCE = 3  # the reduction to one wrench


def taxel_sensor(name: str) -> SensorSpec:
    """A pad's taxels, (32, 32, 3): how deep the gel is pressed, then shear to the right and up, all in metres.

    Shear is traction in the unit of depth: times the gel's Winkler modulus it is N/m², as depth is. So over a pad the
    shear's sum is to the depth's sum as the tangential force is to the normal one, and its moment is the torque about
    the normal.
    """
    form = {"size_mm": [1e3 * PAD.size[0], 1e3 * PAD.size[1]], "channels": ["depth", "shear_x", "shear_y"]}
    return SensorSpec(name, "taxels", (TAXELS, TAXELS, 3), units="m", frame_rate=FRAME_RATE, form=form)


def add_net_force(spec: Any, name: str, first: str, second: str, kind: str = "geom", wrench: bool = False) -> None:
    """Add a sensor of the net force that one geom or body puts on another; with `wrench` also torque and centroid."""
    object_type = getattr(mujoco.mjtObj, f"mjOBJ_{kind.upper()}")
    sensor = spec.add_sensor(name=name, type=mujoco.mjtSensor.mjSENS_CONTACT)
    sensor.objtype, sensor.objname, sensor.reftype, sensor.refname = object_type, first, object_type, second
    sensor.intprm[:3] = [_FORCE | (_TORQUE | _POSITION) * wrench, _NET_FORCE, 1]


def in_hand(vector: np.ndarray, pitch: np.ndarray) -> np.ndarray:
    """World vectors (E, 3) in the frame of hands turned by pitch (E,) about y."""
    c, s = np.cos(pitch), np.sin(pitch)
    x, y, z = vector[:, 0], vector[:, 1], vector[:, 2]
    return np.stack([c * x - s * z, y, s * x + c * z], 1)


def in_pad(vector: np.ndarray, pad: int) -> np.ndarray:
    """Vectors (E, 3) of the hand's frame in the frame of a pad, whose axes are the hand's up to order and sign."""
    axes = PAD_AXES[SIDES[pad]]
    turned: np.ndarray = vector[:, np.abs(axes).argmax(1)] * axes.sum(1)
    return turned


class TouchPads:
    """The taxels of both pads and the wrenches on them.

    Use: `declare` before compiling the `MjSpec`, `place` on the compiled model, `bind` to a batch of it, then `read`.

    Args:
        held: name of the geom that the pads hold.
        taxels: whether the taxels are wanted, or the wrenches alone.
    """

    def __init__(self, held: str, taxels: bool) -> None:
        self._held = held
        names = zip(TOUCH, SIDES, strict=True) if taxels else ()
        self._grids = [TactileGrid.flat(name, f"pad_{side}", TAXELS, TAXELS, PAD) for name, side in names]

    def declare(self, spec: Any) -> None:
        """Add the sensors."""
        for grid in self._grids:
            grid.declare(spec)
        for side in SIDES:
            add_net_force(spec, f"wrench_{side}", self._held, f"pad_{side}", wrench=True)

    def place(self, model: Any) -> None:
        """Put the taxels where they belong in the compiled model."""
        for grid in self._grids:
            grid.place(model)

    def bind(self, batch: Any) -> None:
        """Take views of a batch of the model."""
        data = batch.bind("sensordata")
        self._depths = [grid.bind(batch)[:, 0] for grid in self._grids]
        addresses = [int(batch.model.sensor(f"wrench_{side}").adr[0]) for side in SIDES]
        self._wrenches = [data[:, a : a + 9] for a in addresses]

    def wrench(self, pad: int, pitch: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Force (E, 3) on a pad, in its frame, N, and the torque (E,) about its normal at the force's centroid, N·m.

        Args:
            pad: 0 left, 1 right.
            pitch: the hand's turn about y, (E,).
        """
        force, torque = (in_pad(in_hand(self._wrenches[pad][:, k : k + 3], pitch), pad) for k in (0, 3))
        return force, torque[:, 2]

    def read(self, pad: int, pitch: np.ndarray, rows: np.ndarray | None = None) -> np.ndarray:
        """Taxels of a pad (0 left, 1 right) in simulations `rows` (None: all), (n, 32, 32, 3); see `taxel_sensor`."""
        chosen = slice(None) if rows is None else rows
        depth = self._depths[pad][chosen].astype(np.float32)
        points = self._grids[pad].points
        x, y = points[0, :, 0].astype(np.float32), points[:, 0, 1].astype(np.float32)
        force, torque = (value[chosen] for value in self.wrench(pad, pitch))
        normal = np.maximum(-force[:, 2:], 1e-6)  # the held thing presses along −z
        across, down = depth.sum(1), depth.sum(2)  # (n, columns), (n, rows)
        total = np.maximum(down.sum(1, keepdims=True), np.float32(1e-12))
        along = x - (across * x).sum(1, keepdims=True) / total  # from the pressure's centre, (n, columns)
        up = y - (down * y).sum(1, keepdims=True) / total  # (n, rows)
        second = (across * along * along).sum(1, keepdims=True) + (down * up * up).sum(1, keepdims=True)
        twist = torque[:, None] / normal * total / np.maximum(second, 1e-12)
        shear_x = force[:, 0:1] / normal - twist * up
        shear_y = force[:, 1:2] / normal + twist * along
        reading = np.empty((*depth.shape, 3), np.float32)
        reading[..., 0] = depth
        np.multiply(depth, shear_x.astype(np.float32)[:, :, None], out=reading[..., 1])
        np.multiply(depth, shear_y.astype(np.float32)[:, None, :], out=reading[..., 2])
        return reading
