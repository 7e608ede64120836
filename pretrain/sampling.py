"""Which tasks a step learns from.

The mixture that is learned is L = Σ_t w_t · L_t over tasks t, whatever the mode: a step's sub-batches are either all
tasks, each loss weighted by w_t, or draws from w with equal weights, whose expectation is the same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast, get_args

import numpy as np

from trunkline.data.stream import Batch, FrameStream
from trunkline.errors import InputError, unknown
from trunkline.pretrain.config import Mode

Weights = str | Mapping[str, float]

BALANCES = {"uniform": 0.0, "sqrt": 0.5, "proportional": 1.0}


@dataclass(frozen=True)
class TaskSource:
    """The recorded frames of one task.

    Attributes:
        task: "family/task".
        frames: how many there are.
        stream: where batches of them come from, without end.
    """

    task: str
    frames: int
    stream: FrameStream


def task_weights(tasks: Sequence[str], frames: Sequence[int], weights: Weights) -> np.ndarray:
    """How much each task counts, adding up to 1.

    Args:
        tasks: names, one per source; sources of the same task (by several bodies) each get that task's weight.
        frames: sizes, one per source.
        weights: "uniform", "sqrt" (∝ √frames), "proportional" (∝ frames), or a number per task.

    Raises:
        InputError: an unknown balance or task (with the nearest match), a task without a weight, a weight that is
            negative or not finite, or weights that are all zero.
    """
    if isinstance(weights, str):
        if weights not in BALANCES:
            raise unknown("task weights", weights, BALANCES)
        values = np.asarray(frames, np.float64) ** BALANCES[weights]
    else:
        for name, value in weights.items():
            if name not in tasks:
                raise unknown("task in task weights", name, set(tasks))
            if not (np.isfinite(value) and value >= 0):
                raise InputError(f"the weight of task {name!r} is {value}; it must be finite and at least 0")
        missing = sorted(set(tasks) - set(weights))
        if missing:
            raise InputError(f"task {missing[0]!r} has no weight; give every task one, 0 to leave it out")
        values = np.array([weights[task] for task in tasks], np.float64)
    if not values.sum() > 0:
        raise InputError("the task weights are all 0; at least one task must count")
    return cast(np.ndarray, values / values.sum())


class MultiTaskSampler:
    """The sub-batches of each step, by task; the same seed gives the same sequence, and it resumes exactly.

    Args:
        sources: one per (body, task).
        mode: "mixed": a step holds several tasks; "single": one task a step, drawn by weight.
        weights: see `task_weights`.
        tasks_per_step: in mixed mode, how many tasks a step draws by weight (with replacement); 0 for all of them
            every step, each one's loss weighted.
        seed: of the draws; the same on every worker, so that all of them are at the same task.

    Raises:
        InputError: no sources, an unknown mode, or weights as in `task_weights`.
    """

    def __init__(
        self,
        sources: Sequence[TaskSource],
        mode: Mode = "mixed",
        weights: Weights = "uniform",
        tasks_per_step: int = 0,
        seed: int = 0,
    ) -> None:
        if mode not in get_args(Mode):
            raise unknown("sampling mode", mode, get_args(Mode))
        if not sources:
            raise InputError("there is no task to sample from")
        self.mode = mode
        self.seed = seed
        every = task_weights([s.task for s in sources], [s.frames for s in sources], weights)
        counted = np.flatnonzero(every > 0).tolist()
        self.sources = [sources[i] for i in counted]
        self.weights = every[counted]
        self._draws = 1 if mode == "single" else tasks_per_step
        self._step = 0

    def next(self) -> list[tuple[Batch, float]]:
        """The sub-batches of the next step, and the weight of each one's mean loss; the weights add up to 1."""
        chosen, weights = self._choose()
        self._step += 1
        return [(next(self.sources[i].stream), float(w)) for i, w in zip(chosen, weights, strict=True)]

    def _choose(self) -> tuple[np.ndarray, np.ndarray]:
        count = len(self.sources)
        if not self._draws:
            return np.arange(count), self.weights
        # A generator a step, so that the position in the sequence is one number.
        generator = np.random.default_rng([self.seed, self._step])
        chosen = generator.choice(count, self._draws, p=self.weights)
        return chosen, np.full(self._draws, 1 / self._draws)

    def state_dict(self) -> dict[str, Any]:
        """Where it is, as a JSON value."""
        return {"step": self._step, "streams": [source.stream.state_dict() for source in self.sources]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from where `state_dict` was taken.

        Raises:
            InputError: it is the state of a sampler over another number of tasks.
        """
        if len(state["streams"]) != len(self.sources):
            raise InputError(
                f"the sampler's state is of {len(state['streams'])} tasks, the data now has {len(self.sources)}; "
                "resume on the data the run began with"
            )
        self._step = int(state["step"])
        for source, stream in zip(self.sources, state["streams"], strict=True):
            source.stream.load_state_dict(stream)

    def close(self) -> None:
        """Let go of the streams' buffers and threads."""
        for source in self.sources:
            source.stream.close()
