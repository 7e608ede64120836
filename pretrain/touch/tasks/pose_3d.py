"""How the object moved between two touches, 3 degrees of freedom."""

from dataclasses import dataclass

from trunkline.pretrain.touch.pose import PoseChange
from trunkline.pretrain.touch.task import touch_task


@touch_task("pose_3d")
@dataclass(frozen=True)
class PoseChange3d(PoseChange):
    """How the object moved between two touches, 3 degrees of freedom."""

    rotation: bool = False
