"""What is learned from labelled touch, stage by stage."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from touch_data import SENSORS, SMALL, datasets, touch_config, write_touch
from training_runs import Interrupted, assert_same_run, stop_at

from trunkline.agents.checkpoint import load_agent
from trunkline.data.metrics import read_metrics
from trunkline.errors import InputError
from trunkline.pretrain.loop import Run
from trunkline.pretrain.touch.config import TouchPretrainConfig
from trunkline.pretrain.touch.evaluate import evaluate_touch
from trunkline.pretrain.train import pretrain
from trunkline.pretrain.workers import Workers


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_touch(tmp_path_factory.mktemp("touch"), trials={"train": 30, "val": 15}))


@pytest.fixture
def config(data: str) -> TouchPretrainConfig:
    return touch_config(data)


def test_every_task_is_learned_with_every_sensor_from_the_autoencoder_on(data: str, tmp_path: Path) -> None:
    options: dict[str, Any] = dict(agent=SMALL, log_every=10, device="cpu", lr=2e-3, warmup=5)
    start = pretrain(TouchPretrainConfig(data, steps=20, pairs_per_step=0, batch_size=36, **options), tmp_path / "mae")
    rows = read_metrics(tmp_path / "mae")
    assert rows[-1]["loss"] < 0.9 * rows[0]["loss"]
    before = load_agent(start)
    assert {name for name in before.heads if name.startswith("mae")} == {"mae_images_192", "mae_taxels_1"}
    assert before.sensors["red"].mean is not None and before.sensors["red"].modality == "tactile_rgb"

    tasks = ("force", "mask", "pose_3d", "contact")
    config = TouchPretrainConfig(
        data, tasks=tasks, init_from=str(start), steps=100, pairs_per_step=4, batch_size=48, validation_data=data,
        **options,
    )  # fmt: skip
    checkpoint = pretrain(config, tmp_path / "tasks")
    agent = load_agent(checkpoint)
    assert set(agent.heads) == {"value", *tasks}  # the decoders stay behind
    rows = [row for row in read_metrics(tmp_path / "tasks") if "loss" in row]
    assert rows[-1]["loss"] < 0.7 * rows[0]["loss"]
    assert {"red/force/loss", "blue/mask/loss", "pad/pose_3d/loss"} <= {name for row in rows for name in row}
    measured = {(row["sensor"], row["task"]): row for row in evaluate_touch(agent, datasets(data), tasks)}
    assert set(measured) == {(s, t) for s in SENSORS for t in tasks} - {("pad", "mask")}  # taxels have no masks
    assert measured["red", "mask"]["value"] > measured["red", "mask"]["chance"] + 0.15
    assert measured["pad", "pose_3d"]["value"] > 0.4
    validation = next(row for row in read_metrics(tmp_path / "tasks") if "validation/force" in row)
    assert validation["step"] == 100
    assert validation["validation/red/mask"] == pytest.approx(measured["red", "mask"]["value"], abs=1e-6)


def test_init_from_takes_trunk_and_encoders_bit_for_bit_and_later_sensors_are_fresh(data: str, tmp_path: Path) -> None:
    options: dict[str, Any] = dict(agent=SMALL, steps=2, batch_size=8, device="cpu")
    start = pretrain(TouchPretrainConfig(data, sensors=("red",), **options), tmp_path / "mae")
    config = TouchPretrainConfig(data, tasks=("force",), init_from=str(start), **options)
    run = Run(config, tmp_path / "next", Workers.alone("cpu"))
    before = load_agent(start)
    assert set(run.agent.encoders) == set(SENSORS)
    for part in ("trunk", "encoders/red"):
        theirs = run.agent.part(part).state_dict()
        assert all(torch.equal(value, theirs[name]) for name, value in before.part(part).state_dict().items())
    assert run.agent.sensors["blue"].mean is not None
    run.close()
    with pytest.raises(InputError, match="did you mean 'trunk'"):
        pretrain(replace(config, init_parts=("trnk",)), tmp_path / "next")


def test_a_head_of_the_checkpoint_keeps_its_scale_and_must_know_all_classes(data: str, tmp_path: Path) -> None:
    options: dict[str, Any] = dict(agent=SMALL, steps=1, batch_size=8, device="cpu")
    given = {"force": {"mean": [0.0, 0.0, 1.0], "std": [2.0, 2.0, 2.0]}, "object": {"classes": 3}}
    first = TouchPretrainConfig(data, tasks=("force", "object"), task_options=given, **options)
    start = pretrain(first, tmp_path / "a")
    second = TouchPretrainConfig(data, tasks=("force",), init_from=str(start), **options)
    run = Run(second, tmp_path / "b", Workers.alone("cpu"))
    assert run.agent.heads["force"].std == (2.0, 2.0, 2.0)
    run.close()
    third = replace(second, tasks=("object",), task_options={"object": {"classes": 5}})
    with pytest.raises(InputError, match=r"head 'object' has classes=3, the data needs 5"):
        pretrain(third, tmp_path / "c")


def test_parts_are_unfrozen_when_their_time_comes(config: TouchPretrainConfig, tmp_path: Path) -> None:
    config = replace(config, unfreeze={"trunk": 3}, freeze=("trunk",), tasks=("force",), checkpoint_every=1, keep=9)
    pretrain(config, tmp_path / "whole")
    weights = [load_agent(tmp_path / f"whole/checkpoints/{n:08d}").trunk.state_dict() for n in (1, 3, 4)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    assert any(not torch.equal(weights[1][name], weights[2][name]) for name in weights[0])
    with pytest.raises(Interrupted):
        pretrain(config, tmp_path / "parts", stop_at(3))
    pretrain(config, tmp_path / "parts")
    assert_same_run(tmp_path / "whole", tmp_path / "parts", 4)
