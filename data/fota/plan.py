"""The order in which samples are served, and their bytes, block by block.

An epoch permutes the shards and takes them a window of a few at a time. The samples of a window are cut into runs that
one read brings; the runs are permuted, dealt out to the workers of a data-parallel job, and gathered into blocks of
the shuffle buffer's size; the samples of a block are permuted. So a shard is read in long sequential pieces, two
samples that lie side by side are served far apart, and nothing but the headers of one window and the bytes of two
blocks is ever held. Every permutation has a seed of its own: a position is four numbers.

Legend: S samples of a block, n entries that are served.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from trunkline.data.fota.dataset import read_run, run_end
from trunkline.data.fota.decode import Encoded
from trunkline.data.fota.faults import BadSample, Fault
from trunkline.data.fota.labels import TRIAL, parse_labels
from trunkline.data.fota.shards import JSON, ShardIndex, opened, scan
from trunkline.envs.spec import canonical_json
from trunkline.errors import InputError

WINDOW = 8  # shards that are mixed
RUNS_A_BLOCK = 16  # at least about so many runs are mixed in a block


class Position(NamedTuple):
    """Where in the endless sequence of entries: the first entry that was not served."""

    epoch: int = 0
    window: int = 0
    block: int = 0
    entry: int = 0


class Run(NamedTuple):
    """Samples [start, stop) of a shard."""

    shard: int
    start: int
    stop: int


@dataclass(frozen=True, eq=False)
class Block:
    """A buffer of samples.

    Attributes:
        at: its position.
        samples: S, as bytes.
        entries: (n,) rows of `samples` in the order they are served, or (n, 2) for pairs.
        opened: samples of each shard that was opened for it, good and bad.
        faults: found on the way.
        following: position of the next block.
    """

    at: Position
    samples: list[Encoded]
    entries: np.ndarray
    opened: Mapping[str, int]
    faults: tuple[Fault, ...]
    following: Position


@dataclass(frozen=True)
class Order:
    """How samples are ordered and shared out; see `FotaStream`."""

    shuffle: bool
    pairs: bool
    buffer_samples: int
    buffer_bytes: int
    seed: int
    rank: int
    world_size: int


class Plan:
    """Loads blocks. Used by one thread.

    Args:
        shards: paths, with the number of the data set each is of.
        order: of the samples.
    """

    def __init__(self, shards: Sequence[tuple[Path, int]], order: Order) -> None:
        self.shards = shards
        self.order = order
        self._indices: dict[int, ShardIndex] = {}
        self._blocks: tuple[tuple[int, int], list[list[Run]]] = ((-1, -1), [])
        self._held: tuple[list[Run], list[Encoded]] = ([], [])

    def load(self, at: Position, last_epoch: int | None = None) -> Block | None:
        """The block at a position, or the first one after it that has something to serve.

        Args:
            at: whose entry is not looked at.
            last_epoch: the first epoch that is not served; None if there is no end.

        Returns:
            None behind the last epoch.

        Raises:
            InputError: a whole epoch has nothing to serve, or a shard cannot be read.
        """
        opened: dict[str, int] = {}
        faults: list[Fault] = []
        here, asked = at._replace(entry=0), at.epoch
        while last_epoch is None or here.epoch < last_epoch:
            if here.epoch > asked + 1:
                raise self._nothing(faults)
            blocks = self._window(here, opened, faults)
            if here.block < len(blocks):
                last = here.block + 1 == len(blocks)
                following = self._after_window(here) if last else Position(here.epoch, here.window, here.block + 1)
                samples = self._read(blocks[here.block])
                entries = self._entries(here, samples, faults)
                if len(entries):
                    return Block(here, samples, entries, opened, tuple(faults), following)
                here = following
            else:
                here = self._after_window(here)
        if at.epoch == 0 and at.window == 0 and at.block == 0:
            raise self._nothing(faults)
        return None

    def _nothing(self, faults: Sequence[Fault]) -> InputError:
        order = self.order
        what = "two frames of one trial" if order.pairs else "sample"
        where = f"in {self.shards[0][0].parent} ({len(self.shards)} shards)"
        bad = f", {len(faults)} are bad, the first: {faults[0]}" if faults else ""
        return InputError(
            f"there is no {what} {where} for worker {order.rank} of {order.world_size}{bad}; "
            "restore or generate more, use fewer workers, or a larger shuffle_buffer"
        )

    def _windows(self, epoch: int) -> list[list[int]]:
        numbers = list(range(len(self.shards)))
        if self.order.shuffle:
            numbers = np.random.default_rng([self.order.seed, epoch]).permutation(len(numbers)).tolist()
        return [numbers[i : i + WINDOW] for i in range(0, len(numbers), WINDOW)]

    def _after_window(self, at: Position) -> Position:
        if at.window + 1 < len(self._windows(at.epoch)):
            return Position(at.epoch, at.window + 1)
        return Position(at.epoch + 1)

    def _window(self, at: Position, opened: dict[str, int], faults: list[Fault]) -> list[list[Run]]:
        """The blocks of a window."""
        if self._blocks[0] != at[:2]:
            numbers = self._windows(at.epoch)[at.window]
            # Kept across epochs where all shards fit into one window.
            self._indices = {number: self._indices.get(number) or scan(self.shards[number][0]) for number in numbers}
            self._blocks = (at[:2], self._cut(self._runs(at, numbers)))
        for index in self._indices.values():
            opened[str(index.path)] = len(index) + len(index.faults)
            faults.extend(fault for fault in index.faults if at.block == 0)
        return self._blocks[1]

    def _runs(self, at: Position, numbers: Sequence[int]) -> list[Run]:
        """This worker's runs of a window, in order."""
        order = self.order
        total = sum(len(self._indices[number]) for number in numbers)
        longest = max(1, order.buffer_samples // RUNS_A_BLOCK)
        size = min(max(1, total // (RUNS_A_BLOCK * order.world_size)), longest)
        runs = []
        for number in numbers:
            index, start = self._indices[number], 0
            while start < len(index):
                stop = run_end(index, start, min(start + size, len(index)))
                runs.append(Run(number, start, stop))
                start = stop
        if order.shuffle:
            shuffled = np.random.default_rng([order.seed, at.epoch, at.window]).permutation(len(runs))
            runs = [runs[i] for i in shuffled.tolist()]
        return runs[order.rank :: order.world_size]

    def _cut(self, runs: Sequence[Run]) -> list[list[Run]]:
        blocks: list[list[Run]] = []
        samples = size = 0
        for run in runs:
            extents = self._indices[run.shard].extents
            more, length = run.stop - run.start, int(extents[run.stop - 1, 1] - extents[run.start, 0])
            if not blocks or samples + more > self.order.buffer_samples or size + length > self.order.buffer_bytes:
                blocks.append([])
                samples = size = 0
            blocks[-1].append(run)
            samples, size = samples + more, size + length
        return blocks

    def _read(self, runs: Sequence[Run]) -> list[Encoded]:
        # In the order of the files, which disks like; the entries are permuted anyway.
        ordered = sorted(runs)
        if self._held[0] == ordered:  # all there is fits into one block
            return self._held[1]
        samples: list[Encoded] = []
        for run in ordered:
            with opened(self.shards[run.shard][0]) as descriptor:
                samples += read_run(descriptor, self._indices[run.shard], run.start, run.stop)
        self._held = (ordered, samples)
        return samples

    def _entries(self, at: Position, samples: Sequence[Encoded], faults: list[Fault]) -> np.ndarray:
        order = self.order
        rng = np.random.default_rng([order.seed, at.epoch, at.window, at.block, order.rank])
        entries = _partners(self._trials(samples, faults), rng) if order.pairs else np.arange(len(samples))
        return rng.permutation(entries) if order.shuffle else entries

    def _trials(self, samples: Sequence[Encoded], faults: list[Fault]) -> list[list[int]]:
        """Samples of each trial of each data set, in order."""
        sources = {str(path): source for path, source in self.shards}
        trials: dict[str, list[int]] = {}
        for i, sample in enumerate(samples):
            try:
                labels: Mapping[str, Any] = parse_labels(sample.part(JSON))
                trial = canonical_json([sources[sample.shard], [labels.get(name) for name in TRIAL]])
            except (BadSample, ValueError) as error:
                faults.append(Fault(sample.shard, sample.key, str(error)))
            else:
                trials.setdefault(trial, []).append(i)
        return list(trials.values())


def _partners(trials: Sequence[Sequence[int]], rng: np.random.Generator) -> np.ndarray:
    """(n, 2): every sample with another of its trial, drawn uniformly; those without one are left out."""
    pairs = [np.zeros((0, 2), np.int64)]
    for trial in trials:
        count = len(trial)
        if count > 1:
            members, own = np.array(trial), np.arange(count)
            other = (own + 1 + rng.integers(0, count - 1, count)) % count
            pairs.append(np.stack([members, members[other]], 1))
    return np.concatenate(pairs)
