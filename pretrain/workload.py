"""What the loop needs of a kind of data: an agent, what it learns, and batches without end."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor

from trunkline.agents.agent import Agent
from trunkline.pretrain.batch import StepBatch
from trunkline.pretrain.combine import Aggregator


class Loss(Protocol):
    """Scalars of a batch by name, "loss" among them."""

    def __call__(self, agent: Agent, batch: Any, /) -> dict[str, Tensor]: ...


class Sampler(Protocol):
    """The sub-batches of each step, with an exact position."""

    def next(self) -> Any: ...

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None: ...

    def close(self) -> None: ...


class Measurement(Protocol):
    """What is measured on held-out data."""

    def measure(self) -> dict[str, float]: ...

    def close(self) -> None: ...


@dataclass(frozen=True)
class Workload:
    """What a run learns, from what.

    Attributes:
        agent: as it is before the first update, on the CPU.
        objective: its losses; the heads it needs are there.
        sampler: the sub-batches of each step, as this worker sees them.
        collate: those sub-batches to the batches of the step; called in the thread that reads ahead.
        validation: makes the measurement on held-out data out of the trainer; None without.
        aggregator: of the trunk's gradients; None for their weighted sum.
        average_scalars: log the mean of every scalar since the last line, not the last step's: the steps differ in
            what they hold.
        by_block: compile transformer blocks one by one, not the whole loss: the steps differ in shape.
    """

    agent: Agent
    objective: Loss
    sampler: Sampler
    collate: Callable[[Any], Sequence[StepBatch]]
    validation: Callable[[Any], Measurement] | None = None
    aggregator: Aggregator | None = None
    average_scalars: bool = False
    by_block: bool = False
