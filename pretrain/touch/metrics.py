"""How good predictions are, task kind by task kind, and what chance is.

Legend: N samples, K numbers of a target, H×W mask.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Metrics:
    """How good predictions are.

    Attributes:
        name: of the main metric; higher is better, 1 is perfect.
        value: of the main metric.
        chance: what a predictor gets that has seen no touch.
        others: further metrics by name.
    """

    name: str
    value: float
    chance: float
    others: Mapping[str, float]


def classification(predicted: np.ndarray, target: np.ndarray) -> Metrics:
    """Macro accuracy: the mean over the classes that occur of the share recognised; chance is 1 over their number.

    Args:
        predicted: (N,) classes.
        target: (N,) classes.
    """
    right = predicted == target
    classes, where = np.unique(target, return_inverse=True)
    macro = float((np.bincount(where, right) / np.bincount(where)).mean())
    return Metrics("macro_accuracy", macro, 1 / len(classes), {"accuracy": float(right.mean())})


def ordinal(predicted: np.ndarray, target: np.ndarray) -> Metrics:
    """As `classification`, and the mean distance in grades."""
    measured = classification(predicted, target)
    distance = float(np.abs(predicted - target).mean())
    return Metrics(measured.name, measured.value, measured.chance, {**measured.others, "grades_off": distance})


def regression(predicted: np.ndarray, target: np.ndarray) -> Metrics:
    """R², a mean over the K numbers that vary: 1 − Σ(error²) / Σ(deviation from the targets' own mean²); chance is 0.

    Args:
        predicted: (N, K).
        target: (N, K).
    """
    predicted, target = predicted.astype(np.float64), target.astype(np.float64)
    squared = ((predicted - target) ** 2).mean(0)
    variance = target.var(0)
    varies = variance > 1e-12
    score = float(np.mean(1 - squared[varies] / variance[varies])) if varies.any() else float("nan")
    return Metrics("r2", score, 0.0, {"rmse": float(np.sqrt(squared.mean()))})


def overlap(predicted: np.ndarray, target: np.ndarray) -> Metrics:
    """Intersection over union, a mean over samples; an empty mask rightly predicted counts 1.

    Chance is the best constant mask: that of all the pixels which are more often in contact than some threshold.

    Args:
        predicted: (N, H, W) bool.
        target: (N, H, W) bool.
    """
    frequency = target.mean(0)
    constants = [frequency >= threshold for threshold in np.unique(np.quantile(frequency, np.linspace(0, 1, 17)))]
    chance = max(float(_iou(np.broadcast_to(mask, target.shape), target).mean()) for mask in constants)
    agreement = float((predicted == target).mean())
    return Metrics("iou", float(_iou(predicted, target).mean()), chance, {"pixel_accuracy": agreement})


def _iou(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    both, either = (one & two).sum((1, 2)), (one | two).sum((1, 2))
    return np.where(either > 0, both / np.maximum(either, 1), 1.0)


def pose_change(predicted: np.ndarray, target: np.ndarray) -> Metrics:
    """As `regression`; and the error of the translation in mm and of the rotation in degrees.

    Args:
        predicted: (N, 3) or (N, 9): translation in mm, and the first two columns of the rotation.
        target: the same.
    """
    measured = regression(predicted, target)
    others = {"translation_rmse_mm": float(np.sqrt(((predicted - target)[:, :3] ** 2).sum(1).mean()))}
    if target.shape[1] == 9:
        cosine = (np.einsum("nij,nij->n", _rotation(predicted), _rotation(target)) - 1) / 2
        others["rotation_error_deg"] = float(np.degrees(np.arccos(np.clip(cosine, -1, 1))).mean())
    return Metrics(measured.name, measured.value, measured.chance, others)


def _rotation(change: np.ndarray) -> np.ndarray:
    """Rotations (N, 3, 3) from (N, 9), the two columns made orthonormal by Gram and Schmidt."""
    first, second = change[:, 3:6].astype(np.float64), change[:, 6:9].astype(np.float64)
    x = first / np.maximum(np.linalg.norm(first, axis=1, keepdims=True), 1e-9)
    y = second - (x * second).sum(1, keepdims=True) * x
    y /= np.maximum(np.linalg.norm(y, axis=1, keepdims=True), 1e-9)
    return np.stack([x, y, np.cross(x, y)], axis=2)
