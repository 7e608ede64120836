"""Which texture the touched surface has."""

from dataclasses import dataclass

from trunkline.pretrain.touch.kinds import Classification
from trunkline.pretrain.touch.task import touch_task


@touch_task("texture")
@dataclass(frozen=True)
class TextureClass(Classification):
    """Which texture the touched surface has."""

    field: str = "texture"
