"""Samples' bytes into rows of arrays.

Legend: B rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from trunkline.data.fota import pictures
from trunkline.data.fota.archive import read_members
from trunkline.data.fota.faults import BadSample
from trunkline.data.fota.form import is_image
from trunkline.data.fota.labels import MASK, POSE, Label, parse_labels
from trunkline.data.fota.shards import JPG, JSON, NPY, PARTS, PNG, split_name
from trunkline.envs.spec import SensorSpec


@dataclass(frozen=True, eq=False)
class Encoded:
    """A sample as it lies in a shard.

    Attributes:
        shard: path of it.
        data: the sample's members with their headers.
        parts: (4, 2), as in `ShardIndex`.
    """

    shard: str
    data: memoryview
    parts: np.ndarray

    def part(self, which: int) -> memoryview:
        """The bytes of a member.

        Raises:
            BadSample: the sample lacks it.
        """
        offset, size = self.parts[which].tolist()
        if not offset:
            raise BadSample(f"it has no .{PARTS[which]}")
        return self.data[offset : offset + size]

    @property
    def key(self) -> str:
        """The sample's key, read again from its first header."""
        data = self.data
        member = next(read_members(lambda at, size: bytes(data[at : at + size]), len(data)))
        return split_name(member.name)[0]


@dataclass(eq=False)
class Rows:
    """B decoded samples.

    Attributes:
        readings: (B, *shape).
        fields: {label: (B, *shape)}; text is a list until `arrays`.
    """

    readings: np.ndarray
    fields: dict[str, Any]

    def copy(self, to: int, source: "Rows", start: int, count: int = 1) -> None:
        """Put `count` rows of `source` from `start` at `to`."""
        self.readings[to : to + count] = source.readings[start : start + count]
        for name, values in self.fields.items():
            values[to : to + count] = source.fields[name][start : start + count]

    def cut(self, count: int) -> "Rows":
        """The first rows."""
        return Rows(self.readings[:count], {name: values[:count] for name, values in self.fields.items()})

    def arrays(self) -> dict[str, np.ndarray]:
        """The fields, all as arrays."""
        return {name: np.array(v) if isinstance(v, list) else v for name, v in self.fields.items()}


class Decoder:
    """Decodes the samples of one sensor. Threads may share it.

    Args:
        spec: of the sensor; readings come in its shape.
        labels: the fields that are wanted.
        mask: whether the contact masks are wanted, as field `mask` (B, H, W) bool.
        resize: whether pictures of another size are scaled.
    """

    def __init__(self, spec: SensorSpec, labels: Sequence[Label], mask: bool = False, resize: bool = False) -> None:
        self.spec = spec
        self.labels = tuple(labels)
        self.mask = mask
        self.resize = resize
        self._image = is_image(spec)
        self._turns = set(POSE[3:]) <= {label.name for label in labels}

    def allocate(self, count: int) -> Rows:
        """Rows to fill; the values are undefined."""
        fields: dict[str, Any] = {}
        for label in self.labels:
            text = label.kind == "text"
            fields[label.name] = [""] * count if text else np.empty((count, *(label.shape or ())), label.dtype)
        if self.mask:
            fields[MASK] = np.empty((count, *self.spec.shape[:2]), np.bool_)
        return Rows(np.empty((count, *self.spec.shape), self.spec.dtype), fields)

    def decode(self, sample: Encoded, rows: Rows, row: int) -> None:
        """Fill one row; the labels first, since they are cheap to refuse.

        Raises:
            BadSample: the sample cannot be used; the row's values are undefined.
        """
        if self.labels:
            values = parse_labels(sample.part(JSON))
            for label in self.labels:
                rows.fields[label.name][row] = label.value(values)
            if self._turns and not any(rows.fields[name][row] for name in POSE[3:]):
                raise BadSample("its quaternion is zero")
        if self._image:
            pictures.decode_image(sample.part(JPG), rows.readings[row], self.resize)
        else:
            pictures.decode_taxels(sample.part(NPY), rows.readings[row])
        if self.mask:
            pictures.decode_mask(sample.part(PNG), rows.fields[MASK][row], self.resize)
