"""What a touch benchmark is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from trunkline.agents.t3 import SIZES
from trunkline.envs.tactile.sensor import load_touch_sensor, touch_sensor_names
from trunkline.errors import InputError, unknown
from trunkline.pretrain.touch.task import make_tasks

TASKS = ("object", "texture", "smoothness", "force", "slip", "mask", "pose_3d", "pose_6d")


@dataclass(frozen=True)
class FewShotConfig:
    """How fast a new sensor is learned.

    Attributes:
        sensor: of the catalogue, one that the benchmark does not have.
        trials: of the new sensor that a model learns from, a model each; a trial has about six samples.
        options: of the training (`TouchPretrainConfig`).
    """

    sensor: str
    trials: tuple[int, ...] = (4, 11, 33, 105, 333)
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        load_touch_sensor(self.sensor)
        if not self.trials or list(self.trials) != sorted(set(self.trials)) or self.trials[0] < 1:
            raise InputError(f"parts.touch.few_shot.trials={list(self.trials)} must be positive numbers that grow")


@dataclass(frozen=True)
class TouchConfig:
    """The touch part of an experiment: generate contacts, pretrain, and the zero-shot matrix of sensors and tasks.

    Attributes:
        sensors: of the catalogue, or YAML files of your own; empty for the whole catalogue.
        tasks: of `trunkline.pretrain.touch.tasks`.
        trials: contacts from touch-down to the end of a motion, by split: "train", "val", "test".
        chunk: trials generated together; each is one shard of every sensor's data set.
        data_seed: of the trials.
        image_size: pixels a side of optical sensors' frames.
        hold_out: pairs [sensor, task] that are never learned from, in any arm but the upper bound.
        unlabelled: sensors without any label in training.
        seeds: of training.
        size: of the T3: "pico", "nano" (for CPUs), "tiny", "small", "medium", "large".
        stage1: options of the masked autoencoding (`TouchPretrainConfig`); steps: 0 leaves it out.
        stage2: options of the supervised training on all sensors.
        single: options of the training on one sensor alone, for the baselines.
        arms: of the comparison: "transfer", "upper", "single" (nearest sensor, and no trunk sharing).
        few_shot: a sensor that is new to the trained model, and how much of it is learned from; None for none.
        limit: test samples a cell; 0 for all.
        resamples: of the bootstrap.
    """

    sensors: tuple[str, ...] = ()
    tasks: tuple[str, ...] = TASKS
    trials: Mapping[str, int] = field(default_factory=lambda: {"train": 1200, "val": 100, "test": 300})
    chunk: int = 50
    data_seed: int = 0
    image_size: int = 64
    hold_out: tuple[tuple[str, str], ...] = ()
    unlabelled: tuple[str, ...] = ()
    seeds: tuple[int, ...] = (0,)
    size: str = "nano"
    stage1: Mapping[str, Any] = field(default_factory=dict)
    stage2: Mapping[str, Any] = field(default_factory=dict)
    single: Mapping[str, Any] = field(default_factory=dict)
    arms: tuple[str, ...] = ("transfer", "upper", "single")
    few_shot: FewShotConfig | None = None
    limit: int = 0
    resamples: int = 500

    def __post_init__(self) -> None:
        if not self.sensors:
            object.__setattr__(self, "sensors", tuple(touch_sensor_names()))
        names = [load_touch_sensor(sensor).name for sensor in self.sensors]
        make_tasks(self.tasks)
        if self.size not in SIZES:
            raise unknown("size of T3", self.size, SIZES)
        for split in self.trials:
            if split not in ("train", "val", "test"):
                raise unknown("split in parts.touch.trials", split, ("train", "val", "test"))
        for split in ("train", "val", "test"):
            if self.trials.get(split, 0) < 1:
                raise InputError(f"parts.touch.trials has no {split}={self.trials.get(split)!r}; give at least 1")
        for sensor, task in self.hold_out:
            if sensor not in names:
                raise unknown("sensor in parts.touch.hold_out", sensor, names)
            if task not in self.tasks:
                raise unknown("task in parts.touch.hold_out", task, self.tasks)
        for sensor in self.unlabelled:
            if sensor not in names:
                raise unknown("sensor in parts.touch.unlabelled", sensor, names)
        for arm in self.arms:
            if arm not in ("transfer", "upper", "single"):
                raise unknown("arm in parts.touch.arms", arm, ("transfer", "upper", "single"))

        if self.few_shot is not None:
            if load_touch_sensor(self.few_shot.sensor).name in names:
                raise InputError(f"parts.touch.few_shot.sensor={self.few_shot.sensor!r} is in sensors; it must be new")
            if "transfer" not in self.arms:
                raise InputError("parts.touch.few_shot starts from the arm 'transfer'; add it to arms")

    @property
    def withheld(self) -> list[tuple[str, str]]:
        """What no arm but the upper bound learns from, as `TouchPretrainConfig.hold_out` takes it."""
        return [*self.hold_out, *((sensor, "*") for sensor in self.unlabelled)]

    def held_out(self, sensor: str, task: str) -> bool:
        """Whether a pair is withheld."""
        return sensor in self.unlabelled or (sensor, task) in self.hold_out
