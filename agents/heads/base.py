"""The contract of a head.

Legend: B batch, D width, A action dimensions.

A head is one module with one class; a plug-in publishes it under the entry-point group `trunkline.heads`:

    @head("my_head")
    class MyHead(Head):
        def __init__(self, width, action=None, *, hidden=(128,)):
            super().__init__(width, action)
            self.hidden = hidden  # an attribute for every option, so that a checkpoint can build the head again
            ...

        def forward(self, features): ...
"""

import inspect
from typing import Any

import torch
from torch import Tensor, nn

from trunkline.envs.spec import ActionSpec
from trunkline.errors import InputError


class Head(nn.Module):
    """Features (B, D) to what they tell.

    Args:
        width: D. Options of a subclass are its arguments after the first two; they hold JSON values and each is kept as
            an attribute of the same name.
        action: the body whose actions it tells of; None if it tells of something else.
    """

    kind: str = ""

    def __init__(self, width: int, action: ActionSpec | None = None) -> None:
        super().__init__()
        self.width = width
        self.action = action

    @property
    def options(self) -> dict[str, Any]:
        """The options it was built with.

        Raises:
            InputError: the class does not keep one of its options as an attribute.
        """
        values: dict[str, Any] = {}
        for name in list(inspect.signature(type(self)).parameters)[2:]:
            if not hasattr(self, name):
                raise InputError(f"head {type(self).__name__} must keep its option {name!r} as an attribute")
            value = getattr(self, name)
            values[name] = list(value) if isinstance(value, tuple) else value
        return values


def require_action(kind: str, action: ActionSpec | None, discrete: bool | None = None) -> ActionSpec:
    """The action form of a head that needs one.

    Raises:
        InputError: there is none, or it is of the wrong kind.
    """
    if action is None:
        raise InputError(f"head {kind!r} needs the ActionSpec of a body")
    if discrete is not None and action.discrete is not discrete:
        wanted, given = ("discrete", "continuous") if discrete else ("continuous", "discrete")
        raise InputError(f"head {kind!r} is for {wanted} actions, those of {action.name!r} are {given}")
    return action


def action_scale(action: ActionSpec) -> tuple[Tensor, Tensor]:
    """Centre and half-width (A,) of a continuous action's bounds; 0 and 1 where they are not finite."""
    low = torch.as_tensor(action.low, dtype=torch.float32).broadcast_to(action.shape)
    high = torch.as_tensor(action.high, dtype=torch.float32).broadcast_to(action.shape)
    finite = torch.isfinite(high - low)
    centre, half = torch.where(finite, (high + low) / 2, 0.0), torch.where(finite, (high - low) / 2, 1.0)
    return centre, half
