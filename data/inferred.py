"""Sensors and actuators of a data set whose writer did not state them, from its features."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from trunkline.data.lerobot import INFO, Feature
from trunkline.envs.spec import ActionSpec, SensorSpec
from trunkline.errors import InputError


def infer_sensors(columns: Mapping[str, Feature], fps: float) -> tuple[dict[str, Feature], dict[str, SensorSpec]]:
    """Features and SensorSpecs, by sensor name, of every numeric `observation.*`.

    `observation.images.top` is the sensor `top`, `observation.state` is `state`.
    """
    features = {
        key: feature for key, feature in columns.items() if key.startswith("observation.") and feature.dtype != "string"
    }
    names = {key: key.removeprefix("observation.").removeprefix("images.") for key in features}
    sensors: dict[str, SensorSpec] = {}
    stored: dict[str, Feature] = {}
    for key, feature in features.items():
        name = names[key] if list(names.values()).count(names[key]) == 1 else key.removeprefix("observation.")
        sensors[name] = SensorSpec(
            name,
            _modality(key, feature),
            feature.shape,
            feature.numpy_dtype.name,
            frame_rate=float(fps),
            privileged=key == "observation.environment_state",
        )
        stored[name] = feature
    return stored, sensors


def _modality(key: str, feature: Feature) -> str:
    if feature.encoded:
        return "rgb" if feature.shape[-1] == 3 else "depth" if feature.shape[-1] == 1 else "image"
    if key == "observation.environment_state":
        return "state"
    return "proprio" if len(feature.shape) <= 1 else "array"


def infer_action(
    info: Mapping[str, Any], root: Path, feature: Feature, low: np.ndarray, high: np.ndarray
) -> ActionSpec:
    """The ActionSpec of a body that is named by `robot_type` (else the folder), with bounds that were seen.

    Raises:
        InputError: actions that are no vector of numbers.
    """
    if len(feature.shape) != 1 or feature.numpy_dtype.kind not in "fiu":
        raise InputError(
            f"{root / INFO}: actions are {feature.dtype} of shape {list(feature.shape)}; only vectors are read"
        )
    name = str(info.get("robot_type") or root.resolve().name).replace("/", "_")
    if feature.numpy_dtype.kind in "iu":
        return ActionSpec(name, feature.shape, choices=tuple(int(n) + 1 for n in high))
    return ActionSpec(name, feature.shape, tuple(map(float, low)), tuple(map(float, high)))


def bounds(parts: Iterable[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Least and greatest value of each element over arrays (T, A)."""
    low, high = zip(*((part.min(0), part.max(0)) for part in parts), strict=True)
    return np.min(low, axis=0), np.max(high, axis=0)
