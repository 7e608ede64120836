"""Kinds of labelled tasks: what the head is, what its targets are, how it is measured.

Legend: B batch, N samples, C classes, K numbers of a target, H×W mask.
"""

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from trunkline.agents.agent import Agent
from trunkline.agents.encoders.patches import PatchEncoder
from trunkline.agents.heads.touch import TokenHead
from trunkline.data.fota.labels import POSE, POSITION
from trunkline.data.fota.pose import POSE_3D, POSE_6D, pose_change
from trunkline.errors import InputError
from trunkline.pretrain.touch import metrics
from trunkline.pretrain.touch.batch import Ask, TouchTensors
from trunkline.pretrain.touch.metrics import Metrics
from trunkline.pretrain.touch.task import Fields, TouchTask, trials


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
                    f"the checkpoint's head {name!r} has {option}={has}, the data needs {wanted}; give the task another "
                    f"name in tasks and task_options, or leave the head out of init_parts"
                )

    def target(self, fields: Fields, second: Fields | None) -> tuple[np.ndarray, np.ndarray]:
        values = self.targets(fields, second)
        rows = values.reshape(len(values), -1)
        valid = np.isfinite(rows).all(1) if rows.dtype.kind == "f" else (rows >= 0).all(1)
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


@dataclass(frozen=True)
class Classification(LabelledTask):
    """Which of C classes; a label below 0 means none. Metric: macro accuracy, chance 1 over the classes that occur.

    Attributes:
        field: the label's name.
        classes: C; 0 for one more than the largest label in the training data.
    """

    field: str = ""
    classes: int = 0
    kind: ClassVar[str] = "t3_classification"

    @property
    def fields(self) -> tuple[str, ...]:
        return (self.field,)

    @property
    def fitted(self) -> bool:
        return self.classes > 0

    def fit(self, labels: Sequence[Fields]) -> Self:
        largest = max(int(np.max(of[self.field], initial=-1)) for of in labels)
        if largest < 1:
            raise InputError(f"label {self.field!r} has no two classes in the training data; leave its task out")
        return replace(self, classes=largest + 1)

    def head_options(self) -> dict[str, Any]:
        return {"classes": self.classes}

    def targets(self, fields: Fields, second: Fields | None) -> np.ndarray:
        labels = np.asarray(fields[self.field]).astype(np.int64)
        if self.classes and labels.max(initial=0) >= self.classes:
            raise InputError(f"label {self.field!r} is {labels.max()}, but there are {self.classes} classes, from 0")
        return labels

    def measure(self, predicted: np.ndarray, target: np.ndarray) -> Metrics:
        return metrics.classification(predicted, target)


@dataclass(frozen=True)
class Binary(Classification):
    """Yes or no, as a classification of two."""

    classes: int = 2


@dataclass(frozen=True)
class Ordinal(Classification):
    """Which of C ordered grades."""

    kind: ClassVar[str] = "t3_ordinal"

    def head_options(self) -> dict[str, Any]:
        return {"grades": self.classes}

    def measure(self, predicted: np.ndarray, target: np.ndarray) -> Metrics:
        return metrics.ordinal(predicted, target)


@dataclass(frozen=True)
class Regression(LabelledTask):
    """K numbers, by their squared error in units of the training data's spread. Metric: R², chance 0.

    Attributes:
        field: the label's name; K numbers, or one.
        mean, std: (K,) of the targets; empty to take them from the training data. The head keeps them.
    """

    field: str = ""
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    kind: ClassVar[str] = "t3_variance"

    @property
    def fields(self) -> tuple[str, ...]:
        return (self.field,)

    @property
    def fitted(self) -> bool:
        return bool(self.mean)

    def fit(self, labels: Sequence[Fields]) -> Self:
        return replace(self, **statistics([self.target(of, None) for of in labels], self.field))

    def head_options(self) -> dict[str, Any]:
        return {"outputs": len(self.mean), "mean": list(self.mean), "std": list(self.std)}

    def targets(self, fields: Fields, second: Fields | None) -> np.ndarray:
        values = np.asarray(fields[self.field], np.float32)
        return values.reshape(len(values), -1)

    def error(self, head: TokenHead, output: Tensor, target: Tensor) -> Tensor:
        scale = head.get_submodule("scale")
        return functional.mse_loss(output, scale(target))

    def measure(self, predicted: np.ndarray, target: np.ndarray) -> Metrics:
        return metrics.regression(predicted, target)


