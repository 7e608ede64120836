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

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from trunkline import schema
from trunkline.agents.agent import Agent
from trunkline.pretrain.batch import TensorBatch
from trunkline.registry import Registry

_OBJECTIVES = Registry("objective", "trunkline.objectives", "trunkline.pretrain.objectives")


class Objective(ABC):
    """A loss over batches of recorded frames, a dataclass of its options; what it learns lives in the agent's heads."""

    @property
    def next_offset(self) -> int | None:
        """How many steps after the observation `batch.next_observations` are; None if they are not needed."""
        return None

    def build(self, agent: Agent) -> None:  # noqa: B027  (an objective over existing heads adds none)
        """Add the heads that this objective needs and the agent lacks (`agent.make_head`)."""

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
        options: its options, the fields of its class.

    Raises:
        InputError: unknown objective or option (with the nearest match), or a value it does not take.
    """
    cls: type[Objective] = _OBJECTIVES.get(name)
    return schema.build(cls, options or {}, f"objective_options of {name}")


def encode_pair(agent: Agent, batch: TensorBatch) -> tuple[Tensor, Tensor]:
    """Features (B, D) of the observations and of the later ones, by one forward pass over both."""
    following = batch.next_observations
    assert following is not None, "an objective over two observations must have a next_offset"
    both = {name: torch.cat([value, following[name]]) for name, value in batch.observations.items()}
    now, then = agent.encode(both).chunk(2)
    return now, then
