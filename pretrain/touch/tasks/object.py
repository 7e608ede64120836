"""Which object is touched."""

from dataclasses import dataclass

from trunkline.pretrain.touch.kinds import Classification
from trunkline.pretrain.touch.task import touch_task


@touch_task("object")
@dataclass(frozen=True)
class ObjectClass(Classification):
    """Which object is touched."""

    field: str = "obj_idx"
