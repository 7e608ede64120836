"""One shard while it is written: whole or absent."""

from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

from trunkline.data.fota import archive
from trunkline.data.fota.measure import ShardMeasure
from trunkline.envs.spec import SensorSpec
from trunkline.files import replacing


class OpenShard:
    """A shard that is being written, under a temporary name until it is whole.

    Args:
        path: its name once it is closed.
        sensor: whose readings it holds.

    Attributes:
        keys: of the samples so far.
        measure: what is measured of them, by the caller.
    """

    def __init__(self, path: Path, sensor: SensorSpec) -> None:
        self.keys: set[str] = set()
        self.measure = ShardMeasure(sensor)
        self._stack = ExitStack()
        temporary = self._stack.enter_context(replacing(path))
        self._file = self._stack.enter_context(temporary.open("wb"))

    def add(self, key: str, members: Sequence[tuple[str, bytes]]) -> None:
        """Write a sample's members, (name, bytes) each.

        Raises:
            OSError: the disk is full or refuses to write.
        """
        parts = [archive.header(name, len(data)) + data + archive.padding(len(data)) for name, data in members]
        self._file.write(b"".join(parts))
        self.keys.add(key)

    def close(self) -> None:
        """End the archive and give it its name."""
        self._file.write(2 * archive.END)
        self._stack.close()

    def abandon(self) -> None:
        """Remove it."""
        with suppress(_Abandoned, OSError), self._stack:
            raise _Abandoned


class _Abandoned(Exception):
    pass
