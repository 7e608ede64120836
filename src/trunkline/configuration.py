"""Hydra composition of configs/ with command-line overrides, as plain mappings.

Hydra selects and overrides; whether a key exists is decided by the dataclass it fills (`trunkline.schema`), which
answers with the nearest match, so overrides may name any key, also one that the YAML leaves at its default.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from trunkline.errors import InputError, unknown

_KEY = re.compile(r"[\w][\w.-]*=")
_OWN = "_file_of_the_user"


def groups() -> dict[str, list[str]]:
    """Config groups and the options of each, e.g. {"experiment": ["debug", "quickstart"]}."""
    root = files("trunkline.configs")
    return {
        folder.name: sorted(f.name.removesuffix(".yaml") for f in folder.iterdir() if f.name.endswith(".yaml"))
        for folder in root.iterdir()
        if folder.is_dir() and not folder.name.startswith("_")
    }


def compose(name: str, overrides: Sequence[str], texts: Collection[str] = ()) -> dict[str, Any]:
    """The configuration configs/<name>.yaml with overrides `key=value`.

    Args:
        name: of the file.
        overrides: as on the command line; an option of a group may be a YAML file of the user's.
        texts: dotted keys whose values are text, also where they look like numbers: `out=2024_11`.

    Raises:
        InputError: an override that is not one, or an unknown option of a group (with the nearest match).
    """
    import hydra
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    chosen = _groups_of(name)
    for group in chosen:
        given = [override for override in overrides if override.startswith(f"{group}=")]
        if len(given) > 1:
            raise InputError(f"{' and '.join(given)}: choose one")
    prepared = [_prepared(override, chosen, texts) for override in overrides]
    try:
        with hydra.initialize_config_module("trunkline.configs", version_base="1.3"):
            composed = hydra.compose(name, prepared)
        plain: Any = OmegaConf.to_container(composed, resolve=True)
    except (HydraException, OmegaConfBaseException, ValueError, RecursionError) as error:
        raise InputError(f"configuration: {' '.join(str(error).split())}") from None
    return dict(plain)


def _groups_of(name: str) -> dict[str, list[str]]:
    """The groups that a configuration chooses from, and the options of each."""
    value = yaml.safe_load((files("trunkline.configs") / f"{name}.yaml").read_text(encoding="utf-8"))
    defaults = [entry for entry in value.get("defaults", ()) if isinstance(entry, dict)]
    return {group: options for group, options in groups().items() if any(group in entry for entry in defaults)}


def _of_the_user(group: str, file: Path) -> str:
    """The name by which Hydra finds a user's file as an option of a group; it may build on built-in ones."""
    from hydra.core.config_store import ConfigStore
    from omegaconf.errors import OmegaConfBaseException

    try:
        node = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"{group}={file} cannot be read: {' '.join(str(error).split())}") from None
    if not isinstance(node, dict):
        raise InputError(f"{group}={file} holds no keys; write key: value in each line")
    bases = node.get("defaults", [])
    if not isinstance(bases, list):
        raise InputError(f"{group}={file}: defaults={bases!r} must be a list: defaults: [{bases}]")
    for base in bases:
        if base not in (*groups()[group], "_self_"):
            raise unknown(f"base in {file}", str(base), groups()[group])
    try:
        ConfigStore.instance().store(group=group, name=_OWN, node=node, package="_global_")
    except (OmegaConfBaseException, ValueError, RecursionError) as error:
        raise InputError(f"{group}={file} holds what no configuration can: {' '.join(str(error).split())}") from None
    return _OWN


def _prepared(override: str, chosen: Mapping[str, list[str]], texts: Collection[str]) -> str:
    """An override as Hydra takes it; it is parsed alone, so that a mistake can be named."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    match = _KEY.match(override)
    if match is None:
        raise InputError(f"argument {override!r} is not key=value")
    key, value = match.group()[:-1], override[match.end() :]
    if key in chosen:
        if value.endswith((".yaml", ".yml")):
            return f"{key}={_of_the_user(key, Path(value))}"
        if value not in chosen[key]:
            raise unknown(key, value, [*chosen[key], "a file of yours: PATH.yaml"])
        return override
    if key in groups():
        raise InputError(f"argument {override!r}: this command has no {key} to choose; leave it out")
    if key.partition(".")[0] == "hydra":
        raise InputError(f"argument {override!r}: settings of Hydra itself do not apply; leave it out")
    if key in texts and value != "null" and value[:1] not in ("'", '"'):
        # Hydra's grammar: a backslash counts only before a quote, where it is doubled.
        escaped = re.sub(r'(\\+)("|$)|(")', lambda m: 2 * (m[1] or "") + ('\\"' if m[2] or m[3] else ""), value)
        return f'++{key}="{escaped}"'
    try:
        parsed = OverridesParser.create().parse_override(override)
    except (HydraException, ValueError) as error:  # ValueError: a number of thousands of digits
        reason = str(error).splitlines()[0]
        raise InputError(
            f"argument {override!r} cannot be read ({reason}); close every bracket, and quote text that holds "
            f"special characters: '{key}=\"…\"'"
        ) from None
    if parsed.is_sweep_override():
        raise InputError(f"argument {override!r} gives several values; give one, or a list: {key}=[{value}]")
    return f"++{override}"
