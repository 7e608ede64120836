"""What all tasks with labels share: a head on the trunk's tokens, whose answers are compared with targets.

Legend: B batch, R rows with a target, N tokens or samples, D width, K numbers of a target.
"""

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from trunkline.agents.agent import Agent
from trunkline.agents.encoders.patches import PatchEncoder
from trunkline.agents.heads.touch import TokenHead
from trunkline.errors import InputError
from trunkline.pretrain.touch.batch import Ask, TouchTensors
from trunkline.pretrain.touch.metrics import Metrics
from trunkline.pretrain.touch.task import Fields, TouchTask

Numbers = tuple[float, ...]


@dataclass(frozen=True)
class LabelledTask(TouchTask):
    """A task with one head on the trunk's tokens, which all sensors share.

    Attributes:
        contact: leave out samples whose label `has_contact` is false.
        head: options of the head beside those that the task sets.
    """

    contact: bool = True
    head: dict[str, Any] | None = None
    kind: ClassVar[str]

    @abstractmethod
    def head_options(self) -> dict[str, Any]:
        """Options of its head."""

    @abstractmethod
    def targets(self, fields: Fields, second: Fields | None) -> np.ndarray:
        """Labels to targets (B, …); not finite, or below 0 if whole numbers, where there is none."""

    @abstractmethod
    def measure(self, predicted: np.ndarray, target: np.ndarray) -> Metrics:
        """How good predictions (N, …) are of targets (N, …)."""

    def make_heads(self, agent: Agent, name: str, sensors: Iterable[str]) -> None:
        if name not in agent.heads:
            agent.make_head(name, self.kind, None, **{**self.head_options(), **(self.head or {})})

    def check_head(self, agent: Agent, name: str) -> None:
        head = self.module(agent, name)
        for option in ("classes", "grades", "outputs"):
            wanted, has = self.head_options().get(option), getattr(head, option, None)
            if wanted is not None and has is not None and wanted > has:
                raise InputError(
                    f"the checkpoint's head {name!r} has {option}={has}, the data needs {wanted}; give the task "
                    f"another name in tasks and task_options, or leave the head out of init_parts"
                )

    def target(self, fields: Fields, second: Fields | None) -> tuple[np.ndarray, np.ndarray]:
        values = self.targets(fields, second)
        rows = values.reshape(len(values), -1)
        there = np.isfinite(rows) if rows.dtype.kind == "f" else rows >= 0
        valid: np.ndarray = np.asarray(there.all(axis=1))
        for touch in (fields, second) if self.contact else ():
            if touch is not None and "has_contact" in touch:
                valid &= np.asarray(touch["has_contact"]).astype(bool)
        return values, valid

    def module(self, agent: Agent, name: str) -> TokenHead:
        """The agent's head.

        Raises:
            InputError: the agent has none of that name, or one of another kind.
        """
        head = agent.part(f"heads/{name}")
        if not isinstance(head, TokenHead):
            raise InputError(
                f"head {name!r} is of kind {getattr(head, 'kind', '?')!r}; a touch task needs {self.kind!r}"
            )
        return head

    def output(self, agent: Agent, name: str, sensor: str, tokens: Sequence[Tensor]) -> Tensor:
        """What the head says about the trunk's tokens (B, N, D) of each touch: (B, …)."""
        encoder = agent.part(f"encoders/{sensor}")
        grid = encoder.grid if isinstance(encoder, PatchEncoder) else None
        output: Tensor = self.module(agent, name)(*tokens, grid=grid)
        return output.float()

    def loss(self, agent: Agent, ask: Ask, batch: TouchTensors) -> dict[str, Tensor]:
        return {"loss": self.loss_of(agent, ask, batch, touch_tokens(agent, batch))}

    def loss_of(self, agent: Agent, ask: Ask, batch: TouchTensors, tokens: Sequence[Tensor]) -> Tensor:
        """The loss, a scalar, given the trunk's tokens (B, N, D) of each touch of the batch."""
        assert ask.target is not None
        if ask.rows is not None:
            tokens = [of_touch.index_select(0, ask.rows) for of_touch in tokens]
        return self.error(self.module(agent, ask.task), self.output(agent, ask.task, batch.sensor, tokens), ask.target)

    def error(self, head: TokenHead, output: Tensor, target: Tensor) -> Tensor:
        """The loss, a scalar, of the head's outputs (B, …) for targets (B, …)."""
        return head.loss(output, target)

    def answers(self, head: TokenHead, output: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Predictions and targets (B, …), comparable element by element."""
        return head.predict(output), target


def touch_tokens(agent: Agent, batch: TouchTensors) -> list[Tensor]:
    """The trunk's tokens (B, N, D) of each touch, by one forward pass."""
    if batch.second is None:
        return [agent.tokens({batch.sensor: batch.readings})]
    return list(agent.tokens({batch.sensor: torch.cat([batch.readings, batch.second])}).chunk(2))


def statistics(
    found: Sequence[tuple[np.ndarray, np.ndarray]], what: str
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of targets (N, K); 1 where a number does not vary.

    Args:
        found: targets of several data sets, and which rows have one.
        what: their name, for the message.

    Raises:
        InputError: there is none.
    """
    rows = [values[valid] for values, valid in found if valid.any()]
    if not rows:
        raise InputError(f"no training sample has {what}; leave the task out")
    every = np.concatenate(rows)
    mean, std = every.mean(0, np.float64), every.std(0, dtype=np.float64)
    return tuple(mean.tolist()), tuple(np.where(std < 1e-6, 1.0, std).tolist())
