"""Batches of touches, and how entries of blocks are decoded into them.

Legend: B batch.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from trunkline.data.fota.decode import Decoder, Rows
from trunkline.data.fota.faults import BadSample, Fault
from trunkline.data.fota.plan import Block, Position
from trunkline.data.fota.pose import pose_change


@dataclass(frozen=True, eq=False)
class TouchBatch:
    """B touches of one sensor.

    Attributes:
        sensor: its name.
        readings: (B, *shape) in the sensor's type.
        fields: {label: (B, …)}: bool, int64, float32 or text; `mask` (B, H, W) bool. For pairs also `pose_3d` (B, 3)
            and, where there are orientations, `pose_6d` (B, 9): the move from the first touch to the second, in mm.
        second: readings and fields of the second touch of each pair; None for single touches.
    """

    sensor: str
    readings: np.ndarray
    fields: dict[str, np.ndarray]
    second: tuple[np.ndarray, dict[str, np.ndarray]] | None = None

    def __len__(self) -> int:
        return len(self.readings)


@dataclass(eq=False)
class Work:
    """Entries that are decoded into one chunk.

    Attributes:
        at: position of the first.
        pieces: (block, start, stop), entries of blocks.
        opened, faults: what was found where the blocks were read.
    """

    at: Position
    pieces: list[tuple[Block, int, int]] = field(default_factory=list)
    opened: dict[str, int] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    def __len__(self) -> int:
        return sum(stop - start for _, start, stop in self.pieces)


@dataclass(eq=False)
class Chunk:
    """Decoded entries.

    Attributes:
        at: position of the first.
        rows: of the first touches, and of the second ones for pairs; the first `count` are good.
        opened, faults: what was found on the way.
        taken: how many good rows the batch before has taken from the end.
    """

    at: Position
    rows: list[Rows]
    count: int
    opened: Mapping[str, int]
    faults: Sequence[Fault]
    taken: int = 0

    def give(self, count: int, rows: Sequence[Rows], at: int) -> None:
        """Move the last `count` good rows into other rows, at row `at`."""
        self.count, self.taken = self.count - count, self.taken + count
        for theirs, mine in zip(rows, self.rows, strict=True):
            theirs.copy(at, mine, self.count, count)


class ChunkDecoder:
    """Decodes work. Threads may share it.

    Args:
        decoders: by path of the shard; all for the same labels and shapes.
        size: B, rows of a chunk.
        pose: labels of the poses, where pairs are wanted; () for single touches.
    """

    def __init__(self, decoders: Mapping[str, Decoder], size: int, pose: Sequence[str]) -> None:
        self.decoders = decoders
        self.size = size
        self.pose = tuple(pose)

    def __call__(self, work: Work) -> Chunk:
        """The samples of `work`, the good ones in front."""
        decoder = next(iter(self.decoders.values()))
        rows = [decoder.allocate(self.size) for _ in range(2 if self.pose else 1)]
        faults, gaps, row = list(work.faults), [], 0
        for block, start, stop in work.pieces:
            for entry in block.entries[start:stop].reshape(stop - start, -1).tolist():
                fault = self._decode(block, entry, rows, row)
                if fault is not None:
                    faults.append(fault)
                    gaps.append(row)
                row += 1
        count = _close_gaps(rows, gaps, row)
        if self.pose:
            first, second = (np.stack([r.fields[name][:count] for name in self.pose], 1) for r in rows)
            moves = pose_change(first.astype(np.float64), second.astype(np.float64))
            for name, values in moves.items():
                rows[0].fields[name] = np.zeros((self.size, values.shape[1]), np.float32)
                rows[0].fields[name][:count] = values
                rows[1].fields[name] = rows[0].fields[name]
        return Chunk(work.at, rows, count, work.opened, faults)

    def _decode(self, block: Block, entry: Sequence[int], rows: Sequence[Rows], row: int) -> Fault | None:
        for target, i in zip(rows, entry, strict=True):
            sample = block.samples[i]
            try:
                self.decoders[sample.shard].decode(sample, target, row)
            except BadSample as error:
                return Fault(sample.shard, sample.key, str(error))
        return None


def _close_gaps(rows: Sequence[Rows], gaps: Sequence[int], end: int) -> int:
    """Move good rows from the end into the gaps (ascending); the number of good rows."""
    bad = set(gaps)
    for gap in gaps:
        while end - 1 in bad and end - 1 >= gap:
            end -= 1
        if gap < end:
            for one in rows:
                one.copy(gap, one, end - 1)
            end -= 1
    return end
