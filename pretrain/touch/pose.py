"""The kind of task that compares two touches: how the object moved.

Legend: B batch, N samples.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np

from trunkline.data.fota.labels import POSE, POSITION
from trunkline.data.fota.pose import POSE_3D, POSE_6D, pose_change
from trunkline.pretrain.touch import metrics
from trunkline.pretrain.touch.labelled import LabelledTask, Numbers, statistics
from trunkline.pretrain.touch.metrics import Metrics
from trunkline.pretrain.touch.task import Fields, trials


@dataclass(frozen=True)
class PoseChange(LabelledTask):
    """How the object moved between two touches of one trial. Metric: R² over the numbers that vary, chance 0.

    Targets are (B, 3), the difference of positions in mm, or (B, 9), inv(T₁)·T₂: its translation in mm and the first
    two columns of its rotation (Zhou et al., "On the continuity of rotation representations", CVPR 2019).

    Attributes:
        rotation: the change has 6 degrees of freedom, not 3.
        mean, std: of the targets; empty to take them from the training data. The head keeps them.
    """

    rotation: bool = False
    mean: Numbers = ()
    std: Numbers = ()
    two_touches: ClassVar[bool] = True
    kind: ClassVar[str] = "t3_pose"

    @property
    def fields(self) -> tuple[str, ...]:
        return POSE if self.rotation else POSITION

    @property
    def fitted(self) -> bool:
        return bool(self.mean)

    def fit(self, labels: Sequence[Fields]) -> Self:
        """The changes between random touches of one trial say what the spread of changes is."""
        found = []
        for of in labels:
            first, second = random_pairs(trials(of))
            at, then = ({name: np.asarray(values)[rows] for name, values in of.items()} for rows in (first, second))
            if len(first):
                found.append(self.target(at, then))
        mean, std = statistics(found, "poses of two touches of a trial")
        return replace(self, mean=mean, std=std)

    def head_options(self) -> dict[str, Any]:
        return {"outputs": len(self.mean), "mean": list(self.mean), "std": list(self.std)}

    def targets(self, fields: Fields, second: Fields | None) -> np.ndarray:
        assert second is not None, "a pose change needs two touches"
        at, then = (np.stack([np.asarray(f[n], np.float64) for n in self.fields], -1) for f in (fields, second))
        return pose_change(at, then)[POSE_6D if self.rotation else POSE_3D].astype(np.float32)

    def measure(self, predicted: np.ndarray, target: np.ndarray) -> Metrics:
        return metrics.pose_change(predicted, target)


def random_pairs(trial: np.ndarray, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the first and of the second touch: each touch with another one of its trial, if it has any.

    Args:
        trial: (N,) the trial of each touch.
        seed: of the choice.
    """
    order = np.argsort(trial, kind="stable")
    begins = np.searchsorted(trial[order], trial[order])
    sizes = np.searchsorted(trial[order], trial[order], side="right") - begins
    steps = np.random.default_rng(seed).integers(1, np.maximum(sizes, 2))
    partners = order[begins + (np.arange(len(order)) - begins + steps) % sizes]
    return order[sizes > 1], partners[sizes > 1]
