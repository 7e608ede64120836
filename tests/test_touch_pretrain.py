"""Whole runs on labelled touch: stopped, killed, resumed, refused."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from touch_data import LABELLED, SENSORS, contacts, touch_config, write_touch
from training_runs import Interrupted, assert_same_run, killed_run, losses, stop_at

from trunkline.agents.checkpoint import load_training
from trunkline.agents.config import AgentConfig
from trunkline.data.fota import FotaWriter
from trunkline.data.metrics import read_metrics
from trunkline.errors import InputError
from trunkline.pretrain.touch.config import AlignmentConfig, TouchPretrainConfig
from trunkline.pretrain.train import pretrain, read_config


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_touch(tmp_path_factory.mktemp("touch"), trials={"train": 30, "val": 15}))


@pytest.fixture
def config(data: str) -> TouchPretrainConfig:
    return touch_config(data)


@pytest.mark.parametrize("aggregator, shared", [("equal", True), ("PCGrad", False)])
def test_two_steps_and_two_more_are_four(
    config: TouchPretrainConfig, tmp_path: Path, aggregator: str, shared: bool
) -> None:
    config = replace(
        config,
        share_touches=shared,
        tasks=(*LABELLED, "mae"),
        aggregator=aggregator,
        alignment=AlignmentConfig(0.3),
        hold_out=(("red", "force"),),
    )
    pretrain(config, tmp_path / "whole")
    with pytest.raises(Interrupted):
        pretrain(config, tmp_path / "parts", stop_at(3))  # the checkpoint is of step 2
    pretrain(config, tmp_path / "parts")
    assert_same_run(tmp_path / "whole", tmp_path / "parts", 4)
    assert not any(name.startswith("red/force") for row in losses(tmp_path / "whole") for name in row)


def test_recomputing_blocks_changes_no_loss(config: TouchPretrainConfig, tmp_path: Path) -> None:
    config = replace(config, tasks=("force", "mae"))
    pretrain(config, tmp_path / "plain")
    pretrain(replace(config, checkpointing=True), tmp_path / "recomputed")
    kept, recomputed = ([row["loss"] for row in losses(tmp_path / name)] for name in ("plain", "recomputed"))
    np.testing.assert_allclose(kept, recomputed, rtol=1e-5)
    plain = AgentConfig(width=32, encoders={"*": {"name": "conv"}})
    with pytest.raises(InputError, match="checkpointing=true"):
        pretrain(replace(config, tasks=("force",), sensors=("red",), agent=plain, checkpointing=True), tmp_path / "x")


def test_a_killed_run_goes_on_bit_for_bit_and_needs_no_ray(config: TouchPretrainConfig, tmp_path: Path) -> None:
    config = replace(config, steps=400, checkpoint_every=7, aggregator="UPGrad", decoders=1, batch_size=6, threads=1)
    resumed = killed_run(config, tmp_path / "killed", 9)
    for name in ("killed", "whole"):
        with pytest.raises(Interrupted):
            pretrain(config, tmp_path / name, stop_at(resumed + 8))
    assert_same_run(tmp_path / "whole", tmp_path / "killed", (resumed + 7) // 7 * 7)


WORKER = """
import hashlib, json, sys
import torch
import torch.distributed as dist
from trunkline.pretrain.loop import Run
from trunkline.pretrain.train import read_config
from trunkline.pretrain.workers import Workers

rank, config, folder, meeting = int(sys.argv[1]), json.loads(sys.argv[2]), sys.argv[3], sys.argv[4]
torch.set_num_threads(1)
dist.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=2)
run = Run(read_config(config), folder, Workers(rank, 2, torch.device("cpu")))
run.train()
run.close()
print(hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in run.agent.parameters())).hexdigest())
dist.destroy_process_group()
"""


def test_two_workers_combine_gradients_alike(config: TouchPretrainConfig, tmp_path: Path) -> None:
    config = replace(
        config, workers=2, steps=6, checkpoint_every=3, aggregator="PCGrad", tasks=("force", "slip"),
        unfreeze={"trunk": 2}, alignment=AlignmentConfig(0.5),
    )  # fmt: skip
    arguments = [json.dumps(config.to_json()), str(tmp_path / "run"), str(tmp_path / "meeting")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "GLOO_SOCKET_IFNAME": "lo"}
    processes = [
        subprocess.Popen([sys.executable, "-c", WORKER, str(rank), *arguments], env=environment, stdout=subprocess.PIPE)
        for rank in range(2)
    ]
    weights = [process.communicate(timeout=120)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0] and weights[0] == weights[1] != b""
    assert [row["step"] for row in read_metrics(tmp_path / "run")] == list(range(1, 7))
    assert len(load_training(tmp_path / "run" / "checkpoints" / "00000006")["samplers"]) == 2


def test_readings_that_are_not_finite_stop_the_run_and_are_named(config: TouchPretrainConfig, tmp_path: Path) -> None:
    with FotaWriter(tmp_path / "data" / "pad", "train", SENSORS["pad"]) as writer:
        for i, touch in enumerate(contacts(4)):
            reading = np.full(SENSORS["pad"].shape, 1e38 if i == 9 else 0.1 * i, np.float32)
            writer.add(str(i), reading, touch)
    config = replace(config, data=str(tmp_path / "data"), tasks=("force",), lr=1e30, clip=0.0, steps=50, warmup=0)
    with pytest.raises(InputError, match=r"(loss|grad_norm) is (nan|inf) at step \d+, on a batch of pad/force"):
        pretrain(config, tmp_path / "run")


@pytest.mark.parametrize(
    "change, message",
    [
        ({"data": "/nowhere"}, "/nowhere"),
        ({"split": "tset"}, "no data set in .* has a split"),
        ({"sensors": ("rde",)}, "did you mean 'red'"),
        ({"tasks": ("forse",)}, "did you mean 'force'"),
        ({"hold_out": (("rde", "force"),)}, "did you mean 'red'"),
        ({"hold_out": (("red", "*"), ("blue", "*"), ("pad", "*"))}, "no sensor to learn from"),
        ({"pair_weights": {"blue/fore": 1.0}}, "did you mean 'blue/force'"),
        ({"batch_size": 2}, "raise batch_size"),
        ({"aggregator": "upgrad"}, "did you mean 'UPGrad'"),
        ({"init_from": "/nowhere"}, "no checkpoint"),
        ({"unfreeze": {"trunck": 3}}, "did you mean 'trunk'"),
        ({"unfreeze": {"trunk": 2, "encoders": 2, "heads": 2}}, "nothing learns before update 2"),
        ({"workers": 2}, "needs a running Ray"),
    ],
)
def test_bad_input_is_named_and_writes_nothing(
    config: TouchPretrainConfig, tmp_path: Path, change: dict, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        pretrain(replace(config, **change), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_configurations_survive_json() -> None:
    config = TouchPretrainConfig(
        "d",
        size="nano",
        tasks=("force",),
        hold_out=(("red", "force"),),
        alignment=AlignmentConfig(0.5),
        unfreeze={"trunk": 9},
    )
    assert read_config(json.loads(json.dumps(config.to_json()))) == config
    assert config.architecture.trunk == "t3"
    for bad, message in (
        ({"task": ["force"]}, "did you mean 'tasks'"),
        ({"hold_out": [["red"]]}, "2 items"),
        ({"tasks": ["force", "force"]}, "twice"),
        ({"size": "nani"}, "did you mean 'nano'"),
        ({"hold_out": [["red", "forc"]], "tasks": ["force"]}, "did you mean 'force'"),
    ):
        with pytest.raises(InputError, match=message):
            read_config({"data": "d", "objective": "touch", **bad})
