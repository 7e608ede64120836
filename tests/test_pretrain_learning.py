"""What is learned from recorded episodes, and how the optimiser goes about it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from points import CPU, SMALL, make_trainer, write_points

from trunkline.agents.agent import Agent
from trunkline.agents.checkpoint import load_agent
from trunkline.data.collection import open_datasets
from trunkline.data.metrics import read_metrics
from trunkline.data.stream import Batch, FrameStream
from trunkline.envs.spec import ActionSpec, SensorSpec
from trunkline.errors import InputError
from trunkline.pretrain.batch import TensorBatch, merge
from trunkline.pretrain.config import PretrainConfig
from trunkline.pretrain.corpus import open_corpus
from trunkline.pretrain.objectives import Objective, make_objective
from trunkline.pretrain.optimiser import Optimiser
from trunkline.pretrain.schedule import warmup_cosine
from trunkline.pretrain.step import Trainer
from trunkline.pretrain.train import pretrain


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_points(tmp_path_factory.mktemp("points"))


@pytest.fixture(scope="module")
def dots(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_points(tmp_path_factory.mktemp("dots"), ["dot"])


# Learning


def test_inverse_dynamics_finds_the_actions_that_hidden_goals_explain(data: str, tmp_path: Path) -> None:
    options = dict(sensors=("dot_state", "cart_state"), agent=SMALL, batch_size=90, log_every=10, device="cpu")
    config = PretrainConfig(data, steps=150, lr=3e-3, warmup=10, **options, validation_data=data, validation_batches=1)
    checkpoint = pretrain(config, tmp_path / "id")
    variance = np.concatenate(
        [e.actions / d.action_spec.high for d in open_datasets(data) for e in map(d.episode, range(len(d)))]
    )
    rows = [row for row in read_metrics(tmp_path / "id") if "loss" in row]
    assert rows[0]["loss"] > 0.5 * variance.var() > 5 * rows[-1]["loss"]
    # Without goals, the same frames say little about what the demonstrator did.
    clone = pretrain(replace(config, objective="behaviour_cloning", validation_data=None), tmp_path / "bc")
    blind = [row["loss"] for row in read_metrics(tmp_path / "bc")][-1]
    assert blind > 3 * rows[-1]["loss"]
    held_out = [row for row in read_metrics(tmp_path / "id") if "validation/loss" in row]
    assert held_out[-1]["validation/dots/far"] < 0.2 * variance.var()
    assert {row["step"] for row in held_out} == {150}
    assert set(load_agent(checkpoint).heads) >= {"inverse_dot", "inverse_cart", "policy_dot"}
    assert "goal" not in load_agent(clone).sensors


def test_a_pretrained_agent_takes_up_the_goal_and_imitates(data: str, tmp_path: Path) -> None:
    start = pretrain(
        PretrainConfig(data, sensors=("dot_state", "cart_state"), agent=SMALL, steps=20, device="cpu"), tmp_path / "id"
    )
    config = PretrainConfig(
        data, objective="behaviour_cloning", tasks=("dots/near", "dots/far"), init_from=str(start),
        freeze=("encoders/dot_state",), agent=SMALL,
        steps=150, batch_size=120, lr=3e-3, warmup=10, log_every=10, device="cpu", seed=5,
    )  # fmt: skip
    checkpoint = pretrain(config, tmp_path / "bc")
    rows = read_metrics(tmp_path / "bc")
    assert rows[-1]["loss"] < 0.5 * rows[0]["loss"]
    before, after = load_agent(start), load_agent(checkpoint)
    assert set(after.sensors) == {"dot_state", "cart_state", "goal"}
    assert after.sensors["dot_state"] == before.sensors["dot_state"]
    assert after.sensors["goal"].mean is not None
    for name, value in before.encoders["dot_state"].state_dict().items():
        assert torch.equal(value, after.encoders["dot_state"].state_dict()[name])
    assert not torch.equal(before.trunk.readout_token, after.trunk.readout_token)
    actions, _ = after.act({"dot_state": np.float32([[-0.5, 0]]), "goal": np.float32([[0.5, 0]])}, action="dot")
    assert actions[0, 0] > 0.5


@pytest.mark.parametrize("name", ["inverse_dynamics", "behaviour_cloning"])
@pytest.mark.parametrize("discrete", [False, True])
def test_objectives_fit_one_batch(name: str, discrete: bool) -> None:
    action = ActionSpec("arm", (2,), choices=(3, 4)) if discrete else ActionSpec("arm", (3,), low=-10, high=10)
    generator = np.random.default_rng(0)
    shape = (16, *action.shape)
    actions = generator.integers(0, 3, shape) if discrete else generator.uniform(-10, 10, shape).astype(np.float32)
    readings = [{"touch": generator.standard_normal((16, 5)).astype(np.float32)} for _ in range(2)]
    batches = merge([(Batch("arm", "t", *readings, actions), 1.0)], {"arm": action})
    agent = Agent({"touch": SensorSpec("touch", "taxels", (5,))}, {"arm": action}, SMALL)
    options = {"dropout": 0.0} if name == "inverse_dynamics" else {"loss": "nll"}
    goal = make_objective(name, options)
    goal.build(agent)
    trainer = Trainer(agent, goal, Optimiser(agent, lr=3e-3, steps=200), device=CPU)
    seen = [trainer.update(batches) for _ in range(200)]
    first, last = float(seen[0]["loss"]), float(seen[-1]["loss"])
    assert last < (first - 0.5 if options.get("loss") == "nll" and not discrete else 0.2 * first)
    assert set(seen[0]) >= {"loss", "grad_norm", "arm/loss"}
    if discrete:
        assert float(seen[-1]["arm/accuracy"]) > 0.9


def test_a_sensor_may_be_missing_from_a_batch_but_never_all(dots: str) -> None:
    trainer, batches = make_trainer(dots, sensor_dropout=0.9)
    seen = []

    class Recorder(Objective):
        def __call__(self, agent: Agent, batch: TensorBatch) -> dict[str, torch.Tensor]:
            seen.append(frozenset(batch.observations))
            return make_objective("behaviour_cloning")(agent, batch)

    trainer._losses.objective = Recorder()
    for _ in range(30):
        trainer.update(batches)
    assert set(seen) == {frozenset({"dot_state"}), frozenset({"goal"})} or len(set(seen)) == 3
    assert frozenset() not in seen


# Optimisation


def test_schedule() -> None:
    factors = [warmup_cosine(step, 100, 10, 0.1) for step in range(101)]
    assert factors[0] == pytest.approx(0.1) and factors[9] == factors[10] == 1
    assert factors[55] == pytest.approx(0.55) and factors[100] == pytest.approx(0.1)
    assert factors[10:] == sorted(factors[10:], reverse=True)


def test_parts_are_slowed_and_frozen_and_only_matrices_decay(dots: str) -> None:
    corpus = open_corpus(dots)

    def moved(**options) -> dict[str, float]:
        agent = Agent(corpus.sensors, corpus.actions, SMALL)
        before = {name: value.clone() for name, value in agent.named_parameters()}
        goal = make_objective("behaviour_cloning")
        trainer = Trainer(agent, goal, Optimiser(agent, lr=1e-3, steps=100, **options), device=CPU)
        trainer.update(merge([(next(FrameStream(corpus.datasets[0], batch_size=8)), 1.0)], corpus.actions))
        return {name: float((value - before[name]).detach().abs().max()) for name, value in agent.named_parameters()}

    plain = moved(weight_decay=0.0)
    slow = moved(weight_decay=0.0, lr_multipliers={"encoders": 0.1, "encoders/goal": 0.5, "trunk": 0.1})
    name = "trunk.blocks.0.mlp.0.weight"
    assert slow[name] == pytest.approx(0.1 * plain[name], rel=1e-2)
    assert slow["encoders.goal.layers.0.weight"] == pytest.approx(5e-4, rel=1e-2)
    assert slow["encoders.dot_state.layers.0.weight"] == pytest.approx(1e-4, rel=1e-2)
    frozen = moved(freeze=("encoders", "trunk"))
    assert all(value == 0 for name, value in frozen.items() if name.startswith(("encoders", "trunk")))
    assert frozen["heads.policy_dot.mean.0.weight"] > 0
    decayed = moved(weight_decay=10.0)
    assert decayed[name] > 2 * plain[name]
    assert decayed["trunk.norm.bias"] == pytest.approx(plain["trunk.norm.bias"], rel=1e-3)
    with pytest.raises(InputError, match="did you mean 'trunk'"):
        moved(freeze=("trnk",))
    with pytest.raises(InputError, match="nothing to learn"):
        moved(freeze=("encoders", "trunk", "heads"))


def test_the_norm_of_the_gradient_is_clipped(dots: str) -> None:
    trainer, batches = make_trainer(dots)
    trainer.optimiser.clip = 1e-3
    before = float(trainer.update(batches)["grad_norm"])
    norm = torch.stack([p.grad.norm() for p in trainer.optimiser.parameters.values() if p.grad is not None]).norm()
    assert before > 1e-2 and float(norm) == pytest.approx(1e-3, rel=1e-2)


def test_readings_that_are_not_finite_are_named(dots: str) -> None:
    _, batches = make_trainer(dots)
    bad = TensorBatch(**{**vars(batches[0]), "rows": (("dots/near", 5), ("dots/far", 3))})
    bad.observations["goal"][6] = float("nan")
    assert bad.first_non_finite() == "sensor 'goal' of task dots/far holds values that are not finite"
