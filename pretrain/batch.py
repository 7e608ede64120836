"""Batches as the optimisation step takes them: tensors of one body, several tasks in one forward pass.

Legend: B batch, A action dimensions.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
import torch
from torch import Tensor

from trunkline.data.stream import Batch
from trunkline.envs.spec import ActionSpec


class StepBatch(Protocol):
    """What a training step asks of the batches that it is made of, whatever they hold."""

    @property
    def label(self) -> str:
        """Its name in metrics, unique in the step."""

    @property
    def share(self) -> float:
        """How much its loss counts in the step."""

    @property
    def size(self) -> int:
        """Samples in it."""

    @property
    def tasks(self) -> list[str]:
        """Names of the tasks in it."""

    def to(self, device: torch.device) -> Self:
        """This batch on a device."""

    def first_non_finite(self) -> str:
        """The first of its inputs that is not finite, in words; "" if there is none."""


@dataclass(frozen=True)
class TensorBatch:
    """Frames of one body, of one or several tasks.

    Attributes:
        action: name of the body's ActionSpec.
        observations: {sensor: (B, *shape)}, raw readings.
        next_observations: those of a later frame of the same episode, or None.
        actions: (B, A), float32 in the ActionSpec's bounds, or int64 choices.
        rows: the tasks in it and how many rows each has, in order.
        share: how much this batch counts in the step; the shares of a step's batches add up to 1.
        weights: (B,), how much each row counts in this batch, adding up to 1; None if all count the same.
    """

    action: str
    observations: dict[str, Tensor]
    next_observations: dict[str, Tensor] | None
    actions: Tensor
    rows: tuple[tuple[str, int], ...]
    share: float = 1.0
    weights: Tensor | None = None

    def mean(self, values: Tensor) -> Tensor:
        """The weighted mean over rows: (B, …) -> (…)."""
        if self.weights is None:
            return values.mean(0)
        mean: Tensor = torch.tensordot(self.weights.to(values.dtype), values, dims=1)
        return mean

    @property
    def label(self) -> str:
        """The body's name."""
        return self.action

    @property
    def size(self) -> int:
        """B."""
        return len(self.actions)

    @property
    def tasks(self) -> list[str]:
        """Names of the tasks in it."""
        return list(dict.fromkeys(task for task, _ in self.rows))

    def to(self, device: torch.device) -> "TensorBatch":
        """This batch on a device."""
        if device.type == "cpu":
            return self
        following = self.next_observations
        return TensorBatch(
            self.action,
            {name: move(value, device) for name, value in self.observations.items()},
            None if following is None else {name: move(value, device) for name, value in following.items()},
            move(self.actions, device),
            self.rows,
            self.share,
            None if self.weights is None else move(self.weights, device),
        )

    def without(self, sensors: Sequence[str]) -> "TensorBatch":
        """This batch as seen by an agent that lacks some sensors."""
        following = self.next_observations
        return TensorBatch(
            self.action,
            {name: value for name, value in self.observations.items() if name not in sensors},
            None if following is None else {n: value for n, value in following.items() if n not in sensors},
            self.actions,
            self.rows,
            self.share,
            self.weights,
        )

    def first_non_finite(self) -> str:
        """The first reading or action that is not finite, in words; "" if there is none."""
        named = {f"sensor {name!r}": value for name, value in self.observations.items()}
        named |= {f"next sensor {name!r}": value for name, value in (self.next_observations or {}).items()}
        named["action"] = self.actions
        for name, value in named.items():
            bad = ~torch.isfinite(value).reshape(len(value), -1).all(1)
            if bool(bad.any()):
                return f"{name} of task {self._task_of(int(bad.nonzero()[0]))} holds values that are not finite"
        return ""

    def _task_of(self, row: int) -> str:
        for task, count in self.rows:
            if row < count:
                return task
            row -= count
        raise AssertionError("row beyond the batch")


def move(tensor: Tensor, device: torch.device) -> Tensor:
    """A tensor on a device; to CUDA without waiting for the copy."""
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)


def merge(draws: Sequence[tuple[Batch, float]], actions: Mapping[str, ActionSpec]) -> list[TensorBatch]:
    """One TensorBatch a body (and set of sensors) out of the sub-batches of a step.

    The forward pass of many tiny batches costs a CPU far more than one of their concatenation. Each sub-batch keeps
    its weight: where the rows of a body do not all count the same, `weights` says by how much.

    Args:
        draws: sub-batches with the weight of each one's mean loss in the step.
        actions: the bodies by name.
    """
    groups: dict[tuple[str, ...], list[tuple[Batch, float]]] = {}
    for batch, weight in draws:
        groups.setdefault((batch.action, *sorted(batch.observations)), []).append((batch, weight))
    return [_merge_group(group, actions) for group in groups.values()]


def _merge_group(group: list[tuple[Batch, float]], actions: Mapping[str, ActionSpec]) -> TensorBatch:
    batches = [batch for batch, _ in group]
    sizes = [len(batch.actions) for batch in batches]
    share = sum(weight for _, weight in group)
    per_row = np.concatenate(
        [np.full(size, weight / (size * share), np.float32) for size, (_, weight) in zip(sizes, group, strict=True)]
    )
    first = batches[0]
    following = None
    if first.next_observations is not None:
        following = {name: _join([(b.next_observations or {})[name] for b in batches]) for name in first.observations}
    taken = _join([batch.actions for batch in batches])
    return TensorBatch(
        action=first.action,
        observations={name: _join([b.observations[name] for b in batches]) for name in first.observations},
        next_observations=following,
        actions=taken.long() if actions[first.action].discrete else taken.float(),
        rows=tuple((str(batch.task), size) for batch, size in zip(batches, sizes, strict=True)),
        share=share,
        weights=None if (per_row == per_row[0]).all() else torch.from_numpy(per_row),
    )


def _join(arrays: list[np.ndarray]) -> Tensor:
    if len(arrays) == 1:
        array = arrays[0]
        return torch.from_numpy(array if array.flags.writeable else array.copy())
    return torch.from_numpy(np.concatenate(arrays))
