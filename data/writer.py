"""Appending whole episodes to a LeRobot data set.

Episodes are buffered and written as a shard: one file under `data/` (and one for each video), then its rows of the
episodes table, then statistics and totals. Every file is written under a temporary name, fsynced and renamed; an
episode exists once the episodes table names it. So whatever stops the writer, what is on disk is a data set of
whole episodes, and files that no row names are removed when it is opened to append.
"""

import fcntl
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

import av
import numpy as np
import pyarrow as pa

from trunkline.data import lerobot, statistics
from trunkline.data.columns import arrow_field, leaf_path, to_arrow
from trunkline.data.episode import Episode
from trunkline.data.lerobot import Feature
from trunkline.data.reader import EpisodeDataset
from trunkline.data.tables import write_table, write_tasks
from trunkline.data.video import write_video
from trunkline.envs.spec import ActionSpec, SensorSpec, canonical_json
from trunkline.errors import InputError
from trunkline.files import replacing, write_text

ROW_GROUP_BYTES = 2 << 20
ROW_GROUP_FRAMES = 1024


@dataclass(frozen=True)
class WriterConfig:
    """How a data set is laid out.

    Attributes:
        images: "parquet" keeps every image as it was read; "mp4" stores `rgb` cameras (uint8, 3 channels) as video,
            smaller and lossy, and all other sensors in parquet.
        buffer_mb: readings that are held in memory before a shard is written.
        shard_episodes: episodes after which a shard is written anyway: at most these are lost to a kill.
    """

    images: Literal["parquet", "mp4"] = "parquet"
    buffer_mb: float = 64.0
    shard_episodes: int = 64

    def __post_init__(self) -> None:
        if self.images not in ("parquet", "mp4"):
            raise InputError(f"images={self.images!r}; known: parquet, mp4")
        if self.buffer_mb <= 0 or self.shard_episodes < 1:
            raise InputError(f"buffer_mb={self.buffer_mb}, shard_episodes={self.shard_episodes}: both must be positive")


