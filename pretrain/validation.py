"""The loss over held-out episodes, task by task."""

from typing import Any

import numpy as np
import torch

from trunkline.data.stream import FrameStream
from trunkline.errors import InputError, unknown
from trunkline.pretrain.batch import merge
from trunkline.pretrain.config import PretrainConfig
from trunkline.pretrain.corpus import Corpus, open_corpus, open_stream
from trunkline.pretrain.objectives.base import Objective
from trunkline.pretrain.step import Trainer


class Validation:
    """Measures the same held-out batches each time; tasks count alike, also tasks that are not learned from.

    Args:
        config: of the run; `validation_data` is set.
        corpus: what the run learns from.
        trainer: whose agent is measured.

    Raises:
        InputError: the data lacks a sensor, or is of a body that the run does not learn.
    """

    def __init__(self, config: PretrainConfig, corpus: Corpus, trainer: Trainer) -> None:
        assert config.validation_data is not None
        assert isinstance(trainer.objective, Objective)
        self._trainer, self._batches = trainer, config.validation_batches
        held_out = open_corpus(config.validation_data, tuple(corpus.sensors))
        for name, spec in held_out.actions.items():
            if name not in corpus.actions:
                raise unknown(f"body in {config.validation_data}", name, corpus.actions)
            if spec != corpus.actions[name]:
                raise InputError(f"{config.validation_data} has another body {name!r} than {config.data}; rename one")
        for name, sensor in held_out.sensors.items():
            difference = corpus.sensors[name].difference(sensor)
            if difference is not None:
                raise InputError(
                    f"{config.validation_data} has another sensor {name!r} than {config.data}: {difference}"
                )
        self._actions = corpus.actions
        self._streams: dict[str, list[tuple[FrameStream, dict[str, Any]]]] = {}
        for dataset, task, _ in held_out.tasks:
            stream = open_stream(
                held_out,
                dataset,
                task,
                batch_size=config.batch_size,
                next_offset=trainer.objective.next_offset,
                buffer_frames=config.buffer_frames,
                seed=config.seed,
            )
            self._streams.setdefault(task, []).append((stream, stream.state_dict()))

    def close(self) -> None:
        """Let go of the streams' buffers and threads."""
        for streams in self._streams.values():
            for stream, _ in streams:
                stream.close()

    def measure(self) -> dict[str, float]:
        """Mean losses: "validation/loss" and "validation/<task>"."""
        losses: dict[str, float] = {}
        for task, streams in self._streams.items():
            values = []
            for stream, start in streams:
                stream.load_state_dict(start)
                batches = (merge([(next(stream), 1.0)], self._actions) for _ in range(self._batches))
                values += [self._trainer.evaluate(batch)["loss"] for batch in batches]
            losses[f"validation/{task}"] = float(torch.stack(values).mean())
        return {"validation/loss": float(np.mean(list(losses.values())))} | losses
