"""Data of several bodies: a LeRobot data set is of one robot, so a collection is a folder of data sets.

    root/<ActionSpec.name>/meta/info.json …

A bare data set is a collection of one.
"""

from pathlib import Path

from trunkline.data.lerobot import INFO
from trunkline.data.reader import EpisodeDataset
from trunkline.errors import InputError


def open_datasets(root: str | Path) -> list[EpisodeDataset]:
    """The data sets of a collection, by name of the folder.

    Raises:
        InputError: neither a data set nor a folder of data sets, or one of them is damaged.
    """
    root = Path(root)
    if (root / INFO).exists():
        return [EpisodeDataset(root)]
    folders = sorted(path.parent.parent for path in root.glob(f"*/{INFO}"))
    if not folders:
        raise InputError(f"{root} holds no data set (no {INFO}, no */{INFO}); collect one or give another folder")
    return [EpisodeDataset(folder) for folder in folders]
