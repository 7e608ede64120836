"""Batches of touch as the optimisation step takes them: tensors of one sensor, and what is asked of them.

Legend: B batch, R rows of it that a task has labels for.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from trunkline.pretrain.batch import move


@dataclass(frozen=True)
class Ask:
    """One task's share in a batch.

    Attributes:
        task: its name.
        target: (R, …) as the task makes it from labels; None for a task without labels.
        rows: (R,) the rows that have a target; None for all of them.
        weight: of its loss among those of the batch, which add up to 1.
    """

    task: str
    target: Tensor | None = None
    rows: Tensor | None = None
    weight: float = 1.0


@dataclass(frozen=True)
class TouchTensors:
    """Touches of one sensor, or the same contacts felt by two sensors.

    Attributes:
        sensor: that of `readings`.
        readings: (B, *shape), raw.
        asks: what is learned from them.
        second: (B, *shape) the later touch of each row, of the same sensor; None with one touch.
        other: the sensor that felt the same contacts, and its readings (B, *shape); None if there is none.
        share: how much this batch counts in the step.
    """

    sensor: str
    readings: Tensor
    asks: tuple[Ask, ...]
    second: Tensor | None = None
    other: tuple[str, Tensor] | None = None
    share: float = 1.0

    @property
    def label(self) -> str:
        """ "sensor/task"; of several tasks "sensor", or "sensor/pairs" for pairs of touches."""
        sensor = f"{self.sensor}+{self.other[0]}" if self.other else self.sensor
        if len(self.asks) == 1:
            return f"{sensor}/{self.asks[0].task}"
        return sensor if self.second is None else f"{sensor}/pairs"

    @property
    def size(self) -> int:
        """B."""
        return len(self.readings)

    @property
    def tasks(self) -> list[str]:
        """What an error message calls it."""
        return [f"{self.sensor}/{ask.task}" for ask in self.asks] if self.other is None else [self.label]

    def to(self, device: torch.device) -> "TouchTensors":
        """This batch on a device."""
        if device.type == "cpu":
            return self
        asks = tuple(
            replace(ask, target=_moved(ask.target, device), rows=_moved(ask.rows, device)) for ask in self.asks
        )
        other = None if self.other is None else (self.other[0], move(self.other[1], device))
        readings = move(self.readings, device)
        return TouchTensors(self.sensor, readings, asks, _moved(self.second, device), other, self.share)

    def first_non_finite(self) -> str:
        """The first reading or target that is not finite, in words; "" if there is none."""
        named = {f"sensor {self.sensor!r}": self.readings}
        if self.second is not None:
            named[f"second touch of sensor {self.sensor!r}"] = self.second
        if self.other is not None:
            named[f"sensor {self.other[0]!r}"] = self.other[1]
        named |= {f"target of {ask.task!r}": ask.target for ask in self.asks if ask.target is not None}
        for name, values in named.items():
            if values.is_floating_point() and not bool(torch.isfinite(values).all()):
                return f"{name} in a batch of {', '.join(self.tasks)} holds values that are not finite"
        return ""


def joined(batches: Sequence[TouchTensors]) -> list[TouchTensors]:
    """The batches of a step, those of one label as one: what was drawn twice counts twice."""
    groups: dict[str, list[TouchTensors]] = {}
    for batch in batches:
        groups.setdefault(batch.label, []).append(batch)
    return [_join(group) if len(group) > 1 else group[0] for group in groups.values()]


def _join(group: Sequence[TouchTensors]) -> TouchTensors:
    first = group[0]
    starts = [sum(batch.size for batch in group[:i]) for i in range(len(group))]
    asks = []
    for number, ask in enumerate(first.asks):
        parts = [batch.asks[number] for batch in group]
        rows = [
            torch.arange(batch.size) + start if part.rows is None else part.rows + start
            for batch, part, start in zip(group, parts, starts, strict=True)
        ]
        every = all(part.rows is None for part in parts)
        asks.append(replace(ask, target=_cat([p.target for p in parts]), rows=None if every else torch.cat(rows)))
    return replace(
        first,
        readings=torch.cat([batch.readings for batch in group]),
        asks=tuple(asks),
        second=_cat([batch.second for batch in group]),
        share=sum(batch.share for batch in group),
    )


def _cat(parts: Sequence[Tensor | None]) -> Tensor | None:
    there = [part for part in parts if part is not None]
    return torch.cat(there) if there else None


def _moved(tensor: Tensor | None, device: torch.device) -> Tensor | None:
    return None if tensor is None else move(tensor, device)
