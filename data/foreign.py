"""Taking in LeRobot data sets that others wrote: only the required keys, and a report of what they lack."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from trunkline.data import lerobot
from trunkline.data.lerobot import RESTORE, Feature
from trunkline.data.reader import EpisodeDataset
from trunkline.data.statistics import Statistics, measure, merge_all, to_json
from trunkline.envs.spec import ActionSpec, SensorSpec
from trunkline.errors import InputError
from trunkline.files import write_text

_OPTIONAL_KEYS = {
    "total_episodes": "counted from the episodes table",
    "data_path": f"taken to be {lerobot.DATA_PATH}",
    "robot_type": "the body is named after the folder",
}
_OUTCOME = {
    "next.success": "no episode counts as a success",
    "next.reward": "rewards are 0",
}


@dataclass(frozen=True)
class ImportReport:
    """What a data set holds and what it lacks.

    Attributes:
        root: its folder.
        episodes, frames: how many.
        tasks: their names, as streams and TaskSpecs name them.
        sensors: SensorSpecs by name.
        action: the body.
        lacks: what is missing, each with what is done instead.
    """

    root: Path
    episodes: int
    frames: int
    tasks: tuple[str, ...]
    sensors: Mapping[str, SensorSpec]
    action: ActionSpec
    lacks: tuple[str, ...]

    def __str__(self) -> str:
        """The report, for a terminal."""
        sensors = ", ".join(f"{s.name} {s.modality} {list(s.shape)} {s.dtype}" for s in self.sensors.values())
        lines = [
            f"{self.root}: {self.episodes} episodes, {self.frames} frames, {len(self.tasks)} tasks",
            f"sensors: {sensors or 'none'}",
            f"action: {self.action.name} {list(self.action.shape)}",
        ]
        return "\n".join([*lines, *(f"lacks {what}" for what in self.lacks)])


def import_lerobot(path: str | Path, store: bool = True) -> ImportReport:
    """Check a LeRobot v3.0 data set, compute the statistics that it lacks, and report.

    The data set stays where it is, and apart from statistics as it is; `EpisodeDataset` opens it like one of ours.

    Args:
        path: folder that holds `meta/`.
        store: whether missing statistics are computed, in one pass, and put into its `meta/stats.json`.

    Raises:
        InputError: not such a data set, a required key or a file that is missing, a file that is damaged, or one that
            cannot be written; a reading or an action that is not finite.
    """
    dataset = EpisodeDataset(path)
    for number, file in enumerate(dataset.index.files):
        rows = int(dataset.frames.row_groups(number)[-1])
        if rows < file.frames:
            raise InputError(f"{file.path} has {rows} frames, its episodes have {file.frames}; {RESTORE}")
    _require_finite(dataset)
    lacks = [f"`{key}` in info.json: {instead}" for key, instead in _OPTIONAL_KEYS.items() if key not in dataset.info]
    if not dataset.tasks:
        lacks.append(f"{lerobot.TASKS}: tasks are those of the episodes table")
    if dataset.foreign:
        lacks.append("TaskSpecs: made up, of split 'foreign'; they cannot be run again")
        lacks += [f"`{key}`: {instead}" for key, instead in _OUTCOME.items() if key not in dataset.columns]
    unread = [f.key for f in dataset.columns.values() if f.key.startswith("observation.") and f.dtype == "string"]
    lacks += [f"a sensor for the text `{key}`: it is not read" for key in unread]
    missing = [f for f in [*dataset.features.values(), dataset.columns["action"]] if f.key not in dataset.statistics]
    if missing:
        what = f"usable statistics of {', '.join(feature.key for feature in missing)}"
        if store:
            _add_statistics(dataset, missing)
            dataset = EpisodeDataset(path)
        lacks.append(f"{what}: {f'computed and stored in {lerobot.STATS}' if store else 'readings are not normalised'}")
    return ImportReport(
        dataset.root,
        len(dataset),
        dataset.num_frames,
        tuple(dict.fromkeys(dataset.task_names)),
        dataset.sensors,
        dataset.action_spec,
        tuple(lacks),
    )


def _require_finite(dataset: EpisodeDataset) -> None:
    """One pass over the numbers, pictures aside; what is not finite would be met in the middle of training."""
    index, features = dataset.index, [*dataset.features.values(), dataset.columns["action"]]
    keys = [f.key for f in features if f.numpy_dtype.kind == "f"]
    in_order = np.lexsort([index.row_of, index.file_of])  # as `scan` reads them
    for episode, values in zip(in_order, dataset.frames.scan(keys) if keys else (), strict=bool(keys)):
        for key, value in values.items():
            bad = ~np.isfinite(value).reshape(len(value), -1).all(1)
            if bad.any():
                raise InputError(
                    f"{dataset.root}: {key} is not finite in frame {int(bad.argmax())} of episode "
                    f"{index.numbers[episode]}; {RESTORE}, without that episode"
                )


def _add_statistics(dataset: EpisodeDataset, features: list[Feature]) -> None:
    whole: dict[str, Statistics] = {}
    for values in dataset.frames.scan([feature.key for feature in features]):
        merge_all(whole, {key: measure(value) for key, value in values.items()})
    path = dataset.root / lerobot.STATS
    table = lerobot.load_json(path, "") if path.exists() else {}
    table |= {feature.key: to_json(feature, whole[feature.key]) for feature in features}
    try:
        write_text(path, json.dumps(table, indent=1))
    except OSError as error:
        raise InputError(
            f"cannot write {path}: {error.strerror or error}; make it writable, or copy the data set"
        ) from None
