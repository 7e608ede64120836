"""`trunkline finetune`: RL on several tasks at once."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from trunkline.commands.common import RaySettings, configure, say
from trunkline.rollout.finetune import FinetuneConfig, finetune
from trunkline.rollout.training_lines import TrainingLines


@dataclass(frozen=True, kw_only=True)
class FinetuneCommand(FinetuneConfig):
    """Finetune with PPO on `tasks`, from the checkpoint `init` or from scratch.

    Attributes:
        out: folder of the run; the same command with the same folder goes on.
    """

    out: str
    ray: RaySettings = field(default_factory=RaySettings)

    @property
    def config(self) -> FinetuneConfig:
        """The run itself."""
        values: dict[str, Any] = {f.name: getattr(self, f.name) for f in fields(FinetuneConfig)}
        return FinetuneConfig(**values)


def main(arguments: Sequence[str]) -> None:
    """Finetune, or go on."""
    command = configure(FinetuneCommand, "finetune", arguments)
    if command is None:
        return
    with command.ray.session():
        lines = TrainingLines("finetune", command.config.iterations)
        say(f"checkpoint: {finetune(command.config, command.out, lines)}")
