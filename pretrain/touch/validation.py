"""What a touch run measures on held-out data: each task's metric and loss, sensor by sensor."""

import numpy as np

from trunkline.pretrain.step import Trainer
from trunkline.pretrain.touch.config import TouchPretrainConfig
from trunkline.pretrain.touch.corpus import open_touch_data
from trunkline.pretrain.touch.evaluate import evaluate_cells
from trunkline.pretrain.touch.objective import TouchObjective


class TouchValidation:
    """Measures the same held-out samples each time, also those of pairs that are not learned from.

    Args:
        config: of the run; `validation_data` is set.
        trainer: whose agent is measured.

    Raises:
        InputError: no data there, or a sensor of another form than the agent's.
    """

    def __init__(self, config: TouchPretrainConfig, trainer: Trainer) -> None:
        assert config.validation_data is not None and isinstance(trainer.objective, TouchObjective)
        self._agent, self._objective = trainer.agent, trainer.objective
        self._batch_size, self._limit = config.batch_size, config.batch_size * config.validation_batches
        self._tolerance = config.tolerance
        corpus = open_touch_data(config.validation_data, config.validation_split)
        self._datasets = [d for name, sets in corpus.datasets.items() for d in sets if name in self._agent.encoders]

    def close(self) -> None:
        """Nothing is held."""

    def measure(self) -> dict[str, float]:
        """ "validation/<sensor>/<task>" of each pair, and "validation/<task>", their mean."""
        cells = evaluate_cells(
            self._agent,
            self._datasets,
            self._objective.tasks,
            batch_size=self._batch_size,
            limit=self._limit,
            tolerance=self._tolerance,
        )
        of_task: dict[str, list[float]] = {}
        values: dict[str, float] = {}
        for cell in cells:
            value = cell.measure().value
            values[f"validation/{cell.sensor}/{cell.task}"] = value
            of_task.setdefault(cell.task, []).append(value)
        return {f"validation/{task}": float(np.mean(found)) for task, found in of_task.items()} | values
