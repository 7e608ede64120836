"""`trunkline import`: what others published."""

from collections.abc import Sequence
from pathlib import Path

from trunkline.commands.common import say
from trunkline.errors import InputError


def main(arguments: Sequence[str]) -> None:
    """`lerobot PATH`: check a LeRobotDataset v3.0 and say what it lacks."""
    if len(arguments) != 2 or arguments[0] != "lerobot":
        raise InputError("usage: trunkline import lerobot PATH")
    from trunkline.data.foreign import import_lerobot

    say(str(import_lerobot(Path(arguments[1]))))
