"""Appending touch samples to a FoTa data set.

Samples go straight into the next shard under a temporary name. A full shard is closed, fsynced and renamed, then what
was measured of it is added to sensor.json, then count.txt is written. So whatever stops the writer, what is on disk is
a data set of whole shards; if it was stopped between two of these steps, the next writer measures the shards that the
record lacks.

Legend: H, W pixels, C channels.
"""

import fcntl
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

import numpy as np

from trunkline.data.fota import pictures
from trunkline.data.fota.dataset import COUNT, FotaDataset
from trunkline.data.fota.faults import BadSample
from trunkline.data.fota.form import LOCK, SplitRecord, check_split, is_image, load_form, save_split
from trunkline.data.fota.labels import POSE, Label, find_labels, plain_labels
from trunkline.data.fota.measure import ShardMeasure
from trunkline.data.fota.open_shard import OpenShard
from trunkline.data.fota.pose import Moments
from trunkline.data.fota.shards import SHARD_SAMPLES, SPLITS, find_shards, shard_name, shard_number
from trunkline.envs.spec import SensorSpec
from trunkline.errors import InputError
from trunkline.files import write_text

_KEY_LENGTH = 90


@dataclass(frozen=True)
class FotaConfig:
    """How a data set is laid out.

    Attributes:
        shard_samples: samples of a shard, at most FoTa's 10,000; at most these are lost to a kill.
        quality: of the JPEGs.
    """

    shard_samples: int = SHARD_SAMPLES
    quality: int = pictures.QUALITY

    def __post_init__(self) -> None:
        if not 1 <= self.shard_samples <= SHARD_SAMPLES or not 1 <= self.quality <= 100:
            raise InputError(
                f"shard_samples={self.shard_samples}, quality={self.quality}: 1 to {SHARD_SAMPLES}, 1 to 100"
            )


