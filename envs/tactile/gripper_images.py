"""The pads' contacts as any sensor of the catalogue would feel them.

Legend: n contacts (a pad of a simulation each).
"""

from typing import Any

import numpy as np

from trunkline.envs.tactile.feel import Feel
from trunkline.envs.tactile.optics import Optics
from trunkline.envs.tactile.sensor import TouchSensor
from trunkline.envs.tactile.taxels import Taxels
from trunkline.envs.tactile.touch_rig import PAD_SPRING, PAD_TWIST_SPRING
from trunkline.envs.tactile.underside import COUNT
from trunkline.envs.warp import start_warp

_CELLS = 64  # a side at most, of the field that images are made from; the optics interpolates


class PadImages:
    """One kind of sensor in place of the pads' taxels.

    The held capsule keeps its pose and its force; how deep it sinks is the sensor's own (see `Feel`).

    Args:
        sensor: the sensor.
        size: pixels a side of images; taxel arrays have their own number of elements.
        num: contacts in a typical call.
    """

    def __init__(self, sensor: TouchSensor, size: int, num: int) -> None:
        self._warp: Any = start_warp()
        from trunkline.envs.tactile.gripper_kernels import capsule_underside

        self._kernel = capsule_underside
        cells = min(size, _CELLS) if sensor.kind == "optical" else 32
        self._feel = Feel(sensor, cells, cells)
        self._optics = Optics(sensor, num, (size, size)) if sensor.kind == "optical" else None
        self._taxels = Taxels(sensor, num) if sensor.kind == "taxels" else None

    def read(
        self,
        centre: np.ndarray,
        half_axis: np.ndarray,
        radius: np.ndarray,
        force: np.ndarray,
        torque: np.ndarray,
        seeds: np.ndarray,
    ) -> np.ndarray:
        """Readings (n, *shape).

        Args:
            centre: of the capsules, in the pads' frames, (n, 3), m.
            half_axis: from there to the centre of one round end, (n, 3), m.
            radius: (n,), m.
            force: on the pads, (n, 3), N, pressing towards −z.
            torque: about the pads' normals, (n,), N·m.
            seeds: of the noise, (n,).
        """
        wp = self._warp
        heights = np.empty((len(centre), COUNT, COUNT), np.float32)
        vectors = [wp.array(v.astype(np.float32), dtype=wp.vec3, device="cpu") for v in (centre, half_axis)]
        radii = wp.array(radius.astype(np.float32), device="cpu")
        output = wp.array(heights, dtype=wp.float32, device="cpu", copy=False)
        wp.launch(self._kernel, (len(centre), COUNT), inputs=[*vectors, radii], outputs=[output], device="cpu")
        depth, _ = self._feel.press(heights, np.maximum(-force[:, 2], 0.0))
        shear = np.concatenate([force[:, :2] / PAD_SPRING, torque[:, None] / PAD_TWIST_SPRING], 1).astype(np.float32)
        if self._optics is not None:
            return self._optics.render(depth, shear, seeds)
        assert self._taxels is not None
        return self._taxels.read(depth, shear, seeds, force[:, :2].astype(np.float32))
