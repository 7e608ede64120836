"""What is measured of a shard while it is written.

Legend: n poses of one trial.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from trunkline.data.fota.form import SplitRecord, channel_moments
from trunkline.data.fota.labels import LABELS, POSE, POSITION, TRIAL
from trunkline.data.fota.pose import SIZES, Moments, pose_change
from trunkline.envs.spec import SensorSpec, canonical_json

_PARTNERS = 32  # partners of each pose that count; all of them in trials of up to 33


class ShardMeasure:
    """Statistics of one shard's samples, in one pass.

    Args:
        sensor: whose readings they are.
    """

    def __init__(self, sensor: SensorSpec) -> None:
        self._record = SplitRecord(Moments.empty(sensor.shape[-1]), shards=1)
        self._poses: dict[str, list[list[float]]] = {}

    def add(self, reading: np.ndarray, labels: Mapping[str, Any]) -> None:
        """Take in a sample."""
        self._record.samples += 1
        self._record.readings.merge(channel_moments(reading))
        for name, value in labels.items():
            known = LABELS.get(name)
            if known is not None and known.kind == "int":
                low, high = self._record.ranges.get(name, (int(value), int(value)))
                self._record.ranges[name] = (min(low, int(value)), max(high, int(value)))
        names = POSE if all(name in labels for name in POSE) else POSITION
        if all(name in labels for name in names):
            trial = canonical_json([labels.get(name) for name in TRIAL])
            self._poses.setdefault(trial, []).append([float(labels[name]) for name in names])

    def record(self) -> SplitRecord:
        """All of it."""
        for poses in self._poses.values():
            if len(poses) > 1 and len({len(pose) for pose in poses}) == 1:
                self._pair(np.array(poses))
        self._poses = {}
        return self._record

    def _pair(self, poses: np.ndarray) -> None:
        """Moments of the moves between poses (n, 7 or 3) of a trial, each with evenly spread others."""
        count = len(poses)
        own = np.arange(count)
        for shift in np.unique(np.linspace(1, count - 1, min(count - 1, _PARTNERS)).round().astype(int)).tolist():
            for name, moves in pose_change(poses, poses[(own + shift) % count]).items():
                self._record.poses.setdefault(name, Moments.empty(SIZES[name])).add(moves)
