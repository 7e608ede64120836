"""`sensor.json`: what our writer adds beside the files of FoTa, one for all splits of a data set.

It holds the SensorSpec, and for each split what was measured while it was written: samples and shards, moments of the
readings, scales of the pose targets, and the range of each integer label. Statistics that normalise a network's input
are those of `train` alone.

Legend: C channels.
"""

import fcntl
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from trunkline.data.fota.pose import SIZES, Moments, PoseScale
from trunkline.envs.spec import SensorSpec
from trunkline.errors import InputError, unknown
from trunkline.files import write_text

FILE = "sensor.json"
LOCK = ".lock"

# Which encoder the published data sets are read with; theirs hold no word on the sensor.
ENCODERS = {
    "visgel": "gs_green",
    "tvl": "digit",
    "touch_and_go": "gs_tag",
    "calandra17": "gs_green",
    "yuan18": "gs_green",
    "ycbsight": "gs_green",
    "objectfolder_real": "gs_black",
}


def is_image(spec: SensorSpec) -> bool:
    """Whether readings are pictures (.jpg) rather than arrays of numbers (.npy).

    Raises:
        InputError: readings that FoTa has no file for.
    """
    if spec.dtype == "uint8" and len(spec.shape) == 3 and spec.shape[-1] in (1, 3):
        return True
    if spec.dtype == "float32":
        return False
    raise InputError(
        f"sensor {spec.name!r} has {spec.dtype} readings of shape {spec.shape}; "
        "FoTa stores images (H, W, 3) uint8 and arrays float32"
    )


@dataclass
class SplitRecord:
    """What was measured of a split's whole shards.

    Attributes:
        shards, samples: how many.
        readings: moments per channel (the last axis).
        poses: moments of each pose target over pairs of touches of one trial.
        ranges: smallest and largest value of each integer label.
    """

    readings: Moments
    shards: int = 0
    samples: int = 0
    poses: dict[str, Moments] = field(default_factory=dict)
    ranges: dict[str, tuple[int, int]] = field(default_factory=dict)

    def merge(self, other: "SplitRecord") -> None:
        """Take in the shards of `other`."""
        self.shards += other.shards
        self.samples += other.samples
        self.readings.merge(other.readings)
        for name, moments in other.poses.items():
            self.poses.setdefault(name, Moments.empty(SIZES[name])).merge(moments)
        for name, (low, high) in other.ranges.items():
            mine = self.ranges.get(name, (low, high))
            self.ranges[name] = (min(mine[0], low), max(mine[1], high))

    def to_json(self) -> dict[str, Any]:
        """A JSON value that `from_json` reads back."""
        return {
            "shards": self.shards,
            "samples": self.samples,
            "readings": self.readings.to_json(),
            "poses": {name: moments.to_json() for name, moments in self.poses.items()},
            "ranges": {name: list(bounds) for name, bounds in self.ranges.items()},
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any], channels: int, where: str) -> "SplitRecord":
        """What `to_json` wrote.

        Raises:
            InputError: it is something else.
        """
        try:
            poses = {n: Moments.from_json(v, SIZES[n], f"{where} {n}") for n, v in value["poses"].items()}
            ranges = {str(n): (int(low), int(high)) for n, (low, high) in value["ranges"].items()}
            readings = Moments.from_json(value["readings"], channels, f"{where} readings")
            return cls(readings, int(value["shards"]), int(value["samples"]), poses, ranges)
        except InputError:
            raise
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(f"{where} is damaged ({type(error).__name__}: {error}); restore it") from None


@dataclass(frozen=True)
class Form:
    """The contents of `sensor.json`.

    Attributes:
        sensor: without statistics.
        splits: by name.
    """

    sensor: SensorSpec
    splits: Mapping[str, SplitRecord]

    @property
    def normalised(self) -> SensorSpec:
        """The sensor with the statistics of `train`; as it is where nothing was written to `train`."""
        train = self.splits.get("train")
        if train is None or not train.readings.count:
            return self.sensor
        return self.sensor.with_statistics(train.readings.mean, train.readings.std)

    def pose_scale(self, target: str) -> PoseScale | None:
        """The scale of `pose_3d` or `pose_6d` over `train`; None if it has no poses."""
        train = self.splits.get("train")
        moments = None if train is None else train.poses.get(target)
        if moments is None or not moments.count:
            return None
        return PoseScale(tuple(moments.mean.tolist()), tuple(moments.std.tolist()))


def load_form(root: Path) -> Form | None:
    """The form of a data set; None if others wrote it.

    Raises:
        InputError: the file is damaged.
    """
    path = root / FILE
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {path}: {error}; restore it") from None
    try:
        value = json.loads(text)
        sensor = SensorSpec.from_json(value["sensor"])
        splits = dict(value["splits"])
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is damaged ({error}); restore it") from None
    channels = sensor.shape[-1]
    plain = replace(sensor, mean=None, std=None)
    return Form(plain, {n: SplitRecord.from_json(v, channels, f"{path} {n}") for n, v in splits.items()})


def save_split(root: Path, sensor: SensorSpec, split: str, record: SplitRecord) -> None:
    """Write one split's record into the data set's `sensor.json`, whatever writers of other splits do."""
    with locked(root):
        present = load_form(root)
        form = Form(sensor, {**(present.splits if present else {}), split: record})
        value = {
            "sensor": form.normalised.to_json(),
            "splits": {name: one.to_json() for name, one in sorted(form.splits.items())},
        }
        write_text(root / FILE, json.dumps(value, indent=1, allow_nan=False))


def generic_sensor(root: Path, name: str | None = None) -> SensorSpec:
    """The sensor of a data set that others wrote: RGB, 224×224, named after the encoder it was published with."""
    known = ENCODERS.get(root.name, root.name.replace(".", "-") or "touch")
    return SensorSpec(name or known, "tactile_rgb", (224, 224, 3), "uint8", 0.0, 255.0)


def resized(spec: SensorSpec, resolution: tuple[int, int] | None) -> SensorSpec:
    """The sensor with its pictures scaled to (height, width).

    Raises:
        InputError: it has no pictures, or the size is not positive.
    """
    if resolution is None:
        return spec
    if not is_image(spec) or len(resolution) != 2 or min(resolution) < 1:
        raise InputError(f"resolution={resolution} for sensor {spec.name!r}: two positive numbers, for images only")
    return replace(spec, shape=(*resolution, spec.shape[-1]))


def check_split(split: str, known: tuple[str, ...]) -> None:
    """Refuse a split that is none.

    Raises:
        InputError: with the nearest match.
    """
    if split not in known:
        raise unknown("split", split, known)


@contextmanager
def locked(root: Path) -> Iterator[None]:
    """Hold a data set's `sensor.json` for a change; waits for others, who hold it for milliseconds."""
    root.mkdir(parents=True, exist_ok=True)
    with (root / LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def channel_moments(reading: np.ndarray) -> Moments:
    """Moments of one reading (…, C) per channel."""
    channels = reading.shape[-1]
    if reading.dtype == np.uint8:
        # Exact in integers; row by row, which is many times faster than pixel by pixel.
        rows = reading.reshape(len(reading), -1)
        total = rows.sum(0, dtype=np.uint32).reshape(-1, channels).sum(0, dtype=np.int64)
        wide = rows.astype(np.uint16)
        squares = (wide * wide).sum(0, dtype=np.uint32).reshape(-1, channels).sum(0, dtype=np.int64)
        count = reading.size // channels
        mean = total / count
        return Moments(count, mean, np.maximum(squares - mean * total, 0.0))
    moments = Moments.empty(channels)
    moments.add(reading.reshape(-1, channels))
    return moments
