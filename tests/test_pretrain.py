"""Whole runs on recorded episodes: repeated, stopped, killed, resumed, refused."""

import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from points import SMALL, point_config, write_points
from training_runs import Interrupted, assert_same_run, killed_run, losses, stop_at

from trunkline.agents.agent import Agent
from trunkline.agents.threads import torch_threads
from trunkline.data.metrics import read_metrics
from trunkline.errors import InputError
from trunkline.pretrain.batch import TensorBatch
from trunkline.pretrain.config import PretrainConfig
from trunkline.pretrain.objectives import Objective, make_objective, objective
from trunkline.pretrain.train import pretrain


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_points(tmp_path_factory.mktemp("points"))


@pytest.fixture(scope="module")
def dots(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_points(tmp_path_factory.mktemp("dots"), ["dot"])


@pytest.fixture
def config(data: str) -> PretrainConfig:
    return point_config(data)


def test_the_same_seed_gives_the_same_run_and_another_does_not(config: PretrainConfig, tmp_path: Path) -> None:
    for name in "ab":
        pretrain(config, tmp_path / name)
    assert_same_run(tmp_path / "a", tmp_path / "b", 4)
    pretrain(replace(config, seed=1), tmp_path / "c")
    assert losses(tmp_path / "c") != losses(tmp_path / "a")


@pytest.mark.parametrize("sampling", ["mixed", "single"])
def test_two_steps_and_two_more_are_four(config: PretrainConfig, tmp_path: Path, sampling: str) -> None:
    config = replace(config, sampling=sampling, task_weights="sqrt", sensor_dropout=0.3, buffer_frames=60)
    pretrain(config, tmp_path / "whole")
    with pytest.raises(Interrupted):
        pretrain(config, tmp_path / "parts", stop_at(3))  # the checkpoint is of step 2
    assert [row["step"] for row in read_metrics(tmp_path / "parts")] == [1, 2, 3]
    pretrain(config, tmp_path / "parts")
    assert_same_run(tmp_path / "whole", tmp_path / "parts", 4)


def test_a_finished_run_returns_at_once(config: PretrainConfig, tmp_path: Path) -> None:
    first = pretrain(config, tmp_path)
    stamps = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert pretrain(config, tmp_path) == first
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == stamps


def test_only_the_latest_checkpoints_stay(config: PretrainConfig, tmp_path: Path) -> None:
    pretrain(replace(config, steps=7, checkpoint_every=1), tmp_path)
    assert sorted(p.name for p in (tmp_path / "checkpoints").iterdir()) == ["00000006", "00000007"]


def test_a_killed_run_goes_on_bit_for_bit_and_needs_no_ray(config: PretrainConfig, tmp_path: Path) -> None:
    config = replace(config, steps=400, checkpoint_every=15)
    resumed = killed_run(config, tmp_path / "killed", 18)
    for name in ("killed", "whole"):
        with pytest.raises(Interrupted):
            pretrain(config, tmp_path / name, stop_at(resumed + 30))
    assert_same_run(tmp_path / "whole", tmp_path / "killed", (resumed + 29) // 15 * 15)


@objective("sour")
@dataclass(frozen=True)
class Sour(Objective):
    """Behaviour cloning that fails at an update."""

    after: int = 3

    def __call__(self, agent: Agent, batch: TensorBatch) -> dict[str, torch.Tensor]:
        values = make_objective("behaviour_cloning")(agent, batch)
        calls = agent.__dict__.setdefault("calls", [])
        calls.append(1)
        return values | {"loss": values["loss"] * (float("nan") if len(calls) > self.after else 1)}


def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_the_last_checkpoint(dots: str, tmp_path: Path) -> None:
    config = PretrainConfig(
        dots,
        objective="sour",
        tasks=("dots/far",),
        agent=SMALL,
        steps=9,
        batch_size=8,
        checkpoint_every=2,
        device="cpu",
    )
    with pytest.raises(InputError, match=r"loss is nan at step 4, on a batch of dots/far: .*lower lr"):
        pretrain(config, tmp_path)
    assert [p.name for p in (tmp_path / "checkpoints").iterdir()] == ["00000002"]


@pytest.mark.parametrize(
    "change, message",
    [
        ({"objective": "inverse_dynamcs"}, "did you mean 'inverse_dynamics'"),
        ({"objective_options": {"hiden": [8]}}, "hidden"),
        ({"sensors": ("dot_stat",)}, "did you mean 'dot_state'"),
        ({"tasks": ("dots/ner",)}, "did you mean 'dots/near'"),
        ({"task_weights": {"dots/nea": 1.0}}, "did you mean 'dots/near'"),
        ({"freeze": ("trnk",)}, "did you mean 'trunk'"),
        ({"batch_size": 2}, "raise batch_size"),
        ({"data": "/nowhere"}, "/nowhere"),
        ({"init_from": "/nowhere"}, "no checkpoint"),
        ({"workers": 2}, "needs a running Ray"),
    ],
)
def test_bad_input_is_named_and_writes_nothing(
    config: PretrainConfig, tmp_path: Path, change: dict, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        pretrain(replace(config, **change), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_inverse_dynamics_refuses_actions_that_were_only_intended(config: PretrainConfig, tmp_path: Path) -> None:
    shutil.copytree(config.data, tmp_path / "data")
    meant = replace(config, data=str(tmp_path / "data"), objective="inverse_dynamics", steps=1)
    (tmp_path / "data" / "collection.json").write_text(json.dumps({"policy": {"recorded": "intended"}}))
    with pytest.raises(InputError, match=r"collect with policy\.recorded=executed"):
        pretrain(meant, tmp_path / "run")
    (tmp_path / "data" / "collection.json").write_text("{")
    with pytest.raises(InputError, match="is damaged"):
        pretrain(meant, tmp_path / "run")
    pretrain(replace(meant, objective="behaviour_cloning"), tmp_path / "run")


def test_a_run_leaves_the_number_of_threads_as_it_was(config: PretrainConfig, tmp_path: Path) -> None:
    with torch_threads(3):
        with pytest.raises(InputError, match="trnk"):
            pretrain(replace(config, freeze=("trnk",)), tmp_path / "bad")
        assert torch.get_num_threads() == 3
        seen: list[int] = []
        pretrain(replace(config, threads=2), tmp_path / "good", lambda *_: seen.append(torch.get_num_threads()))
        assert set(seen) == {2} and torch.get_num_threads() == 3


def test_a_folder_of_another_run_is_refused(config: PretrainConfig, tmp_path: Path) -> None:
    pretrain(config, tmp_path)
    with pytest.raises(InputError, match=r"another run: lr is 0\.5, the run there has 0\.001"):
        pretrain(replace(config, lr=0.5), tmp_path)
    pretrain(replace(config, device="auto", keep=5), tmp_path)  # where it is computed may change
    (tmp_path / "config.yaml").unlink()
    with pytest.raises(InputError, match="is not empty and not a run"):
        pretrain(config, tmp_path)


def test_configurations_survive_json() -> None:
    config = PretrainConfig("d", task_weights={"a": 1.0}, agent=SMALL, objective_options={"hidden": [8]})
    assert PretrainConfig.from_json(json.loads(json.dumps(config.to_json()))) == config
    for bad, message in ({"step": 3}, "did you mean 'steps'"), ({"lr": 0.0}, "positive"), ({"sensors": "goal"}, "list"):
        with pytest.raises(InputError, match=message):
            PretrainConfig.from_json({"data": "d", **bad})
