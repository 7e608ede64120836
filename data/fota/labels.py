"""The labels of touch samples: FoTa's fields and ours, their types, and how a JSON value becomes one.

A field that stands in no table takes the type of its value in the data set's first sample. Every later sample must
agree: a string where an integer is needed makes a bad sample, not a crash in the middle of training.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from trunkline.data.fota.faults import BadSample
from trunkline.errors import InputError

Kind = Literal["bool", "int", "float", "text"]
_DTYPES: dict[Kind, Any] = {"bool": np.bool_, "int": np.int64, "float": np.float32, "text": np.str_}
POSITION = ("x_mm", "y_mm", "z_mm")
POSE = (*POSITION, "quat_x", "quat_y", "quat_z", "quat_w")
TRIAL = ("obj_idx", "obj_name", "trial_idx")
MASK = "mask"  # asks a stream for the contact masks, which are pictures, not JSON


@dataclass(frozen=True)
class Label:
    """One field of the labels.

    Attributes:
        name: its key in the JSON.
        kind: of its value, or of its elements.
        shape: () for one value, (n,) for a list of n; None if the first sample decides.
        low: the smallest integer that is allowed.
    """

    name: str
    kind: Kind
    shape: tuple[int, ...] | None = ()
    low: int | None = None

    @property
    def dtype(self) -> Any:
        """NumPy type of a batch's values."""
        return _DTYPES[self.kind]

    def value(self, labels: Mapping[str, Any]) -> Any:
        """This field's value in a sample's labels.

        Raises:
            BadSample: it is missing, or of another type, shape or range.
        """
        if self.name not in labels:
            raise BadSample(f"its labels lack {self.name!r}")
        value = labels[self.name]
        if not self.shape:
            return self._one(value)
        if not isinstance(value, list) or len(value) != self.shape[0]:
            raise BadSample(f"label {self.name}={_short(value)} must be a list of {self.shape[0]} numbers")
        return [self._one(element) for element in value]

    def _one(self, value: Any) -> Any:
        kind, number = self.kind, isinstance(value, int | float) and not isinstance(value, bool)
        if kind == "text" and isinstance(value, str):
            return value
        if kind == "bool" and (isinstance(value, bool) or (number and value in (0, 1))):
            return bool(value)
        if kind == "float" and number and -3e38 < value < 3e38:  # in float32's range, and not NaN
            return float(value)
        if kind == "int" and number and -(2**63) <= value < 2**63 and value == int(value):
            if self.low is not None and value < self.low:
                raise BadSample(f"label {self.name}={int(value)} must be at least {self.low}")
            return int(value)
        words = {"bool": "true or false", "int": "an integer", "float": "a finite number", "text": "a string"}
        raise BadSample(f"label {self.name}={_short(value)} must be {words[kind]}")


def _table(*labels: Label) -> dict[str, Label]:
    return {label.name: label for label in labels}


def _class(name: str, low: int = 0) -> Label:
    return Label(name, "int", (), low)


LABELS = _table(
    Label("has_contact", "bool"),
    _class("contact_class", -2),  # −2: no contact
    Label("is_gripping", "bool"),
    _class("obj_idx"),
    _class("material_idx"),
    _class("textile_type"),
    _class("texture"),
    _class("smoothness"),
    _class("fuzziness"),
    Label("trial_idx", "int"),
    Label("frame_idx", "int"),
    Label("vars", "float", None),
    Label("force_n", "float", (3,)),
    Label("torque_nm", "float", (3,)),
    Label("slip", "bool"),
    Label("slip_mm_s", "float"),
    *(Label(name, "float") for name in POSE),
    *(Label(n, "text") for n in ("contact_name", "object_name", "obj_name", "material", "texture_name", "desc")),
)


def parse_labels(text: bytes | memoryview) -> dict[str, Any]:
    """The labels of a sample.

    Raises:
        BadSample: it is no JSON object.
    """
    try:
        value = json.loads(bytes(text))
    except (ValueError, RecursionError) as error:
        raise BadSample(f"its .json is broken: {error}") from None
    if not isinstance(value, dict):
        raise BadSample(f"its .json holds {_short(value)}, not an object")
    return value


def plain_labels(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Labels as JSON values: arrays become lists, NumPy's numbers become Python's.

    Raises:
        InputError: a value that JSON has no word for.
    """
    plain = {str(n): v.tolist() if isinstance(v, np.ndarray | np.generic) else v for n, v in fields.items()}
    try:
        json.dumps(plain, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InputError(f"labels {_short(plain)} cannot be written as JSON: {error}") from None
    return plain


def find_labels(labels: Mapping[str, Any]) -> dict[str, Label]:
    """The fields of a sample, with their shapes; values that are neither numbers, text nor lists are left out."""
    found = {}
    for name, value in labels.items():
        label = _find(name, value, LABELS.get(name))
        if label is not None:
            found[name] = label
    return found


def _find(name: str, value: Any, known: Label | None) -> Label | None:
    if known is not None and known.shape is not None:
        return known
    if isinstance(value, list):
        numbers = bool(value) and all(isinstance(v, int | float) and not isinstance(v, bool) for v in value)
        return Label(name, "float", (len(value),)) if numbers else None
    if isinstance(value, bool):
        return Label(name, "bool")
    if isinstance(value, int | float):
        # Whole numbers may be measurements that happen to be whole here.
        return Label(name, "float")
    return Label(name, "text") if isinstance(value, str) else None


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "…"
