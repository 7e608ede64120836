"""Runs of two workers through Ray Train."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from points import CPU, point_config, write_points

from trunkline.data.metrics import read_metrics
from trunkline.pretrain.batch import merge
from trunkline.pretrain.config import PretrainConfig
from trunkline.pretrain.corpus import open_corpus
from trunkline.pretrain.loop import Run
from trunkline.pretrain.setup import make_sampler
from trunkline.pretrain.train import pretrain
from trunkline.pretrain.workers import Workers


@pytest.fixture
def points(tmp_path: Path) -> PretrainConfig:
    return point_config(write_points(tmp_path / "points"))


@pytest.mark.ray
@pytest.mark.filterwarnings("ignore::DeprecationWarning:ray.data.context")  # Ray Train makes a default one
def test_two_workers_average_gradients_and_survive_a_kill(
    points: PretrainConfig, tmp_path: Path, ray_session: None
) -> None:
    config = replace(points, workers=2, steps=50, checkpoint_every=20, batch_size=24, sensor_dropout=0.2)
    folder = tmp_path / "run"
    killed: list[int] = []

    def kill_one(step: int, values) -> None:
        if step >= 25 and not killed:
            killed.append(step)
            kill_a_train_worker()

    pretrain(config, folder, kill_one)
    assert killed and len(list((folder / "tensorboard").iterdir())) == 2
    rows = read_metrics(folder)
    assert [row["step"] for row in rows] == list(range(1, 51))
    assert not (folder / "ray").exists()
    # Rounding differs, a wrong position in the data or wrong dropout would show at once.
    np.testing.assert_allclose([row["loss"] for row in rows], by_hand(config), rtol=0.01)


def by_hand(config: PretrainConfig) -> list[float]:
    """The losses of two workers, by one: the mean of both gradients, each with its own data and dropout."""
    losses = []
    runs = [Run(config, "/nowhere", Workers(0, 1, CPU)) for _ in range(2)]
    for rank, run in enumerate(runs):
        run.sampler.close()
        run.sampler = make_sampler(open_corpus(config.data, config.sensors), config, 1, rank, 2)
        run.trainer._key = (config.seed, rank)
    for step in range(config.steps):
        of_step = []
        for run in runs:
            run.trainer.step = step
            of_step.append(float(run.trainer.gradients(merge(run.sampler.next(), run.actions))["loss"]))
        losses.append(float(np.mean(of_step)))
        for one, two in zip(*(run.trainer.optimiser.parameters.values() for run in runs), strict=True):
            if one.grad is not None and two.grad is not None:
                one.grad = two.grad = one.grad / 2 + two.grad / 2
        for run in runs:
            run.trainer.optimiser.update(step)
    for run in runs:
        run.close()
    return losses


def kill_a_train_worker() -> None:
    import psutil

    workers = [p for p in psutil.Process().children(recursive=True) if "RayTrainWorker" in " ".join(p.cmdline())]
    assert len(workers) == 2
    workers[1].kill()
