"""Data of several bodies: a LeRobot data set is of one robot, so a collection is a folder of data sets.

    root/<ActionSpec.name>/meta/info.json …

A bare data set is a collection of one.
"""

import json
from pathlib import Path

from trunkline.data.lerobot import INFO
from trunkline.data.reader import EpisodeDataset
from trunkline.errors import InputError

COLLECTION = "collection.json"  # beside the data sets: which manifest, acted by what


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


def holds_executed_actions(root: str | Path) -> bool:
    """Whether the actions recorded are those that were done, as far as is known, not those that an expert meant."""
    path = Path(root) / COLLECTION
    if not path.is_file():
        return True
    try:
        policy = json.loads(path.read_text())["policy"]
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError) as error:
        raise InputError(f"{path} is damaged ({type(error).__name__}: {error}); collect the data again") from None
    return not isinstance(policy, dict) or policy.get("recorded", "executed") == "executed"
