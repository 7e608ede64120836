"""The zero-shot matrix: every arm's score in every cell (sensor, task)."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from trunkline.agents.agent import Agent
from trunkline.agents.checkpoint import load_agent
from trunkline.data.fota.dataset import FotaDataset
from trunkline.pretrain.touch.corpus import open_touch_data
from trunkline.pretrain.touch.evaluate import Cell, evaluate_cells
from trunkline.rollout.touch.cells import cell_row, write_cells
from trunkline.rollout.touch.training import Plan

_CHOICE_SAMPLES = 256  # of the validation split, by which the nearest sensor is chosen


class Evaluation:
    """Evaluates the models of a plan on the test split.

    Args:
        plan: whose models have been trained.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.config = plan.config
        self._test = open_touch_data(plan.data, "test", plan.sensors).datasets
        self._validation = open_touch_data(plan.data, "val", plan.sensors).datasets
        self._agents: dict[str, Agent] = {}

    def run(self, path: Path) -> int:
        """Measure every arm and write the cells; the number of test samples that were read."""
        rows = [row for seed in self.config.seeds for row in self._rows(seed)]
        write_cells(path, rows)
        return sum(row["samples"] for row in rows)

    def _rows(self, seed: int) -> Iterator[dict[str, Any]]:
        for arm in ("upper", "transfer"):
            if arm in self.config.arms:
                agent = self._agent(arm, seed)
                for sensor in self.plan.sensors:
                    for cell in self._measure(agent, sensor, self.config.tasks):
                        yield self._row(arm, seed, cell, sensor)
        if "single" in self.config.arms:
            for sensor in self.plan.sensors:
                for task in self.config.tasks:
                    if self.config.held_out(sensor, task):
                        yield from self._baselines(sensor, task, seed)

    def _baselines(self, sensor: str, task: str, seed: int) -> Iterator[dict[str, Any]]:
        """What single-sensor models make of a withheld pair."""
        donors = [
            other
            for other in self.plan.alone
            if not self.config.held_out(other, task) and self._shape(other) == self._shape(sensor)
        ]
        if not donors:
            return
        # The nearest sensor is the one whose model does best on this very cell, in validation: a baseline that knows
        # more than the zero-shot model does.
        best = max(donors, key=lambda other: self._choice(other, sensor, task, seed))
        for cell in self._measure(self._single(best, seed), sensor, [task], through=best):
            yield self._row("nearest", seed, cell, best)
        if sensor in self.plan.alone:
            agent = copy.deepcopy(self._single(sensor, seed))
            agent.add_head(task, copy.deepcopy(self._single(best, seed).heads[task]))
            for cell in self._measure(agent, sensor, [task]):
                yield self._row("unshared", seed, cell, sensor)

    def _choice(self, donor: str, sensor: str, task: str, seed: int) -> float:
        sets = self._validation[sensor]
        found = evaluate_cells(self._single(donor, seed), sets, [task], limit=_CHOICE_SAMPLES, through=donor)
        return float(found[0].measure().value) if found else float("-inf")

    def _measure(self, agent: Agent, sensor: str, tasks: Any, through: str | None = None) -> list[Cell]:
        sets: tuple[FotaDataset, ...] = self._test[sensor]
        return evaluate_cells(agent, sets, list(tasks), limit=self.config.limit or None, through=through)

    def _row(self, arm: str, seed: int, cell: Cell, through: str) -> dict[str, Any]:
        held_out = self.config.held_out(cell.sensor, cell.task)
        return cell_row(cell, arm, seed, through, held_out=held_out, resamples=self.config.resamples)

    def _shape(self, sensor: str) -> tuple[int, ...]:
        return self._test[sensor][0].sensor.shape

    def _single(self, sensor: str, seed: int) -> Agent:
        return self._agent(f"single/{sensor}", seed)

    def _agent(self, arm: str, seed: int) -> Agent:
        place = str(self.plan.place(arm, seed))
        if place not in self._agents:
            agent = load_agent(place)
            self._agents[place] = agent.to("cuda" if torch.cuda.is_available() else "cpu")
        return self._agents[place]
