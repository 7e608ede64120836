"""Trainings as jobs that run side by side, and what is told of them meanwhile."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from trunkline.data.metrics import FILE, read_metrics
from trunkline.pretrain.config import TrainingConfig
from trunkline.pretrain.train import pretrain
from trunkline.rollout.jobs import Job
from trunkline.rollout.rl.config import FinetuneConfig
from trunkline.rollout.training_lines import training_line

LINES = 5  # of progress, over a stage


def training_job(config: TrainingConfig, folder: Path, after: tuple[str, ...] = ()) -> Job:
    """Pretraining or imitation; returns the samples seen."""
    call = partial(_pretrain, config, folder)
    if config.workers > 1:  # Ray Train places its own actors
        return Job(call, after, cpus=0, gpus=0, alone=True)
    return Job(call, after, cpus=config.threads or None, gpus=0 if config.device == "cpu" else None)


def finetuning_job(config: FinetuneConfig, folder: Path, after: tuple[str, ...] = ()) -> Job:
    """RL; returns the environment steps taken. Runners wait while learners learn, and the other way round."""
    actors = config.num_env_runners + config.num_learners
    learning = 0 if config.num_learners else config.learner_threads
    stepping = 0 if config.num_env_runners else config.num_threads
    all_of_them = config.learner_threads == 0 and not config.num_learners  # as many threads as torch takes
    return Job(
        partial(_finetune, config, folder),
        after,
        cpus=None if all_of_them else max(0, max(learning, stepping) - actors),
        gpus=0 if config.num_learners else config.num_gpus_per_learner,
        actor_cpus=actors,
        actor_gpus=config.num_learners * config.num_gpus_per_learner,
    )


def _pretrain(config: TrainingConfig, folder: Path) -> int:
    pretrain(config, folder)
    return config.steps * config.batch_size


def _finetune(config: FinetuneConfig, folder: Path) -> int:
    from trunkline.rollout.finetune import finetune  # brings RLlib along, seconds that a pretraining job need not wait

    finetune(config, folder)
    return int(read_metrics(folder)[-1]["total_steps"])


class Progress:
    """Tells, from a training's metrics, how far it is.

    Args:
        name: of the stage.
        folder: of the training.
        steps: updates in all.
    """

    def __init__(self, name: str, folder: Path, steps: int) -> None:
        self.name = name
        self.steps = steps
        self._folder = folder
        self._size = 0  # of the metrics when they were last read
        self._told = self._news().get("step", 0)

    def tell(self, say: Callable[[str], None]) -> None:
        """Say a line if the training got a good bit further than at the last one."""
        row = self._news()
        step = row.get("step", 0)
        if step * LINES // self.steps > self._told * LINES // self.steps:
            self._told = step
            say(f"{self.name}: {training_line(step, self.steps, row)}")

    def _news(self) -> dict[str, Any]:
        """The last row of metrics, if there is one that was not there before."""
        path = self._folder / FILE
        size = path.stat().st_size if path.exists() else 0
        if size == self._size:
            return {}
        self._size = size
        rows = read_metrics(self._folder)
        return rows[-1] if rows else {}
