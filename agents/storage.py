"""Folders that are either whole or absent, and tensors in them, without pickle."""

import errno
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import safetensors
from safetensors.torch import load_file, save
from torch import Tensor

from trunkline.errors import InputError


@contextmanager
def replacing_folder(path: str | Path, marker: str) -> Iterator[Path]:
    """Yield an empty folder beside `path`; on success it is fsynced and takes the name `path`, else it is removed.

    A folder of that name is first renamed aside and deleted last, so there is one whole folder at every moment;
    `existing_folder` finds it whatever the moment at which a process was killed. One process at a time may write there.

    Args:
        path: the folder.
        marker: a file that every such folder holds; one without it is someone else's and is not replaced.

    Raises:
        InputError: something else is at `path`, or the disk is full; what was there is still there.
    """
    path = Path(os.path.abspath(path))
    new, old = _aside(path, "new"), _aside(path, "old")
    if path.exists() and not (path / marker).is_file() and not (path.is_dir() and not any(path.iterdir())):
        raise InputError(f"{path} exists and holds no {marker}, so it is not replaced; choose another folder")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(new, ignore_errors=True)  # of a process that was killed
        new.mkdir()
        yield new
        _sync_tree(new)
        if path.exists():
            shutil.rmtree(old, ignore_errors=True)
            path.rename(old)
        new.rename(path)
        _sync(path.parent)
        shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise InputError(f"no space left to write {path}; free some or choose another folder") from error
        raise
    finally:
        shutil.rmtree(new, ignore_errors=True)


def existing_folder(path: str | Path) -> Path | None:
    """The whole folder that was written to `path`, also if the last writer was killed between its renames."""
    path = Path(os.path.abspath(path))
    return next((p for p in (path, _aside(path, "old")) if p.is_dir()), None)


def write_json(path: Path, value: Any) -> None:
    """Write a JSON value for people to read too; unbounded actions are written as Infinity."""
    path.write_text(json.dumps(value, indent=1) + "\n")


def read_json(path: Path, what: str) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        InputError: no such file, or it is not one.
    """
    try:
        value = json.loads(path.read_text())
    except FileNotFoundError:
        raise InputError(f"{path.parent} is no {what}, or incomplete: it lacks {path.name}") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not JSON ({error}); it may be truncated: write the {what} again") from None
    if not isinstance(value, dict):
        raise InputError(f"{path} holds no JSON object; write the {what} again")
    return value


def write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write tensors as safetensors."""
    path.parent.mkdir(parents=True, exist_ok=True)
    plain: dict[str, Tensor] = {}
    storages: set[int] = set()
    for name, value in tensors.items():
        tensor = value.detach().cpu().contiguous()
        storage = tensor.untyped_storage().data_ptr()
        plain[name] = tensor.clone() if storage in storages else tensor  # the format knows no shared memory
        storages.add(storage)
    path.write_bytes(save(plain))  # by Python, so that a full disk is an OSError with its errno


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read safetensors.

    Raises:
        InputError: no such file, or a truncated or foreign one.
    """
    try:
        tensors: dict[str, Tensor] = load_file(path)
    except FileNotFoundError:
        raise InputError(f"{path} is missing; the checkpoint is incomplete, copy it again") from None
    except (safetensors.SafetensorError, OSError) as error:
        raise InputError(f"{path} is not a whole safetensors file ({error}); copy the checkpoint again") from None
    return tensors


def _aside(path: Path, kind: str) -> Path:
    return path.with_name(f".{path.name}.{kind}")


def _sync_tree(folder: Path) -> None:
    for parent, _, files in os.walk(folder):
        for name in files:
            _sync(Path(parent) / name)
        _sync(Path(parent))


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
