"""`trunkline export`: what others read."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from trunkline.commands.common import asks_for_help, configure, say
from trunkline.errors import InputError, unknown


@dataclass(frozen=True)
class ExportT3:
    """Write a checkpoint's weights as T3 published its own.

    Attributes:
        out: a new folder.
        skip: parts to leave out, e.g. [heads/value].
    """

    out: Path
    skip: tuple[str, ...] = ()


def main(arguments: Sequence[str]) -> None:
    """`t3 CHECKPOINT out=DIR`."""
    what, rest = (arguments[0], arguments[1:]) if arguments else ("", [])
    if what != "t3":
        raise unknown("export", what, ["t3"])
    if not rest:
        raise InputError("usage: trunkline export t3 CHECKPOINT out=DIR [skip=[PART,…]]")
    keys = rest if asks_for_help(rest[:1]) else rest[1:]
    command = configure(ExportT3, "export", keys, "export t3 CHECKPOINT")
    if command is None:
        return
    from trunkline.agents.published_t3 import export_t3

    say(str(export_t3(rest[0], command.out, skip=command.skip)))
