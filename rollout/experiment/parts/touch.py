"""The part `touch`: labelled contacts through many sensors, a T3 that learns from them, and its zero-shot matrix."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from trunkline.rollout.experiment.part import Part, part
from trunkline.rollout.experiment.stages import Stages
from trunkline.rollout.touch.config import TouchConfig
from trunkline.schema import build

# Draws that must not coincide get seeds of their own.
_SPLIT_SEEDS = {"train": 0, "val": 1, "test": 2}


@part("touch")
class TouchPart(Part):
    """Generate → masked autoencoding → supervised training of every arm → the matrix, in `<run>/touch/`."""

    def __init__(self, options: Mapping[str, Any], folder: Path) -> None:
        from trunkline.rollout.touch.training import Plan

        self.config = build(TouchConfig, options, "parts.touch")
        self.folder = folder / "touch"
        self.plan = Plan(self.config, self.folder)
        self.few_shot = self._few_shot()

    def run(self, stages: Stages, say: Callable[[str], None]) -> None:
        """Every stage that is not done yet."""
        for split, trials in self.config.trials.items():
            stages.run(f"touch/generate/{split}", partial(self._generate, split, trials, say), say)
        from trunkline.rollout.touch.training import train

        for name, runs in self.plan.rounds():
            stages.run(f"touch/{name}", partial(train, runs, say), say)
        stages.run("touch/matrix", self._evaluate, say)
        if self.few_shot is not None:
            stages.run("touch/few_shot/generate", partial(self.few_shot.generate, say), say)
            stages.run("touch/few_shot/train", partial(train, self.few_shot.runs, say), say)
            stages.run("touch/few_shot/evaluate", self.few_shot.evaluate, say)

    def _few_shot(self) -> Any:
        if self.config.few_shot is None:
            return None
        from trunkline.rollout.touch.few_shot import FewShot

        return FewShot(self.plan)

    def _generate(self, split: str, trials: int, say: Callable[[str], None]) -> int:
        from trunkline.rollout.touch.generate import generate

        config = self.config
        seed = config.data_seed + _SPLIT_SEEDS[split]
        return generate(
            self.plan.data,
            split,
            trials,
            config.sensors,
            seed=seed,
            chunk=config.chunk,
            image_size=config.image_size,
            say=say,
        )

    def _evaluate(self) -> int:
        from trunkline.rollout.touch.matrix import Evaluation
        from trunkline.rollout.touch.picture import draw_contacts

        draw_contacts(self.plan.data, self.plan.sensors, self.folder / "contacts.png")
        return Evaluation(self.plan).run(self.folder / "cells.parquet")
