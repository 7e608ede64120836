"""The objective of touch: each batch is of one task, which knows its loss."""

from collections.abc import Mapping

from torch import Tensor

from trunkline.agents.agent import Agent
from trunkline.pretrain.touch.alignment import Alignment
from trunkline.pretrain.touch.batch import TouchTensors
from trunkline.pretrain.touch.labelled import LabelledTask, touch_tokens
from trunkline.pretrain.touch.task import TouchTask


class TouchObjective:
    """The losses of touch tasks, and that of alignment.

    Args:
        tasks: by name; the agent's head of a task has the same name.
        alignment: of sensors that feel the same contact.
    """

    def __init__(self, tasks: Mapping[str, TouchTask], alignment: Alignment) -> None:
        self.tasks = dict(tasks)
        self.alignment = alignment

    def build(self, agent: Agent) -> None:
        """Add the heads that the agent lacks."""
        for name, task in self.tasks.items():
            task.make_heads(agent, name, agent.encoders)

    def check(self, agent: Agent) -> None:
        """See that heads which came from elsewhere suit the tasks.

        Raises:
            InputError: one does not.
        """
        for name, task in self.tasks.items():
            task.check_head(agent, name)

    def __call__(self, agent: Agent, batch: TouchTensors) -> dict[str, Tensor]:
        """ "loss" and diagnostics; of several tasks the weighted sum, and each one's as "<task>/loss"."""
        if batch.other is not None:
            return self.alignment(agent, batch)
        if len(batch.asks) == 1:
            return self.tasks[batch.asks[0].task].loss(agent, batch.asks[0], batch)
        tokens = touch_tokens(agent, batch)
        scalars: dict[str, Tensor] = {}
        total: Tensor | float = 0.0
        for ask in batch.asks:
            task = self.tasks[ask.task]
            assert isinstance(task, LabelledTask), "tasks that share a forward pass have heads on its tokens"
            loss = task.loss_of(agent, ask, batch, tokens)
            scalars[f"{ask.task}/loss"] = loss
            total = total + ask.weight * loss
        assert isinstance(total, Tensor)
        return {"loss": total, **scalars}
