"""Training runs that are stopped and killed, and compared."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import torch

from trunkline.agents.checkpoint import load_agent, load_training
from trunkline.data.metrics import read_metrics
from trunkline.pretrain.config import TrainingConfig

KILLED = """
import json, sys
from trunkline.pretrain.train import pretrain, read_config

def progress(step, values):
    assert "ray" not in sys.modules

pretrain(read_config(json.loads(sys.argv[1])), sys.argv[2], progress)
"""


def losses(folder: Path) -> list[dict[str, float]]:
    """The rows of metrics, but what depends on the clock."""
    return [
        {name: value for name, value in row.items() if name not in ("samples_per_s", "data_wait")}
        for row in read_metrics(folder)
    ]


def assert_same_run(a: Path, b: Path, steps: int) -> None:
    """The same losses, and at a checkpoint the same weights, moments and positions in the data."""
    assert losses(a) == losses(b)
    name = f"checkpoints/{steps:08d}"
    one, two = load_agent(a / name).state_dict(), load_agent(b / name).state_dict()
    assert one.keys() == two.keys()
    assert all(torch.equal(one[key], two[key]) for key in one)
    first, second = load_training(a / name), load_training(b / name)
    assert first["samplers"] == second["samplers"]
    for moment, tensors in first["optimiser"].items():
        assert all(torch.equal(value, second["optimiser"][moment][key]) for key, value in tensors.items())


class Interrupted(Exception):
    """A run was stopped."""


def stop_at(step: int) -> Callable[[int, Mapping[str, float]], None]:
    """A progress function that stops a run at a step."""

    def progress(at: int, values: Mapping[str, float]) -> None:
        if at == step:
            raise Interrupted

    return progress


def killed_run(config: TrainingConfig, folder: Path, rows: int) -> int:
    """Run in a process that is killed once it has logged so many rows, and never imports Ray; rows there are then."""
    command = [sys.executable, "-c", KILLED, json.dumps(config.to_json()), str(folder)]
    process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
    deadline = time.monotonic() + 120
    while len(read_metrics(folder)) < rows and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    return len(read_metrics(folder))
