"""What commands share: composing their configuration, showing it, and starting Ray."""

import dataclasses
import inspect
import typing
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from trunkline.configuration import compose
from trunkline.envs.manifest import Manifest
from trunkline.envs.registry import sample_tasks
from trunkline.errors import InputError
from trunkline.schema import build, to_plain

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
    texts = [key for key, _, hint in _keys(schema) if _is_text(hint)]
    values = compose(command, [argument for argument in arguments if argument not in _HELP], texts)
    if not asks_for_help(arguments):
        return build(schema, values)
    say(f"usage: trunkline {usage or command} [key=value …]\n\n{inspect.getdoc(schema)}\n")
    for key, field, _ in _keys(schema, depth=2):
        say(f"  {key} {_shown(key, field, values)}")
    return None


def _keys(schema: type, prefix: str = "", depth: int = 9) -> Iterator[tuple[str, "dataclasses.Field[Any]", Any]]:
    """Dotted name, field and type of every key; groups deeper than `depth` are a key each."""
    hints = typing.get_type_hints(schema)
    for field in dataclasses.fields(schema):
        hint = hints[field.name]
        if dataclasses.is_dataclass(hint) and isinstance(hint, type) and depth:
            yield from _keys(hint, f"{prefix}{field.name}.", depth - 1)
        else:
            yield f"{prefix}{field.name}", field, hint


def _is_text(hint: Any) -> bool:
    kinds = {kind for kind in typing.get_args(hint) or (hint,) if kind is not type(None)}
    return bool(kinds) and kinds <= {str, Path}


def _shown(key: str, field: "dataclasses.Field[Any]", values: Any) -> str:
    """The value of a key: composed, else its default."""
    for name in key.split("."):
        values = values.get(name, dataclasses.MISSING) if isinstance(values, Mapping) else dataclasses.MISSING
    if values is dataclasses.MISSING:
        factory: Any = field.default_factory
        values = field.default if factory is dataclasses.MISSING else factory()
    return "(required)" if values is dataclasses.MISSING else f"= {to_plain(values)!r}"


@dataclass(frozen=True)
class RaySettings:
    """How Ray is started: CPUs it may use, or the address of a running cluster."""

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
