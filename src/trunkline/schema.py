"""Plain mappings (from YAML, JSON, a command line) into typed, frozen dataclasses, strictly."""

import dataclasses
import math
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from trunkline.errors import InputError, unknown

T = TypeVar("T")


def build(cls: type[T], values: Mapping[str, Any], where: str = "") -> T:
    """An instance of dataclass `cls` from a mapping; nested dataclasses from nested mappings.

    Args:
        cls: the dataclass.
        values: its fields; those with a default may be left out.
        where: dotted path of `values` in the whole configuration, for messages.

    Raises:
        InputError: an unknown key (with the nearest match), a missing key, or a value of the wrong type.
    """
    fields = {f.name: f for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
    hints = typing.get_type_hints(cls)
    prefix = f"{where}." if where else ""
    for key in values:
        if key not in fields:
            raise unknown("config key", f"{prefix}{key}", [f"{prefix}{name}" for name in fields])
    for name, field in fields.items():
        if name not in values and field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise InputError(f"config key {prefix}{name} is missing; give it a value ({prefix}{name}=…)")
    arguments = {key: _convert(hints[key], value, f"{prefix}{key}") for key, value in values.items()}
    return cls(**arguments)


def to_plain(value: Any) -> Any:
    """A dataclass as JSON-serialisable mappings, lists and scalars; what `build` reads back."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): to_plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def _convert(hint: Any, value: Any, where: str) -> Any:
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        if value is None and type(None) in args:
            return None
        errors = []
        for option in (a for a in args if a is not type(None)):
            try:
                return _convert(option, value, where)
            except InputError as error:
                errors.append(error)
        raise errors[0]
    if hint is Any:
        return value
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        if isinstance(value, hint):
            return value
        if not isinstance(value, Mapping):
            raise InputError(f"config key {where}={value!r} must be a group of keys")
        return build(hint, value, where)
    if origin is typing.Literal:
        if value not in args:
            raise unknown(f"value of {where}", str(value), [str(a) for a in args])
        return value
    if origin in (tuple, list) or (isinstance(origin, type) and issubclass(origin, Sequence)):
        return _sequence(origin, args, value, where)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        if not isinstance(value, Mapping):
            raise InputError(f"config key {where}={value!r} must be a mapping")
        return {str(k): _convert(args[1] if args else Any, v, f"{where}.{k}") for k, v in value.items()}
    return _scalar(hint, value, where)


def _sequence(origin: Any, args: tuple[Any, ...], value: Any, where: str) -> Any:
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise InputError(f"config key {where}={value!r} must be a list, e.g. {where}=[a,b]")
    if origin is tuple and args and args[-1] is not Ellipsis:
        if len(args) != len(value):
            raise InputError(f"config key {where}={value!r} must have {len(args)} items")
        return tuple(_convert(a, v, f"{where}[{i}]") for i, (a, v) in enumerate(zip(args, value, strict=True)))
    items = [_convert(args[0] if args else Any, v, f"{where}[{i}]") for i, v in enumerate(value)]
    return items if origin is list else tuple(items)


def _scalar(hint: Any, value: Any, where: str) -> Any:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if hint in (int, float) and number:
        try:
            converted = float(value)
        except OverflowError:  # a whole number of hundreds of digits
            converted = math.inf
        if not math.isfinite(converted):
            raise InputError(f"config key {where}={_shortened(value)} must be a finite number")
        if hint is float:
            return converted
        if converted.is_integer():
            return int(value)
    if hint is Path and isinstance(value, (str, Path)):
        return Path(value)
    if isinstance(hint, type) and isinstance(value, hint) and not (isinstance(value, bool) and hint is not bool):
        return value
    name = getattr(hint, "__name__", str(hint))
    raise InputError(f"config key {where}={_shortened(value)} must be of type {name}")


def _shortened(value: Any) -> str:
    if isinstance(value, int) and value.bit_length() > 1024:
        return f"an integer of {value.bit_length()} bits"  # Python may refuse to print it
    return repr(value)
