"""What a trainer needs to go on exactly: a tree of tensors and plain values, as safetensors and JSON, no pickle."""

import base64
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from trunkline.agents.storage import (
    existing_folder,
    read_json,
    read_tensors,
    replacing_folder,
    write_json,
    write_tensors,
)
from trunkline.errors import InputError

FORMAT = "trunkline-training-1"
JSON_FILE, TENSORS_FILE, FOLDER = "state.json", "tensors.safetensors", "training"


def save_training(path: str | Path, tree: Mapping[str, Any]) -> None:
    """Write a tree to the folder `path`, whole or not at all; what was there is replaced.

    Args:
        path: a folder.
        tree: nested dicts (string or number keys), lists and tuples of tensors, numpy arrays and scalars, numbers of
            any size, strings, bytes, booleans and None. All come back with their type, bit for bit; tensors on the CPU.

    Raises:
        TypeError: a value of another type; it says where.
        InputError: something else is at `path`, or the disk is full.
    """
    with replacing_folder(path, JSON_FILE) as folder:
        write_tree(folder, tree)


def load_training(path: str | Path) -> dict[str, Any]:
    """The tree that `save_training` wrote to `path`, or the one inside the checkpoint `path`.

    Raises:
        InputError: there is none, or its files are incomplete or truncated.
    """
    folder = existing_folder(path)
    if folder is None:
        raise InputError(f"no training state at {path}")
    inside = folder / FOLDER
    if not (folder / JSON_FILE).exists() and not inside.is_dir():
        raise InputError(f"{path} holds no training state; it can be loaded, but training cannot be resumed from it")
    return read_tree(inside if inside.is_dir() else folder)


def write_tree(folder: Path, tree: Mapping[str, Any]) -> None:
    """Write a tree into an existing folder."""
    tensors: dict[str, Tensor] = {}
    write_json(folder / JSON_FILE, {"format": FORMAT, "tree": _encode(dict(tree), tensors, "")})
    write_tensors(folder / TENSORS_FILE, tensors)


def read_tree(folder: Path) -> dict[str, Any]:
    """Read a tree from a folder.

    Raises:
        InputError: its files are missing, incomplete or truncated.
    """
    value = read_json(folder / JSON_FILE, "training state")
    if value.get("format") != FORMAT:
        raise InputError(f"{folder} holds training state of format {value.get('format')!r}, not {FORMAT!r}")
    tensors = read_tensors(folder / TENSORS_FILE)
    try:
        tree: dict[str, Any] = _decode(value["tree"], tensors)
    except KeyError as error:
        raise InputError(f"{folder} lacks {error}; its two files are of different states, copy them again") from None
    return tree


def _encode(value: Any, tensors: dict[str, Tensor], where: str) -> Any:
    """A JSON value; whatever JSON lacks becomes an object with one key that starts with "$"."""
    if value is None or isinstance(value, (bool, str)) or type(value) is int:
        return value
    if type(value) is float:
        return value if math.isfinite(value) else {"$float": repr(value)}
    if isinstance(value, Tensor):
        return {"$tensor": _store(value, tensors, where)}
    if isinstance(value, np.ndarray):
        native = np.array(value, dtype=value.dtype.newbyteorder("="))  # tensors know no other byte order
        return {"$array": _store(torch.from_numpy(native), tensors, where)}
    if isinstance(value, np.generic):
        return {"$scalar": _store(torch.from_numpy(np.array(value)), tensors, where)}
    if isinstance(value, bytes):
        return {"$bytes": base64.b64encode(value).decode()}
    if isinstance(value, list):
        return [_encode(v, tensors, f"{where}[{i}]") for i, v in enumerate(value)]
    if isinstance(value, tuple):
        return {"$tuple": [_encode(v, tensors, f"{where}[{i}]") for i, v in enumerate(value)]}
    if isinstance(value, Mapping):
        items = [(k, _encode(v, tensors, f"{where}.{k}".lstrip("."))) for k, v in value.items()]
        if all(isinstance(k, str) and not k.startswith("$") for k in value):
            return dict(items)
        return {"$dict": [[_encode(k, tensors, where), v] for k, v in items]}
    raise TypeError(f"training state {where or 'itself'} is a {type(value).__name__}, which is not stored")


def _store(tensor: Tensor, tensors: dict[str, Tensor], where: str) -> str:
    name = f"{len(tensors)}:{where}"
    tensors[name] = tensor
    return name


def _decode(value: Any, tensors: Mapping[str, Tensor]) -> Any:
    if isinstance(value, list):
        return [_decode(v, tensors) for v in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        ((tag, content),) = value.items()
        if tag in _DECODERS:
            return _DECODERS[tag](content, tensors)
    return {k: _decode(v, tensors) for k, v in value.items()}


_DECODERS: dict[str, Callable[[Any, Mapping[str, Tensor]], Any]] = {
    "$float": lambda content, _: float(content),
    "$tensor": lambda content, tensors: tensors[content],
    "$array": lambda content, tensors: tensors[content].numpy(),
    "$scalar": lambda content, tensors: tensors[content].numpy()[()],
    "$bytes": lambda content, _: base64.b64decode(content),
    "$tuple": lambda content, tensors: tuple(_decode(v, tensors) for v in content),
    "$dict": lambda content, tensors: {_decode(k, tensors): _decode(v, tensors) for k, v in content},
}