class EpisodeWriter:
    """Writes episodes of one body; opening an existing data set of the same sensors appends to it.

    A context manager. Within a shard, episodes are ordered by task, so that reading one task reads little else.

    Args:
        root: folder of the data set; made if it is not there.
        sensors: what every episode holds.
        action: the body's actuators.
        fps: control steps a second; timestamps are frame_index / fps.
        config: the layout.

    Raises:
        InputError: the folder holds something else, or a data set of other sensors, actions, fps or layout, or is
            being written by another process.
    """

    def __init__(
        self,
        root: str | Path,
        sensors: Mapping[str, SensorSpec],
        action: ActionSpec,
        fps: int,
        config: WriterConfig | None = None,
    ) -> None:
        self.root = Path(root)
        self.sensors = dict(sensors)
        self.action = action
        self.config = config or WriterConfig()
        if isinstance(fps, bool) or not isinstance(fps, int) or fps <= 0:
            raise InputError(f"fps={fps!r}; LeRobot data sets have a whole, positive number of frames a second")
        self.fps = fps
        self.features = lerobot.sensor_features(self.sensors, self.config.images == "mp4")
        self._info = lerobot.make_info(self.sensors, action, fps, self.features)
        _refuse_other_folder(self.root)
        self._buffer: list[Episode] = []
        self._bytes = 0
        self._closed = self._broken = False
        self._lock = self._take_lock()
        try:
            self._open()
        except BaseException:
            self._lock.close()
            raise

    def __enter__(self) -> "EpisodeWriter":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __len__(self) -> int:
        return self._episodes + len(self._buffer)

    def task_ids(self) -> set[str]:
        """Ids of all TaskSpecs that were added, now and by earlier writers."""
        return set(self._task_ids)

    def add(self, episode: Episode, duplicate: Literal["refuse", "skip"] = "refuse") -> bool:
        """Add a whole episode; it is safe on disk after the next `flush`.

        Args:
            episode: what was recorded.
            duplicate: what to do with a TaskSpec that is already there.

        Returns:
            False if the episode was skipped as a duplicate.

        Raises:
            InputError: the episode does not fit the sensors or is a duplicate, or the disk is full.
        """
        if self._closed or self._broken:
            raise InputError(f"the writer of {self.root} is closed; open another one to append")
        episode.check(self.sensors, self.action)
        if episode.task.id in self._task_ids:
            if duplicate == "skip":
                return False
            raise InputError(
                f"{self.root} already holds TaskSpec {episode.task.id} ({episode.task.task}); "
                "collect what `task_ids()` lacks, or add with duplicate='skip'"
            )
        self._task_ids.add(episode.task.id)
        self._buffer.append(episode)
        self._bytes += episode.nbytes
        if self._bytes >= self.config.buffer_mb * 1e6 or len(self._buffer) >= self.config.shard_episodes:
            self.flush()
        return True

    def flush(self) -> None:
        """Write the buffered episodes to disk.

        Raises:
            InputError: the disk is full or refuses to write; the episodes written before stay readable.
        """
        if not self._buffer:
            return
        # Anything that stops the shard half-way leaves this writer's counters behind what is on disk.
        self._broken = True
        try:
            self._write_shard(sorted(self._buffer, key=lambda episode: episode.task.task))
        except (OSError, av.FFmpegError) as error:
            raise InputError(
                f"cannot write to {self.root}: {getattr(error, 'strerror', None) or error}; its {self._episodes} episodes "
                f"are whole, the last {len(self._buffer)} are lost: make room and run again to append"
            ) from error
        self._broken = False
        self._buffer, self._bytes = [], 0

    def close(self) -> None:
        """Flush and let go of the folder; twice does nothing."""
        if self._closed:
            return
        self._closed = True
        try:
            if not self._broken:
                self.flush()
        finally:
            self._lock.close()

    # Opening

    def _take_lock(self) -> IO[str]:
        path = self.root / "meta" / ".lock"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            lock = path.open("w")
        except OSError as error:
            raise InputError(f"cannot write to {self.root}: {error.strerror}; choose another folder") from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            raise InputError(f"{self.root} is being written by another process; wait for it or end it") from None
        return lock

    def _open(self) -> None:
        self._task_ids: set[str] = set()
        self._tasks: list[str] = []
        self._statistics: dict[str, statistics.Statistics] = {}
        self._episodes = self._frames = self._shards = 0
        if not (self.root / lerobot.INFO).exists():
            self._write_info()
            return
        self._refuse_other_data(lerobot.load_info(self.root))
        present = EpisodeDataset(self.root)
        self._task_ids |= present.task_ids
        self._tasks = list(present.tasks)
        self._statistics = dict(present.statistics)
        self._episodes, self._frames = len(present), present.num_frames
        self._shards = len(present.files)
        self._remove_orphans({path for path, _ in present.files} | set(present.videos))
        self._write_totals()

    def _refuse_other_data(self, info: Mapping[str, Any]) -> None:
        ours = info.get("trunkline")
        if not isinstance(ours, dict):
            raise InputError(f"{self.root} holds a data set that trunkline did not write; choose another folder")
        there = {key: SensorSpec.from_json(value) for key, value in ours["sensors"].items()}
        here = {self.features[name].key: spec for name, spec in self.sensors.items()}
        for spec in there.values():
            if spec.name not in self.sensors:
                raise InputError(f"{self.root} holds sensor {spec.name!r}, which is not written now; choose another folder")
            difference = spec.difference(self.sensors[spec.name])
            if difference:
                raise InputError(f"{self.root} holds another sensor {spec.name!r}: {difference}; choose another folder")
        for key, spec in here.items():
            if key not in there:
                raise InputError(
                    f"{self.root} has no feature {key!r} for sensor {spec.name!r}; write the sensors it holds "
                    f"({lerobot.listed([s.name for s in there.values()])}) with the same `images`, or choose another folder"
                )
        if canonical_json(ours["action"]) != canonical_json(self.action.to_json()):
            raise InputError(f"{self.root} is of another body: {ours['action']} is not {self.action.to_json()}")
        if info["fps"] != self.fps:
            raise InputError(f"{self.root} has {info['fps']} frames a second, not {self.fps}; choose another folder")

    def _remove_orphans(self, named: set[Path]) -> None:
        for folder in ("data", "videos", "meta"):
            for path in (self.root / folder).rglob("*"):
                unnamed = folder != "meta" and path.is_file() and path not in named
                if unnamed or path.name.endswith(".tmp"):
                    path.unlink()

    # Writing a shard

    def _write_shard(self, episodes: Sequence[Episode]) -> None:
        chunk, file = lerobot.shard_indices(self._shards)
        tasks = [*self._tasks, *dict.fromkeys(e.task.task for e in episodes if e.task.task not in self._tasks)]
        if tasks != self._tasks:
            write_tasks(self.root, tasks)
        stored = [*self.features.values(), lerobot.action_feature(self.action)]
        columns = [feature for feature in stored if feature.dtype != "video"]
        outcome = {**lerobot.OUTCOME_FEATURES, **lerobot.INDEX_FEATURES}
        columns += [Feature(key, dtype, (1,)) for key, dtype in outcome.items()]
        # A dictionary of the 256 bytes packs images four times closer than parquet's 32-bit integers.
        packed = [leaf_path(feature) for feature in columns if feature.numpy_dtype.itemsize == 1]
        write_table(
            lerobot.shard_path(self.root, lerobot.DATA_PATH, chunk, file),
            pa.schema([arrow_field(feature) for feature in columns]),
            self._row_groups(episodes, tasks, columns),
            packed or False,
        )
        for name, feature in self.features.items():
            if feature.dtype == "video":
                path = lerobot.shard_path(self.root, lerobot.VIDEO_PATH, chunk, file, feature.key)
                with replacing(path) as temporary:
                    write_video(temporary, (episode.observations[name] for episode in episodes), self.fps)
        parts = [self._measure(episode) for episode in episodes]
        rows = self._episode_rows(episodes, parts, chunk, file)
        table = pa.Table.from_pylist(rows)
        write_table(
            lerobot.shard_path(self.root, lerobot.EPISODES_PATH, chunk, file), table.schema, [table.combine_chunks().columns]
        )
        self._tasks = tasks
        self._shards += 1
        self._episodes += len(episodes)
        self._frames += sum(map(len, episodes))
        for part in parts:
            statistics.merge_all(self._statistics, part)
        self._write_totals()

    def _row_groups(
        self, episodes: Sequence[Episode], tasks: Sequence[str], columns: Sequence[Feature]
    ) -> Iterator[list[pa.Array]]:
        index, start = self._frames, 0
        while start < len(episodes):
            stop, size, frames = start, 0, 0
            while (
                stop < len(episodes)
                and size < ROW_GROUP_BYTES
                and frames < ROW_GROUP_FRAMES
                and episodes[stop].task.task == episodes[start].task.task
            ):
                size, frames, stop = size + episodes[stop].nbytes, frames + len(episodes[stop]), stop + 1
            group = [
                self._frame_columns(episode, self._episodes + number, tasks)
                for number, episode in enumerate(episodes[start:stop], start)
            ]
            values = {key: np.concatenate([part[key] for part in group]) for key in group[0]}
            values["index"] = np.arange(index, index + frames)
            yield [to_arrow(feature, values[feature.key]) for feature in columns]
            index, start = index + frames, stop

    def _frame_columns(self, episode: Episode, number: int, tasks: Sequence[str]) -> dict[str, np.ndarray]:
        length = len(episode)
        frame = np.arange(length)
        values = {
            feature.key: episode.observations[name]
            for name, feature in self.features.items()
            if feature.dtype != "video"
        }
        last = frame == length - 1
        return values | {
            "action": episode.actions,
            "next.reward": episode.rewards,
            "next.done": last,
            "next.success": last & episode.success,
            "timestamp": (frame / self.fps).astype(np.float32),
            "frame_index": frame,
            "episode_index": np.full(length, number),
            "task_index": np.full(length, tasks.index(episode.task.task)),
        }

    def _measure(self, episode: Episode) -> dict[str, statistics.Statistics]:
        part = {f.key: statistics.measure(np.asarray(episode.observations[n])) for n, f in self.features.items()}
        part["action"] = statistics.measure(episode.actions)
        part["next.reward"] = statistics.measure(episode.rewards)
        return part

    def _episode_rows(
        self, episodes: Sequence[Episode], parts: Sequence[Mapping[str, statistics.Statistics]], chunk: int, file: int
    ) -> list[dict[str, Any]]:
        rows, index, seconds = [], self._frames, 0
        videos = [feature.key for feature in self.features.values() if feature.dtype == "video"]
        for number, (episode, part) in enumerate(zip(episodes, parts, strict=True), self._episodes):
            row: dict[str, Any] = {
                "episode_index": number,
                "tasks": [episode.task.task],
                "length": len(episode),
                "dataset_from_index": index,
                "dataset_to_index": index + len(episode),
                "data/chunk_index": chunk,
                "data/file_index": file,
                "meta/episodes/chunk_index": chunk,
                "meta/episodes/file_index": file,
                "trunkline/task_id": episode.task.id,
                "trunkline/task_spec": canonical_json(episode.task.to_json()),
                "trunkline/success": bool(episode.success),
                "trunkline/progress": float(episode.progress),
            }
            for key in videos:
                row[f"videos/{key}/chunk_index"], row[f"videos/{key}/file_index"] = chunk, file
                row[f"videos/{key}/from_timestamp"] = seconds / self.fps
                row[f"videos/{key}/to_timestamp"] = (seconds + len(episode)) / self.fps
            for key, values in part.items():
                for name, value in statistics.to_json(self._feature(key), values).items():
                    row[f"stats/{key}/{name}"] = value
            rows.append(row)
            index, seconds = index + len(episode), seconds + len(episode)
        return rows

    def _feature(self, key: str) -> Feature:
        described = self._info["features"][key]
        return Feature(key, described["dtype"], tuple(described["shape"]))

    def _write_totals(self) -> None:
        table = {key: statistics.to_json(self._feature(key), value) for key, value in self._statistics.items()}
        if table:
            write_text(self.root / lerobot.STATS, json.dumps(table, indent=1))
        self._write_info()

    def _write_info(self) -> None:
        self._info |= {
            "total_episodes": self._episodes,
            "total_frames": self._frames,
            "total_tasks": len(self._tasks),
            "splits": {"train": f"0:{self._episodes}"},
        }
        write_text(self.root / lerobot.INFO, json.dumps(self._info, indent=1))


def _refuse_other_folder(root: Path) -> None:
    if root.exists() and not root.is_dir():
        raise InputError(f"{root} is a file, not a folder for a data set; choose another path")
    if not root.exists() or (root / lerobot.INFO).exists():
        return
    # A writer that was killed at once leaves only `meta/` with a lock or a temporary file.
    for path in root.rglob("*"):
        if path.is_file() and path.name != ".lock" and not path.name.endswith(".tmp"):
            raise InputError(f"{root} holds something else ({path.relative_to(root)}); choose an empty folder")
