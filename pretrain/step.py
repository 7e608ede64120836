"""One optimisation step, without Ray: an agent, an objective, an optimiser and a batch."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from trunkline.agents.agent import Agent
from trunkline.pretrain.batch import StepBatch, TensorBatch
from trunkline.pretrain.combine import Combiner
from trunkline.pretrain.optimiser import Optimiser
from trunkline.pretrain.precision import bfloat16
from trunkline.pretrain.workload import Loss


class Losses(nn.Module):
    """The agent's losses over a step's batches, as one module, so that data-parallel wrappers see one forward pass."""

    def __init__(self, agent: Agent, objective: Loss) -> None:
        super().__init__()
        self.agent = agent
        self.objective = objective

    def forward(self, batches: Sequence[StepBatch]) -> dict[str, Tensor]:
        """ "loss", the weighted sum over batches, and "<label>/<name>" for each scalar of the objective."""
        scalars: dict[str, Tensor] = {}
        total: Tensor | float = 0.0
        for batch in batches:
            of_batch = self.objective(self.agent, batch)
            total = total + batch.share * of_batch["loss"]
            for name, value in of_batch.items():
                scalars[f"{batch.label}/{name}"] = value.detach()
        assert isinstance(total, Tensor)
        return {"loss": total, **scalars}


class Trainer:
    """Makes updates; two trainers with equal arguments and state make bit-identical ones on a CPU.

    Random numbers (dropout) are drawn from a generator seeded by (seed, worker, step), so the step is all there is
    to save of them.

    Args:
        agent: what learns; moved to `device`.
        objective: what it learns; its heads must have been built.
        optimiser: over the agent's parameters, made after the agent was moved to `device`.
        device: where.
        seed: of dropout and sensor dropout.
        rank: of this worker among data-parallel ones.
        distributed: average the gradients over the default process group.
        bf16: run the forward pass in bfloat16 where that is safe (CUDA's autocast).
        compile: compile the forward and backward pass.
        sensor_dropout: probability that a sensor is missing from a body's batch; at least one stays.
        combiner: how the batches' gradients make that of the trunk; None for the gradient of the weighted sum.
    """

    def __init__(
        self,
        agent: Agent,
        objective: Loss,
        optimiser: Optimiser,
        *,
        device: torch.device,
        seed: int = 0,
        rank: int = 0,
        distributed: bool = False,
        bf16: bool = False,
        compile: bool = False,
        sensor_dropout: float = 0.0,
        combiner: Combiner | None = None,
    ) -> None:
        self.agent, self.objective, self.optimiser = agent, objective, optimiser
        self.device = device
        self.step = 0
        self._key = (seed, rank)
        self._bf16 = bf16
        self._sensor_dropout = sensor_dropout
        self._combiner = combiner
        self._plain = Losses(agent, objective)
        self._losses: nn.Module = self._plain
        if distributed and combiner is None:
            # Sensor dropout and drawn tasks leave some parameters without a gradient in some steps.
            self._losses = nn.parallel.DistributedDataParallel(
                self._losses, find_unused_parameters=True, gradient_as_bucket_view=True, broadcast_buffers=False
            )
        if compile and combiner is None:
            self._losses.compile(dynamic=False)

    def update(self, batches: Sequence[StepBatch]) -> dict[str, Tensor]:
        """Make one update.

        Args:
            batches: of the step, one per body; see `batch.merge`.

        Returns:
            Detached scalars: "loss", "grad_norm" (before clipping), and the objective's by body.
        """
        scalars = self.gradients(batches)
        norm = self.optimiser.update(self.step)
        self.step += 1
        return {**scalars, "grad_norm": norm}

    def gradients(self, batches: Sequence[StepBatch]) -> dict[str, Tensor]:
        """The first half of `update`: leave the gradients with the parameters; its scalars."""
        generator = self._reseed()
        if not self.agent.training:
            self.agent.train()
        self.optimiser.thaw(self.step)
        batches = [self._drop_sensors(batch.to(self.device), generator) for batch in batches]
        self.optimiser.zero_grad()
        if self._combiner is not None:
            return self._combined(self._combiner, batches)
        with self._autocast():
            scalars = self._losses(batches)
        scalars["loss"].backward()
        return {**scalars, "loss": scalars["loss"].detach()}

    def _combined(self, combiner: Combiner, batches: Sequence[StepBatch]) -> dict[str, Tensor]:
        """One backward pass a batch, so that only one batch's activations are there at a time."""
        scalars: dict[str, Tensor] = {}
        for batch in batches:
            with self._autocast():
                of_batch = self._plain([batch])
            combiner.add(of_batch["loss"])
            total = scalars.get("loss", 0.0) + of_batch["loss"].detach()
            scalars |= {**of_batch, "loss": total}
        combiner.leave_gradients(seed=self._key[0] + self.step)
        return scalars

    @torch.no_grad()
    def evaluate(self, batches: Sequence[StepBatch]) -> dict[str, Tensor]:
        """The same scalars over held-out batches, dropout off, nothing learned."""
        self.agent.eval()
        with self._autocast():
            scalars: dict[str, Tensor] = self._plain([batch.to(self.device) for batch in batches])
        return scalars

    def state_dict(self) -> dict[str, Any]:
        """What an exact resume needs beside the weights: {"step": int, "optimiser": tensors by moment and name}."""
        return {"step": self.step, "optimiser": self.optimiser.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from `state_dict`; the agent's weights are loaded by whoever saved them.

        Raises:
            InputError: it is the state of other parameters.
        """
        self.optimiser.load_state_dict(state["optimiser"])
        self.step = int(state["step"])

    def _reseed(self) -> np.random.Generator:
        sequence = np.random.SeedSequence([*self._key, self.step])
        seed = int(sequence.generate_state(1, np.uint64)[0] >> 1)
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would also queue a call for CUDA, every step
        if self.device.type == "cuda":
            torch.cuda.manual_seed(seed)
        # Sensor dropout does not follow the rank: workers with less to compute would only wait for the others.
        return np.random.default_rng([self._key[0], self.step])

    def _drop_sensors(self, batch: StepBatch, generator: np.random.Generator) -> StepBatch:
        if not self._sensor_dropout or not isinstance(batch, TensorBatch) or len(batch.observations) < 2:
            return batch
        names = sorted(name for name in batch.observations if name in self.agent.encoders)  # labels are no inputs
        dropped = generator.random(len(names)) < self._sensor_dropout
        dropped[generator.integers(len(names))] = False
        return batch.without([name for name, out in zip(names, dropped, strict=True) if out])

    def _autocast(self) -> AbstractContextManager[Any]:
        return bfloat16(self.device) if self._bf16 else nullcontext()


def why_not_finite(step: int, scalars: Mapping[str, Tensor], batches: Sequence[StepBatch], fault: str) -> str:
    """What to say when the loss or the gradient is not finite: the step, the task, and the reading if one is to blame.

    Args:
        step: the update that gave the scalars, from 1.
        scalars: of `Trainer.update`.
        batches: of that update.
        fault: what is wrong with the data, see `TensorBatch.first_non_finite`; "" if nothing.
    """
    what = "loss" if not bool(torch.isfinite(scalars["loss"])) else "grad_norm"
    culprits = [b for b in batches if not bool(torch.isfinite(scalars[f"{b.label}/loss"]))] or list(batches)
    tasks = ", ".join(dict.fromkeys(task for batch in culprits for task in batch.tasks))
    diverged = "training diverged; start again with a lower lr or clip"
    remedy = f"{fault}; repair or leave out that data" if fault else diverged
    return f"{what} is {float(scalars[what])} at step {step}, on a batch of {tasks}: {remedy}"
