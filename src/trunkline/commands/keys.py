"""The keys of a command's configuration, and what `--help` says of them."""

import dataclasses
import importlib
import inspect
import re
import textwrap
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from trunkline.schema import to_plain

WIDTH = 116
_ENTRY = re.compile(r"^    (\w+(?:, \w+)*): (.*)$")


@dataclasses.dataclass(frozen=True)
class Key:
    """One key.

    Attributes:
        name: dotted.
        field: of the dataclass that it fills.
        hint: its type.
        about: what the dataclass's docstring says of it.
    """

    name: str
    field: "dataclasses.Field[Any]"
    hint: Any
    about: str

    @property
    def is_text(self) -> bool:
        """Whether its value is text, whatever it looks like."""
        kinds = {kind for kind in typing.get_args(self.hint) or (self.hint,) if kind is not type(None)}
        return bool(kinds) and kinds <= {str, Path}


def keys_of(schema: type, *, depth: int = 9, follow: bool = False, prefix: str = "") -> Iterator[Key]:
    """Every key of a configuration.

    Args:
        schema: its dataclass.
        depth: groups deeper than that are a key each.
        follow: also the keys of a group that is a mapping here and another dataclass where it is used: its field's
            metadata names this dataclass, "schema": "module:Class", and what is not the user's, "without".
        prefix: of the names.
    """
    hints, about = typing.get_type_hints(schema), _attributes(schema)
    for field in dataclasses.fields(schema):
        name, group, without = f"{prefix}{field.name}", hints[field.name], ()
        if follow and "schema" in field.metadata:
            module, _, kind = field.metadata["schema"].partition(":")
            group, without = getattr(importlib.import_module(module), kind), field.metadata.get("without", ())
        if dataclasses.is_dataclass(group) and isinstance(group, type) and depth:
            for key in keys_of(group, depth=depth - 1, follow=follow, prefix=f"{name}."):
                if key.name.removeprefix(f"{name}.").partition(".")[0] not in without:
                    yield key
        else:
            yield Key(name, field, hints[field.name], about.get(field.name, ""))


def help_text(schema: type, usage: str, values: Mapping[str, Any]) -> str:
    """What `--help` prints.

    Args:
        schema: the command's configuration.
        usage: the command.
        values: composed ones; other keys are shown with their defaults.
    """
    head = (inspect.getdoc(schema) or "").partition("\nAttributes:\n")[0].strip()
    lines = [f"usage: trunkline {usage} [key=value …]", "", head, ""]
    for key in keys_of(schema, depth=2, follow=True):
        lines += textwrap.wrap(
            f"{key.name} {_shown(key, values)}", WIDTH, initial_indent="  ", subsequent_indent="    "
        )
        lines += textwrap.wrap(key.about, WIDTH, initial_indent="      ", subsequent_indent="      ")
    return "\n".join(lines)


def _shown(key: Key, values: Any) -> str:
    """The value of a key: composed, else its default."""
    for name in key.name.split("."):
        values = values.get(name, dataclasses.MISSING) if isinstance(values, Mapping) else dataclasses.MISSING
    if values is dataclasses.MISSING:
        factory: Any = key.field.default_factory
        values = key.field.default if factory is dataclasses.MISSING else factory()
    return "(required)" if values is dataclasses.MISSING else f"= {to_plain(values)!r}"


def _attributes(schema: type) -> dict[str, str]:
    """What the docstrings of a dataclass and its bases say of its fields, under "Attributes:"."""
    about: dict[str, str] = {}
    for kind in reversed(schema.__mro__):
        if not dataclasses.is_dataclass(kind):
            continue
        names: list[str] = []
        for line in (inspect.getdoc(kind) or "").partition("\nAttributes:\n")[2].splitlines():
            entry = _ENTRY.match(line)
            if entry:
                names = entry[1].split(", ")
                about |= dict.fromkeys(names, entry[2])
            elif line.strip():
                about |= {name: f"{about[name]} {line.strip()}" for name in names}
    return about
