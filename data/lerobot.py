"""The LeRobotDataset v3.0 layout: paths, `meta/info.json`, and how sensors map to its features.

    meta/info.json  meta/stats.json  meta/tasks.parquet
    meta/episodes/chunk-000/file-000.parquet      one row an episode
    data/chunk-000/file-000.parquet               one row a frame
    videos/<feature>/chunk-000/file-000.mp4       frames of a camera that is stored as video

What the format has no place for (SensorSpecs, the ActionSpec, TaskSpecs, success and progress of an episode) goes
under the key `trunkline` of info.json and into columns `trunkline/…` of the episodes table, which others ignore.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from trunkline.envs.spec import ActionSpec, SensorSpec
from trunkline.errors import InputError

VERSION = "v3.0"
CHUNK = 1000  # files in a folder
INFO = "meta/info.json"
STATS = "meta/stats.json"
TASKS = "meta/tasks.parquet"
EPISODES_PATH = "meta/episodes/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
DATA_PATH = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
VIDEO_PATH = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"

RESTORE = "restore it from its source, or make the data set again"
REQUIRED_KEYS = ("codebase_version", "fps", "features")
INDEX_FEATURES = {
    "timestamp": "float32",
    "frame_index": "int64",
    "episode_index": "int64",
    "index": "int64",
    "task_index": "int64",
}
OUTCOME_FEATURES = {"next.reward": "float32", "next.done": "bool", "next.success": "bool"}


@dataclass(frozen=True)
class Feature:
    """One column of a data set.

    Attributes:
        key: its name, e.g. `observation.state`.
        dtype: a numpy name, or `image` (encoded bytes in parquet), or `video` (frames in mp4 files).
        shape: of one frame's value; () is stored as [1].
        channels_first: whether info.json states an image's shape as (C, H, W); values are always (H, W, C).
    """

    key: str
    dtype: str
    shape: tuple[int, ...]
    channels_first: bool = False

    @property
    def encoded(self) -> bool:
        """Whether values are compressed pictures: uint8, with statistics over [0, 1]."""
        return self.dtype in ("image", "video")

    @property
    def numpy_dtype(self) -> np.dtype:
        """Type of the values once they are read."""
        return np.dtype("uint8" if self.encoded else self.dtype)

    def to_json(self) -> dict[str, Any]:
        """Its entry in info.json."""
        names = ["height", "width", "channels"] if self.encoded else None
        return {"dtype": self.dtype, "shape": list(self.shape) or [1], "names": names}


def feature_from_json(key: str, value: Any, path: Path) -> Feature:
    """The feature that an entry of info.json describes.

    Raises:
        InputError: the entry lacks `dtype` or `shape`, or they make no sense.
    """
    if not isinstance(value, dict) or not isinstance(value.get("dtype"), str) or "shape" not in value:
        raise InputError(f"{path}: feature {key!r} has no `dtype` and `shape`; restore info.json from its source")
    shape, names, dtype = value["shape"], value.get("names"), value["dtype"]
    if not isinstance(shape, list) or not all(isinstance(n, int) and n > 0 for n in shape):
        raise InputError(f"{path}: feature {key!r} has shape {shape!r}; expected a list of positive numbers")
    first = dtype in ("image", "video") and isinstance(names, list) and names[:1] in (["channels"], ["channel"])
    if first:
        shape = [*shape[1:], shape[0]]
    if dtype not in ("image", "video", "string"):
        try:
            np.dtype(dtype)
        except TypeError:
            raise InputError(f"{path}: feature {key!r} has the unknown dtype {dtype!r}") from None
    return Feature(key, dtype, tuple(shape), first)


def sensor_features(sensors: Mapping[str, SensorSpec], as_video: bool) -> dict[str, Feature]:
    """The feature that stores each sensor, by sensor name.

    The first proprioceptive vector is `observation.state`, the one that LeRobot policies look for; a camera stored as
    video is `observation.images.<sensor>`; any other sensor is `observation.<sensor>`, also an image stored as an
    array, since LeRobot takes every key with "image" in it for a picture of three channels.

    Raises:
        InputError: two sensors would share a feature, or a sensor has more than five dimensions.
    """
    vectors = [name for name, spec in sensors.items() if len(spec.shape) <= 1]
    proprio = [name for name in vectors if sensors[name].modality == "proprio"]
    main = "state" if "state" in vectors else next(iter(proprio), None)
    features: dict[str, Feature] = {}
    for name, spec in sensors.items():
        if name != spec.name:
            raise InputError(f"sensor {spec.name!r} is listed as {name!r}; list it under its own name")
        if len(spec.shape) > 5:
            raise InputError(f"sensor {name!r} has {len(spec.shape)} dimensions, a LeRobot data set holds at most 5")
        if as_video and _is_picture(spec):
            features[name] = Feature(f"observation.images.{name}", "video", spec.shape)
        else:
            key = "observation.state" if name == main else f"observation.{name}"
            features[name] = Feature(key, spec.dtype, spec.shape)
    keys = [feature.key for feature in features.values()]
    for key in keys:
        if keys.count(key) > 1:
            raise InputError(f"two sensors would be stored as {key!r}; rename one of {', '.join(sensors)}")
    return features


def _is_picture(spec: SensorSpec) -> bool:
    if spec.modality != "rgb" or spec.dtype != "uint8" or len(spec.shape) != 3 or spec.shape[2] != 3:
        return False
    if spec.shape[0] % 2 or spec.shape[1] % 2:
        raise InputError(
            f"sensor {spec.name!r} is {spec.shape[1]}×{spec.shape[0]}, video needs even sides; use parquet"
        )
    return True


def action_feature(action: ActionSpec) -> Feature:
    """The feature that stores the actions of a body."""
    return Feature("action", "int64" if action.discrete else "float32", action.shape)


def make_info(
    sensors: Mapping[str, SensorSpec], action: ActionSpec, fps: int, features: Mapping[str, Feature]
) -> dict[str, Any]:
    """info.json of a data set that holds no episode yet."""
    table = {feature.key: feature.to_json() for feature in [*features.values(), action_feature(action)]}
    for key, dtype in {**OUTCOME_FEATURES, **INDEX_FEATURES}.items():
        table[key] = Feature(key, dtype, (1,)).to_json()
    has_video = any(feature.dtype == "video" for feature in features.values())
    # Statistics of the data set itself are in stats.json; a spec that brings those of another one must not hide them.
    specs = {features[name].key: replace(spec, mean=None, std=None).to_json() for name, spec in sensors.items()}
    return {
        "codebase_version": VERSION,
        "robot_type": action.name,
        "total_episodes": 0,
        "total_frames": 0,
        "total_tasks": 0,
        "chunks_size": CHUNK,
        "data_files_size_in_mb": 100,
        "video_files_size_in_mb": 200,
        "fps": fps,
        "splits": {"train": "0:0"},
        "data_path": DATA_PATH,
        "video_path": VIDEO_PATH if has_video else None,
        "features": table,
        "trunkline": {"sensors": specs, "action": action.to_json()},
    }


def load_info(root: Path) -> dict[str, Any]:
    """Read and check info.json.

    Raises:
        InputError: no data set there, a file that is not JSON, a required key that is missing, or another version.
    """
    path = root / INFO
    info = load_json(path, f"{root} is not a LeRobot data set: it has no {INFO}; give the folder that holds `meta/`")
    if not isinstance(info, dict):
        raise InputError(f"{path} is not an info.json: it holds no JSON object; restore it from its source")
    for key in REQUIRED_KEYS:
        if key not in info:
            raise InputError(f"{path} lacks the required key {key!r}; {RESTORE}")
    version, fps, features = (info[key] for key in REQUIRED_KEYS)
    if version != VERSION:
        raise InputError(
            f"{path} is of LeRobot version {version!r}, only {VERSION} is read; convert it with "
            "`python -m lerobot.datasets.v30.convert_dataset_v21_to_v30`"
        )
    if isinstance(fps, bool) or not isinstance(fps, int | float) or not fps > 0:
        raise InputError(f"{path}: fps is {fps!r}; expected a positive number of frames a second")
    if not isinstance(features, dict) or not features:
        raise InputError(f"{path}: `features` is not a table of features; restore it from its source")
    return info


def described(info: Mapping[str, Any], path: Path) -> tuple[dict[str, SensorSpec], ActionSpec]:
    """The SensorSpecs, by feature key, and the ActionSpec of a data set of ours, as info.json states them.

    Args:
        info: what `load_info` read.
        path: of that file, for messages.

    Raises:
        InputError: they are missing or damaged, or a sensor has another shape than its feature.
    """
    try:
        ours = info["trunkline"]
        sensors = {str(key): SensorSpec.from_json(value) for key, value in ours["sensors"].items()}
        action = ActionSpec.from_json(ours["action"])
        _ = action.space, [spec.space for spec in sensors.values()]  # what makes no sense fails here
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        words = f"lacks {error}" if isinstance(error, KeyError) else f"is damaged: {error}"
        raise InputError(
            f"{path}: the description of sensors and action under `trunkline` {words}; {RESTORE}"
        ) from None
    for key, spec in sensors.items():
        if key not in info["features"]:
            raise InputError(f"{path} has no feature {key!r} for its sensor; {RESTORE}")
        stored = feature_from_json(key, info["features"][key], path).shape
        if stored != (spec.shape or (1,)):
            raise InputError(
                f"{path}: sensor {spec.name!r} has shape {list(spec.shape)}, its feature {list(stored)}; {RESTORE}"
            )
    return sensors, action


def load_json(path: Path, absent: str) -> Any:
    """A JSON file's value.

    Raises:
        InputError: `absent` if there is no such file; or it is not JSON.
    """
    try:
        return json.loads(path.read_text())
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(absent) from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not JSON ({error}); it may be truncated, restore it from its source") from None


def shard_indices(number: int) -> tuple[int, int]:
    """(chunk_index, file_index) of the n-th file."""
    return number // CHUNK, number % CHUNK


def shard_path(root: Path, template: str, chunk_index: int, file_index: int, video_key: str = "") -> Path:
    """Path of one file of a data set, from one of the templates above or that of info.json.

    Raises:
        InputError: the template has fields of another format.
    """
    try:
        return root / template.format(chunk_index=chunk_index, file_index=file_index, video_key=video_key)
    except (KeyError, IndexError, ValueError):
        raise InputError(
            f"{root / INFO}: cannot fill in the path {template!r}; expected one like {DATA_PATH}"
        ) from None
