"""Parts of an agent: what checkpoints hold, and what is swapped, frozen or trained, one by one."""

from collections.abc import Iterable
from typing import Self

from torch import nn

from trunkline.errors import InputError, unknown

GROUPS = ("encoders", "heads")


class Parts(nn.Module):
    """Encoders by sensor, a trunk, heads by name; each part can be frozen.

    Attributes:
        encoders: by sensor name.
        trunk: the shared one.
        heads: by name.
    """

    encoders: nn.ModuleDict
    trunk: nn.Module
    heads: nn.ModuleDict

    def __init__(self) -> None:
        super().__init__()
        self._frozen: set[str] = set()

    @property
    def parts(self) -> dict[str, nn.Module]:
        """Its parts by name: "encoders/<sensor>", "trunk", "heads/<name>"."""
        return {
            **{f"encoders/{name}": module for name, module in self.encoders.items()},
            "trunk": self.trunk,
            **{f"heads/{name}": module for name, module in self.heads.items()},
        }

    def part(self, name: str) -> nn.Module:
        """One part.

        Raises:
            InputError: an unknown part, with the nearest match.
        """
        parts = self.parts
        if name not in parts:
            raise unknown("part", name, parts)
        return parts[name]

    def select(self, parts: Iterable[str]) -> list[str]:
        """Names of parts, where "encoders" and "heads" stand for all of them.

        Raises:
            InputError: an unknown part, with the nearest match.
        """
        return select_parts(parts, self.parts)

    def freeze(self, parts: Iterable[str]) -> None:
        """Stop these parts from learning: no gradients, and evaluation mode (no dropout) whatever mode the agent is in.

        Raises:
            InputError: an unknown part, with the nearest match.
        """
        for name in self.select(parts):
            self._frozen.add(name)
            self.part(name).requires_grad_(False).eval()

    def unfreeze(self, parts: Iterable[str]) -> None:
        """Let these parts learn again.

        Raises:
            InputError: an unknown part, with the nearest match.
        """
        for name in self.select(parts):
            self._frozen.discard(name)
            self.part(name).requires_grad_(True).train(self.training)

    @property
    def frozen(self) -> frozenset[str]:
        """Names of the parts that do not learn."""
        return frozenset(self._frozen)

    def train(self, mode: bool = True) -> Self:
        """Training or evaluation mode; frozen parts stay in evaluation mode."""
        super().train(mode)
        for name in self._frozen:
            self.part(name).eval()
        return self


def select_parts(parts: Iterable[str], known: Iterable[str]) -> list[str]:
    """The known parts that are named, in their own order; "encoders" and "heads" name all of a kind.

    Raises:
        InputError: an unknown part, with the nearest match.
    """
    known = list(known)
    chosen: set[str] = set()
    for part in [parts] if isinstance(parts, str) else parts:
        group = [name for name in known if name.startswith(f"{part}/")] if part in GROUPS else []
        if part not in known and part not in GROUPS:
            raise unknown("part", part, [*known, *GROUPS])
        chosen.update(group or [part])
    return [name for name in known if name in chosen]


def check_name(kind: str, name: str) -> None:
    """Check that a sensor or head can be a key of a ModuleDict.

    Raises:
        InputError: it cannot.
    """
    if not name or "." in name or hasattr(nn.ModuleDict, name):
        raise InputError(f"{kind} cannot be called {name!r}; rename it: no '.', no method of ModuleDict")
