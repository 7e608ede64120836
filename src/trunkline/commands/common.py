"""What commands share: composing their configuration, showing it, and starting Ray."""

import dataclasses
import inspect
import typing
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, TypeVar

from trunkline.configuration import compose
from trunkline.envs.manifest import Manifest
from trunkline.envs.registry import sample_tasks
from trunkline.errors import InputError
from trunkline.schema import build, to_plain

T = TypeVar("T")


def say(message: str) -> None:
    """A plain line of progress."""
    print(message, flush=True)


def configure(schema: type[T], command: str, arguments: Sequence[str]) -> T | None:
    """The command's configuration, or None after `--help` was answered.

    Raises:
        InputError: an argument that is not key=value, an unknown key (with the nearest match), a wrong type.
    """
    if any(argument in ("-h", "--help") for argument in arguments):
        say(f"usage: trunkline {command} [key=value …]\n\n{inspect.getdoc(schema)}\n")
        say("\n".join(_described(schema)))
        return None
    return build(schema, compose(command, arguments))


def _described(schema: type, prefix: str = "", depth: int = 0) -> list[str]:
    lines = []
    hints = typing.get_type_hints(schema)
    for field in dataclasses.fields(schema):
        hint = hints[field.name]
        if dataclasses.is_dataclass(hint) and isinstance(hint, type) and depth < 2:
            lines += _described(hint, f"{prefix}{field.name}.", depth + 1)
            continue
        default: Any = field.default
        if field.default_factory is not dataclasses.MISSING:
            default = field.default_factory()
        shown = "(required)" if default is dataclasses.MISSING else f"= {to_plain(default)!r}"
        lines.append(f"  {prefix}{field.name} {shown}")
    return lines


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