@dataclass(frozen=True)
class Mask(LabelledTask):
    """Where the gel touches, at the head's resolution. Metric: intersection over union, chance the best constant mask.

    Attributes:
        field: the label's name, masks (H, W).
        cells: mask pixels along a side of a patch.
    """

    field: str = ""
    cells: int = 2
    kind: ClassVar[str] = "t3_mask"

    @property
    def fields(self) -> tuple[str, ...]:
        return (self.field,)

    def head_options(self) -> dict[str, Any]:
        return {"cells": self.cells}

    def targets(self, fields: Fields, second: Fields | None) -> np.ndarray:
        return np.asarray(fields[self.field]).astype(np.uint8)

    def answers(self, head: TokenHead, output: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        shares = functional.adaptive_avg_pool2d(target.float().unsqueeze(1), output.shape[1:])[:, 0]
        return head.predict(output), shares >= 0.5

    def measure(self, predicted: np.ndarray, target: np.ndarray) -> Metrics:
        return metrics.overlap(predicted, target)


@dataclass(frozen=True)
class PoseChange(LabelledTask):
    """How the object moved between two touches of one trial. Metric: R² over the numbers that vary, chance 0.

    Targets are (B, 3), the difference of positions in mm, or (B, 9), inv(T₁)·T₂: its translation in mm and the first
    two columns of its rotation (Zhou et al., "On the continuity of rotation representations", CVPR 2019).

    Attributes:
        rotation: the change has 6 degrees of freedom, not 3.
        mean, std: of the targets; empty to take them from the training data. The head keeps them.
    """

    rotation: bool = False
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    two_touches: ClassVar[bool] = True
    kind: ClassVar[str] = "t3_pose"

    @property
    def fields(self) -> tuple[str, ...]:
        return POSE if self.rotation else POSITION

    @property
    def fitted(self) -> bool:
        return bool(self.mean)

    def fit(self, labels: Sequence[Fields]) -> Self:
        """The changes between random touches of one trial say what the spread of changes is."""
        found = []
        for of in labels:
            first, second = random_pairs(trials(of))
            at, then = ({name: np.asarray(values)[rows] for name, values in of.items()} for rows in (first, second))
            if len(first):
                found.append(self.target(at, then))
        return replace(self, **statistics(found, "poses of two touches of a trial"))

    def head_options(self) -> dict[str, Any]:
        return {"outputs": len(self.mean), "mean": list(self.mean), "std": list(self.std)}

    def targets(self, fields: Fields, second: Fields | None) -> np.ndarray:
        assert second is not None, "a pose change needs two touches"
        at, then = (np.stack([np.asarray(f[n], np.float64) for n in self.fields], -1) for f in (fields, second))
        return pose_change(at, then)[POSE_6D if self.rotation else POSE_3D].astype(np.float32)

    def measure(self, predicted: np.ndarray, target: np.ndarray) -> Metrics:
        return metrics.pose_change(predicted, target)


def touch_tokens(agent: Agent, batch: TouchTensors) -> list[Tensor]:
    """The trunk's tokens (B, N, D) of each touch, by one forward pass."""
    if batch.second is None:
        return [agent.tokens({batch.sensor: batch.readings})]
    return list(agent.tokens({batch.sensor: torch.cat([batch.readings, batch.second])}).chunk(2))


def statistics(found: Sequence[tuple[np.ndarray, np.ndarray]], what: str) -> dict[str, tuple[float, ...]]:
    """Mean and standard deviation of targets (N, K) as options; 1 where a number does not vary.

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
    return {"mean": tuple(mean.tolist()), "std": tuple(np.where(std < 1e-6, 1.0, std).tolist())}


def random_pairs(trial: np.ndarray, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the first and of the second touch: each touch with another one of its trial, if it has any.

    Args:
        trial: (N,) the trial of each touch.
        seed: of the choice.
    """
    order = np.argsort(trial, kind="stable")
    begins = np.searchsorted(trial[order], trial[order])
    sizes = np.searchsorted(trial[order], trial[order], side="right") - begins
    steps = np.random.default_rng(seed).integers(1, np.maximum(sizes, 2))
    partners = order[begins + (np.arange(len(order)) - begins + steps) % sizes]
    return order[sizes > 1], partners[sizes > 1]
