"""Hydra composition of configs/ with command-line overrides, as plain mappings.

Hydra selects and overrides; whether a key exists is decided by the dataclass it fills (`trunkline.schema`), which
answers with the nearest match, so overrides may name any key, also one that the YAML leaves at its default.
"""

import re
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

from trunkline.errors import InputError, unknown

_KEY = re.compile(r"^[\w][\w./@-]*=")


def groups() -> dict[str, list[str]]:
    """Config groups and the options of each, e.g. {"experiment": ["debug", "quickstart"]}."""
    root = files("trunkline.configs")
    return {
        folder.name: sorted(f.name.removesuffix(".yaml") for f in folder.iterdir() if f.name.endswith(".yaml"))
        for folder in root.iterdir()
        if folder.is_dir() and not folder.name.startswith("_")
    }


def compose(name: str, overrides: Sequence[str]) -> dict[str, Any]:
    """The configuration configs/<name>.yaml with overrides `key=value`.

    Raises:
        InputError: an override that is not one, or an unknown option of a group (with the nearest match).
    """
    import hydra
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    options = groups()
    prepared = []
    for override in overrides:
        match = _KEY.match(override)
        if match is None:
            raise InputError(f"argument {override!r} is not key=value")
        key = match.group()[:-1]
        if key in options:
            value = override[match.end() :]
            if value not in options[key]:
                raise unknown(key, value, options[key])
            prepared.append(override)
        else:
            prepared.append(f"++{override}")
    try:
        with hydra.initialize_config_module("trunkline.configs", version_base="1.3"):
            composed = hydra.compose(name, prepared)
        plain: Any = OmegaConf.to_container(composed, resolve=True)
    except (HydraException, OmegaConfBaseException) as error:
        raise InputError(f"configuration: {' '.join(str(error).split())}") from None
    return dict(plain)
