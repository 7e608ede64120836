"""The agent: encoders of its sensors, one shared trunk, its heads.

Legend: B batch, N tokens, D width, A action dimensions, S sensors.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from trunkline.agents.acting import act
from trunkline.agents.config import EVERY_OF_MODALITY, EVERY_SENSOR, AgentConfig
from trunkline.agents.encoders.base import Encoder
from trunkline.agents.encoders.patches import PatchEncoder
from trunkline.agents.heads.auxiliary import AuxiliaryHead, head_name
from trunkline.agents.heads.base import Head
from trunkline.agents.layers import seeded
from trunkline.agents.load_report import LoadReport
from trunkline.agents.parts import Parts, check_name
from trunkline.agents.registry import build_encoder, build_head, build_trunk, resolve_encoder, resolve_trunk
from trunkline.agents.trunks.base import Trunk
from trunkline.envs.spec import ActionSpec, SensorSpec
from trunkline.errors import InputError, unknown

State = Mapping[str, Tensor]
M = TypeVar("M", bound=nn.Module)


@dataclass(frozen=True)
class AgentOutput:
    """What an agent says about a batch of observations.

    Attributes:
        features: (B, D).
        policy: distribution over the body's actions; None for an agent without a body.
        value: (B,); None if the value head was removed.
    """

    features: Tensor
    policy: Distribution | None
    value: Tensor | None


class Agent(Parts):
    """Encoders of its sensors, one trunk, and heads, all built from specs.

    Every part's initial weights depend on (seed, the part's name) alone, so that adding a sensor changes no other part;
    torch's global generator is left as it was.

    Args:
        sensors: SensorSpecs by name; of a label sensor (`config.auxiliary`) there is a head, no encoder.
        actions: ActionSpecs by name; each gets the head "policy_<name>". They share the trunk and the head "value".
        config: sizes and options.
        seed: of the initial weights.

    `load_report` says what a checkpoint gave to it, once one was loaded.

    Raises:
        InputError: unknown encoder, head or option, or a sensor that the chosen encoder does not take.
    """

    trunk: Trunk

    def __init__(
        self,
        sensors: Mapping[str, SensorSpec],
        actions: Mapping[str, ActionSpec] | None = None,
        config: AgentConfig | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        config = config or AgentConfig()
        for name in config.encoders:
            if name != EVERY_SENSOR and not name.startswith(EVERY_OF_MODALITY) and name not in sensors:
                raise unknown("sensor in agent.encoders", name, sensors)
        self.seed = seed
        # The whole description is kept, so that a checkpoint does not depend on what is installed or default later.
        self.config = replace(config, encoders={}, trunk_options=resolve_trunk(config.trunk, config.trunk_options))
        self.actions: dict[str, ActionSpec] = {}
        self.encoders = nn.ModuleDict()
        self.heads = nn.ModuleDict()
        self.load_report: LoadReport | None = None
        self.trunk = self._seeded("trunk", lambda: _trunk(self.config))
        for name, sensor in sensors.items():
            assert name == sensor.name
            if name not in config.auxiliary:
                self.add_sensor(sensor, config.encoder_of(name, sensor.modality))
        self.make_head("value", "value", **config.value)
        for name, entry in config.auxiliary.items():
            self._add_auxiliary(name, entry)
        for name, action in (actions or {}).items():
            assert name == action.name
            self.add_action(action)

    @property
    def sensors(self) -> dict[str, SensorSpec]:
        """The sensors it was built for, with their statistics."""
        return {name: self._encoder(name).spec for name in self.encoders}

    @property
    def device(self) -> torch.device:
        """Where its weights are."""
        return next(self.parameters()).device

    # Building

    def add_sensor(self, spec: SensorSpec, encoder: Mapping[str, Any] | None = None) -> None:
        """Add a sensor with a fresh encoder, or give a known one a fresh encoder.

        Args:
            spec: the sensor.
            encoder: {"name": encoder, option: value, …}; None for the default encoder.

        Raises:
            InputError: unknown encoder or option, a sensor that the encoder does not take, or a label sensor.
        """
        check_name("sensor", spec.name)
        if spec.name in self.config.auxiliary:
            raise InputError(f"sensor {spec.name!r} is a label (agent.auxiliary), so it cannot be an input too")
        description = resolve_encoder(spec, encoder or {})
        build = lambda: build_encoder(spec, self.config.width, description)  # noqa: E731
        self.encoders[spec.name] = self._adopt(f"encoders/{spec.name}", self._seeded(f"encoders/{spec.name}", build))
        self.config = replace(self.config, encoders={**self.config.encoders, spec.name: description})

    def add_action(self, spec: ActionSpec) -> None:
        """Add a body with its head "policy_<name>"."""
        self.actions[spec.name] = spec
        options = dict(self.config.policy)
        kind = options.pop("name", None) or ("categorical" if spec.discrete else "gaussian")
        self.make_head(f"policy_{spec.name}", kind, spec.name, **options)

    def make_head(self, name: str, kind: str, action: str | None = None, **options: Any) -> Head:
        """Build a head by its registered name, with initial weights from the agent's seed, and add it.

        Args:
            name: the head's name in this agent; one that exists is replaced.
            kind: registered name of the head class.
            action: name of the body that it is for.
            **options: of the head class.

        Raises:
            InputError: unknown head, body or option, with the nearest match.
        """
        spec = None if action is None else self._action(action)
        return self.add_head(
            name, self._seeded(f"heads/{name}", lambda: build_head(kind, self.config.width, spec, options))
        )

    def add_head(self, name: str, module: M) -> M:
        """Add a head, e.g. "inverse_gripper"; one of that name is replaced.

        Raises:
            InputError: it is no registered Head, so no checkpoint could build it again.
        """
        check_name("head", name)
        if not isinstance(module, Head) or not module.kind:
            raise InputError(f"head {name!r} ({type(module).__name__}) must be a Head registered by @head(name)")
        _ = module.options  # says at once if it could not be saved
        self.heads[name] = self._adopt(f"heads/{name}", module)
        return module

    def remove_head(self, name: str) -> None:
        """Take a head away, e.g. one that only pretraining needed."""
        self.part(f"heads/{name}")
        del self.heads[name]
        self._frozen.discard(f"heads/{name}")

    def set_statistics(self, sensors: Mapping[str, SensorSpec]) -> None:
        """Normalise with the statistics of these specs, e.g. a data set's; sensors the agent lacks are passed over.

        Raises:
            InputError: a spec of another sensor.
        """
        for name in self.encoders:
            if name in sensors:
                difference = self.sensors[name].difference(sensors[name])
                if difference is not None:
                    raise InputError(f"statistics of another sensor {name!r}: {difference}")
                self._encoder(name).set_spec(sensors[name])

    # Computing

    def encode(
        self,
        observations: Mapping[str, Tensor],
        *,
        present: Mapping[str, Tensor] | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Raw readings to features (B, D).

        Args:
            observations: by sensor name, (B, *shape); sensors that are not there are missing tokens, label sensors
                (`config.auxiliary`) are passed over.
            present: by sensor name, (B,) bool: the rows that have the sensor; all have those not named.
            generator: of modality dropout; torch's global one by default.

        Raises:
            InputError: no sensor at all, an unknown one (with the nearest match), or readings of the wrong shape.
        """
        tokens, padding, lengths = self._sense(observations, present, generator)
        return self.trunk.readout(tokens, padding, lengths)

    def tokens(
        self,
        observations: Mapping[str, Tensor],
        *,
        present: Mapping[str, Tensor] | None = None,
        generator: torch.Generator | None = None,
        keep: Mapping[str, Tensor] | None = None,
    ) -> Tensor:
        """Raw readings to all of the trunk's tokens (B, N, D), those of each sensor in turn, as heads on tokens take.

        Args:
            observations: see `encode`.
            present: see `encode`; tokens of rows that lack a sensor mean nothing.
            generator: see `encode`.
            keep: by sensor name, (B, K) whole numbers: the patches that the sensor's encoder sees, see
                `encoders.patches.PatchMask`; it sees all of those not named.

        Raises:
            InputError: see `encode`; or `keep` for a sensor whose encoder has no patches.
        """
        tokens, padding, _ = self._sense(observations, present, generator, keep or {})
        every: Tensor = self.trunk(tokens, padding)
        return every

    def policy(self, features: Tensor, action: str | None = None) -> Distribution:
        """Features (B, D) to the distribution over a body's actions; the body may be left out if there is only one.

        Raises:
            InputError: an unknown body (with the nearest match), or none named where there are several.
        """
        distribution: Distribution = self.heads[f"policy_{self._action(action).name}"](features)
        return distribution

    def value(self, features: Tensor) -> Tensor:
        """Features (B, D) to values (B,).

        Raises:
            InputError: the value head was removed.
        """
        value: Tensor = self.part("heads/value")(features)
        return value

    def forward(
        self,
        observations: Mapping[str, Tensor],
        state: State | None = None,
        *,
        action: str | None = None,
        generator: torch.Generator | None = None,
    ) -> tuple[AgentOutput, State]:
        """Everything about a batch: features, the policy of one body, values.

        Args:
            observations: by sensor name, (B, *shape).
            state: what it remembers; passed through.
            action: the body; may be left out if there is at most one.
            generator: of modality dropout.
        """
        features = self.encode(observations, generator=generator)
        policy = self.policy(features, action) if self.actions else None
        return AgentOutput(features, policy, self.value(features) if "value" in self.heads else None), state or {}

    def act(
        self,
        observations: Mapping[str, np.ndarray],
        state: State | None = None,
        *,
        action: str | None = None,
        deterministic: bool = True,
        generator: torch.Generator | None = None,
    ) -> tuple[np.ndarray, State]:
        """Actions for one observation or a batch of them, within their bounds; see `acting.act`."""
        spec = self._action(action)
        return act(self, observations, spec, deterministic, generator), state or {}

    # Internals

    def _sense(
        self,
        observations: Mapping[str, Tensor],
        present: Mapping[str, Tensor] | None,
        generator: torch.Generator | None,
        keep: Mapping[str, Tensor] | None = None,
    ) -> tuple[Tensor, Tensor | None, list[int]]:
        """The encoders' tokens (B, N, D), which of them are missing (B, N), and how many each sensor gave."""
        keep = keep or {}
        for name in (*observations, *(present or {}), *keep):
            if name not in self.encoders and name not in self.config.auxiliary:
                raise unknown("sensor", name, self.encoders)
        names = [name for name in self.encoders if name in observations]
        if not names:
            raise InputError(f"observations hold none of the agent's sensors: {', '.join(self.encoders)}")
        tokens = [self._tokens_of(name, observations[name], keep.get(name)) for name in names]
        if any(len(t) != len(tokens[0]) for t in tokens):
            sizes = ", ".join(f"{name} {len(t)}" for name, t in zip(names, tokens, strict=True))
            raise InputError(f"observations differ in batch size: {sizes}")
        kept = self._kept(names, tokens[0], present or {}, generator)
        padding = None
        if kept is not None:
            columns = [column[:, None].expand(-1, t.shape[1]) for column, t in zip(kept.unbind(1), tokens, strict=True)]
            padding = ~torch.cat(columns, dim=1)
        lengths = [t.shape[1] for t in tokens]
        return torch.cat(tokens, dim=1) if len(tokens) > 1 else tokens[0], padding, lengths

    def _tokens_of(self, name: str, readings: Tensor, keep: Tensor | None) -> Tensor:
        encoder = self._encoder(name)
        if keep is None:
            every: Tensor = encoder(readings)
            return every
        if not isinstance(encoder, PatchEncoder):
            raise InputError(f"sensor {name!r} has no patches to keep; give it an encoder such as 't3' or 'taxels'")
        some: Tensor = encoder(readings, keep)
        return some

    def _kept(
        self, names: list[str], like: Tensor, present: Mapping[str, Tensor], generator: torch.Generator | None
    ) -> Tensor | None:
        """Which sensors (B, S) each row keeps; None for all."""
        rows = len(like)
        there = None
        if present:
            everyone = torch.ones(rows, dtype=torch.bool, device=like.device)
            there = torch.stack([present.get(name, everyone) for name in names], dim=1)
        if not (self.training and self.config.modality_dropout and len(names) > 1):
            return there
        # Drawn on the CPU, so that every device hides the same sensors; the largest draw of a row always stays.
        draws = torch.rand(rows, len(names), generator=generator).to(like.device)
        if there is not None:
            draws = draws.masked_fill(~there, -1.0)
        kept = draws >= self.config.modality_dropout
        kept = kept | (draws == draws.amax(1, keepdim=True))
        return kept if there is None else kept & there

    def _add_auxiliary(self, sensor: str, entry: Mapping[str, Any]) -> None:
        options = {key: value for key, value in entry.items() if key not in ("name", "weight")}
        head = self.make_head(head_name(sensor), entry["name"], **options)
        if not isinstance(head, AuxiliaryHead):
            raise InputError(f"agent.auxiliary.{sensor}: head {entry['name']!r} is no AuxiliaryHead")

    def _seeded(self, part: str, build: Callable[[], M]) -> M:
        digest = hashlib.sha256(f"{self.seed}/{part}".encode()).digest()
        with seeded(int.from_bytes(digest[:8], "little") >> 1):
            return build()

    def _adopt(self, part: str, module: nn.Module) -> nn.Module:
        self._frozen.discard(part)
        parameter = next(self.parameters(), None)
        return module.to("cpu" if parameter is None else parameter.device).train(self.training)

    def _encoder(self, name: str) -> Encoder:
        encoder = self.encoders[name]
        assert isinstance(encoder, Encoder)
        return encoder

    def _action(self, name: str | None) -> ActionSpec:
        if name is None and len(self.actions) == 1:
            return next(iter(self.actions.values()))
        if name is None:
            raise InputError(f"name the body with action=…; this agent has {', '.join(self.actions) or 'none'}")
        if name not in self.actions:
            raise unknown("body", name, self.actions)
        return self.actions[name]


def _trunk(config: AgentConfig) -> Trunk:
    return build_trunk(
        config.trunk,
        config.width,
        config.depth,
        config.attention_heads,
        config.mlp_ratio,
        config.dropout,
        config.trunk_options,
    )
