"""Small data sets of touch: the same contacts felt by several made-up sensors, with labels that follow from them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from trunkline.agents.t3 import t3_config
from trunkline.data.fota import FotaDataset, FotaWriter
from trunkline.envs.spec import SensorSpec
from trunkline.pretrain.touch.config import TouchPretrainConfig

SIDE = 32
SENSORS = {
    "red": SensorSpec("red", "tactile_rgb", (SIDE, SIDE, 3), "uint8"),
    "blue": SensorSpec("blue", "tactile_rgb", (SIDE, SIDE, 3), "uint8"),
    "pad": SensorSpec("pad", "taxels", (8, 8, 1)),
}
CLASSES = 3
LABELLED = ("object", "texture", "smoothness", "force", "slip", "contact", "mask", "pose_3d", "pose_6d")
SMALL = replace(
    t3_config("nano", image=32),
    width=32, depth=1, attention_heads=2,
    encoders={
        "*:tactile_rgb": {"name": "t3", "patch": 8, "depth": 1, "heads": 2},
        "*:taxels": {"name": "taxels", "depth": 1, "heads": 2},
    },
)  # fmt: skip


def contacts(count: int, seed: int = 0, frames: int = 4) -> list[dict[str, Any]]:
    """Touches of trials: an object of a class pressed at a place with a force; frames of a trial differ in place."""
    generator = np.random.default_rng(seed)
    found = []
    for trial in range(count):
        kind, turned = int(generator.integers(CLASSES)), generator.uniform(0, np.pi)
        for frame in range(frames):
            x, y = generator.uniform(-5, 5, 2)
            press = float(generator.uniform(0.5, 4))
            touches = bool(generator.random() > 0.1)
            found.append(
                {
                    "contact_id": f"{seed}-{trial}-{frame}", "frame_idx": frame, "trial_idx": seed * 1000 + trial,
                    "obj_idx": kind, "obj_name": f"object {kind}", "texture": kind, "smoothness": min(int(press), 3),
                    "has_contact": touches, "force_n": [0.1 * x, 0.1 * y, press], "slip": bool(x > 0),
                    "x_mm": float(x), "y_mm": float(y), "z_mm": -press, "quat_x": 0.0, "quat_y": 0.0,
                    "quat_z": float(np.sin(turned / 2)), "quat_w": float(np.cos(turned / 2)),
                }
            )  # fmt: skip
    return found


def depth(touch: Mapping[str, Any], side: int) -> np.ndarray:
    """How deep the object is in the gel, (side, side): a disc, a square or a ring by class; wider when pressed more."""
    if not touch["has_contact"]:
        return np.zeros((side, side))
    y, x = np.meshgrid(np.linspace(-8, 8, side), np.linspace(-8, 8, side), indexing="ij")
    x, y = x - touch["x_mm"], y + touch["y_mm"]
    size = 2 + 0.6 * touch["force_n"][2]
    distance = np.maximum(abs(x), abs(y)) if touch["obj_idx"] == 1 else np.hypot(x, y)
    inside = np.clip(size - distance, 0, 1)
    return inside * (distance > size / 2) if touch["obj_idx"] == 2 else inside


def feel(sensor: SensorSpec, touch: Mapping[str, Any], seed: int) -> np.ndarray:
    """What a sensor reads."""
    generator = np.random.default_rng([seed, *sensor.name.encode()])
    field = depth(touch, sensor.shape[0])
    if sensor.modality == "taxels":
        return (field[..., None] + 0.02 * generator.standard_normal(sensor.shape)).astype(np.float32)
    slope_y, slope_x = np.gradient(field)
    light = {"red": ([90, 30, 40], [1, 0.2, 0.1]), "blue": ([40, 60, 100], [-0.3, 0.4, 1])}[sensor.name]
    shades = np.stack([field, slope_x, slope_y], -1) @ (90 * np.array([light[1], light[1][::-1], [0.2, 0.7, -0.2]]))
    return np.clip(np.array(light[0]) + shades + 3 * generator.standard_normal(sensor.shape), 0, 255).astype(np.uint8)


def write_touch(
    root: Path,
    sensors: Sequence[str] = tuple(SENSORS),
    trials: Mapping[str, int] | None = None,
    without: Mapping[str, Sequence[str]] | None = None,
) -> Path:
    """Data sets root/<sensor>/<split>.

    Args:
        root: where.
        sensors: names of those that feel the contacts.
        trials: how many trials each split has.
        without: by sensor, labels that its data set lacks.
    """
    for number, (split, count) in enumerate((trials or {"train": 60, "val": 25}).items()):
        touches = contacts(count, seed=number)
        for name in sensors:
            sensor = SENSORS[name]
            with FotaWriter(root / name, split, sensor) as writer:
                for i, touch in enumerate(touches):
                    labels = {k: v for k, v in touch.items() if k not in (without or {}).get(name, ())}
                    mask = depth(touch, SIDE) > 0.1 if sensor.dtype == "uint8" else None
                    writer.add(f"{i:05d}", feel(sensor, touch, i), labels, mask)
    return root


def datasets(data: str, split: str = "val") -> list[FotaDataset]:
    """The data sets of all sensors."""
    return [FotaDataset(Path(data) / name, split) for name in SENSORS]


def touch_config(data: str) -> TouchPretrainConfig:
    """A run of four steps."""
    return TouchPretrainConfig(
        data, tasks=LABELLED, agent=SMALL, steps=4, batch_size=24, pairs_per_step=3, lr=1e-3, warmup=2, log_every=1,
        checkpoint_every=2, device="cpu", shuffle_buffer=64,
    )  # fmt: skip
