"""`trunkline import`: what others published."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from trunkline.commands.common import asks_for_help, configure, say
from trunkline.errors import InputError, unknown

_LEROBOT = "trunkline import lerobot PATH"


@dataclass(frozen=True)
class ImportT3:
    """Read the folder of T3's published weights, and write them as a checkpoint.

    Attributes:
        out: the checkpoint; without it the weights are only checked.
        encoders: sensors that must be there; all that are there are read.
        heads: attention heads of a size that T3 did not publish.
        mae: whether the encoders are those for masked autoencoding, if their positions do not tell.
        kinds: of decoders that are MLPs, by task: t3_classification or t3_variance.
    """

    out: Path | None = None
    encoders: tuple[str, ...] = ()
    heads: int | None = None
    mae: bool | None = None
    kinds: Mapping[str, str] = field(default_factory=dict)


def main(arguments: Sequence[str]) -> None:
    """`lerobot PATH`: check a LeRobotDataset v3.0 and say what it lacks; `t3 DIR`: read T3's weights."""
    what, rest = (arguments[0], arguments[1:]) if arguments else ("", [])
    if what == "lerobot":
        if asks_for_help(rest):
            say(f"usage: {_LEROBOT}")
            return
        if len(rest) != 1:
            raise InputError(f"usage: {_LEROBOT}")
        from trunkline.data.foreign import import_lerobot

        say(str(import_lerobot(Path(rest[0]))))
    elif what == "t3":
        _import_t3(rest)
    else:
        raise unknown("import", what, ["lerobot", "t3"])


def _import_t3(arguments: Sequence[str]) -> None:
    if not arguments:
        raise InputError("usage: trunkline import t3 DIR [out=CHECKPOINT] [key=value …]")
    keys = arguments if asks_for_help(arguments[:1]) else arguments[1:]
    command = configure(ImportT3, "import", keys, "import t3 DIR")
    if command is None:
        return
    from trunkline.agents.published_t3 import import_t3

    _, report = import_t3(
        arguments[0],
        command.out,
        encoders=command.encoders,
        heads=command.heads,
        mae=command.mae,
        kinds=command.kinds,
    )
    say(str(report))
    if command.out is not None:
        say(f"checkpoint: {command.out}")
