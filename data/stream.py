"""Shuffled batches of frames, or of pairs of consecutive frames, from a data set that need not fit in memory.

An epoch visits every frame once. The episodes, in runs that one read brings, are permuted and cut into blocks; the
frames of a block are permuted and served, while a thread decodes the next block. Two blocks fill the buffer, so
memory is bounded by `buffer_frames` whatever the data set holds. Each permutation has a seed of its own, so the
position (epoch, block, offset) is all the state there is: a stream that resumes decodes one block and goes on.

Legend: B batch, A action dimensions.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from trunkline.data.reader import EpisodeDataset
from trunkline.errors import InputError, unknown

RUNS_A_BLOCK = 8  # at least about so many runs are mixed in a block


@dataclass(frozen=True, eq=False)
class Batch:
    """B frames of one body.

    Attributes:
        action: the body's name, that of its ActionSpec.
        task: the task all frames are of; None if mixed.
        observations: {sensor: (B, *shape)} before the action, in the sensors' own types and units.
        next_observations: {sensor: (B, *shape)} `next_offset` frames later in the same episode; None without.
        actions: (B, A), those of `observations`' frames.
    """

    action: str
    task: str | None
    observations: dict[str, np.ndarray]
    next_observations: dict[str, np.ndarray] | None
    actions: np.ndarray

    def __len__(self) -> int:
        return len(self.actions)


@dataclass(frozen=True, eq=False)
class _Block:
    """Decoded frames, and the order (n,) in which those that have a partner are served."""

    observations: dict[str, np.ndarray]
    actions: np.ndarray
    order: np.ndarray


class FrameStream:
    """An endless iterator of batches.

    Args:
        dataset: where the frames come from.
        batch_size: B.
        tasks: names of the tasks to read; None for all.
        sensors: names of the sensors to read; None for all.
        next_offset: distance of a pair's frames within an episode; None for single frames.
        buffer_frames: frames held in memory, in two blocks; a data set that fits is read once.
        seed: of every permutation.
        rank, world_size: this worker and their number; each reads its own share of the episodes.

    Attributes:
        num_samples: frames or pairs in this worker's share.

    Raises:
        InputError: an unknown task or sensor, a bad number, or no frame to serve.
    """

    def __init__(
        self,
        dataset: EpisodeDataset,
        batch_size: int,
        tasks: Sequence[str] | None = None,
        sensors: Sequence[str] | None = None,
        next_offset: int | None = 1,
        buffer_frames: int = 16384,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        if batch_size < 1 or buffer_frames < 1 or (next_offset is not None and next_offset < 1):
            raise InputError(
                f"batch_size={batch_size}, buffer_frames={buffer_frames}, next_offset={next_offset}: ≥ 1 each"
            )
        if not 0 <= rank < world_size or seed < 0:
            raise InputError(f"rank={rank}, world_size={world_size}, seed={seed}: rank < world_size, none negative")
        self.dataset = dataset
        self.batch_size = batch_size
        self.sensors = tuple(dataset.features if sensors is None else sensors)
        self._keys = {name: dataset.feature(name).key for name in self.sensors}
        self._offset = next_offset
        self._buffer_frames = buffer_frames
        self._seed, self._rank, self._world_size = seed, rank, world_size
        episodes = self._select(tasks)
        names = {dataset.task_names[i] for i in episodes}
        self.task = names.pop() if len(names) == 1 else None
        self._runs = self._share(episodes)
        self.num_samples = int(self._pairs([i for run in self._runs for i in run]).sum())
        if not self.num_samples:
            raise InputError(
                f"{dataset.root} has nothing to serve to worker {rank} of {world_size}: {len(episodes)} episodes of "
                f"{'these' if tasks else 'all'} tasks, offset {next_offset}; collect more or use fewer workers"
            )
        frames = sum(int(dataset.index.lengths[list(run)].sum()) for run in self._runs)
        self._resident = frames <= buffer_frames
        self._block_frames = buffer_frames if self._resident else max(1, buffer_frames // 2)
        self._plan: tuple[int, list[list[tuple[int, ...]]]] | None = None
        self._epoch = self._number = self._served = 0
        self._block: _Block | None = None
        self._next: tuple[tuple[int, int], Future[_Block]] | None = None
        self._thread = ThreadPoolExecutor(1, "trunkline-decode")

    def __iter__(self) -> "FrameStream":
        return self

    def __next__(self) -> Batch:
        parts: list[tuple[_Block, np.ndarray]] = []
        missing = self.batch_size
        while missing:
            block = self._block or self._load_current()
            chosen = block.order[self._served : self._served + missing]
            parts.append((block, chosen))
            missing -= len(chosen)
            self._served += len(chosen)
            if self._served == len(block.order):
                self._advance()
        offset = self._offset
        return Batch(
            self.dataset.action_spec.name,
            self.task,
            {name: _gather([(block.observations[name], rows) for block, rows in parts]) for name in self.sensors},
            None
            if offset is None
            else {
                name: _gather([(block.observations[name], rows + offset) for block, rows in parts])
                for name in self.sensors
            },
            _gather([(block.actions, rows) for block, rows in parts]),
        )

    def state_dict(self) -> dict[str, Any]:
        """The position, JSON-serialisable; `load_state_dict` goes on with the very next batch."""
        return {"epoch": self._epoch, "block": self._number, "offset": self._served, "of": self._identity()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go to a position.

        Raises:
            InputError: the position is of a stream over other episodes or with other arguments.
        """
        mine, theirs = self._identity(), state["of"]
        for key, value in mine.items():
            if theirs.get(key) != value:
                raise InputError(
                    f"cannot resume the frames of {self.dataset.root}: {key} is {value}, it was {theirs.get(key)}; "
                    "restore the data set and the settings of that run, or start a new one"
                )
        self._epoch, self._number, self._served = state["epoch"], state["block"], state["offset"]
        self._block = self._next = None

    def close(self) -> None:
        """Let go of the buffer and the thread."""
        self._block = self._next = None
        self._thread.shutdown(wait=True, cancel_futures=True)

    def _identity(self) -> dict[str, Any]:
        return {
            "samples": self.num_samples,
            "runs": len(self._runs),
            "next_offset": self._offset,
            "buffer_frames": self._buffer_frames,
            "seed": self._seed,
            "rank": self._rank,
            "world_size": self._world_size,
        }

    def _select(self, tasks: Sequence[str] | None) -> list[int]:
        names = self.dataset.task_names
        for task in tasks or ():
            if task not in names:
                raise unknown(f"task of {self.dataset.root}", task, set(names))
        return [i for i, name in enumerate(names) if tasks is None or name in tasks]

    def _share(self, episodes: Sequence[int]) -> list[tuple[int, ...]]:
        runs = self.dataset.frames.runs(episodes, max(1, self._buffer_frames // (2 * RUNS_A_BLOCK)))
        if self._world_size == 1:
            return runs
        if len(runs) < RUNS_A_BLOCK * self._world_size:
            runs = [(episode,) for episode in episodes]
        order = np.random.default_rng([self._seed, self._world_size]).permutation(len(runs))
        return [runs[i] for i in sorted(order[self._rank :: self._world_size])]

    def _pairs(self, episodes: Sequence[int]) -> np.ndarray:
        lengths: np.ndarray = self.dataset.index.lengths[np.asarray(episodes, np.int64)]
        pairs: np.ndarray = np.maximum(lengths - (self._offset or 0), 0)
        return pairs

    def _blocks(self, epoch: int) -> list[list[tuple[int, ...]]]:
        """The runs of each block of an epoch; blocks without a pair are left out."""
        if self._plan is None or self._plan[0] != epoch:
            order = range(len(self._runs))
            if not self._resident:
                order = self._rng(epoch).permutation(len(self._runs)).tolist()
            blocks: list[list[tuple[int, ...]]] = []
            room = 0
            for i in order:
                frames = int(self.dataset.index.lengths[list(self._runs[i])].sum())
                if not blocks or frames > room:
                    blocks.append([])
                    room = self._block_frames
                blocks[-1].append(self._runs[i])
                room -= frames
            kept = [sorted(block) for block in blocks if self._pairs([i for run in block for i in run]).any()]
            self._plan = (epoch, kept)
        return self._plan[1]

    def _rng(self, *key: int) -> np.random.Generator:
        return np.random.default_rng([self._seed, self._rank, *key])

    def _load_current(self) -> _Block:
        here = (self._epoch, self._number)
        if self._next is not None and self._next[0] == here:
            self._block = self._next[1].result()
        else:
            self._block = self._decode(self._blocks(self._epoch)[self._number], *here)
        self._next = None
        if not self._resident:
            last = self._number + 1 == len(self._blocks(self._epoch))
            there = (self._epoch + 1, 0) if last else (self._epoch, self._number + 1)
            self._next = (there, self._thread.submit(self._decode, self._blocks(there[0])[there[1]], *there))
        return self._block

    def _advance(self) -> None:
        self._served = 0
        self._number += 1
        if self._number >= len(self._blocks(self._epoch)):
            self._epoch, self._number = self._epoch + 1, 0
        if self._resident and self._block is not None:
            starts = np.sort(self._block.order)
            order = self._rng(self._epoch, self._number).permutation(starts)
            self._block = _Block(self._block.observations, self._block.actions, order)
        else:
            self._block = None

    def _decode(self, runs: Sequence[tuple[int, ...]], epoch: int, number: int) -> _Block:
        episodes = [i for run in runs for i in run]
        lengths = self.dataset.index.lengths[episodes]
        values = self.dataset.frames.allocate([*self._keys.values(), "action"], int(lengths.sum()))
        at = 0
        for run in runs:
            self.dataset.frames.read_into(run, values, at)
            at += int(self.dataset.index.lengths[list(run)].sum())
        begins = np.cumsum(lengths) - lengths
        starts = np.concatenate([np.arange(b, b + n) for b, n in zip(begins, self._pairs(episodes), strict=True)])
        shapes = {name: self.dataset.sensors[name].shape for name in self.sensors}
        return _Block(
            {name: values[key].reshape(at, *shapes[name]) for name, key in self._keys.items()},
            values["action"],
            self._rng(epoch, number).permutation(starts),
        )


def _gather(parts: Sequence[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    taken: list[np.ndarray] = [values[rows] for values, rows in parts]
    return taken[0] if len(taken) == 1 else np.concatenate(taken)
