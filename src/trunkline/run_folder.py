"""A run's folder: whose it is, its checkpoints, and the latest of them.

<folder>/config.yaml, checkpoints/<8 digits: updates done>/, and what else the run writes: metrics.jsonl, TensorBoard
events, results.parquet, report.html
"""

import dataclasses
import re
import shutil
from collections.abc import Collection
from pathlib import Path
from typing import Any

import yaml

from trunkline.errors import InputError
from trunkline.files import write_text
from trunkline.schema import to_plain

_NAME = re.compile(r"\d{8}")


class RunFolder:
    """The folder of one run.

    Args:
        path: made by `claim` if it does not exist.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def check(self, config: Any, may_differ: Collection[str] = ()) -> None:
        """See that the folder is this run's, or free.

        Args:
            config: the run's configuration, a dataclass.
            may_differ: its keys that say where the run is computed, not what: a run may be resumed with other values.

        Raises:
            InputError: it is another run's (names the first key that differs), or holds something else.
        """
        file = self.path / "config.yaml"
        if not file.exists():
            if self.path.exists() and (not self.path.is_dir() or any(self.path.glob("[!.]*"))):
                raise InputError(f"{self.path} is not empty and not a run; choose another folder")
            return
        try:
            theirs = yaml.safe_load(file.read_text(encoding="utf-8"))
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            words = " ".join(str(error).split())
            raise InputError(f"{file} is not YAML: {words}; choose another folder") from None
        theirs = _completed(config, theirs if isinstance(theirs, dict) else {})
        difference = _first_difference(to_plain(config), theirs, may_differ)
        if difference is not None:
            raise InputError(f"{self.path} is the folder of another run: {difference}; choose another folder")

    def claim(self, config: Any) -> None:
        """Make the folder this run's; `check` comes first."""
        if not (self.path / "config.yaml").exists():
            write_text(self.path / "config.yaml", yaml.safe_dump(to_plain(config), sort_keys=False))

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
        return sorted(p for p in (self.path / "checkpoints").glob("*") if _NAME.fullmatch(p.name))


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


def _first_difference(mine: Any, theirs: Any, skip: Collection[str] = (), where: str = "") -> str | None:
    """The first key, dotted, whose values differ, and both values."""
    if isinstance(mine, dict) and isinstance(theirs, dict):
        for key in [*mine, *(k for k in theirs if k not in mine)]:
            if key not in skip:
                found = _first_difference(mine.get(key), theirs.get(key), (), f"{where}.{key}" if where else str(key))
                if found is not None:
                    return found
        return None
    return None if mine == theirs else f"{where} is {mine!r}, the run there has {theirs!r}"
