"""How well an agent does each task with each sensor; no Ray.

Legend: N samples, B batch.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from trunkline.agents.agent import Agent
from trunkline.data.fota.dataset import FotaDataset
from trunkline.data.fota.faults import Tolerance
from trunkline.data.fota.stream import FotaStream
from trunkline.errors import InputError, unknown
from trunkline.pretrain.touch.batch import TouchTensors
from trunkline.pretrain.touch.corpus import CONTACT_FIELD, TRIAL_FIELDS, has_fields
from trunkline.pretrain.touch.labelled import LabelledTask, touch_tokens
from trunkline.pretrain.touch.metrics import Metrics
from trunkline.pretrain.touch.task import TouchTask, make_tasks


@dataclass(frozen=True, eq=False)
class Cell:
    """Predictions of one task from one sensor's touches.

    Attributes:
        sensor: whose touches.
        task: its name.
        how: the task itself, which knows its metric.
        predicted: (N, …).
        target: (N, …).
        groups: (N,) numbers of the trials; samples of one trial are not independent, so resample trials.
    """

    sensor: str
    task: str
    how: LabelledTask
    predicted: np.ndarray
    target: np.ndarray
    groups: np.ndarray

    def measure(self, rows: np.ndarray | None = None) -> Metrics:
        """The metric of all samples, or of some (repeated ones count as often): a bootstrap's draws."""
        if rows is None:
            return self.how.measure(self.predicted, self.target)
        return self.how.measure(self.predicted[rows], self.target[rows])

    def resample(self, count: int, seed: int = 0) -> np.ndarray:
        """The main metric (count,) of bootstrap draws over trials (Efron, 1979)."""
        order = np.argsort(self.groups, kind="stable")
        members = np.split(order, np.cumsum(np.bincount(self.groups))[:-1])
        generator = np.random.default_rng(seed)
        draws = generator.integers(len(members), size=(count, len(members)))
        return np.array([self.measure(np.concatenate([members[i] for i in draw])).value for draw in draws])

    def row(self) -> dict[str, Any]:
        """The cell as a row of a table: sensor, task, metric, value, chance, n, trials, and the other metrics."""
        measured = self.measure()
        return {
            "sensor": self.sensor,
            "task": self.task,
            "metric": measured.name,
            "value": measured.value,
            "chance": measured.chance,
            "n": len(self.target),
            "trials": len(np.unique(self.groups)),
            **{f"{self.task}/{name}": value for name, value in measured.others.items()},
        }


