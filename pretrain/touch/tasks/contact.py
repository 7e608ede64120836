"""Whether anything is touched."""

from dataclasses import dataclass

from trunkline.pretrain.touch.kinds import Binary
from trunkline.pretrain.touch.task import touch_task


@touch_task("contact")
@dataclass(frozen=True)
class Contact(Binary):
    """Whether anything is touched."""

    field: str = "has_contact"
    contact: bool = False
