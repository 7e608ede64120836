"""Kinds of tasks about one touch: what the head is, what its targets are, how it is measured.

Legend: B batch, N samples, C classes, K numbers of a target, H×W mask.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
from torch import Tensor
from torch.nn import functional

from trunkline.agents.heads.touch import TokenHead
from trunkline.errors import InputError
from trunkline.pretrain.touch import metrics
from trunkline.pretrain.touch.labelled import LabelledTask, Numbers, statistics
from trunkline.pretrain.touch.metrics import Metrics
from trunkline.pretrain.touch.task import Fields


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
    mean: Numbers = ()
    std: Numbers = ()
    kind: ClassVar[str] = "t3_variance"

    @property
    def fields(self) -> tuple[str, ...]:
        return (self.field,)

    @property
    def fitted(self) -> bool:
        return bool(self.mean)

    def fit(self, labels: Sequence[Fields]) -> Self:
        mean, std = statistics([self.target(of, None) for of in labels], self.field)
        return replace(self, mean=mean, std=std)

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
        shares = functional.adaptive_avg_pool2d(target.float().unsqueeze(1), (output.shape[1], output.shape[2]))[:, 0]
        return head.predict(output), shares >= 0.5

    def measure(self, predicted: np.ndarray, target: np.ndarray) -> Metrics:
        return metrics.overlap(predicted, target)
