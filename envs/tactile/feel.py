"""How deep an object presses into a sensor's gel: a Winkler foundation, pressure = k · depth.

Every sensor feels the same contact: the same object in the same place and orientation, pressed with the same normal
force. What differs is how far the object must sink into each gel until that force is reached.

Legend: n contacts, h × w cells of the gel.
"""

from typing import Any

import numpy as np

from trunkline.envs.tactile.sensor import TouchSensor
from trunkline.envs.tactile.underside import COUNT, HALF, PITCH
from trunkline.envs.warp import start_warp

DEEPEST = 0.004  # m that an object may sink into a gel; what presses harder rests on what is below the gel


class Feel:
    """One sensor's gel, cut into cells.

    Args:
        sensor: the sensor.
        rows, cols: of cells.

    Attributes:
        shape: (rows, cols).
        gel: which cells there is gel in and the undersides' grid reaches, (rows, cols) bool.
    """

    def __init__(self, sensor: TouchSensor, rows: int, cols: int) -> None:
        self._warp: Any = start_warp()
        from trunkline.envs.tactile.contact_kernels import press

        self._kernel = press
        points, normals = sensor.surface(rows, cols)
        cosine = -normals[:, 2]
        column, row = (points[:, 0] + HALF) / PITCH, (points[:, 1] + HALF) / PITCH
        inside = (column >= 0) & (column <= COUNT - 1) & (row >= 0) & (row <= COUNT - 1)
        i, j = (np.clip(np.floor(v).astype(np.int32), 0, COUNT - 2) for v in (column, row))
        # Depth along the gel's normal is the vertical overlap times the cosine, and so is the share of its force
        # along z.
        weight = sensor.stiffness * sensor.areas(rows, cols).ravel() * cosine * cosine * inside
        self.shape = (rows, cols)
        self.gel = (weight > 0).reshape(rows, cols)
        fields = (column - i, row - j, points[:, 2], cosine, weight)
        self._constants = [self._wrap(j * COUNT + i), *(self._wrap(f.astype(np.float32)) for f in fields)]

    def press(self, heights: np.ndarray, force: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Depths under undersides pressed with normal forces.

        Args:
            heights: (n, COUNT, COUNT), m; see `Underside.heights`.
            force: (n,), N.

        Returns:
            Depth along the gel's normal (n, h, w) float32, m, ≥ 0; and how far each object was moved down (n,) from
            where `heights` has it, m, so that Σ k · depth · cosine dA = force. Where no force acts, depth and move
            are 0; where the gel can't bear it, the depth reaches `DEEPEST` and no further.
        """
        n = len(heights)
        depth, reach, share = (np.empty(n * self.gel.size, np.float32) for _ in range(3))
        move = np.empty(n, np.float32)
        inputs = [self._wrap(heights.reshape(-1)), self._wrap(force.astype(np.float32)), *self._constants, DEEPEST]
        outputs = [self._wrap(values) for values in (reach, share, depth, move)]
        self._warp.launch(self._kernel, dim=n, inputs=inputs, outputs=outputs, device="cpu")
        return depth.reshape(n, *self.shape), move

    def _wrap(self, values: np.ndarray) -> Any:
        return self._warp.array(np.ascontiguousarray(values), device="cpu", copy=False)
