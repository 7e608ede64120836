"""Continuous actions: a normal distribution with a learned spread that does not depend on the state."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from trunkline.agents.distributions import diagonal_normal
from trunkline.agents.heads.base import Head, action_scale, require_action
from trunkline.agents.layers import mlp
from trunkline.agents.registry import head
from trunkline.envs.spec import ActionSpec
from trunkline.errors import InputError


@head("gaussian")
class GaussianHead(Head):
    """Features (B, D) to a diagonal normal distribution over actions (B, A), in the body's own units.

    The network works in units of half the actions' range, so that bodies with other bounds train alike. The mean is not
    squashed: `Agent.act` clips.

    Args:
        width: D.
        action: a body with continuous actions (A,).
        hidden: widths of the mean's hidden layers.
        activation: between them.
        log_std: initial log standard deviation, of half a range.
        log_std_min, log_std_max: its bounds.
        final_gain: scale of the last layer's initial weights; small, so that the first actions are near the centre.
    """

    centre: Tensor
    scale: Tensor

    def __init__(
        self,
        width: int,
        action: ActionSpec | None = None,
        *,
        hidden: Sequence[int] = (128, 128),
        activation: str = "gelu",
        log_std: float = -0.5,
        log_std_min: float = -5.0,
        log_std_max: float = 1.0,
        final_gain: float = 0.01,
    ) -> None:
        super().__init__(width, action)
        spec = require_action("gaussian", action, discrete=False)
        if not log_std_min <= log_std <= log_std_max:
            raise InputError(f"head 'gaussian': log_std={log_std} is not within [{log_std_min}, {log_std_max}]")
        if len(spec.shape) != 1:
            raise InputError(f"head 'gaussian' takes actions (A,), those of {spec.name!r} have shape {spec.shape}")
        self.hidden, self.activation = tuple(hidden), activation
        self.log_std, self.log_std_min, self.log_std_max = log_std, log_std_min, log_std_max
        self.final_gain = final_gain
        self.mean = mlp(width, hidden, spec.shape[0], activation, final_gain=final_gain)
        self.log_spread = nn.Parameter(torch.full(spec.shape, float(log_std)))
        centre, scale = action_scale(spec)
        self.register_buffer("centre", centre, persistent=False)
        self.register_buffer("scale", scale, persistent=False)

    def forward(self, features: Tensor) -> Distribution:
        """Features (B, D) to a distribution with event shape (A,)."""
        mean = torch.addcmul(self.centre, self.mean(features), self.scale)
        std = self.log_spread.clamp(self.log_std_min, self.log_std_max).exp() * self.scale
        return diagonal_normal(mean, std.expand_as(mean))
