"""`trunkline pretrain`: an agent on recorded episodes, or (objective=touch) on labelled touch."""

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, fields
from typing import Any

from trunkline.commands.common import RaySettings, configure, say
from trunkline.pretrain.config import PretrainConfig
from trunkline.pretrain.touch.config import TouchPretrainConfig
from trunkline.pretrain.train import pretrain
from trunkline.rollout.training_lines import TrainingLines


@dataclass(frozen=True, kw_only=True)
class PretrainCommand(PretrainConfig):
    """Train an agent on the data sets under `data`.

    Touch has keys of its own: `trunkline pretrain objective=touch --help` shows them.

    Attributes:
        out: folder of checkpoints and metrics; the same command with the same folder goes on.
    """

    out: str
    ray: RaySettings = field(default_factory=RaySettings)

    @property
    def config(self) -> PretrainConfig:
        """The run itself."""
        return PretrainConfig(**_values(self, PretrainConfig))


@dataclass(frozen=True, kw_only=True)
class TouchPretrainCommand(TouchPretrainConfig):
    """Train an agent on the touches under `data`, a data set a sensor.

    Masked autoencoding first (tasks=[mae]), then tasks with labels from its checkpoint (init_from=…).

    Attributes:
        out: folder of checkpoints and metrics; the same command with the same folder goes on.
    """

    out: str
    ray: RaySettings = field(default_factory=RaySettings)

    @property
    def config(self) -> TouchPretrainConfig:
        """The run itself."""
        return TouchPretrainConfig(**_values(self, TouchPretrainConfig))


def main(arguments: Sequence[str]) -> None:
    """Train, or go on training."""
    schema: type[PretrainCommand | TouchPretrainCommand] = PretrainCommand
    if "objective=touch" in arguments:
        schema = TouchPretrainCommand
    command = configure(schema, "pretrain", arguments)
    if command is None:
        return
    with command.ray.session() if command.workers > 1 else nullcontext():
        lines = TrainingLines("pretrain", command.config.steps)
        say(f"checkpoint: {pretrain(command.config, command.out, lines)}")


def _values(command: Any, config: type) -> dict[str, Any]:
    return {f.name: getattr(command, f.name) for f in fields(config)}
