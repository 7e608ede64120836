"""Decoding frames of a data set into arrays."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq

from trunkline.data.columns import to_numpy
from trunkline.data.index import EpisodeIndex
from trunkline.data.lerobot import RESTORE, Feature
from trunkline.data.tables import reading
from trunkline.data.video import decode_image, read_clip
from trunkline.errors import InputError

BATCH_BYTES = 1 << 20  # frames that are decoded at a time
SCAN_FRAMES = 2048
READ_BYTES = 1 << 20  # file buffer of a column, so that a large row group is not read whole


class FrameReader:
    """Reads frames of whole episodes, by feature. Safe to use from several threads.

    Args:
        index: where the episodes are.
        columns: features by key.
        fps: frames a second, of videos.
    """

    def __init__(self, index: EpisodeIndex, columns: Mapping[str, Feature], fps: float) -> None:
        self.index = index
        self.columns = columns
        self.fps = fps
        self._metadata: dict[int, Any] = {}

    def allocate(self, keys: Iterable[str], frames: int) -> dict[str, np.ndarray]:
        """Uninitialised arrays (frames, *shape) of these features, for `read_into`."""
        wanted = [self.columns[key] for key in keys]
        return {feature.key: np.empty((frames, *feature.shape), feature.numpy_dtype) for feature in wanted}

    def read_into(self, episodes: Sequence[int], out: Mapping[str, np.ndarray], at: int = 0) -> None:
        """Decode episodes of one data file, ascending, into rows `at` and following of the arrays of `allocate`.

        Raises:
            InputError: a file that is missing, truncated or not what the tables say.
        """
        chosen = np.asarray(episodes)
        file = int(self.index.file_of[chosen[0]])
        path = self.index.files[file].path
        numbers, begin = self.index.numbers[chosen], self.index.row_of[chosen]
        end = begin + self.index.lengths[chosen]
        place = at + np.concatenate([[0], np.cumsum(end - begin)])
        stored = [self.columns[key] for key in out if self.columns[key].dtype != "video"]
        found = 0
        for row, batch in self._batches(file, int(begin[0]), int(end[-1]), [f.key for f in stored]):
            stop = row + batch.num_rows
            number = batch["episode_index"].to_numpy()
            for i in np.flatnonzero((begin < stop) & (end > row)):
                low, high = max(int(begin[i]), row), min(int(end[i]), stop)
                if (number[low - row : high - row] != numbers[i]).any():
                    raise InputError(f"{path} does not hold episode {numbers[i]} where the tables say; {RESTORE}")
                first = int(place[i]) + low - int(begin[i])
                for feature in stored:
                    column = batch[feature.key].slice(low - row, high - low)
                    _fill(out[feature.key][first : first + high - low], feature, column, path)
                found += high - low
        if found != place[-1] - at:
            raise InputError(f"{path} ends before episode {numbers[-1]} does; {RESTORE}")
        for key, values in out.items():
            if self.columns[key].dtype == "video":
                for number, episode in enumerate(episodes):
                    video, start = self.index.clip(key, episode)
                    read_clip(video, start, self.fps, values[place[number] : place[number + 1]])

    def scan(self, keys: Sequence[str]) -> Iterator[dict[str, np.ndarray]]:
        """Every episode once, {feature key: (T, *shape)}, in order of the files."""
        for run in self.runs(range(len(self.index)), SCAN_FRAMES):
            lengths = self.index.lengths[list(run)]
            values = self.allocate(keys, int(lengths.sum()))
            self.read_into(run, values)
            for stop, length in zip(np.cumsum(lengths), lengths, strict=True):
                yield {key: value[stop - length : stop] for key, value in values.items()}

    def runs(self, episodes: Iterable[int], max_frames: int) -> list[tuple[int, ...]]:
        """Group episodes into runs of at most about `max_frames` that share row groups, so that one read brings a run.

        Returns:
            Runs in order of the files, each ascending and of one file.
        """
        chosen = np.asarray(list(episodes), np.int64)
        chosen = chosen[np.lexsort([self.index.row_of[chosen], self.index.file_of[chosen]])]
        runs: list[list[int]] = []
        file, edges, frames, group = -1, np.zeros(1, np.int64), 0, -1
        for episode in chosen.tolist():
            begin, length = int(self.index.row_of[episode]), int(self.index.lengths[episode])
            fresh = self.index.file_of[episode] != file
            if fresh:
                file = int(self.index.file_of[episode])
                edges = self.row_groups(file)
            first, last = np.searchsorted(edges, [begin, begin + length - 1], side="right")
            if fresh or first != group or frames + length > max_frames:
                runs.append([])
                frames = 0
            runs[-1].append(episode)
            frames, group = frames + length, int(last)
        return [tuple(run) for run in runs]

    def row_groups(self, file: int) -> np.ndarray:
        """First row of each row group of a data file, then its number of rows."""
        metadata = self._open(file).metadata
        return np.cumsum([0, *(metadata.row_group(i).num_rows for i in range(metadata.num_row_groups))])

    def _open(self, file: int) -> Any:
        path = self.index.files[file].path
        with reading(path):
            opened = pq.ParquetFile(path, metadata=self._metadata.get(file), buffer_size=READ_BYTES)
        self._metadata[file] = opened.metadata
        return opened

    def _batches(self, file: int, start: int, stop: int, keys: Sequence[str]) -> Iterator[tuple[int, Any]]:
        """Record batches, with their first row, of the row groups that hold rows [start, stop)."""
        path = self.index.files[file].path
        edges = self.row_groups(file)
        groups = [i for i in range(len(edges) - 1) if edges[i] < stop and edges[i + 1] > start]
        names = [*keys, "episode_index"]
        size = sum(int(np.prod(self.columns[key].shape)) * self.columns[key].numpy_dtype.itemsize for key in keys)
        rows = int(np.clip(BATCH_BYTES // max(size, 1), 1, 4096))
        row: int = int(edges[groups[0]]) if groups else start
        with self._open(file) as opened:
            absent = [name for name in names if name not in opened.schema_arrow.names]
            if absent:
                raise InputError(f"{path} has no column {absent[0]!r}, which info.json lists; {RESTORE}")
            batches = opened.iter_batches(rows, row_groups=groups, columns=names, use_threads=False)
            while row < stop:
                with reading(path):
                    batch = next(batches, None)
                if batch is None:
                    return
                yield row, batch
                row += int(batch.num_rows)


def _fill(out: np.ndarray, feature: Feature, column: Any, path: Path) -> None:
    if feature.dtype == "image":
        for row, data in enumerate(pc.struct_field(column, "bytes").to_pylist()):
            out[row] = decode_image(data, feature.shape, path)
    else:
        out[:] = to_numpy(feature, column, path)