class FotaWriter:
    """Writes one split of one sensor's data set; opening an existing one of the same sensor appends to it.

    A context manager. Closing it writes the last, partial shard; the next writer begins a new one.

    Args:
        folder: of the data set; made if it is not there.
        split: "train", "val" or "test".
        sensor: whose readings they are, images (H, W, 3) uint8 or arrays float32; may be left out to append.
        config: the layout.

    Raises:
        InputError: the folder holds something else or another sensor's data, or is being written by another process.
    """

    def __init__(
        self, folder: str | Path, split: str, sensor: SensorSpec | None = None, config: FotaConfig | None = None
    ) -> None:
        check_split(split, SPLITS)
        self.root, self.split = Path(folder), split
        self.folder = self.root / split
        self.config = config or FotaConfig()
        self.sensor = self._agree(sensor)
        self._image = is_image(self.sensor)
        self._record = SplitRecord(Moments.empty(self.sensor.shape[-1]))
        self._labels: dict[str, Label] | None = None
        self._number = 0
        self._closed = self._broken = False
        self._shard: OpenShard | None = None
        self._lock = _lock(self.folder)
        try:
            self._resume()
        except BaseException:
            self._lock.close()
            raise

    def __enter__(self) -> "FotaWriter":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __len__(self) -> int:
        """Samples added so far, by earlier writers too."""
        return self._record.samples + (len(self._shard.keys) if self._shard else 0)

    def add(self, key: str, reading: np.ndarray, fields: Mapping[str, Any], mask: np.ndarray | None = None) -> None:
        """Add a sample; it is safe on disk once its shard is full or the writer is closed.

        Args:
            key: its name, new in its shard: at most 90 ASCII characters, no '/'; '.' is written '-'.
            reading: in the sensor's shape and type.
            fields: its labels; arrays and NumPy numbers become lists and numbers.
            mask: (H, W) bool, where the gel is touched.

        Raises:
            InputError: any of these does not fit, or the disk is full.
        """
        if self._closed or self._broken:
            raise InputError(f"the writer of {self.folder} is closed; open another one to append")
        key = _clean(key)
        if self._shard is not None and key in self._shard.keys:
            raise InputError(f"{self.folder} holds a sample {key!r} already; give every sample its own key")
        labels = self._plain(key, fields)
        if reading.shape != self.sensor.shape or reading.dtype != self.sensor.dtype:
            raise InputError(
                f"sample {key!r} has a reading {reading.dtype} {reading.shape}; sensor {self.sensor.name!r} has "
                f"{self.sensor.dtype} {self.sensor.shape}"
            )
        if mask is not None and (not self._image or mask.shape != reading.shape[:2]):
            raise InputError(f"sample {key!r} has a mask of {mask.shape} for a reading of {reading.shape}")
        if self._image:
            members = [(f"{key}.jpg", pictures.encode_image(reading, self.config.quality))]
        else:
            members = [(f"{key}.npy", pictures.encode_taxels(reading))]
        members.append((f"{key}.json", json.dumps(labels, allow_nan=False).encode()))
        if mask is not None:
            members.append((f"{key}.png", pictures.encode_mask(mask)))
        with self._writing():
            if self._shard is None:
                self._shard = OpenShard(self.folder / shard_name(self._number), self.sensor)
            self._shard.add(key, members)
        self._shard.measure.add(reading, labels)
        if len(self._shard.keys) >= self.config.shard_samples:
            self.flush()

    def flush(self) -> None:
        """Close the shard that is being written, however few samples it has; the next sample begins another.

        Raises:
            InputError: the disk is full or refuses to write; the shards written before stay readable.
        """
        if self._shard is None:
            return
        with self._writing():
            self._shard.close()
            self._record.merge(self._shard.measure.record())
            self._number, self._shard = self._number + 1, None
            self._write_totals()

    def close(self) -> None:
        """Flush and let go of the folder; twice does nothing."""
        if self._closed:
            return
        self._closed = True
        try:
            self.flush()
        finally:
            self._lock.close()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """What an interrupted or failed write leaves of the open shard is removed; this writer is then done."""
        try:
            yield
        except BaseException as error:
            self._broken = True
            lost = 0
            if self._shard is not None:
                lost = len(self._shard.keys)
                self._shard.abandon()
                self._shard = None
            if not isinstance(error, OSError):
                raise
            raise InputError(
                f"cannot write to {self.folder}: {error.strerror or error}; it keeps {self._record.samples} samples "
                f"in whole shards, the last {lost} are lost; make room and run again"
            ) from error

    def _plain(self, key: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        """The labels as JSON values, of the same names and types in every sample."""
        labels = plain_labels(fields)
        if self._labels is None:
            self._labels = find_labels(labels)
        try:
            for label in self._labels.values():
                label.value(labels)
            if labels.keys() >= set(POSE[3:]) and not any(labels[name] for name in POSE[3:]):
                raise BadSample("its quaternion is zero")
        except BadSample as error:
            raise InputError(f"sample {key!r} of {self.folder}: {error}; give every sample the same labels") from None
        return labels

    def _agree(self, sensor: SensorSpec | None) -> SensorSpec:
        """The sensor of the data set that is there, or the one that is asked for."""
        if self.root.exists() and not self.root.is_dir():
            raise InputError(f"{self.root} is a file, not a folder for a data set; choose another path")
        form = load_form(self.root)
        if form is not None:
            difference = None if sensor is None else form.sensor.difference(sensor)
            if difference:
                raise InputError(f"{self.root} is of another sensor: {difference}; choose another folder")
            return form.sensor
        if any(find_shards(self.root / split) for split in SPLITS):
            raise InputError(f"{self.root} holds a data set that trunkline did not write; choose another folder")
        if sensor is None:
            raise InputError(f"there is no data set {self.root} to append to; name the sensor to begin one")
        return replace(sensor, mean=None, std=None)

    def _resume(self) -> None:
        with self._writing():
            for path in self.folder.glob(".*.tmp"):
                path.unlink()
            shards = find_shards(self.folder)
            form = load_form(self.root)
            if form is not None and self.split in form.splits:
                self._record = form.splits[self.split]
            if self._record.shards > len(shards):
                raise InputError(
                    f"{self.folder} has {len(shards)} shards of {self._record.shards}; restore them, or remove the "
                    "whole data set"
                )
            if shards:
                present = FotaDataset(self.root, self.split)
                self._labels = present.fields
                self._number = shard_number(shards[-1]) + 1
                for path in shards[self._record.shards :]:
                    measure = ShardMeasure(self.sensor)
                    for sample in present.samples([path]):
                        measure.add(sample.reading, sample.labels)
                    self._record.merge(measure.record())
            self._write_totals()

    def _write_totals(self) -> None:
        save_split(self.root, self.sensor, self.split, self._record)
        write_text(self.folder / COUNT, f"{self._record.samples}\n")


def _clean(key: str) -> str:
    clean = key.replace(".", "-")
    if not 0 < len(clean) <= _KEY_LENGTH or not clean.isascii() or not clean.isprintable() or set("/\\") & set(clean):
        raise InputError(f"sample key {key!r}: 1 to {_KEY_LENGTH} printable ASCII characters, no slash")
    return clean


def _lock(folder: Path) -> IO[str]:
    """Hold a split for writing; the system lets go of it when the process ends, however it does."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / LOCK).open("w")
    except OSError as error:
        raise InputError(f"cannot write to {folder}: {error.strerror}; choose another folder") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise InputError(f"{folder} is being written by another process; wait for it or end it") from None
    return lock
