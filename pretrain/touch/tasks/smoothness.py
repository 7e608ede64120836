"""How smooth the touched surface is, in five grades."""

from dataclasses import dataclass

from trunkline.pretrain.touch.kinds import Ordinal
from trunkline.pretrain.touch.task import touch_task


@touch_task("smoothness")
@dataclass(frozen=True)
class Smoothness(Ordinal):
    """How smooth the touched surface is, in five grades."""

    field: str = "smoothness"
    classes: int = 5
