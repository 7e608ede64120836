"""The loop of a run, the same for one process and for each of many workers; no Ray."""

import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path

import torch
from torch import Tensor

from trunkline.agents.checkpoint import load_into, load_training, save_agent
from trunkline.agents.threads import threads_for, torch_threads
from trunkline.data.metrics import MetricsLog
from trunkline.envs.spec import ActionSpec
from trunkline.errors import InputError
from trunkline.pretrain.batch import StepBatch
from trunkline.pretrain.blocks import compile_blocks, recompute_blocks
from trunkline.pretrain.combine import TrunkCombiner
from trunkline.pretrain.config import PretrainConfig, TrainingConfig
from trunkline.pretrain.optimiser import Optimiser
from trunkline.pretrain.prefetch import prefetched
from trunkline.pretrain.setup import open_trajectories
from trunkline.pretrain.step import Trainer, why_not_finite
from trunkline.pretrain.touch.config import TouchPretrainConfig
from trunkline.pretrain.touch.setup import open_touch
from trunkline.pretrain.workers import Workers
from trunkline.pretrain.workload import Sampler, Workload
from trunkline.run_folder import RunFolder

Progress = Callable[[int, Mapping[str, float]], None]


class Diverged(InputError):
    """A loss or a gradient that is not finite; all workers raise it at the same step."""


