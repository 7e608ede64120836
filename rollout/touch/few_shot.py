"""Few-shot: how fast a sensor that was never seen is learned, with the pretrained trunk and heads and without.

`touch/few_shot.parquet` has the columns of `cells.parquet`, and `learned`: samples of the new sensor that a model
learned from.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from trunkline.agents.checkpoint import load_agent
from trunkline.envs.tactile.sensor import load_touch_sensor
from trunkline.pretrain.touch.corpus import open_touch_data
from trunkline.pretrain.touch.evaluate import evaluate_cells
from trunkline.rollout.touch.cells import SCHEMA, cell_row, write_cells
from trunkline.rollout.touch.generate import generate
from trunkline.rollout.touch.training import Plan, Runs

ARMS = {"pretrained": "Pretrained trunk and heads", "scratch": "From scratch"}
FEW_SHOT_SCHEMA = SCHEMA.append(pa.field("learned", pa.int64()))
_SEEDS = {"train": 3, "test": 4}  # of draws that must not coincide with the benchmark's own


class FewShot:
    """The few-shot curves of a plan, whose arm "transfer" has been trained.

    Args:
        plan: of the benchmark; its configuration's `few_shot` is not None.
    """

    def __init__(self, plan: Plan) -> None:
        assert plan.config.few_shot is not None
        self.plan, self.config = plan, plan.config.few_shot
        self.sensor = load_touch_sensor(self.config.sensor).name
        self.folder = plan.folder / "few_shot"
        _ = self.runs  # says at once what is wrong

    def generate(self, say: Callable[[str], None]) -> int:
        """Data sets of the new sensor: one a point of the curve, each a part of the next, and one for tests."""
        config = self.plan.config
        sets = [(str(trials), "train", trials) for trials in self.config.trials]
        return sum(
            generate(
                self._data(name),
                split,
                trials,
                [self.config.sensor],
                seed=config.data_seed + _SEEDS[split],
                chunk=config.chunk,
                image_size=config.image_size,
                say=say,
            )
            for name, split, trials in [*sets, ("test", "test", config.trials["test"])]
        )

    @property
    def runs(self) -> Runs:
        """The training runs, by arm, trials and seed."""
        tasks = self.plan.possible(self.sensor)
        found: Runs = {}
        for seed in self.plan.config.seeds:
            starts = {"pretrained": {"init_from": str(self.plan.place("transfer", seed))}, "scratch": {}}
            for trials in self.config.trials:
                for arm, start in starts.items():
                    name = f"few_shot/{arm}/{trials}"
                    run, place = self.plan.run(name, seed, self.config.options, tasks=tasks, **start)
                    found[f"{name}, seed {seed},"] = replace(run, data=str(self._data(str(trials)))), place
        return found

    def evaluate(self) -> int:
        """Measure all models on the test trials; samples read."""
        rows = [row for seed in self.plan.config.seeds for row in self._rows(seed)]
        write_cells(self.plan.folder / "few_shot.parquet", rows, FEW_SHOT_SCHEMA)
        return sum(row["samples"] for row in rows)

    def _rows(self, seed: int) -> Iterator[dict[str, Any]]:
        test = open_touch_data(self._data("test"), "test", [self.sensor]).datasets[self.sensor]
        limit = self.plan.config.limit or None
        for trials in self.config.trials:
            learned = sum(map(len, open_touch_data(self._data(str(trials)), "train").datasets[self.sensor]))
            for arm in ARMS:
                agent = load_agent(self.plan.place(f"few_shot/{arm}/{trials}", seed))
                for cell in evaluate_cells(agent, test, self.plan.possible(self.sensor), limit=limit):
                    row = cell_row(cell, arm, seed, self.sensor, resamples=self.plan.config.resamples)
                    yield row | {"learned": learned}

    def _data(self, name: str) -> Path:
        return self.folder / "data" / name
