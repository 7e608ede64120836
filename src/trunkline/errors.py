"""What a caller did wrong, said in one line, with the remedy."""

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """Bad input from the user: the command line prints it as one line and exits with code 2."""


def unknown(kind: str, name: str, known: Iterable[str]) -> InputError:
    """The error for a name nobody knows: the nearest match and the whole list."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f" did you mean {close[0]!r}?" if close else ""
    return InputError(f"unknown {kind} {name!r};{hint} known: {', '.join(names) or 'none'}")
