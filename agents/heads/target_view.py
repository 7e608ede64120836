"""Where the target is in the present view: whether it is seen, its centre, its box.

The auxiliary predictions of "ROCKET-2: Steering visuomotor policy via cross-view goal alignment" (2025).

Legend: B batch, D width.
"""

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional as F

from trunkline.agents.heads.auxiliary import AuxiliaryHead, require_labels
from trunkline.agents.layers import mlp
from trunkline.agents.registry import head
from trunkline.envs.spec import ActionSpec
from trunkline.errors import InputError

VISIBLE, CENTRE, BOX = slice(0, 1), slice(1, 3), slice(3, 7)
SIZE = 7


@head("target_view")
class TargetViewHead(AuxiliaryHead):
    """Features (B, D) to (B, 7): the logit of being visible, centre x, y, box x0, y0, x1, y1 in [−1, 1].

    Labels are the same seven, with visible 0 or 1. Loss: cross-entropy of visible, plus `position_weight` times the
    Huber losses of centre and box, each a mean over its coordinates, where the target is visible.

    Args:
        width: D.
        action: not needed.
        hidden: widths of the hidden layers.
        activation: between them.
        position_weight: of centre and box beside visibility.
        beta: error beyond which the Huber loss grows linearly.
    """

    def __init__(
        self,
        width: int,
        action: ActionSpec | None = None,
        *,
        hidden: Sequence[int] = (64,),
        activation: str = "gelu",
        position_weight: float = 1.0,
        beta: float = 0.1,
    ) -> None:
        super().__init__(width, action)
        if position_weight < 0 or beta <= 0:
            raise InputError(
                f"head 'target_view': position_weight={position_weight} must not be negative and beta={beta} positive"
            )
        self.hidden, self.activation = tuple(hidden), activation
        self.position_weight, self.beta = position_weight, beta
        self.layers = mlp(width, hidden, SIZE, activation, final_gain=0.1)

    def forward(self, features: Tensor) -> Tensor:
        """Features (B, D) to (B, 7)."""
        outputs: Tensor = self.layers(features)
        return outputs

    def losses(self, outputs: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """ "loss", and its terms "visible", "centre" and "box" (0 where the target is not visible)."""
        require_labels("target_view", labels, SIZE)
        outputs, labels = outputs.float(), labels.to(outputs.device, outputs.float().dtype)
        visible = labels[:, 0]
        seen = F.binary_cross_entropy_with_logits(outputs[:, 0], visible, reduction="none")
        errors = F.smooth_l1_loss(outputs, labels, reduction="none", beta=self.beta)
        centre, box = errors[:, CENTRE].mean(1) * visible, errors[:, BOX].mean(1) * visible
        loss = seen + self.position_weight * (centre + box)
        return {"loss": loss, "visible": seen.detach(), "centre": centre.detach(), "box": box.detach()}

    def predict(self, outputs: Tensor) -> Tensor:
        """Outputs (B, 7) in the labels' terms: the probability of being visible, then centre and box."""
        predicted = outputs.clone()
        predicted[:, VISIBLE] = outputs[:, VISIBLE].sigmoid()
        return predicted
