"""A FoTa data set on disk: one split's shards, the sensor, and the fields of its labels."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from trunkline.data.fota import archive
from trunkline.data.fota.decode import Decoder, Encoded
from trunkline.data.fota.faults import BadSample, Fault, FaultLog, Tolerance
from trunkline.data.fota.form import Form, check_split, generic_sensor, load_form, resized
from trunkline.data.fota.labels import MASK, Label, find_labels, parse_labels
from trunkline.data.fota.pose import PoseScale
from trunkline.data.fota.shards import JSON, PNG, SPLITS, ShardIndex, find_shards, opened, scan
from trunkline.envs.spec import SensorSpec
from trunkline.errors import InputError, unknown

COUNT = "count.txt"
_READ_BYTES = 32 << 20


@dataclass(frozen=True, eq=False)
class Sample:
    """One labelled touch.

    Attributes:
        key: its name in the shard.
        reading: (*shape) in the sensor's type.
        labels: all fields of its JSON, as they stand there.
        mask: (H, W) bool, the contact; None if it has none.
    """

    key: str
    reading: np.ndarray
    labels: dict[str, Any]
    mask: np.ndarray | None


class FotaDataset:
    """One split of a data set; opening it reads little more than its first sample.

    Args:
        folder: of the data set, which holds the splits.
        split: "train", "val" or "test".
        resolution: (height, width) that pictures are scaled to; None for the sensor's own. Data sets of others are
            always scaled to their sensor's shape, 224×224.
        sensor: name of the sensor, for a data set of others; None for the encoder it was published with, or the
            folder's name.

    Attributes:
        sensor: SensorSpec, with the statistics of `train` if we wrote the data set.
        shards: paths by number.
        fields: the labels of the first sample, by name.
        foreign: whether others wrote it (there is no sensor.json).

    Raises:
        InputError: no such folder or split, no shard, no usable sample in the first shards, a damaged sensor.json.
    """

    def __init__(
        self,
        folder: str | Path,
        split: str = "train",
        resolution: tuple[int, int] | None = None,
        sensor: str | None = None,
    ) -> None:
        self.root = Path(folder)
        self.split = split
        self.folder = self.root / split
        if not self.root.is_dir():
            raise InputError(f"there is no data set {self.root}; give the folder that holds train/, val/ or test/")
        present = tuple(name for name in SPLITS if (self.root / name).is_dir())
        check_split(split, present)
        self.shards = find_shards(self.folder)
        if not self.shards:
            raise InputError(f"{self.folder} holds no shard (data-000000.tar, …); generate or download the data set")
        self.form: Form | None = load_form(self.root)
        if self.form is not None and sensor not in (None, self.form.sensor.name):
            raise InputError(f"{self.root} is of sensor {self.form.sensor.name!r}, not {sensor!r}")
        self.foreign = self.form is None
        spec = generic_sensor(self.root.resolve(), sensor) if self.form is None else self.form.normalised
        self.sensor: SensorSpec = resized(spec, resolution)
        self.resize = self.foreign or resolution is not None
        self._first_labels, self._masks = self._look()
        self.fields: dict[str, Label] = find_labels(self._first_labels)

    def __len__(self) -> int:
        return self.num_samples

    def __repr__(self) -> str:
        return f"FotaDataset({str(self.root)!r}, {self.split!r})"

    @cached_property
    def num_samples(self) -> int:
        """Samples of the split: what sensor.json or count.txt says, else (a writer was killed) counted.

        Raises:
            InputError: count.txt holds no number.
        """
        record = None if self.form is None else self.form.splits.get(self.split)
        if record is not None and record.shards == len(self.shards):
            return record.samples
        path = self.folder / COUNT
        if self.foreign and path.is_file():
            text = path.read_text(errors="replace").strip()
            if not text.isdecimal():
                raise InputError(f"{path} holds no number; write the number of samples into it or remove it")
            return int(text)
        return sum(len(scan(shard)) for shard in self.shards)

    def pose_scale(self, target: str) -> PoseScale | None:
        """Mean and deviation of `pose_3d` or `pose_6d` over `train`; None where nobody measured them."""
        return None if self.form is None else self.form.pose_scale(target)

    def label_range(self, name: str) -> tuple[int, int] | None:
        """The smallest and largest value of an integer label over all splits; None where nobody measured them."""
        found = [
            record.ranges[name] for record in (self.form.splits.values() if self.form else ()) if name in record.ranges
        ]
        return (min(low for low, _ in found), max(high for _, high in found)) if found else None

    def labels(self, names: Sequence[str] | None = None) -> tuple[Label, ...]:
        """Labels by name; None for all numeric ones.

        Raises:
            InputError: a field that the first sample lacks, with the nearest match.
        """
        if names is None:
            return tuple(label for label in self.fields.values() if label.kind != "text")
        for name in names:
            if name not in self.fields and not (name == MASK and self._masks):
                raise unknown(f"field of {self.folder}", name, [*self.fields, *([MASK] if self._masks else [])])
        return tuple(self.fields[name] for name in names if name in self.fields)

    def decoder(self, names: Sequence[str] | None = None) -> Decoder:
        """What decodes this data set's samples.

        Args:
            names: fields wanted, see `labels`; `mask` asks for the contact masks.
        """
        mask = names is not None and MASK in names and MASK not in self.fields
        return Decoder(self.sensor, self.labels(names), mask, self.resize)

    def samples(self, shards: Sequence[Path] | None = None, tolerance: Tolerance | None = None) -> Iterator[Sample]:
        """All samples in order, decoded one by one.

        Raises:
            InputError: too many are bad.
        """
        log = FaultLog(tolerance or Tolerance())
        decoder = self.decoder(())
        for path in self.shards if shards is None else shards:
            index = scan(path)
            log.opened(str(path), len(index) + len(index.faults))
            log.add(index.faults)
            for encoded in read_encoded(index):
                try:
                    yield self._sample(decoder, encoded)
                except BadSample as error:
                    log.add([Fault(encoded.shard, encoded.key, str(error))])

    def _sample(self, decoder: Decoder, encoded: Encoded) -> Sample:
        labels = parse_labels(encoded.part(JSON))
        for label in self.fields.values():
            if label.name in labels:
                label.value(labels)
        masked = bool(encoded.parts[PNG, 0])
        if masked:
            decoder = Decoder(decoder.spec, (), True, decoder.resize)
        rows = decoder.allocate(1)
        decoder.decode(encoded, rows, 0)
        return Sample(encoded.key, rows.readings[0], labels, rows.fields[MASK][0] if masked else None)

    def _look(self) -> tuple[Mapping[str, Any], bool]:
        """The labels of the first sample that has any, and whether it has a mask."""
        reason = "they hold no sample"
        for path in self.shards[:3]:
            for encoded in read_encoded(scan(path, limit=64)):
                try:
                    return parse_labels(encoded.part(JSON)), bool(encoded.parts[PNG, 0])
                except BadSample as error:
                    reason = f"sample {encoded.key}: {error}"
        raise InputError(f"the first shards of {self.folder} cannot be used: {reason}; restore them")


def read_encoded(index: ShardIndex, start: int = 0, stop: int | None = None) -> Iterator[Encoded]:
    """Samples [start, stop) of a shard as bytes, in order, a few megabytes of the file at a time."""
    stop = len(index) if stop is None else stop
    with opened(index.path) as descriptor:
        while start < stop:
            upto = run_end(index, start, stop)
            yield from read_run(descriptor, index, start, upto)
            start = upto


def run_end(index: ShardIndex, start: int, stop: int) -> int:
    """The end of the samples from `start` that one read of bounded size brings."""
    far = np.searchsorted(index.extents[start:stop, 1], index.extents[start, 0] + _READ_BYTES, side="right")
    return start + max(1, int(far))


def read_run(descriptor: int, index: ShardIndex, start: int, stop: int) -> list[Encoded]:
    """Samples [start, stop) of a shard, by one read.

    Raises:
        InputError: the file has become shorter than it was.
    """
    begin, end = int(index.extents[start, 0]), int(index.extents[stop - 1, 1])
    data = memoryview(os.pread(descriptor, end - begin, begin))
    # Where a shard was cut, the padding of its last member may be missing.
    if len(data) <= end - begin - archive.BLOCK:
        raise InputError(f"the shard {index.path} became shorter while it was read; restore it")
    path, extents = str(index.path), (index.extents[start:stop] - begin).tolist()
    return [Encoded(path, data[low:high], index.parts[i]) for i, (low, high) in enumerate(extents, start)]
