"""`trunkline pretrain`: an agent on recorded episodes."""

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, fields
from typing import Any

from trunkline.commands.common import RaySettings, configure, say
from trunkline.pretrain.config import PretrainConfig
from trunkline.pretrain.train import pretrain


@dataclass(frozen=True, kw_only=True)
class PretrainCommand(PretrainConfig):
    """Train an agent on the data sets under `data`; checkpoints and metrics go to the folder `out`."""

    out: str
    ray: RaySettings = field(default_factory=RaySettings)

    @property
    def config(self) -> PretrainConfig:
        """The run itself."""
        values: dict[str, Any] = {f.name: getattr(self, f.name) for f in fields(PretrainConfig)}
        return PretrainConfig(**values)


def main(arguments: Sequence[str]) -> None:
    """Train, or go on training."""
    command = configure(PretrainCommand, "pretrain", arguments)
    if command is None:
        return
    with command.ray.session() if command.workers > 1 else nullcontext():
        say(f"checkpoint: {pretrain(command.config, command.out)}")
