"""The contract of an objective, and objectives by name.

Legend: B batch, A action dimensions, D width.

An objective is one file with one class; a plug-in publishes it under the entry-point group `trunkline.objectives`:

    @objective("my_objective")
    @dataclass(frozen=True)
    class MyObjective(Objective):
        temperature: float = 1.0

        def __call__(self, agent, batch):
            ...
            return {"loss": batch.mean(loss_B)}
"""

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from trunkline.agents.agent import Agent
from trunkline.errors import InputError, unknown
from trunkline.pretrain.batch import TensorBatch
from trunkline.registry import Registry

_OBJECTIVES = Registry("objective", "trunkline.objectives", "trunkline.pretrain.objectives")


class Objective(ABC):
    """A loss over batches of recorded frames; its learnable parts live in the agent's heads."""

    @property
    def next_offset(self) -> int | None:
        """How many steps after the observation `batch.next_observations` are; None if they are not needed."""
        return None

    def build(self, agent: Agent) -> None:  # noqa: B027  (an objective over existing heads adds none)
        """Add the heads that this objective needs and the agent lacks; called under a seed of its own."""

    @abstractmethod
    def __call__(self, agent: Agent, batch: TensorBatch) -> dict[str, Tensor]:
        """Scalars by name: "loss" is minimised, the others are diagnostics.

        A loss is a mean over the batch by `batch.mean`, which knows how much each sample counts.
        """


def objective(name: str) -> Callable[[type[Objective]], type[Objective]]:
    """Register an Objective class: `@objective("inverse_dynamics")`."""
    return _OBJECTIVES.register(name)


def names() -> list[str]:
    """Names of all objectives, built in and plugged in."""
    return _OBJECTIVES.names()


def broken() -> dict[str, str]:
    """Objective plug-ins that failed to import, with their error."""
    return _OBJECTIVES.broken()


def make_objective(name: str, options: Mapping[str, Any] | None = None) -> Objective:
    """The objective of that name.

    Args:
        name: e.g. "inverse_dynamics".
        options: its options; what they are is its class's signature.

    Raises:
        InputError: unknown objective or option (with the nearest match), or a value it does not take.
    """
    cls: type[Objective] = _OBJECTIVES.get(name)
    options = dict(options or {})
    known = inspect.signature(cls).parameters
    for option in options:
        if option not in known:
            raise unknown(f"option of objective {name!r}", option, known)
    try:
        return cls(**options)
    except TypeError as error:
        raise InputError(f"objective {name!r}: {error}") from error


def half_range(agent: Agent, action: str, like: Tensor) -> Tensor | None:
    """Half the width (A,) of an action's bounds, None where they are −1 and 1 or infinite.

    Errors are measured in it, so that bodies with other units weigh the same.
    """
    spec = agent.actions[action]
    low = torch.as_tensor(spec.low, dtype=torch.float32).broadcast_to(spec.shape)
    high = torch.as_tensor(spec.high, dtype=torch.float32).broadcast_to(spec.shape)
    half = torch.where(torch.isfinite(high - low), (high - low) / 2, 1.0)
    return None if bool((half == 1).all()) else half.to(like.device)
