"""Encoders, trunks and heads by name, and the options that each takes."""

import inspect
import logging
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from trunkline.agents.encoders.base import Encoder
from trunkline.agents.heads.base import Head
from trunkline.agents.trunks.base import Trunk
from trunkline.envs.spec import ActionSpec, SensorSpec
from trunkline.errors import InputError, unknown
from trunkline.registry import Registry

E = TypeVar("E", bound=type[Encoder])
H = TypeVar("H", bound=type[Head])
K = TypeVar("K", bound=type[Trunk])

_log = logging.getLogger(__name__)

_ENCODERS = Registry("encoder", "trunkline.encoders", "trunkline.agents.encoders")
_HEADS = Registry("head", "trunkline.heads", "trunkline.agents.heads")
_TRUNKS = Registry("trunk", "trunkline.trunks", "trunkline.agents.trunks")
_TRUNK_ARGUMENTS = 5  # those that every trunk has: the sizes in the AgentConfig


def encoder(name: str) -> Callable[[E], E]:
    """Register an Encoder class: `@encoder("mlp")`."""
    return _ENCODERS.register(name)


def head(name: str) -> Callable[[H], H]:
    """Register a Head class: `@head("gaussian")`."""

    def add(cls: H) -> H:
        cls.kind = name
        return _HEADS.register(name)(cls)

    return add


def trunk(name: str) -> Callable[[K], K]:
    """Register a Trunk class: `@trunk("transformer")`."""
    return _TRUNKS.register(name)


def broken() -> dict[str, str]:
    """Encoder, head and trunk plug-ins that failed to import, with their error."""
    return {**_ENCODERS.broken(), **_HEADS.broken(), **_TRUNKS.broken()}


def find_encoder(name: str) -> type[Encoder]:
    """The encoder class of that name.

    Raises:
        InputError: no such encoder.
    """
    cls: type[Encoder] = _ENCODERS.get(name)
    return cls


def find_head(kind: str) -> type[Head]:
    """The head class of that name.

    Raises:
        InputError: no such head.
    """
    cls: type[Head] = _HEADS.get(kind)
    return cls


def find_trunk(name: str) -> type[Trunk]:
    """The trunk class of that name.

    Raises:
        InputError: no such trunk.
    """
    cls: type[Trunk] = _TRUNKS.get(name)
    return cls


def default_encoder(spec: SensorSpec) -> str:
    """The name of the encoder for a sensor when the config names none.

    An encoder that claims the sensor's modality (its class attribute `modalities`) goes first; otherwise vectors take
    "mlp" and images "conv".

    Raises:
        InputError: no encoder suits the sensor, or several claim its modality.
    """
    for plugin, error in _ENCODERS.broken().items():
        _log.warning("encoder plug-in %r cannot be used: %s", plugin, error)
    claims = [
        name
        for name in _ENCODERS.names()
        if spec.modality in _ENCODERS.get(name).modalities and _ENCODERS.get(name).axes in (None, len(spec.shape))
    ]
    remedy = f"set agent.encoders.{spec.name}.name to one of {', '.join(_ENCODERS.names())}"
    if len(claims) > 1:
        raise InputError(f"encoders {', '.join(claims)} all claim modality {spec.modality!r}; {remedy}")
    if claims:
        return claims[0]
    by_rank = {1: "mlp", 3: "conv"}
    if len(spec.shape) not in by_rank:
        raise InputError(f"no default encoder for sensor {spec.name!r} of shape {spec.shape}; {remedy}")
    return by_rank[len(spec.shape)]


def resolve_encoder(spec: SensorSpec, given: Mapping[str, Any]) -> dict[str, Any]:
    """The whole description of a sensor's encoder: its name and every option, defaults filled in.

    Raises:
        InputError: unknown encoder or option, with the nearest match.
    """
    name = given.get("name") or default_encoder(spec)
    options = {key: value for key, value in given.items() if key != "name"}
    return {"name": name, **_complete(_ENCODERS.get(name), f"encoder {name!r}", options)}


def build_encoder(spec: SensorSpec, width: int, description: Mapping[str, Any]) -> Encoder:
    """The encoder that `resolve_encoder` described.

    Raises:
        InputError: unknown encoder or option, a value it does not take, or a class that is no Encoder.
    """
    name = description["name"]
    cls = _ENCODERS.get(name)
    options = _complete(cls, f"encoder {name!r}", {k: v for k, v in description.items() if k != "name"})
    module = _construct(cls, f"encoder {name!r}", (spec, width), options)
    if not isinstance(module, Encoder):
        raise InputError(f"encoder {name!r} ({cls.__module__}) must subclass trunkline.agents.encoders.base.Encoder")
    return module


def build_head(kind: str, width: int, action: ActionSpec | None, options: Mapping[str, Any]) -> Head:
    """A head by name.

    Raises:
        InputError: unknown head or option, a value it does not take, or a class that is no Head.
    """
    cls = _HEADS.get(kind)
    what = f"head {kind!r}"
    module = _construct(cls, what, (width, action), _complete(cls, what, options))
    if not isinstance(module, Head):
        raise InputError(f"head {kind!r} ({cls.__module__}) must subclass trunkline.agents.heads.base.Head")
    module.kind = kind
    return module


def resolve_trunk(name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Every option of a trunk, defaults filled in.

    Raises:
        InputError: unknown trunk or option, with the nearest match.
    """
    return _complete(_TRUNKS.get(name), f"trunk {name!r}", given, _TRUNK_ARGUMENTS)


def build_trunk(
    name: str, width: int, depth: int, heads: int, mlp_ratio: float, dropout: float, options: Mapping[str, Any]
) -> Trunk:
    """A trunk by name, of these sizes.

    Raises:
        InputError: unknown trunk or option, a value it does not take, or a class that is no Trunk.
    """
    cls, what = _TRUNKS.get(name), f"trunk {name!r}"
    module = _construct(cls, what, (width, depth, heads, mlp_ratio, dropout), resolve_trunk(name, options))
    if not isinstance(module, Trunk):
        raise InputError(f"trunk {name!r} ({cls.__module__}) must subclass trunkline.agents.trunks.base.Trunk")
    return module


def _construct(cls: type, what: str, arguments: tuple[Any, ...], options: Mapping[str, Any]) -> Any:
    try:
        return cls(*arguments, **options)
    except TypeError as error:  # an option's value is of another type
        raise InputError(f"{what} with {options}: {error}") from error


def _complete(cls: type, what: str, given: Mapping[str, Any], leading: int = 2) -> dict[str, Any]:
    """`given` with the defaults of the class's signature; its options follow so many leading arguments."""
    parameters = list(inspect.signature(cls).parameters.values())[leading:]
    known = {p.name: p.default for p in parameters if p.kind is not p.VAR_KEYWORD}
    if len(known) == len(parameters):  # a class that takes **options checks them itself
        for name in given:
            if name not in known:
                raise unknown(f"option of {what}", name, known)
    options = {**known, **given}
    for name, value in options.items():
        if value is inspect.Parameter.empty:
            raise InputError(f"{what} needs the option {name!r}")
    return {name: list(value) if isinstance(value, tuple) else value for name, value in options.items()}
