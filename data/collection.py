"""Data of several bodies: a LeRobot data set is of one robot, so a collection is a folder of data sets.

    root/<ActionSpec.name>/meta/info.json …

A bare data set is a collection of one.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from trunkline.data.episode import Episode
from trunkline.data.lerobot import INFO
from trunkline.data.reader import EpisodeDataset
from trunkline.data.writer import EpisodeWriter, WriterConfig
from trunkline.envs.spec import ActionSpec, SensorSpec
from trunkline.errors import InputError


def open_datasets(root: str | Path) -> list[EpisodeDataset]:
    """The data sets of a collection, by name of the folder.

    Raises:
        InputError: neither a data set nor a folder of data sets, or one of them is damaged.
    """
    root = Path(root)
    if (root / INFO).exists():
        return [EpisodeDataset(root)]
    folders = _bodies(root)
    if not folders:
        raise InputError(f"{root} holds no data set (no {INFO}, no */{INFO}); collect one or give another folder")
    return [EpisodeDataset(folder) for folder in folders]


def _bodies(root: Path) -> list[Path]:
    return sorted(path.parent.parent for path in root.glob(f"*/{INFO}"))


class CollectionWriter:
    """Routes episodes to the data set of their body. A context manager; opening an existing collection appends.

    Args:
        root: folder of the collection; made if it is not there.
        config: layout of its data sets.

    Raises:
        InputError: the folder holds something else.
    """

    def __init__(self, root: str | Path, config: WriterConfig | None = None) -> None:
        self.root = Path(root)
        self.config = config or WriterConfig()
        self._writers: dict[str, EpisodeWriter] = {}
        if (self.root / INFO).exists():
            raise InputError(f"{self.root} is a data set itself; give the folder above it or a new one")
        if self.root.exists() and not self.root.is_dir():
            raise InputError(f"{self.root} is a file, not a folder for data sets; choose another path")
        present = _bodies(self.root)
        if self.root.exists() and not present:
            # Of a writer that was killed at once there is only a folder with `meta/`.
            other = [p for p in self.root.iterdir() if not (p / "meta").is_dir() and not p.name.endswith(".tmp")]
            if other:
                raise InputError(f"{self.root} holds something else ({other[0].name}); choose an empty folder")
        self._task_ids = {folder.name: EpisodeDataset(folder).task_ids for folder in present}

    def __enter__(self) -> "CollectionWriter":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def task_ids(self) -> set[str]:
        """Ids of all TaskSpecs that were added, now and by earlier writers, of every body."""
        return set().union(*self._task_ids.values(), *(writer.task_ids() for writer in self._writers.values()))

    def add(
        self,
        episode: Episode,
        sensors: Mapping[str, SensorSpec],
        action: ActionSpec,
        fps: int,
        duplicate: Literal["refuse", "skip"] = "refuse",
    ) -> bool:
        """Add an episode to the data set of `action.name`, which is opened when the body is first seen.

        Returns:
            False if the episode was skipped as a duplicate.

        Raises:
            InputError: as `EpisodeWriter` and its `add` do; or a body whose name is no folder name.
        """
        writer = self._writers.get(action.name)
        if writer is None:
            if not action.name or "/" in action.name or action.name.startswith("."):
                raise InputError(f"body {action.name!r} cannot name a folder of {self.root}; rename its ActionSpec")
            writer = EpisodeWriter(self.root / action.name, sensors, action, fps, self.config)
            self._writers[action.name] = writer
        return writer.add(episode, duplicate)

    def flush(self) -> None:
        """Write what is buffered to disk.

        Raises:
            InputError: the disk is full or refuses to write.
        """
        for writer in self._writers.values():
            writer.flush()

    def close(self) -> None:
        """Flush and close every data set, also when one of them fails.

        Raises:
            InputError: the disk is full or refuses to write.
        """
        failed: InputError | None = None
        for writer in self._writers.values():
            try:
                writer.close()
            except InputError as error:
                failed = failed or error
        if failed is not None:
            raise failed
