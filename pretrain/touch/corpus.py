"""The touches a run learns from: data sets by sensor, which tasks each has labels for, and what all labels say."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from trunkline.data.fota.dataset import FotaDataset
from trunkline.data.fota.faults import BadSample
from trunkline.data.fota.labels import MASK, parse_labels
from trunkline.data.fota.shards import JSON, SPLITS, scan
from trunkline.envs.spec import SensorSpec
from trunkline.errors import InputError, unknown
from trunkline.pretrain.corpus import pool_statistics
from trunkline.pretrain.touch.config import EVERY
from trunkline.pretrain.touch.sampling import Pair
from trunkline.pretrain.touch.task import TouchTask

TRIAL_FIELDS = ("obj_idx", "trial_idx")
CONTACT_FIELD = "has_contact"


@dataclass(frozen=True)
class TouchCorpus:
    """Data sets of touch.

    Attributes:
        datasets: by sensor.
        sensors: the sensors, with the statistics of their readings.
    """

    datasets: Mapping[str, tuple[FotaDataset, ...]]
    sensors: Mapping[str, SensorSpec]

    def having(self, sensor: str, task: TouchTask) -> tuple[FotaDataset, ...]:
        """The sensor's data sets with labels for a task."""
        return tuple(dataset for dataset in self.datasets[sensor] if has_fields(dataset, task.fields))

    def pairs(self, tasks: Mapping[str, TouchTask], hold_out: Sequence[tuple[str, str]] = ()) -> list[Pair]:
        """All (sensor, task) pairs that there are labels for, but those held out.

        Raises:
            InputError: an unknown sensor held out, or a task that no data set has labels for.
        """
        for sensor, _ in hold_out:
            if sensor not in self.datasets:
                raise unknown("sensor in hold_out", sensor, self.datasets)
        found = [
            Pair(sensor, name, sum(len(dataset) for dataset in self.having(sensor, task)))
            for sensor in self.datasets
            for name, task in tasks.items()
            if self.having(sensor, task)
        ]
        for name, task in tasks.items():
            if name not in {pair.task for pair in found}:
                raise InputError(f"task {name!r}: no data set has labels {', '.join(task.fields)}; leave the task out")
        withheld = {sensor for sensor, task in hold_out if task == EVERY}
        kept = [
            pair
            for pair in found
            if (pair.sensor, pair.task) not in hold_out and not (pair.sensor in withheld and tasks[pair.task].labelled)
        ]
        for name in tasks:
            if name not in {pair.task for pair in kept}:
                raise InputError(
                    f"hold_out leaves task {name!r} no sensor to learn from; hold out fewer, or drop the task"
                )
        return kept

    def fit(self, tasks: Mapping[str, TouchTask], pairs: Sequence[Pair]) -> dict[str, TouchTask]:
        """The tasks with what their heads must know of all labels of the pairs that are learned from.

        Raises:
            InputError: no sample of a data set has usable labels of a task that it should have.
        """
        fitted = {}
        for name, task in tasks.items():
            labels = [
                _task_labels(dataset, name, task)
                for pair in pairs
                if pair.task == name and not task.fitted
                for dataset in self.having(pair.sensor, task)
            ]
            fitted[name] = task.fit(labels) if labels else task
        return fitted


def open_touch_data(root: str | Path, split: str = "train", sensors: Sequence[str] = ()) -> TouchCorpus:
    """Open the data sets under a folder.

    Args:
        root: a folder of data sets, or a single one.
        split: "train", "val" or "test"; a data set without it is left out.
        sensors: names of those to read; empty for all.

    Raises:
        InputError: no data set there, an unknown sensor (with the nearest match), or two data sets of one sensor that
            differ in its form.
    """
    root = Path(root)
    if not root.is_dir():
        raise InputError(f"there is no folder {root}; generate touch data or give the folder that holds data sets")
    folders = [root] if _is_dataset(root) else sorted(path for path in root.iterdir() if _is_dataset(path))
    if not folders:
        raise InputError(f"{root} holds no data set (folders with train/data-000000.tar); generate or download one")
    datasets: dict[str, list[FotaDataset]] = {}
    for folder in folders:
        if (folder / split).is_dir():
            dataset = FotaDataset(folder, split)
            datasets.setdefault(dataset.sensor.name, []).append(dataset)
    if not datasets:
        raise InputError(f"no data set in {root} has a split {split!r}; use another split")
    for name in sensors:
        if name not in datasets:
            raise unknown(f"sensor in {root}", name, datasets)
    kept = {name: tuple(sets) for name, sets in datasets.items() if not sensors or name in sensors}
    pooled = {name: pool_statistics([(d.sensor, len(d)) for d in sets]) for name, sets in kept.items()}
    return TouchCorpus(kept, pooled)


def has_fields(dataset: FotaDataset, fields: Sequence[str]) -> bool:
    """Whether a data set has labels of these names; `mask` for contact masks."""
    try:
        dataset.labels(fields)
    except InputError:
        return False
    return True


def _task_labels(dataset: FotaDataset, name: str, task: TouchTask) -> dict[str, np.ndarray]:
    labels = read_labels(dataset, (*task.fields, *TRIAL_FIELDS, CONTACT_FIELD))
    if not all(len(values) for values in labels.values()):
        raise InputError(
            f"{dataset.root}: no sample has a usable label {' or '.join(task.fields)} of task {name!r}; repair the "
            f"labels, or hold out [{dataset.sensor.name},{name}]"
        )
    return labels


def read_labels(dataset: FotaDataset, fields: Sequence[str]) -> dict[str, np.ndarray]:
    """Labels of all sound samples, those of `fields` that the data set has; pictures are not read.

    Args:
        dataset: one split.
        fields: names; contact masks, which are pictures, are passed over.
    """
    labels = dataset.labels([name for name in dict.fromkeys(fields) if name in dataset.fields and name != MASK])
    columns: dict[str, list[Any]] = {label.name: [] for label in labels}
    for values in read_json(dataset):
        try:
            row = [label.value(values) for label in labels]
        except BadSample:  # the stream names and counts it
            continue
        for column, value in zip(columns.values(), row, strict=True):
            column.append(value)
    return {label.name: np.array(columns[label.name], label.dtype) for label in labels}


def read_json(dataset: FotaDataset) -> list[dict[str, Any]]:
    """The label files of all samples, in order; {} where one is broken."""
    found: list[dict[str, Any]] = []
    for shard in dataset.shards:
        index = scan(shard)
        descriptor = os.open(shard, os.O_RDONLY)
        try:
            for begin, (offset, size) in zip(index.extents[:, 0], index.parts[:, JSON], strict=True):
                try:
                    found.append(parse_labels(os.pread(descriptor, int(size), int(begin + offset))))
                except BadSample:
                    found.append({})
        finally:
            os.close(descriptor)
    return found


def _is_dataset(path: Path) -> bool:
    return any(next((path / split).glob("data?*.tar"), None) is not None for split in SPLITS)
