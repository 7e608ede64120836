"""Shuffled batches of touches, or of pairs of touches, from data sets that need not fit in memory.

One thread reads blocks ahead (see `plan`), others decode: each task is one whole batch. A bad sample leaves a gap at a
batch's end, which rows from the end of the next batch fill, so a sound data set is decoded in place, without a copy,
and the batches do not depend on the number of threads. The state is the position of one batch and how many of its rows
are gone.

Legend: B batch.
"""

import hashlib
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from trunkline.data.fota.batches import Chunk, ChunkDecoder, TouchBatch, Work
from trunkline.data.fota.dataset import FotaDataset
from trunkline.data.fota.decode import Decoder
from trunkline.data.fota.faults import Fault, FaultLog, Tolerance
from trunkline.data.fota.labels import MASK
from trunkline.data.fota.plan import Block, Order, Plan, Position
from trunkline.data.fota.sources import check_same_sensor, choose_fields, pose_names, shared_labels
from trunkline.errors import InputError

__all__ = ["FotaStream", "TouchBatch"]


class FotaStream:
    """An iterator of batches, endless by default; the same seed gives the same batches, whatever `workers` is.

    Args:
        sources: data sets of one sensor; their samples are mixed.
        batch_size: B.
        fields: labels that are wanted, every sample must have them; `mask` for the contact masks; None for all numeric
            ones of the first samples (those that all sources have); () for readings alone.
        pairs: serve each touch with another of its trial (`obj_idx`, `obj_name`, `trial_idx`) from the buffer.
        shuffle: whether to; without, samples come in the order they were written.
        shuffle_buffer: samples that are held as they are stored (JPEG), and shuffled; two such blocks are in memory.
        buffer_mb: size that a block does not exceed, whatever `shuffle_buffer` says.
        seed: of every permutation.
        epochs: how often to go through the data; None for without end. The last batch may be smaller.
        workers: decoding threads; 0 decodes in the caller's.
        rank, world_size: this worker and their number; each reads its own share of every window of shards.
        tolerance: how many bad samples are skipped.

    Raises:
        InputError: sources of different sensors, an unknown field, no poses to pair, a bad number.
    """

    def __init__(
        self,
        sources: FotaDataset | Sequence[FotaDataset],
        batch_size: int,
        *,
        fields: Sequence[str] | None = None,
        pairs: bool = False,
        shuffle: bool = True,
        shuffle_buffer: int = 4096,
        buffer_mb: float = 64.0,
        seed: int = 0,
        epochs: int | None = None,
        workers: int = 1,
        rank: int = 0,
        world_size: int = 1,
        tolerance: Tolerance | None = None,
    ) -> None:
        if batch_size < 1 or shuffle_buffer < 1 or buffer_mb <= 0 or workers < 0 or (epochs is not None and epochs < 1):
            raise InputError(
                f"batch_size={batch_size}, shuffle_buffer={shuffle_buffer}, buffer_mb={buffer_mb}, epochs={epochs}: "
                f"all must be positive; workers={workers}: not negative"
            )
        if not 0 <= rank < world_size or seed < 0:
            raise InputError(f"rank={rank}, world_size={world_size}, seed={seed}: rank < world_size, none negative")
        self.sources = [sources] if isinstance(sources, FotaDataset) else list(sources)
        self.batch_size = batch_size
        check_same_sensor(self.sources)
        self.sensor = self.sources[0].sensor
        names, mask = choose_fields(self.sources, fields)
        pose = pose_names(self.sources) if pairs else ()
        labels = shared_labels(self.sources, (*names, *(name for name in pose if name not in names)))
        self.fields = (*(label.name for label in labels), *([MASK] if mask else []))
        decoders = {
            str(path): Decoder(source.sensor, labels, mask, source.resize)
            for source in self.sources
            for path in source.shards
        }
        self._order = Order(shuffle, pairs, shuffle_buffer, int(buffer_mb * 2**20), seed, rank, world_size)
        self._epochs, self._workers = epochs, workers
        self._plan = Plan([(path, i) for i, source in enumerate(self.sources) for path in source.shards], self._order)
        self._decode = ChunkDecoder(decoders, batch_size, pose)
        self._log = FaultLog(tolerance or Tolerance())
        self._reader = ThreadPoolExecutor(1, "trunkline-fota-read")
        self._pool = ThreadPoolExecutor(workers, "trunkline-fota-decode") if workers else None
        self._partial: Chunk | None = None
        self._start(Position(), 0)

    def __iter__(self) -> "FotaStream":
        return self

    def __next__(self) -> TouchBatch:
        """The next B touches.

        Raises:
            InputError: too many samples are bad, or a shard cannot be read.
        """
        chunk = self._partial or self._take()
        self._partial = None
        if chunk is None:
            raise StopIteration
        have = chunk.count
        while have < self.batch_size:
            donor = self._take()
            if donor is None:
                break
            count = min(self.batch_size - have, donor.count)
            donor.give(count, chunk.rows, have)
            have += count
            self._partial = donor if donor.count else None
        if not have:
            raise StopIteration
        first, *rest = [rows.cut(have) for rows in chunk.rows]
        second = (rest[0].readings, rest[0].arrays()) if rest else None
        return TouchBatch(self.sensor.name, first.readings, first.arrays(), second)

    @property
    def num_samples(self) -> int:
        """Samples of all sources; a worker's share is about one in world_size of them."""
        return sum(source.num_samples for source in self.sources)

    @property
    def faults(self) -> list[Fault]:
        """The bad samples that were met so far."""
        return list(self._log.faults)

    def state_dict(self) -> dict[str, Any]:
        """The position, JSON-serialisable; `load_state_dict` goes on with the very next batch."""
        at, taken = self._at, self._skip
        if self._partial is not None:
            at, taken = self._partial.at, self._partial.taken
        elif self._pending:
            at = self._pending[0][0]
        return {"at": list(at), "taken": taken, "log": self._log.state_dict(), "of": self._identity()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go to a position.

        Raises:
            InputError: the position is of a stream over other shards or with other arguments.
        """
        theirs = state["of"]
        for key, value in self._identity().items():
            if theirs.get(key) != value:
                raise InputError(
                    f"cannot resume the touches of {self.sources[0].folder}: {key} is {value}, it was "
                    f"{theirs.get(key)}; restore the data set and the settings of that run, or start a new one"
                )
        self._log.load_state_dict(state["log"])
        self._start(Position(*state["at"]), int(state["taken"]))

    def close(self) -> None:
        """Let go of the buffers and the threads."""
        self._reader.shutdown(wait=True, cancel_futures=True)
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
        self._start(self._at, 0)

    def _start(self, at: Position, taken: int) -> None:
        """Forget what was read ahead; go on from a position."""
        self._at, self._skip, self._ended = at, taken, False
        self._partial = None
        self._pending: deque[tuple[Position, Future[Chunk]]] = deque()
        self._block: Block | None = None
        self._next: Future[Block | None] | None = None

    def _take(self) -> Chunk | None:
        """The next decoded chunk; None behind the last one."""
        self._log.check()
        while not self._ended and len(self._pending) <= self._workers:
            work = self._next_work()
            if work.pieces:
                self._pending.append((work.at, self._submit(work)))
        if not self._pending:
            return None
        chunk = self._pending[0][1].result()
        self._pending.popleft()
        for shard, samples in chunk.opened.items():
            self._log.opened(shard, samples)
        self._log.add(chunk.faults)
        chunk.taken, self._skip = self._skip, 0
        chunk.count -= chunk.taken
        return chunk

    def _submit(self, work: Work) -> Future[Chunk]:
        if self._pool is not None:
            return self._pool.submit(self._decode, work)
        done: Future[Chunk] = Future()
        done.set_result(self._decode(work))
        return done

    def _next_work(self) -> Work:
        """The next B entries; fewer at the end."""
        work = Work(self._at)
        while len(work) < self.batch_size:
            block = self._current_block(work)
            if block is None:
                break
            start = self._at.entry
            stop = min(start + self.batch_size - len(work), len(block.entries))
            work.pieces.append((block, start, stop))
            self._at = self._at._replace(entry=stop)
            if stop == len(block.entries):
                self._at, self._block = block.following, None
        return work

    def _current_block(self, work: Work) -> Block | None:
        if self._block is None:
            ahead = self._next or self._reader.submit(self._plan.load, self._at, self._epochs)
            self._next = None
            block = ahead.result()
            if block is None:
                self._ended = True
                return None
            if block.at[:3] != self._at[:3]:
                self._at = block.at  # blocks with nothing to serve were passed over
            self._block = block
            self._next = self._reader.submit(self._plan.load, block.following, self._epochs)
            work.opened.update(block.opened)
            work.faults.extend(block.faults)
        return self._block

    def _identity(self) -> dict[str, Any]:
        shards = [[str(p.relative_to(s.root)), p.stat().st_size] for s in self.sources for p in s.shards]
        order = self._order
        return {
            "shards": hashlib.sha256(repr(shards).encode()).hexdigest()[:16],
            "fields": list(self.fields),
            "batch_size": self.batch_size,
            "pairs": order.pairs,
            "shuffle": order.shuffle,
            "shuffle_buffer": order.buffer_samples,
            "buffer_bytes": order.buffer_bytes,
            "seed": order.seed,
            "rank": order.rank,
            "world_size": order.world_size,
        }
