"""The part `minecraft`: the main job on Minecraft tasks, beside that of another family, in `<run>/minecraft/`.

An experiment on Minecraft alone needs no part: its tasks are the run's own.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from trunkline.errors import InputError
from trunkline.rollout.experiment.config import ExperimentConfig
from trunkline.rollout.experiment.job import MainJob
from trunkline.rollout.experiment.part import Part, part
from trunkline.rollout.experiment.stages import Stages
from trunkline.schema import build

_OF_THE_RUN = ("folder", "parts", "num_cpus", "address")


@part("minecraft")
class MinecraftPart(Part):
    """Takes the keys of `ExperimentConfig`, but for those that are the whole run's."""

    def __init__(self, options: Mapping[str, Any], folder: Path) -> None:
        for name in _OF_THE_RUN:
            if name in options:
                raise InputError(f"parts.minecraft.{name} is the whole run's; set {name}=… instead")
        config = build(ExperimentConfig, {**options, "folder": str(folder / "minecraft")}, "parts.minecraft")
        if not config.tasks:
            raise InputError("parts.minecraft needs tasks, e.g. tasks=[minecraft/approach]")
        self.job = MainJob(config, "minecraft")

    def run(self, stages: Stages, say: Callable[[str], None]) -> None:
        """Every stage that is not done yet."""
        self.job.run(stages, say)
