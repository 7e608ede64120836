"""The episodes table: which episodes there are and where their frames lie."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from trunkline.data import lerobot
from trunkline.data.lerobot import RESTORE, Feature
from trunkline.data.tables import read_table, reading
from trunkline.errors import InputError

_REQUIRED = {
    "episode_index": pa.int64(),
    "length": pa.int64(),
    "data/chunk_index": pa.int64(),
    "data/file_index": pa.int64(),
}
_OURS = {
    "tasks": pa.list_(pa.string()),
    "trunkline/task_id": pa.string(),
    "trunkline/task_spec": pa.string(),
    "trunkline/success": pa.bool_(),
    "trunkline/progress": pa.float64(),
}


@dataclass(frozen=True)
class DataFile:
    """One file under `data/` and the frames that it must hold."""

    path: Path
    frames: int


def episode_tables(root: Path) -> list[Path]:
    """Files of the episodes table, in order."""
    return sorted((root / "meta" / "episodes").glob("chunk-*/file-*.parquet"))


class EpisodeIndex:
    """The episodes of a data set, in order of their episode_index.

    Args:
        root: folder of the data set.
        info: its info.json.
        columns: its features by key.

    Attributes:
        table: the episodes table without statistics.
        numbers, lengths: episode_index and frames of each episode, int64.
        file_of, row_of: index into `files`, and first row in that file, of each episode.
        files: data files in order.
        videos: video files.

    Raises:
        InputError: a table that is missing, damaged or lacks a column, or names a file that is not there.
    """

    def __init__(self, root: Path, info: Mapping[str, Any], columns: Mapping[str, Feature]) -> None:
        self._root = root
        self._foreign = "trunkline" not in info
        self._video_template: str = info.get("video_path") or lerobot.VIDEO_PATH
        self.table = self._read()
        self.numbers: np.ndarray = self.table["episode_index"].to_numpy()
        self.lengths: np.ndarray = self.table["length"].to_numpy()
        if (self.lengths <= 0).any():
            raise InputError(f"{root}: the episodes table has an episode without frames; {RESTORE}")
        self._locate(info.get("data_path") or lerobot.DATA_PATH)
        self.videos = [
            path for key, feature in columns.items() if feature.dtype == "video" for path in self._videos(key)
        ]

    def __len__(self) -> int:
        return len(self.numbers)

    def clip(self, key: str, episode: int) -> tuple[Path, float]:
        """The video file of one camera and episode, and the seconds at which the episode begins in it."""
        chunk, file, start = (self.table[name][episode].as_py() for name in _video_columns(key))
        return lerobot.shard_path(self._root, self._video_template, chunk, file, key), float(start)

    def texts(self) -> list[str]:
        """What each episode was for, in words; "unknown" where the table does not say."""
        if "tasks" not in self.table.column_names:
            return ["unknown"] * len(self)
        return [texts[0] if texts else "unknown" for texts in self.table["tasks"].to_pylist()]

    def _read(self) -> Any:
        required = _REQUIRED if self._foreign else {**_REQUIRED, **_OURS}
        parts = []
        for path in episode_tables(self._root):
            table = read_table(path)
            absent = [name for name in required if name not in table.column_names]
            if absent:
                raise InputError(f"{path} has no column {absent[0]!r}; {RESTORE}")
            parts.append(table.select([name for name in table.column_names if not name.startswith("stats/")]))
        if not parts:
            # Ours may hold no episode yet; others' cannot be read without the table.
            if self._foreign:
                raise InputError(f"{self._root} has no meta/episodes/chunk-*/file-*.parquet; {RESTORE}")
            return pa.table({name: pa.array([], kind) for name, kind in required.items()})
        with reading(self._root / "meta" / "episodes"):
            return pa.concat_tables(parts, promote_options="permissive").sort_by("episode_index").combine_chunks()

    def _locate(self, template: str) -> None:
        shards = list(
            zip(*(self.table[f"data/{name}"].to_pylist() for name in ("chunk_index", "file_index")), strict=True)
        )
        order = {shard: number for number, shard in enumerate(sorted(set(shards)))}
        self.file_of = np.array([order[shard] for shard in shards], np.int64)
        self.row_of = np.zeros(len(self), np.int64)
        self.files: list[DataFile] = []
        for (chunk, file), number in order.items():
            path = self._existing(lerobot.shard_path(self._root, template, chunk, file))
            episodes = np.flatnonzero(self.file_of == number)
            ends = np.cumsum(self.lengths[episodes])
            self.row_of[episodes] = ends - self.lengths[episodes]
            self.files.append(DataFile(path, int(ends[-1])))

    def _videos(self, key: str) -> list[Path]:
        if not len(self):
            return []
        names = _video_columns(key)
        if any(name not in self.table.column_names for name in names):
            raise InputError(f"{self._root}: the episodes table does not say where the video {key!r} is; {RESTORE}")
        shards = set(zip(*(self.table[name].to_pylist() for name in names[:2]), strict=True))
        return [
            self._existing(lerobot.shard_path(self._root, self._video_template, chunk, file, key))
            for chunk, file in sorted(shards)
        ]

    def _existing(self, path: Path) -> Path:
        if not path.is_file():
            raise InputError(f"{path} is missing, the episodes table names it; {RESTORE}")
        return path


def _video_columns(key: str) -> list[str]:
    return [f"videos/{key}/{name}" for name in ("chunk_index", "file_index", "from_timestamp")]
