"""The training stages of the main job as jobs that run side by side, and what is told of them meanwhile."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from trunkline.data.metrics import FILE, read_metrics
from trunkline.pretrain.config import PretrainConfig
from trunkline.pretrain.train import pretrain
from trunkline.rollout.finetune import FinetuneConfig, finetune
from trunkline.rollout.jobs import Job

LINES = 5  # of progress, over a stage


def pretraining_job(config: PretrainConfig, folder: Path, after: tuple[str, ...]) -> Job:
    """Pretraining or imitation; returns the samples seen."""
    call = partial(_pretrain, config, folder)
    if config.workers > 1:  # Ray Train's actors compute
        return Job(call, after, cpus=0, gpus=0, actor_cpus=config.workers)
    return Job(call, after, cpus=config.threads or None, gpus=0 if config.device == "cpu" else None)


def finetuning_job(config: FinetuneConfig, folder: Path, after: tuple[str, ...]) -> Job:
    """RL; returns the environment steps taken. Its process learns while its runners wait, if it has any."""
    actors = config.num_env_runners + config.num_learners
    return Job(
        partial(_finetune, config, folder),
        after,
        cpus=0 if actors else max(1, config.learner_threads),
        gpus=0 if config.num_learners else config.num_gpus_per_learner,
        actor_cpus=actors,
        actor_gpus=config.num_learners * config.num_gpus_per_learner,
    )


def _pretrain(config: PretrainConfig, folder: Path) -> int:
    pretrain(config, folder)
    return config.steps * config.batch_size


def _finetune(config: FinetuneConfig, folder: Path) -> int:
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
            say(f"{self.name}: {step}/{self.steps} updates; {_figures(row)}")

    def _news(self) -> dict[str, Any]:
        """The last row of metrics, if there is one that was not there before."""
        path = self._folder / FILE
        size = path.stat().st_size if path.exists() else 0
        if size == self._size:
            return {}
        self._size = size
        rows = read_metrics(self._folder)
        return rows[-1] if rows else {}


def _figures(row: dict[str, Any]) -> str:
    solved = [f"{key.removeprefix('success/')} {value:.0%}" for key, value in row.items() if key.startswith("success/")]
    if solved:
        return f"solved: {', '.join(solved)}"
    return ", ".join(f"{key} {value:.3g}" for key, value in row.items() if key in ("loss", "lr") and value is not None)
