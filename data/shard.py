"""One shard of a data set: a data file, its videos, and the rows of the episodes table that name them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from trunkline.data import lerobot
from trunkline.data.columns import arrow_field, leaf_path, to_arrow
from trunkline.data.episode import Episode
from trunkline.data.lerobot import Feature
from trunkline.data.statistics import Statistics, measure, to_json
from trunkline.data.tables import write_table
from trunkline.data.video import write_video
from trunkline.envs.spec import canonical_json
from trunkline.files import replacing

# Row groups are what a stream reads at a time: small enough to shuffle well, large enough to decode quickly.
ROW_GROUP_BYTES = 2 << 20
ROW_GROUP_FRAMES = 1024


@dataclass(frozen=True)
class Layout:
    """How the frames of a data set are stored.

    Attributes:
        sensors: {sensor: Feature}.
        action: the feature of the actions.
        fps: frames a second.
    """

    sensors: Mapping[str, Feature]
    action: Feature
    fps: int

    @property
    def videos(self) -> dict[str, Feature]:
        """Sensors stored as video."""
        return {name: feature for name, feature in self.sensors.items() if feature.dtype == "video"}

    @property
    def columns(self) -> list[Feature]:
        """Features of the data file, in order."""
        outcome = {**lerobot.OUTCOME_FEATURES, **lerobot.INDEX_FEATURES}
        stored = [feature for feature in [*self.sensors.values(), self.action] if feature.dtype != "video"]
        return stored + [Feature(key, dtype, (1,)) for key, dtype in outcome.items()]

    @property
    def measured(self) -> dict[str, Feature]:
        """Features that statistics are kept of, by key."""
        features = [*self.sensors.values(), self.action, Feature("next.reward", "float32", (1,))]
        return {feature.key: feature for feature in features}


@dataclass(frozen=True)
class Position:
    """Where in a data set a shard begins: numbers of shards, episodes and frames before it."""

    shards: int = 0
    episodes: int = 0
    frames: int = 0

    def after(self, episodes: Sequence[Episode]) -> "Position":
        """The position behind a shard of these episodes."""
        return Position(self.shards + 1, self.episodes + len(episodes), self.frames + sum(map(len, episodes)))


def write_shard(
    root: Path, layout: Layout, at: Position, episodes: Sequence[Episode], tasks: Sequence[str]
) -> list[dict[str, Statistics]]:
    """Write episodes as the next shard; they exist once its last file, that of the episodes table, does.

    Args:
        root: folder of the data set.
        layout: of its frames.
        at: what is there already.
        episodes: of the shard, in order.
        tasks: all tasks by task_index.

    Returns:
        Statistics of each episode by feature key.

    Raises:
        OSError: the disk is full or refuses to write.
    """
    chunk, file = lerobot.shard_indices(at.shards)
    columns = layout.columns
    # A dictionary of the 256 bytes packs images four times closer than parquet's 32-bit integers.
    packed = [leaf_path(feature) for feature in columns if feature.dtype in ("uint8", "int8")]
    write_table(
        lerobot.shard_path(root, lerobot.DATA_PATH, chunk, file),
        pa.schema([arrow_field(feature) for feature in columns]),
        _row_groups(layout, at, episodes, tasks),
        packed or False,
    )
    for name, feature in layout.videos.items():
        with replacing(lerobot.shard_path(root, lerobot.VIDEO_PATH, chunk, file, feature.key)) as temporary:
            write_video(temporary, (episode.observations[name] for episode in episodes), layout.fps)
    parts = [_measure(layout, episode) for episode in episodes]
    table = pa.Table.from_pylist(_episode_rows(layout, at, episodes, parts))
    path = lerobot.shard_path(root, lerobot.EPISODES_PATH, chunk, file)
    write_table(path, table.schema, [table.combine_chunks().columns])
    return parts


def _row_groups(
    layout: Layout, at: Position, episodes: Sequence[Episode], tasks: Sequence[str]
) -> Iterator[list[pa.Array]]:
    """Columns of runs of episodes of one task, each about a row group's size."""
    index, start = at.frames, 0
    while start < len(episodes):
        stop, size, frames, task = start, 0, 0, episodes[start].task.task
        while stop < len(episodes) and size < ROW_GROUP_BYTES and frames < ROW_GROUP_FRAMES:
            if episodes[stop].task.task != task:
                break
            size, frames, stop = size + episodes[stop].nbytes, frames + len(episodes[stop]), stop + 1
        group = [
            _frame_columns(layout, episode, at.episodes + number, tasks.index(task))
            for number, episode in enumerate(episodes[start:stop], start)
        ]
        values = {key: np.concatenate([part[key] for part in group]) for key in group[0]}
        values["index"] = np.arange(index, index + frames)
        yield [to_arrow(feature, values[feature.key]) for feature in layout.columns]
        index, start = index + frames, stop


def _frame_columns(layout: Layout, episode: Episode, number: int, task: int) -> dict[str, np.ndarray]:
    frame = np.arange(len(episode))
    last = frame == len(episode) - 1
    stored = {f.key: episode.observations[name] for name, f in layout.sensors.items() if f.dtype != "video"}
    return stored | {
        "action": episode.actions,
        "next.reward": episode.rewards,
        "next.done": last,
        "next.success": last & episode.success,
        "timestamp": (frame / layout.fps).astype(np.float32),
        "frame_index": frame,
        "episode_index": np.full(len(frame), number),
        "task_index": np.full(len(frame), task),
    }


def _measure(layout: Layout, episode: Episode) -> dict[str, Statistics]:
    values = {feature.key: episode.observations[name] for name, feature in layout.sensors.items()}
    values |= {"action": episode.actions, "next.reward": episode.rewards}
    return {
        key: measure(values[key].astype(feature.numpy_dtype, copy=False)) for key, feature in layout.measured.items()
    }


def _episode_rows(
    layout: Layout, at: Position, episodes: Sequence[Episode], parts: Sequence[Mapping[str, Statistics]]
) -> list[dict[str, Any]]:
    chunk, file = lerobot.shard_indices(at.shards)
    measured = layout.measured
    rows, frames = [], 0
    for number, (episode, part) in enumerate(zip(episodes, parts, strict=True), at.episodes):
        stop = frames + len(episode)
        row: dict[str, Any] = {
            "episode_index": number,
            "tasks": [episode.task.task],
            "length": len(episode),
            "dataset_from_index": at.frames + frames,
            "dataset_to_index": at.frames + stop,
            "data/chunk_index": chunk,
            "data/file_index": file,
            "meta/episodes/chunk_index": chunk,
            "meta/episodes/file_index": file,
            "trunkline/task_id": episode.task.id,
            "trunkline/task_spec": canonical_json(episode.task.to_json()),
            "trunkline/success": bool(episode.success),
            "trunkline/progress": float(episode.progress),
        }
        for feature in layout.videos.values():
            row[f"videos/{feature.key}/chunk_index"], row[f"videos/{feature.key}/file_index"] = chunk, file
            row[f"videos/{feature.key}/from_timestamp"] = frames / layout.fps
            row[f"videos/{feature.key}/to_timestamp"] = stop / layout.fps
        for key, values in part.items():
            for name, value in to_json(measured[key], values).items():
                row[f"stats/{key}/{name}"] = value
        rows.append(row)
        frames = stop
    return rows
