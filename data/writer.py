"""Appending whole episodes to a LeRobot data set.

Episodes are buffered and written as a shard: one file under `data/` (and one for each video), then its rows of the
episodes table, then statistics and totals. Every file is written under a temporary name, fsynced and renamed; an
episode exists once the episodes table names it. So whatever stops the writer, what is on disk is a data set of
whole episodes, and files that no row names are removed when it is opened to append.
"""

import fcntl
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

from trunkline.data import lerobot, statistics
from trunkline.data.episode import Episode
from trunkline.data.reader import EpisodeDataset
from trunkline.data.shard import Layout, Position, write_shard
from trunkline.data.tables import write_tasks
from trunkline.envs.spec import ActionSpec, SensorSpec, canonical_json
from trunkline.errors import InputError
from trunkline.files import write_text


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
        features = lerobot.sensor_features(self.sensors, self.config.images == "mp4")
        self.layout = Layout(features, lerobot.action_feature(action), fps)
        self._info = lerobot.make_info(self.sensors, action, fps, features)
        self._buffer: list[Episode] = []
        self._bytes = 0
        self._at = Position()
        self._task_ids: set[str] = set()
        self._tasks: list[str] = []
        self._statistics: dict[str, statistics.Statistics] = {}
        self._closed = self._broken = False
        _refuse_other_folder(self.root)
        self._lock = _lock(self.root)
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
        return self._at.episodes + len(self._buffer)

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
        # Whatever stops a shard half-way leaves the counters behind what is on disk: this writer is then done.
        self._broken = True
        try:
            self._write_buffer()
        except OSError as error:
            raise InputError(
                f"cannot write to {self.root}: {getattr(error, 'strerror', None) or error}; it keeps "
                f"{self._at.episodes} whole episodes, the last {len(self._buffer)} are lost; make room and run again"
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

    def _write_buffer(self) -> None:
        episodes = sorted(self._buffer, key=lambda episode: episode.task.task)
        new = dict.fromkeys(e.task.task for e in episodes if e.task.task not in self._tasks)
        if new:
            self._tasks = [*self._tasks, *new]
            write_tasks(self.root, self._tasks)
        parts = write_shard(self.root, self.layout, self._at, episodes, self._tasks)
        self._at = self._at.after(episodes)
        for part in parts:
            statistics.merge_all(self._statistics, part)
        self._write_totals()

    def _write_totals(self) -> None:
        if self._statistics:
            features = self.layout.measured
            table = {key: statistics.to_json(features[key], value) for key, value in self._statistics.items()}
            write_text(self.root / lerobot.STATS, json.dumps(table, indent=1))
        self._info |= {
            "total_episodes": self._at.episodes,
            "total_frames": self._at.frames,
            "total_tasks": len(self._tasks),
            "splits": {"train": f"0:{self._at.episodes}"},
        }
        write_text(self.root / lerobot.INFO, json.dumps(self._info, indent=1))

    def _open(self) -> None:
        try:
            if (self.root / lerobot.INFO).exists():
                self._refuse_other_data(lerobot.load_info(self.root))
                self._resume(EpisodeDataset(self.root))
            self._write_totals()
        except OSError as error:
            raise InputError(
                f"cannot write to {self.root}: {error.strerror or error}; make room and run again"
            ) from error

    def _resume(self, present: EpisodeDataset) -> None:
        self._task_ids |= present.task_ids
        self._tasks = list(present.tasks)
        self._statistics = dict(present.statistics)
        self._at = Position(len(present.index.files), len(present), present.num_frames)
        named = {file.path for file in present.index.files} | set(present.index.videos)
        for folder in ("data", "videos", "meta"):
            for path in (self.root / folder).rglob("*"):
                orphan = folder != "meta" and path.is_file() and path not in named
                if orphan or path.name.endswith(".tmp"):
                    path.unlink()

    def _refuse_other_data(self, info: Mapping[str, Any]) -> None:
        if "trunkline" not in info:
            raise InputError(f"{self.root} holds a data set that trunkline did not write; choose another folder")
        there, action = lerobot.described(info, self.root / lerobot.INFO)
        here = {self.layout.sensors[name].key: spec for name, spec in self.sensors.items()}
        if set(there) != set(here):
            raise InputError(
                f"{self.root} stores {', '.join(sorted(there))}, not {', '.join(sorted(here))}; "
                "write the same sensors with the same `images`, or choose another folder"
            )
        for key, spec in there.items():
            difference = spec.difference(here[key])
            if difference:
                raise InputError(f"{self.root} is of another {spec.name!r}: {difference}; choose another folder")
        if canonical_json(action.to_json()) != canonical_json(self.action.to_json()):
            raise InputError(f"{self.root} is of another body, {action.name!r}; choose another folder")
        if info["fps"] != self.layout.fps:
            raise InputError(
                f"{self.root} has {info['fps']} frames a second, not {self.layout.fps}; choose another folder"
            )


def _refuse_other_folder(root: Path) -> None:
    if root.exists() and not root.is_dir():
        raise InputError(f"{root} is a file, not a folder for a data set; choose another path")
    if not root.exists() or (root / lerobot.INFO).exists():
        return
    # A writer that was killed at once leaves only `meta/` with a lock or a temporary file.
    for path in root.rglob("*"):
        if path.is_file() and path.name != ".lock" and not path.name.endswith(".tmp"):
            raise InputError(f"{root} holds something else ({path.relative_to(root)}); choose an empty folder")


def _lock(root: Path) -> IO[str]:
    """Hold the data set for writing; the system lets go of it when the process ends, however it does."""
    path = root / "meta" / ".lock"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = path.open("w")
    except OSError as error:
        raise InputError(f"cannot write to {root}: {error.strerror}; choose another folder") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise InputError(f"{root} is being written by another process; wait for it or end it") from None
    return lock
