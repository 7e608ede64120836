"""Names for parts that plug in: built-in modules of one folder, and other distributions' entry points.

A part registers itself where it is defined (`@encoder("mlp")`). The first look-up imports the modules of
the built-in package and loads the entry points of the group, so importing trunkline stays cheap and
adding a part edits no file of ours.
"""

import importlib
import importlib.util
import pkgutil
from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Any, TypeVar

from trunkline.errors import InputError, unknown

T = TypeVar("T", bound=Callable[..., Any])


class Registry:
    """Parts of one kind by name.

    Args:
        kind: the word for such a part in error messages, e.g. "encoder".
        group: the entry-point group that other distributions publish theirs under.
        package: the package whose modules hold the built-in ones; None if there are none.
    """

    def __init__(self, kind: str, group: str, package: str | None = None) -> None:
        self.kind = kind
        self.group = group
        self.package = package
        self._parts: dict[str, Any] = {}
        self._broken: dict[str, str] = {}
        self._loaded = False

    def register(self, name: str) -> Callable[[T], T]:
        """Decorator that gives a class or function its name.

        Raises:
            InputError: another part already has that name.
        """

        def add(part: T) -> T:
            other = self._parts.get(name)
            if other is not None and (other.__module__, other.__qualname__) != (part.__module__, part.__qualname__):
                raise InputError(f"{self.kind} {name!r} is defined twice: {other.__module__} and {part.__module__}")
            self._parts[name] = part
            return part

        return add

    def get(self, name: str) -> Any:
        """The part of that name.

        Raises:
            InputError: no such part (with the nearest match), or its plug-in failed to import (with its error).
        """
        if name not in self._parts:
            self._import_module_of(name)
        if name not in self._parts:
            self._load()
        if name in self._parts:
            return self._parts[name]
        if name in self._broken:
            raise InputError(f"{self.kind} {name!r} could not be loaded: {self._broken[name]}")
        raise unknown(self.kind, name, [*self._parts, *self._broken])

    def names(self) -> list[str]:
        """All names, built in and plugged in, sorted."""
        self._load()
        return sorted(self._parts)

    def broken(self) -> dict[str, str]:
        """Plug-ins that cannot be used, with the reason: they failed to import, or their name is taken."""
        self._load()
        return dict(self._broken)

    def _import_module_of(self, name: str) -> None:
        # A part that has its module's name is found without importing all the others.
        if self.package is not None and name.isidentifier():
            module = f"{self.package}.{name}"
            if importlib.util.find_spec(module) is not None:
                importlib.import_module(module)

    def _load(self) -> None:
        if self._loaded:
            return
        self._loaded = True
        if self.package is not None:
            package = importlib.import_module(self.package)
            for module in pkgutil.iter_modules(package.__path__):
                importlib.import_module(f"{self.package}.{module.name}")
        for point in entry_points(group=self.group):
            try:
                part = point.load()
            except Exception as error:  # a stranger's code may fail in any way; the look-up reports it by name
                self._broken[point.name] = f"{point.value}: {type(error).__name__}: {error}"
            else:
                if self._parts.setdefault(point.name, part) is not part:
                    taken = self._parts[point.name].__module__
                    self._broken[point.name] = f"{point.value}: the name is taken by {taken}; rename the entry point"
