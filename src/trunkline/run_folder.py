"""A run's folder: whose it is, its checkpoints, and the latest of them.

<folder>/config.yaml, checkpoints/<at least 8 digits: updates done>/, and what else the run writes: metrics.jsonl,
TensorBoard events, results.parquet, report.html. `.lock` is held by the process that runs it.
"""

import dataclasses
import errno
import fcntl
import os
import re
import shutil
import weakref
from collections.abc import Collection
from operator import eq
from pathlib import Path
from typing import Any

import yaml

from trunkline.errors import InputError
from trunkline.files import write_text
from trunkline.schema import to_plain

_NAME = re.compile(r"\d{8,}")
# File systems that know no locks; there nothing keeps two processes apart.
_NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS)


class RunFolder:
    """The folder of one run.

    Args:
        path: made by `claim` if it does not exist.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._lock: _Lock | None = None
        self._free = False
        self._grown: dict[str, list[Any]] = {}  # lists of the configuration there that are to be longer

    def check(self, config: Any, may_differ: Collection[str] = (), may_grow: Collection[str] = ()) -> None:
        """See that the folder is this run's, or free.

        Args:
            config: the run's configuration, a dataclass.
            may_differ: its keys, dotted, that say where the run is computed, not what: a run may be resumed with other
                values.
            may_grow: its outermost keys whose lists may go on where those of the run there end: what is done stays
                valid. A shorter one asks for a part of that run.

        Raises:
            InputError: it is another run's (names the first key that differs), or holds something else.
        """
        file = self.path / "config.yaml"
        self._free = not file.exists()
        if self._free:
            if self.path.exists() and (not self.path.is_dir() or any(self.path.glob("[!.]*"))):
                raise InputError(f"{self.path} is not empty and not a run; choose another folder")
            return
        try:
            theirs = yaml.safe_load(file.read_text(encoding="utf-8"))
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            words = " ".join(str(error).split())
            raise InputError(f"{file} is not YAML: {words}; choose another folder") from None
        if not isinstance(theirs, dict):
            raise InputError(f"{file} is damaged: it holds no keys; restore it, or choose another folder")
        theirs = _completed(config, theirs)
        mine = to_plain(config)
        difference = _first_difference(mine, theirs, may_differ, may_grow)
        if difference is not None:
            raise InputError(f"{self.path} is the folder of another run: {difference}; choose another folder")
        longer = {key: max(theirs[key], mine[key], key=len) for key in may_grow}
        self._grown = longer if any(theirs[key] != value for key, value in longer.items()) else {}

    def claim(self, config: Any) -> None:
        """Make the folder this run's; `check` comes first.

        No other process can claim it as long as this object lives: whoever starts a run claims its folder, workers
        that share in it do not.

        Raises:
            InputError: another process has claimed it.
        """
        self._lock = _lock(self.path)
        file = self.path / "config.yaml"
        there = file.exists()
        if there and self._free:
            raise InputError(f"{self.path} was begun by another process meanwhile; give the command again")
        if self._grown or not there:
            write_text(file, yaml.safe_dump({**to_plain(config), **self._grown}, sort_keys=False))

    def checkpoint(self, updates: int) -> Path:
        """Where the checkpoint after so many updates is."""
        return self.path / "checkpoints" / f"{updates:08d}"

    def latest(self) -> tuple[int, Path] | None:
        """The newest checkpoint and its number of updates, or None."""
        found = self._all()
        return (int(found[-1].name), found[-1]) if found else None

    def prune(self, keep: int) -> None:
        """Remove all but the newest `keep` checkpoints."""
        for old in self._all()[:-keep]:
            shutil.rmtree(old)

    def _all(self) -> list[Path]:
        found = [p for p in (self.path / "checkpoints").glob("*") if _NAME.fullmatch(p.name)]
        return sorted(found, key=lambda path: int(path.name))


class _Lock:
    """A locked file; the system lets go of it when this object or the process ends, however it does."""

    def __init__(self, descriptor: int) -> None:
        weakref.finalize(self, os.close, descriptor)


_held: weakref.WeakValueDictionary[Path, _Lock] = weakref.WeakValueDictionary()  # by this process, by folder


def _lock(folder: Path) -> _Lock:
    folder = folder.resolve()
    lock = _held.get(folder)
    if lock is None:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o666)
        lock = _Lock(descriptor)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(f"{folder} is being written by another process; wait for it or end it") from None
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
        _held[folder] = lock
    return lock


def _completed(config: Any, theirs: Any) -> Any:
    """`theirs` with the defaults of the fields that did not exist yet when it was written."""
    if not dataclasses.is_dataclass(config) or not isinstance(theirs, dict):
        return theirs
    whole = dict(theirs)
    for field in dataclasses.fields(config):
        if field.name in whole:
            whole[field.name] = _completed(getattr(config, field.name), whole[field.name])
        elif field.default is not dataclasses.MISSING:
            whole[field.name] = to_plain(field.default)
        elif field.default_factory is not dataclasses.MISSING:
            whole[field.name] = to_plain(field.default_factory())
    return whole


def _first_difference(
    mine: Any, theirs: Any, skip: Collection[str] = (), grow: Collection[str] = (), where: str = ""
) -> str | None:
    """The first key, dotted, whose values differ, and both values."""
    if isinstance(mine, dict) and isinstance(theirs, dict):
        for key in [*mine, *(k for k in theirs if k not in mine)]:
            path = f"{where}.{key}" if where else str(key)
            if path not in skip:
                found = _first_difference(mine.get(key), theirs.get(key), skip, grow, path)
                if found is not None:
                    return found
        return None
    if where in grow and isinstance(mine, list) and isinstance(theirs, list) and all(map(eq, mine, theirs)):
        return None
    return None if mine == theirs else f"{where} is {mine!r}, the run there has {theirs!r}"
