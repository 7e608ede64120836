"""Reading a LeRobot data set, ours or one that others wrote."""

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from trunkline.data import lerobot
from trunkline.data.episode import Episode
from trunkline.data.frames import FrameReader
from trunkline.data.index import EpisodeIndex, episode_tables
from trunkline.data.inferred import bounds, infer_action, infer_sensors
from trunkline.data.lerobot import RESTORE, Feature
from trunkline.data.statistics import Statistics, from_json, from_row, merge_all, plausible
from trunkline.data.tables import read_table, read_tasks
from trunkline.envs.spec import ActionSpec, SensorSpec, TaskSpec
from trunkline.errors import InputError, unknown


class EpisodeDataset:
    """A data set of whole episodes on disk. Opening it reads the tables under `meta/`, no frame.

    What the episodes table names is trusted, not the totals of info.json: a writer that was killed leaves the totals
    behind, and files that no row names.

    A data set of others has no TaskSpecs and no success of its own: TaskSpecs are made up (task "lerobot/<text>", split
    "foreign", seed the episode's index), success is any `next.success`, and SensorSpecs follow from its features.

    Args:
        root: the folder that holds `meta/`.

    Attributes:
        info: its info.json.
        fps: frames a second.
        foreign: whether others wrote it.
        columns: {feature key: Feature}.
        index: where the episodes are.
        frames: reads them.
        tasks: texts of the tasks by task_index.
        features: {sensor: the feature that stores it}.
        sensors: {sensor: SensorSpec}, with `mean` and `std` of this data set.
        action_spec: the body's actuators.

    Raises:
        InputError: not a LeRobot v3.0 data set, or one with a missing or damaged table or file.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)
        self.info = lerobot.load_info(self.root)
        self.fps: float = self.info["fps"]
        self.foreign = "trunkline" not in self.info
        path = self.root / lerobot.INFO
        self.columns = {k: lerobot.feature_from_json(k, v, path) for k, v in self.info["features"].items()}
        if "action" not in self.columns:
            raise InputError(f"{path} has no feature 'action'; there is nothing to learn to do from it")
        self.columns.setdefault("episode_index", Feature("episode_index", "int64", (1,)))
        self.tasks = read_tasks(self.root)
        self.index = EpisodeIndex(self.root, self.info, self.columns)
        self.frames = FrameReader(self.index, self.columns, self.fps)
        own = None if self.foreign else lerobot.described(self.info, path)
        self.features, self.sensors = self._read_sensors(None if own is None else own[0])
        self.action_spec = self._infer_action() if own is None else own[1]

    def __len__(self) -> int:
        return len(self.index)

    @property
    def episodes(self) -> Any:
        """The episodes table (pyarrow) without statistics, one row an episode."""
        return self.index.table

    @property
    def num_frames(self) -> int:
        """Frames of all episodes."""
        return int(self.index.lengths.sum())

    @cached_property
    def task_names(self) -> list[str]:
        """The task of each episode, as its TaskSpec names it."""
        texts = self.index.texts()
        return [f"lerobot/{text}" for text in texts] if self.foreign else texts

    @cached_property
    def task_ids(self) -> set[str]:
        """Ids of the TaskSpecs of all episodes."""
        if self.foreign:
            return {self.task_spec(i).id for i in range(len(self))}
        return set(self.episodes["trunkline/task_id"].to_pylist())

    def task_spec(self, index: int) -> TaskSpec:
        """The TaskSpec of one episode."""
        self._check_index(index)
        if self.foreign:
            number, length = int(self.index.numbers[index]), int(self.index.lengths[index])
            return TaskSpec(self.task_names[index], number, {}, "foreign", length)
        try:
            return TaskSpec.from_json(json.loads(self.episodes["trunkline/task_spec"][index].as_py()))
        except (json.JSONDecodeError, TypeError) as error:
            raise InputError(f"{self.root}: the TaskSpec of episode {index} is damaged ({error}); {RESTORE}") from None

    def success(self, index: int) -> bool:
        """Whether one episode succeeded; False where the data set does not say."""
        self._check_index(index)
        if not self.foreign:
            return bool(self.episodes["trunkline/success"][index].as_py())
        if "next.success" not in self.columns:
            return False
        values = self.frames.allocate(["next.success"], int(self.index.lengths[index]))
        self.frames.read_into([index], values)
        return bool(values["next.success"].any())

    def episode(self, index: int, sensors: Sequence[str] | None = None) -> Episode:
        """One episode, whole.

        Args:
            index: its row in `episodes`.
            sensors: names of those to read; None for all.

        Raises:
            InputError: an index or sensor that is not there, or a damaged file.
        """
        self._check_index(index)
        names = list(self.features) if sensors is None else list(sensors)
        keys = {name: self.feature(name).key for name in names}
        length = int(self.index.lengths[index])
        reward = ["next.reward"] if "next.reward" in self.columns else []
        values = self.frames.allocate([*keys.values(), "action", *reward], length)
        self.frames.read_into([index], values)
        success = self.success(index)
        return Episode(
            self.task_spec(index),
            {name: values[key].reshape(length, *self.sensors[name].shape) for name, key in keys.items()},
            values["action"],
            values["next.reward"].reshape(length).astype(np.float32) if reward else np.zeros(length, np.float32),
            success,
            float(success) if self.foreign else float(self.episodes["trunkline/progress"][index].as_py()),
        )

    def feature(self, sensor: str) -> Feature:
        """The feature that stores a sensor.

        Raises:
            InputError: no such sensor, with the nearest match.
        """
        if sensor not in self.features:
            raise unknown(f"sensor of {self.root}", sensor, self.features)
        return self.features[sensor]

    @cached_property
    def statistics(self) -> dict[str, Statistics]:
        """Stored statistics by feature key; features without any are absent."""
        stored = self._stored_statistics()
        action = stored.get("action")
        # A killed writer may have left stats.json a shard behind; the rows of the episodes table are always there.
        if self.foreign or not len(self) or (action is not None and action.count == self.num_frames):
            return stored
        whole: dict[str, Statistics] = {}
        for path in episode_tables(self.root):
            for row in read_table(path).to_pylist():
                merge_all(whole, from_row(self.columns, row))
        return whole

    def _stored_statistics(self) -> dict[str, Statistics]:
        path = self.root / lerobot.STATS
        if not path.exists():
            return {}
        value = lerobot.load_json(path, f"{path} is missing")
        if not isinstance(value, dict):
            raise InputError(f"{path} is not a table of statistics; delete it, and it will be computed again")
        parts = {k: from_json(f, value[k]) for k, f in self.columns.items() if isinstance(value.get(k), dict)}
        return {key: part for key, part in parts.items() if part is not None and (not self.foreign or plausible(part))}

    def _check_index(self, index: int) -> None:
        if not 0 <= index < len(self):
            raise InputError(f"{self.root} has {len(self)} episodes, counted from 0; there is none of index {index}")

    def _read_sensors(self, specs: Mapping[str, SensorSpec] | None) -> tuple[dict[str, Feature], dict[str, SensorSpec]]:
        if specs is None:
            features, sensors = infer_sensors(self.columns, self.fps)
        else:
            features = {spec.name: self.columns[key] for key, spec in specs.items()}
            sensors = {spec.name: spec for spec in specs.values()}
        for name, feature in features.items():
            found = self.statistics.get(feature.key)
            if found is not None:
                sensors[name] = sensors[name].with_statistics(found.mean, found.std)
        return features, sensors

    def _infer_action(self) -> ActionSpec:
        found = self.statistics.get("action")
        if found is not None and np.isfinite([found.minimum, found.maximum]).all():
            low, high = found.minimum, found.maximum
        else:
            low, high = bounds(values["action"] for values in self.frames.scan(["action"]))
        return infer_action(self.info, self.root, self.columns["action"], low, high)
