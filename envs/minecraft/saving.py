"""One world as a file: every array of its state, bit for bit."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from trunkline.envs.minecraft.blocks import block_states, version
from trunkline.envs.minecraft.entities import ENTITIES
from trunkline.envs.minecraft.items import items
from trunkline.errors import InputError
from trunkline.files import replacing

FORMAT = 1
# Not of the world: who is stepped, and what is told to do in the next tick.
_LEFT_OUT = ("active", "control", "turn")


def world_arrays(worlds: Any, row: int) -> dict[str, np.ndarray]:
    """Copies of all arrays of one world of `state.Worlds`."""
    return {name: np.array(worlds.view(name)[row]) for name in worlds.fields if name not in _LEFT_OUT}


def put_arrays(worlds: Any, row: int, arrays: Mapping[str, np.ndarray]) -> None:
    """Make one world what `world_arrays` took from a world of the same size.

    Raises:
        InputError: arrays are missing, unknown, or of another shape or type.
    """
    expected = {name for name in worlds.fields if name not in _LEFT_OUT}
    if set(arrays) != expected:
        missing, strange = sorted(expected - set(arrays)), sorted(set(arrays) - expected)
        raise InputError(f"saved world: missing arrays {missing}, unknown arrays {strange}; save it with this version")
    # Kernels index tables with these, and look up cells at positions.
    limits = {"blocks": len(block_states()), "item": len(items()), "kind": len(ENTITIES)}
    limits["body_item"] = max(limits["blocks"], limits["item"])
    for name in sorted(expected):
        value, view = np.asarray(arrays[name]), worlds.view(name)
        if value.shape != view.shape[1:] or value.dtype != view.dtype:
            raise InputError(
                f"saved world: {name} is {value.dtype}{list(value.shape)}, here it is {view.dtype}"
                f"{list(view.shape[1:])}; load it into worlds of the same size and number of entities"
            )
        if not np.isfinite(value).all() or (name in limits and not 0 <= value.min() <= value.max() < limits[name]):
            raise InputError(f"saved world: {name} holds values that cannot be; save it again")
    for name in expected:
        view = worlds.view(name)
        view[row] = arrays[name]
        if worlds.device != "cpu":
            worlds.put(name, view)


def _digest(arrays: Mapping[str, np.ndarray]) -> str:
    digest = hashlib.sha256()
    for name in sorted(arrays):
        digest.update(name.encode() + np.ascontiguousarray(arrays[name]).tobytes())
    return digest.hexdigest()


def write_world(path: str | Path, arrays: Mapping[str, np.ndarray], size: tuple[int, int, int]) -> None:
    """Write what `world_arrays` gave as safetensors, whole or not at all."""
    flat = {name: np.ascontiguousarray(np.atleast_1d(value)) for name, value in arrays.items()}
    facts = {"format": FORMAT, "blocks": version(), "size": list(size), "digest": _digest(flat)}
    note = {"trunkline": json.dumps(facts)}
    with replacing(path) as temporary:
        save_file(flat, temporary, metadata=note)


def read_world(path: str | Path, worlds: Any) -> dict[str, np.ndarray]:
    """What `write_world` wrote, in the shapes of `worlds`.

    Raises:
        InputError: no such file, a damaged one, or one of another format, another list of blocks or another size.
    """
    try:
        with safe_open(str(path), framework="numpy") as file:
            note = json.loads((file.metadata() or {}).get("trunkline", "{}"))
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
    except (OSError, SafetensorError, ValueError) as error:
        raise InputError(f"saved world {path}: cannot be read ({error}); save it again") from None
    wanted = {"format": FORMAT, "blocks": version(), "size": list(worlds.size)}
    if not isinstance(note, dict) or note.get("digest") != _digest(arrays):
        raise InputError(f"saved world {path}: damaged, its arrays are not those that were saved; save it again")
    for name, value in wanted.items():
        if note.get(name) != value:
            raise InputError(
                f"saved world {path}: {name} is {note.get(name)}, here it is {value}; make it anew with this version"
            )
    shapes = {name: worlds.view(name).shape[1:] for name in arrays if name in worlds.fields}
    return {
        name: value.reshape(shapes[name]) if name in shapes and shapes[name] == () and value.shape == (1,) else value
        for name, value in arrays.items()
    }
