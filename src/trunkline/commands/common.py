"""What commands share: composing their configuration, showing it, and starting Ray."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TypeVar

from trunkline.commands.keys import help_text, keys_of
from trunkline.configuration import compose
from trunkline.envs.manifest import Manifest
from trunkline.envs.registry import sample_tasks
from trunkline.errors import InputError
from trunkline.schema import build

T = TypeVar("T")
_HELP = ("-h", "--help")


def say(message: str) -> None:
    """A plain line of progress."""
    print(message, flush=True)


def asks_for_help(arguments: Sequence[str]) -> bool:
    """Whether `-h` or `--help` is among them."""
    return any(argument in _HELP for argument in arguments)


def configure(schema: type[T], command: str, arguments: Sequence[str], usage: str = "") -> T | None:
    """The command's configuration, or None after `--help` was answered.

    Args:
        schema: the dataclass that it fills.
        command: its file in configs/.
        arguments: key=value, or `--help`, which shows the values that the others lead to.
        usage: what stands before the keys, if not the command alone.

    Raises:
        InputError: an argument that is not key=value, an unknown key (with the nearest match), a wrong type.
    """
    texts = [key.name for key in keys_of(schema) if key.is_text]
    values = compose(command, [argument for argument in arguments if argument not in _HELP], texts)
    if not asks_for_help(arguments):
        return build(schema, values)
    say(help_text(schema, usage or command, values))
    return None


@dataclass(frozen=True)
class RaySettings:
    """How Ray is started.

    Attributes:
        num_cpus: that it may use; None for all of the machine.
        address: of a running cluster; None starts Ray on this machine.
    """

    num_cpus: int | None = None
    address: str | None = None

    def session(self) -> AbstractContextManager[None]:
        """A Ray session with these settings."""
        from trunkline.rollout.ray_session import ray_session

        return ray_session(num_cpus=self.num_cpus, address=self.address)


def draw_manifest(tasks: Sequence[str], count: int, split: str, seed: int) -> Manifest:
    """`count` TaskSpecs of each task.

    Raises:
        InputError: no task, or an unknown one or split.
    """
    if not tasks:
        raise InputError("no tasks given; e.g. tasks=[tabletop/push,tabletop/reach]")
    return Manifest(tuple(spec for task in tasks for spec in sample_tasks(task, count, seed, split)))