def evaluate_touch(
    agent: Agent,
    datasets: Iterable[FotaDataset],
    tasks: Iterable[str] | Mapping[str, TouchTask],
    *,
    batch_size: int = 256,
    limit: int | None = None,
    through: str | None = None,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """A row for each sensor and task, see `Cell.row` and `evaluate_cells`."""
    cells = evaluate_cells(agent, datasets, tasks, batch_size=batch_size, limit=limit, through=through, seed=seed)
    return [cell.row() for cell in cells]


def evaluate_cells(
    agent: Agent,
    datasets: Iterable[FotaDataset],
    tasks: Iterable[str] | Mapping[str, TouchTask],
    *,
    batch_size: int = 256,
    limit: int | None = None,
    through: str | None = None,
    seed: int = 0,
    tolerance: Tolerance | None = None,
) -> list[Cell]:
    """What an agent says of every sample, for each sensor and task that its data set has labels for.

    Args:
        agent: with a head of each task's name; left in evaluation mode.
        datasets: splits of data sets; those of one sensor count together.
        tasks: names, or tasks by name.
        batch_size: samples in one forward pass.
        limit: samples of each data set; None for all. Those taken do not depend on the agent.
        through: read every data set's touches with this sensor's encoder, as they are: the nearest sensor's model
            applied to another sensor. None for each one's own.
        seed: of the choice of samples and of pairs of touches.
        tolerance: how many bad samples are skipped.

    Raises:
        InputError: an unknown task, or an encoder or a head that the agent lacks.
    """
    made = tasks if isinstance(tasks, Mapping) else make_tasks(list(tasks))
    labelled = {name: task for name, task in made.items() if isinstance(task, LabelledTask)}
    sensors: dict[str, list[FotaDataset]] = {}
    for dataset in datasets:
        sensors.setdefault(dataset.sensor.name, []).append(dataset)
    training = agent.training
    agent.eval()
    cells = []
    try:
        for sensor, sets in sensors.items():
            encoder = through or sensor
            if encoder not in agent.encoders:
                raise unknown("sensor of the agent", encoder, agent.encoders)
            # Tasks that look at the same touches share one pass over them.
            groups: dict[tuple[bool, tuple[int, ...]], dict[str, LabelledTask]] = {}
            for name, task in labelled.items():
                having = tuple(i for i, dataset in enumerate(sets) if has_fields(dataset, task.fields))
                if having and name not in agent.heads:
                    raise unknown("head of the agent", name, agent.heads)
                if having:
                    groups.setdefault((task.two_touches, having), {})[name] = task
            found: dict[str, Cell] = {}
            for (_, having), group in groups.items():
                chosen = [sets[i] for i in having]
                found |= _evaluate_group(agent, chosen, encoder, group, batch_size, limit, seed, tolerance)
            cells += [found[name] for name in labelled if name in found]
    finally:
        agent.train(training)
    if not cells:
        raise InputError("nothing was evaluated: no data set has labels for these tasks")
    return cells


@torch.inference_mode()
def _evaluate_group(
    agent: Agent,
    datasets: Sequence[FotaDataset],
    encoder: str,
    tasks: Mapping[str, LabelledTask],
    batch_size: int,
    limit: int | None,
    seed: int,
    tolerance: Tolerance | None,
) -> dict[str, Cell]:
    """Tasks on the same touches of one sensor, all of single touches or all of pairs."""
    paired = next(iter(tasks.values())).two_touches
    fields = [field for task in tasks.values() for field in task.fields]
    fields += [f for f in (CONTACT_FIELD, *TRIAL_FIELDS) if all(has_fields(d, [f]) for d in datasets)]
    stream = FotaStream(
        datasets,
        batch_size,
        fields=list(dict.fromkeys(fields)),
        pairs=paired,
        shuffle=limit is not None or paired,
        seed=seed,
        epochs=1,
        workers=0,
        tolerance=tolerance,
    )
    parts: dict[str, list[tuple[np.ndarray, np.ndarray, np.ndarray]]] = {name: [] for name in tasks}
    left = {name: limit for name in tasks}
    try:
        for number, batch in enumerate(stream):
            second = None if batch.second is None else torch.from_numpy(batch.second[0])
            touches = TouchTensors(encoder, torch.from_numpy(batch.readings), (), second).to(agent.device)
            tokens = touch_tokens(agent, touches)
            trials = _trial_keys(batch.fields, number)
            for name, task in tasks.items():
                target, valid = task.target(batch.fields, None if batch.second is None else batch.second[1])
                rows = np.flatnonzero(valid)[: left[name]]
                if not len(rows):
                    continue
                of_rows = [t[torch.from_numpy(rows).to(agent.device)] for t in tokens]
                output = task.output(agent, name, encoder, of_rows)
                wanted = torch.from_numpy(target[rows]).to(agent.device)
                predicted, compared = task.answers(task.module(agent, name), output, wanted)
                parts[name].append((predicted.cpu().numpy(), compared.cpu().numpy(), trials[rows]))
                if limit is not None:
                    left[name] = limit - sum(len(part[2]) for part in parts[name])
            if limit is not None and not any(left.values()):
                break
    finally:
        stream.close()
    return {
        name: _cell(datasets[0].sensor.name, name, tasks[name], of_task) for name, of_task in parts.items() if of_task
    }


def _cell(
    sensor: str, name: str, task: LabelledTask, parts: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]]
) -> Cell:
    predicted, wanted, groups = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    _, numbers = np.unique(groups, axis=0, return_inverse=True)
    return Cell(sensor, name, task, predicted, wanted, numbers.reshape(-1))


def _trial_keys(fields: Mapping[str, np.ndarray], batch: int) -> np.ndarray:
    """(B, 2) the same for touches of one trial; without trials each touch is its own."""
    rows = len(next(iter(fields.values())))
    if "trial_idx" not in fields:
        return np.stack([np.full(rows, batch), np.arange(rows)], 1)
    return np.stack([np.asarray(fields.get("obj_idx", np.zeros(rows, np.int64))), np.asarray(fields["trial_idx"])], 1)