class Run:
    """A run in this process: everything built, the latest checkpoint loaded.

    Between two checkpoints batches are read ahead in a thread; at a checkpoint nothing is in flight, so what is saved
    (weights, moments, step, each worker's position in the data) is all there is to a run.

    Args:
        config: of the run; `folder` has been claimed for it.
        folder: of the run.
        workers: this process among those that train together.

    Raises:
        InputError: as in `train.pretrain`.
    """

    def __init__(self, config: TrainingConfig, folder: str | Path, workers: Workers) -> None:
        self.config, self.workers = config, workers
        self.folder = RunFolder(folder)
        with torch_threads(1):  # initial weights are the same wherever they are drawn
            workload = open_workload(config, workers)
        self._collate, self._average = workload.collate, workload.average_scalars
        self.sampler: Sampler = workload.sampler
        self.agent = workload.agent
        self.agent.to(workers.device)
        optimiser = Optimiser(
            self.agent,
            lr=config.lr,
            steps=config.steps,
            warmup=config.warmup,
            lr_floor=config.lr_floor,
            weight_decay=config.weight_decay,
            clip=config.clip,
            freeze=config.freeze,
            unfreeze=config.unfreeze,
            lr_multipliers=config.lr_multipliers,
        )
        latest = self.folder.latest()
        if latest is not None:
            load_into(self.agent, latest[1])
        distributed = workers.count > 1
        aggregator = workload.aggregator
        if config.checkpointing:
            recompute_blocks(self.agent)
        if config.compile and workload.by_block:
            compile_blocks(self.agent)
        self.trainer = Trainer(
            self.agent,
            workload.objective,
            optimiser,
            device=workers.device,
            seed=config.seed,
            rank=workers.rank,
            distributed=distributed,
            bf16=config.bf16 and workers.device.type == "cuda",
            compile=config.compile and not workload.by_block,
            sensor_dropout=config.sensor_dropout if isinstance(config, PretrainConfig) else 0.0,
            combiner=None if aggregator is None else TrunkCombiner(self.agent, aggregator, distributed),
        )
        if latest is not None:
            state = load_training(latest[1])
            self.trainer.load_state_dict(state)
            self.sampler.load_state_dict(json.loads(state["samplers"][workers.rank]))
        self.validation = workload.validation(self.trainer) if workload.validation is not None else None

    @property
    def actions(self) -> dict[str, ActionSpec]:
        """The agent's bodies."""
        return self.agent.actions

    def train(self, progress: Progress | None = None) -> Path:
        """Train to the end.

        Args:
            progress: called with the step and the values of each line that is logged, on the first worker.

        Returns:
            The last checkpoint.

        Raises:
            InputError: a loss or a gradient is not finite; the checkpoints before it stay.
        """
        self.workers.barrier()  # nobody writes a checkpoint before everybody has read the last one
        config, trainer = self.config, self.trainer
        log = MetricsLog(self.folder.path) if self.workers.rank == 0 else None
        with log or nullcontext(), torch_threads(config.threads or threads_for(self.agent.sensors)):
            if log is not None:
                log.rewind(trainer.step)
            while trainer.step < config.steps:
                until = min(config.steps, (trainer.step // config.checkpoint_every + 1) * config.checkpoint_every)
                self._train_until(until, log, progress)
                self._save()
        return self.folder.checkpoint(config.steps)

    def close(self) -> None:
        """Let go of buffers and threads."""
        self.sampler.close()
        if self.validation is not None:
            self.validation.close()

    def _train_until(self, until: int, log: MetricsLog | None, progress: Progress | None) -> None:
        trainer = self.trainer
        window = _Window(self.workers, self._average)
        unchecked: tuple[int, dict[str, Tensor], Sequence[StepBatch]] | None = None
        for batches, waited in prefetched(self._produce, until - trainer.step):
            scalars = trainer.update(batches)
            window.add(scalars, batches, waited)
            # The step before is looked at once this one is under way, so that a GPU never waits to be looked at.
            self._require_finite(unchecked)
            unchecked = trainer.step, scalars, batches
            if trainer.step % self.config.log_every == 0 or trainer.step == until:
                self._require_finite(unchecked)
                unchecked = None
            if trainer.step % self.config.log_every == 0 or trainer.step == self.config.steps:
                values = window.values(scalars) | {"lr": trainer.optimiser.lr_at(trainer.step - 1)}
                window = _Window(self.workers, self._average)
                if not math.isfinite(values["loss"]):  # of one worker alone, without a trace in the gradient
                    raise Diverged(
                        f"loss is {values['loss']} at step {trainer.step}; start again with a lower lr or clip"
                    )
                _report(trainer.step, values, log, progress)
        if self.validation is not None and log is not None:
            _report(trainer.step, self.validation.measure(), log, progress)

    def _produce(self) -> Sequence[StepBatch]:
        return self._collate(self.sampler.next())

    def _require_finite(self, of_step: tuple[int, dict[str, Tensor], Sequence[StepBatch]] | None) -> None:
        if of_step is None:
            return
        # The gradient's norm is the same on all workers, so all of them come to the same conclusion.
        watched = ("loss", "grad_norm") if self.workers.count == 1 else ("grad_norm",)
        if all(bool(torch.isfinite(of_step[1][name])) for name in watched):
            return
        step, scalars, batches = of_step
        here = next((fault for fault in (batch.first_non_finite() for batch in batches) if fault), "")
        fault = next((fault for fault in self.workers.gather_text(here) if fault), "")
        raise Diverged(why_not_finite(step, scalars, batches, fault))

    def _save(self) -> None:
        positions = self.workers.gather_text(json.dumps(self.sampler.state_dict()))
        if self.workers.rank == 0:
            state = self.trainer.state_dict() | {"samplers": positions}
            save_agent(self.agent, self.folder.checkpoint(self.trainer.step), training=state)
            self.folder.prune(self.config.keep)
        self.workers.barrier()


class _Window:
    """What happened since the last line of metrics."""

    def __init__(self, workers: Workers, average: bool) -> None:
        self._workers, self._average = workers, average
        self._values: dict[str, list[Tensor]] = {"loss": []}
        self._rows = 0
        self._waited = 0.0
        self._began = time.perf_counter()

    def add(self, scalars: Mapping[str, Tensor], batches: Sequence[StepBatch], waited: float) -> None:
        for name in scalars if self._average else ("loss",):
            self._values.setdefault(name, []).append(scalars[name])
        self._rows += sum(batch.size for batch in batches)
        self._waited += waited

    def values(self, scalars: Mapping[str, Tensor]) -> dict[str, float]:
        """The mean loss and rates; of other scalars the means too, or the last step's."""
        means = {name: torch.stack([v.float() for v in values]).mean() for name, values in self._values.items()}
        every = {**scalars, **means}
        numbers = self._workers.mean(torch.stack([value.float() for value in every.values()])).tolist()
        seconds = time.perf_counter() - self._began
        return dict(zip(every, numbers, strict=True)) | {
            "samples_per_s": self._rows * self._workers.count / seconds,
            "data_wait": self._waited / seconds,
        }


def _report(step: int, values: Mapping[str, float], log: MetricsLog | None, progress: Progress | None) -> None:
    if log is not None:
        log.log(step, values)
        if progress is not None:
            progress(step, values)


def open_workload(config: TrainingConfig, workers: Workers) -> Workload:
    """What a configuration learns from, as one worker sees it.

    Raises:
        InputError: as in `train.pretrain`.
    """
    if isinstance(config, TouchPretrainConfig):
        return open_touch(config, workers.rank, workers.count)
    assert isinstance(config, PretrainConfig)
    return open_trajectories(config, workers.rank, workers.count)
