"""The loop of a run, the same for one process and for each of many workers; no Ray."""

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from trunkline.agents.agent import Agent
from trunkline.agents.checkpoint import load_into, load_training, save_agent
from trunkline.data.metrics import MetricsLog
from trunkline.errors import InputError
from trunkline.pretrain.batch import TensorBatch, merge
from trunkline.pretrain.config import PretrainConfig
from trunkline.pretrain.objectives.base import Objective, make_objective
from trunkline.pretrain.optimiser import Optimiser
from trunkline.pretrain.prefetch import prefetched
from trunkline.pretrain.run_folder import RunFolder
from trunkline.pretrain.setup import Corpus, build_agent, make_sampler, open_corpus
from trunkline.pretrain.step import Trainer, require_finite
from trunkline.pretrain.workers import Workers

Progress = Callable[[int, Mapping[str, float]], None]


def run(config: PretrainConfig, folder: str | Path, workers: Workers, progress: Progress | None = None) -> Path:
    """Train from the latest checkpoint, or from the start, to the end.

    Between two checkpoints batches are read ahead in a thread; at a checkpoint nothing is in flight, so what is saved
    (weights, moments, step, each worker's position in the data) is all there is to a run.

    Args:
        config: of the run; `folder` has been claimed for it.
        folder: of the run.
        workers: this process among those that train together.
        progress: called with the step and the metrics of each line that is logged, on the first worker.

    Returns:
        The last checkpoint.

    Raises:
        InputError: as in `train.pretrain`.
    """
    place = RunFolder(folder)
    corpus = open_corpus(config.data, config.sensors, config.tasks)
    objective = make_objective(config.objective, config.objective_options)
    agent = build_agent(config, corpus, objective)
    sampler = make_sampler(corpus, config, objective.next_offset, workers.rank, workers.count)
    validation = Validation(config, agent, objective, workers) if config.validation_data else None
    device = workers.device(config.device)
    agent.to(device)
    trainer = make_trainer(config, agent, objective, device, workers)
    latest = place.latest()
    if latest is not None:
        load_into(agent, latest[1])
        state = load_training(latest[1])
        trainer.load_state_dict(state)
        sampler.load_state_dict(json.loads(state["samplers"][workers.rank]))
    workers.barrier()
    log = MetricsLog(place.path) if workers.rank == 0 else None
    if log is not None:
        log.rewind(trainer.step)

    def produce() -> list[TensorBatch]:
        return merge(sampler.next(), corpus.actions)

    while trainer.step < config.steps:
        until = min(config.steps, (trainer.step // config.checkpoint_every + 1) * config.checkpoint_every)
        window = Window(workers)
        for batches, waited in prefetched(produce, until - trainer.step):
            scalars = trainer.update(batches)
            window.add(scalars, batches, waited)
            if device.type == "cpu" or trainer.step % config.log_every == 0 or trainer.step == until:
                window.require_finite(trainer.step)
            if trainer.step % config.log_every == 0 or trainer.step == config.steps:
                values = window.means() | {"lr": trainer.optimiser.lr_at(trainer.step - 1)}
        raise NotImplementedError
    raise NotImplementedError
