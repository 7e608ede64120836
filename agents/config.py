"""What an agent is made of, apart from the sensors and bodies it is made for."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from trunkline.errors import InputError, unknown

EVERY_SENSOR = "*"
EVERY_OF_MODALITY = "*:"


@dataclass(frozen=True)
class AgentConfig:
    """Sizes and options of an agent.

    Attributes:
        width: D, of the tokens and the features.
        trunk: its name: "transformer", "t3", or one that is plugged in.
        trunk_options: what else that trunk takes.
        depth: blocks of the trunk; 0 of a "transformer" pools the tokens instead, which makes the agent a plain MLP.
        attention_heads: of each block; divides `width`.
        mlp_ratio: hidden width of a block's MLP over `width`.
        dropout: after attention and MLP of each block, in training.
        modality_dropout: probability that a sensor is hidden from a row, in training; at least one stays.
        encoders: by sensor name, {"name": encoder, option: value, …}; a sensor that is not named takes the entry
            "*:<modality>", or "*", or the default encoder of its modality and shape.
        policy: {"name": head, option: value, …} of every policy head; the head is by default "gaussian" for continuous
            and "categorical" for discrete actions.
        value: options of the value head.
        auxiliary: by label sensor, {"name": head, "weight": of its loss, option: value, …}: what the features should
            also tell while they learn. No encoder reads a label sensor, so it is no input, wherever it is shown.
    """

    width: int = 64
    depth: int = 2
    attention_heads: int = 4
    mlp_ratio: float = 2.0
    dropout: float = 0.0
    modality_dropout: float = 0.0
    encoders: dict[str, dict[str, Any]] = field(default_factory=dict)
    policy: dict[str, Any] = field(default_factory=dict)
    value: dict[str, Any] = field(default_factory=dict)
    auxiliary: dict[str, dict[str, Any]] = field(default_factory=dict)
    trunk: str = "transformer"
    trunk_options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.width < 1 or self.depth < 0 or self.attention_heads < 1 or self.mlp_ratio <= 0:
            raise InputError(
                f"agent of width={self.width}, depth={self.depth}, attention_heads={self.attention_heads}, "
                f"mlp_ratio={self.mlp_ratio}: depth must be at least 0 and the others positive"
            )
        if self.depth and self.width % self.attention_heads:
            raise InputError(f"width={self.width} must be a multiple of attention_heads={self.attention_heads}")
        for name in ("dropout", "modality_dropout"):
            if not 0 <= getattr(self, name) < 1:
                raise InputError(f"{name}={getattr(self, name)} must be in [0, 1)")
        for name in ("encoders", "policy", "value", "auxiliary", "trunk_options"):
            value = getattr(self, name)
            if not isinstance(value, Mapping):
                raise InputError(f"agent.{name}={value!r} must be a mapping of options")
            object.__setattr__(self, name, _plain(value))  # lists for tuples, so that JSON gives an equal config back
        for sensor, entry in self.encoders.items():
            if not isinstance(entry, Mapping):
                raise InputError(f"agent.encoders.{sensor}={entry!r} must be a mapping such as {{'name': 'mlp'}}")
        for sensor, entry in self.auxiliary.items():
            example = "{'name': 'target_view', 'weight': 0.1}"
            if not isinstance(entry, Mapping) or not isinstance(entry.get("name"), str):
                raise InputError(f"agent.auxiliary.{sensor}={entry!r} must be a mapping such as {example}")
            weight = entry.get("weight")
            if not isinstance(weight, int | float) or not 0 <= weight < float("inf"):
                raise InputError(f"agent.auxiliary.{sensor}.weight={weight!r} must be a number, at least 0")
            if sensor in self.encoders:
                raise InputError(f"sensor {sensor!r} is in agent.encoders and agent.auxiliary: an input or a label?")

    @classmethod
    def plain_mlp(cls, hidden: Sequence[int] = (256, 256)) -> "AgentConfig":
        """A policy that is an MLP with these hidden layers on the concatenated vector sensors, and no trunk.

        The encoders' linear maps make the first layer, the rest is the policy head; the value head shares the first.
        """
        rest = [int(n) for n in hidden[1:]]
        encoders: dict[str, dict[str, Any]] = {EVERY_SENSOR: {"name": "mlp", "hidden": []}}
        return cls(width=hidden[0], depth=0, encoders=encoders, policy={"hidden": rest}, value={"hidden": rest})

    def encoder_of(self, sensor: str, modality: str) -> dict[str, Any] | None:
        """The entry of `encoders` that is for a sensor; None if no entry is."""
        keys = (sensor, f"{EVERY_OF_MODALITY}{modality}", EVERY_SENSOR)
        return next((self.encoders[key] for key in keys if key in self.encoders), None)

    def to_json(self) -> dict[str, Any]:
        """A JSON value that `from_json` reads back."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "AgentConfig":
        """The config that `to_json` wrote; missing fields take their defaults.

        Raises:
            InputError: an unknown field (with the nearest match) or a bad value.
        """
        known = [f.name for f in fields(cls)]
        for name in value:
            if name not in known:
                raise unknown("agent option", name, known)
        try:
            return cls(**value)
        except TypeError as error:
            raise InputError(f"agent config: {error}") from error


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    return [_plain(v) for v in value] if isinstance(value, (list, tuple)) else value
