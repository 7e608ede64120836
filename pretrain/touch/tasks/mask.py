"""Where the gel touches."""

from dataclasses import dataclass

from trunkline.pretrain.touch.kinds import Mask
from trunkline.pretrain.touch.task import touch_task


@touch_task("mask")
@dataclass(frozen=True)
class ContactMask(Mask):
    """Where the gel touches."""

    field: str = "mask"
