"""The contract of an experiment's part: something else that a run measures, e.g. touch.

A part is one module with one class; a plug-in publishes it under the entry-point group `trunkline.experiment_parts`:

    @part("my_part")
    class MyPart(Part):
        def __init__(self, options, folder):
            self.config = build(MyConfig, options, "parts.my_part")  # says at once what is wrong with it
            ...

        def run(self, stages, say):
            stages.run("my_part/measure", self.measure, say)

Its results go to the run's folder, where a section of the report (`rollout/report/registry.py`) finds them.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from trunkline.registry import Registry
from trunkline.rollout.experiment.stages import Stages

_PARTS = Registry("experiment part", "trunkline.experiment_parts", "trunkline.rollout.experiment.parts")


class Part(ABC):
    """One part of a run.

    Args:
        options: what the run's configuration says under `parts.<name>`.
        folder: of the run.

    Raises:
        InputError: options that it does not have, or that cannot be.
    """

    @abstractmethod
    def __init__(self, options: Mapping[str, Any], folder: Path) -> None: ...

    @abstractmethod
    def run(self, stages: Stages, say: Callable[[str], None]) -> None:
        """Do every stage that is not done yet; within a stage a Ray session is there."""


def part(name: str) -> Callable[[type[Part]], type[Part]]:
    """Register a Part class."""
    return _PARTS.register(name)


def make_part(name: str, options: Mapping[str, Any], folder: Path) -> Part:
    """A part by name.

    Raises:
        InputError: no such part (with the nearest match), or options that it does not take.
    """
    cls: type[Part] = _PARTS.get(name)
    return cls(options, folder)
