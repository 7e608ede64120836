"""The contract of a touch task, and tasks by name.

Legend: B batch, C classes, K numbers of a target.

A task is one file with one class, a declaration of what is learned from which label fields; a plug-in publishes it
under the entry-point group `trunkline.touch_tasks`:

    @touch_task("wear")
    @dataclass(frozen=True)
    class Wear(Classification):
        field: str = "wear_grade"

Its kind (`kinds.Classification`, `Binary`, `Ordinal`, `Regression`, `Mask`, `pose.PoseChange`) brings the head, the
loss and the metric.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from torch import Tensor

from trunkline import schema
from trunkline.agents.agent import Agent
from trunkline.errors import InputError
from trunkline.pretrain.touch.batch import Ask, TouchTensors
from trunkline.registry import Registry

Fields = Mapping[str, np.ndarray]

_TASKS = Registry("touch task", "trunkline.touch_tasks", "trunkline.pretrain.touch.tasks")


class TouchTask(ABC):
    """What is learned from one touch or two, a dataclass of its options; what it learns lives in the agent's heads.

    Attributes:
        two_touches: it compares two touches of one trial.
        labelled: it learns from labels, which "*" in `hold_out` withholds.
    """

    two_touches: ClassVar[bool] = False
    labelled: ClassVar[bool] = True

    @property
    @abstractmethod
    def fields(self) -> tuple[str, ...]:
        """The label fields that it reads; a data set without them does not have this task."""

    @property
    def fitted(self) -> bool:
        """Whether it knows all that its head must know, without a look at the labels."""
        return True

    def fit(self, labels: Sequence[Fields]) -> "TouchTask":
        """This task with what its head must know of all training labels, e.g. how many classes there are.

        Args:
            labels: its fields and those of trials and contacts, of each data set that has them, over all samples.
        """
        return self

    @abstractmethod
    def make_heads(self, agent: Agent, name: str, sensors: Iterable[str]) -> None:
        """Add the heads that an agent lacks to do this task, called `name`, with these sensors."""

    def check_head(self, agent: Agent, name: str) -> None:  # noqa: B027  (a task without labels suits every head)
        """See that the agent's head, which came from a checkpoint, suits this task.

        Raises:
            InputError: it does not.
        """

    @abstractmethod
    def target(self, fields: Fields, second: Fields | None) -> tuple[np.ndarray, np.ndarray] | None:
        """Labels to targets (B, …) and which rows have one, (B,) bool; None if it needs none."""

    @abstractmethod
    def loss(self, agent: Agent, ask: Ask, batch: TouchTensors) -> dict[str, Tensor]:
        """Scalars of a batch that asks for this task alone: "loss" is minimised, the others are diagnostics."""


def touch_task(name: str) -> Callable[[type[TouchTask]], type[TouchTask]]:
    """Register a TouchTask class: `@touch_task("slip")`."""
    return _TASKS.register(name)


def names() -> list[str]:
    """Names of all touch tasks, built in and plugged in."""
    return _TASKS.names()


def make_tasks(tasks: Sequence[str], options: Mapping[str, Mapping[str, Any]] | None = None) -> dict[str, TouchTask]:
    """Tasks by name.

    Args:
        tasks: names.
        options: by name; {"task": registered name, …} for a task with a name of its own.

    Raises:
        InputError: an unknown task or option (with the nearest match), or a value it does not take.
    """
    made: dict[str, TouchTask] = {}
    for name in tasks:
        given = dict((options or {}).get(name, {}))
        cls: type[TouchTask] = _TASKS.get(str(given.pop("task", name)))
        made[name] = schema.build(cls, given, f"task_options.{name}")
    if not made:
        raise InputError(f"tasks=[] names no task; known: {', '.join(names())}")
    return made


def trials(fields: Fields) -> np.ndarray:
    """A number (N,) for each touch that is the same within a trial; each touch its own where no label says."""
    names = [name for name in ("obj_idx", "trial_idx") if name in fields]
    if "trial_idx" not in names:
        return np.arange(len(next(iter(fields.values()))))
    _, numbers = np.unique(np.stack([np.asarray(fields[name]) for name in names]), axis=1, return_inverse=True)
    return numbers.reshape(-1)
