"""The force of the contact, newtons along the pad's axes."""

from dataclasses import dataclass

from trunkline.pretrain.touch.kinds import Regression
from trunkline.pretrain.touch.task import touch_task


@touch_task("force")
@dataclass(frozen=True)
class Force(Regression):
    """The force of the contact, newtons along the pad's axes."""

    field: str = "force_n"
