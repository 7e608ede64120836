"""Whether the object slips."""

from dataclasses import dataclass

from trunkline.pretrain.touch.kinds import Binary
from trunkline.pretrain.touch.task import touch_task


@touch_task("slip")
@dataclass(frozen=True)
class Slip(Binary):
    """Whether the object slips."""

    field: str = "slip"
