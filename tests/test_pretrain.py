"""Learning from recorded episodes: objectives, sampling, exact resume, kills, many workers."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from trunkline.agents.agent import Agent
from trunkline.agents.checkpoint import load_agent, load_training
from trunkline.agents.config import AgentConfig
from trunkline.data.collection import CollectionWriter, open_datasets
from trunkline.data.episode import Episode
from trunkline.data.metrics import read_metrics
from trunkline.data.stream import Batch, FrameStream
from trunkline.envs.spec import ActionSpec, SensorSpec, TaskSpec
from trunkline.errors import InputError
from trunkline.pretrain.batch import TensorBatch, merge
from trunkline.pretrain.config import PretrainConfig
from trunkline.pretrain.corpus import open_corpus, pool_statistics
from trunkline.pretrain.loop import Run
from trunkline.pretrain.objectives import Objective, make_objective, objective
from trunkline.pretrain.optimiser import Optimiser
from trunkline.pretrain.prefetch import prefetched
from trunkline.pretrain.sampling import MultiTaskSampler, TaskSource, task_weights
from trunkline.pretrain.schedule import warmup_cosine
from trunkline.pretrain.setup import make_sampler
from trunkline.pretrain.step import Trainer
from trunkline.pretrain.train import pretrain
from trunkline.pretrain.workers import Workers

CPU = torch.device("cpu")
GOAL = SensorSpec("goal", "goal", (2,), units="m")
SMALL = AgentConfig(width=32, depth=1, attention_heads=2)
BODIES = {
    "dot": (
        SensorSpec("dot_state", "state", (2,), units="m"),
        ActionSpec("dot", (2,)),
        {"dots/near": 20, "dots/far": 8},
    ),
    "cart": (
        SensorSpec("cart_state", "state", (2,), units="m"),
        ActionSpec("cart", (2,), low=-3, high=3),
        {"carts/go": 10},
    ),
}


def write_world(root: Path, body: str, seed: int = 0) -> None:
    """Demonstrations of a point that walks to a goal, x' = x + 0.2 a in half ranges, with noise in the actions."""
    state, action, tasks = BODIES[body]
    generator = np.random.default_rng(seed)
    with CollectionWriter(root) as writer:
        for task, count in tasks.items():
            for index in range(count):
                steps = 20
                x, goal = generator.uniform(-1, 1, (2, 2))
                states, actions = np.zeros((steps, 2), np.float32), np.zeros((steps, 2), np.float32)
                for t in range(steps):
                    a = np.clip(2 * (goal - x) + 0.3 * generator.standard_normal(2), -1, 1)
                    states[t], actions[t] = x, a * action.high
                    x = x + 0.2 * a
                observations = {state.name: states, "goal": np.tile(goal.astype(np.float32), (steps, 1))}
                spec = TaskSpec(task, seed, {"index": index}, "train", steps)
                episode = Episode(spec, observations, actions, np.zeros(steps, np.float32), True, 1.0)
                writer.add(episode, {state.name: state, "goal": GOAL}, action, 20)


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> str:
    root = tmp_path_factory.mktemp("data")
    for body in BODIES:
        write_world(root, body)
    return str(root)


@pytest.fixture(scope="module")
def dots(tmp_path_factory: pytest.TempPathFactory) -> str:
    root = tmp_path_factory.mktemp("dots")
    write_world(root, "dot")
    return str(root)


@pytest.fixture
def config(data: str) -> PretrainConfig:
    return PretrainConfig(
        data, sensors=("dot_state", "cart_state"), agent=SMALL, steps=4, batch_size=24, warmup=2, log_every=1,
        checkpoint_every=2, device="cpu",
    )  # fmt: skip


def losses(folder: Path) -> list[tuple[float, ...]]:
    return [tuple(row[k] for k in ("step", "loss", "lr", "grad_norm")) for row in read_metrics(folder)]


def assert_same_run(a: Path, b: Path, steps: int) -> None:
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
    pass


def stop_at(step: int):
    def progress(at: int, values) -> None:
        if at == step:
            raise Interrupted

    return progress


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


def make_trainer(root: str, **options) -> tuple[Trainer, list[TensorBatch]]:
    corpus = open_corpus(root)
    agent = Agent(corpus.sensors, corpus.actions, SMALL)
    stream = FrameStream(corpus.datasets[0], batch_size=8)
    goal = make_objective("behaviour_cloning")
    trainer = Trainer(agent, goal, Optimiser(agent, lr=1e-3, steps=100), device=CPU, **options)
    return trainer, merge([(next(stream), 1.0)], corpus.actions)


# Sampling


class Counting:
    """A stream of batches that say which task they are of and their number."""

    def __init__(self, task: str, action: str = "arm") -> None:
        self.task, self.action, self.count = task, action, 0

    def __next__(self) -> Batch:
        self.count += 1
        return Batch(
            self.action,
            self.task,
            {"touch": np.full((2, 1), self.count, np.float32)},
            None,
            np.zeros((2, 1), np.float32),
        )

    def state_dict(self) -> dict:
        return {"count": self.count}

    def load_state_dict(self, state: dict) -> None:
        self.count = state["count"]


def sampler(mode: str = "mixed", weights="proportional", tasks_per_step: int = 0) -> MultiTaskSampler:
    sources = [
        TaskSource(t, n, Counting(t, a)) for t, n, a in (("a", 100, "arm"), ("b", 300, "arm"), ("c", 600, "leg"))
    ]
    return MultiTaskSampler(sources, mode, weights, tasks_per_step, seed=3)


def drawn(source: MultiTaskSampler, steps: int) -> list[list[tuple[str, int, float]]]:
    return [[(b.task, int(b.observations["touch"][0, 0]), w) for b, w in source.next()] for _ in range(steps)]


def test_task_weights() -> None:
    frames = [100, 400]
    assert task_weights(["a", "b"], frames, "uniform").tolist() == [0.5, 0.5]
    np.testing.assert_allclose(task_weights(["a", "b"], frames, "sqrt"), [1 / 3, 2 / 3])
    np.testing.assert_allclose(task_weights(["a", "b"], frames, "proportional"), [0.2, 0.8])
    np.testing.assert_allclose(task_weights(["a", "b"], frames, {"a": 3, "b": 1}), [0.75, 0.25])
    for bad, message in (
        ({"a": 1, "bb": 1}, "mean 'b'"),
        ({"a": 1}, "'b' has no weight"),
        ({"a": -1, "b": 1}, "at least 0"),
    ):
        with pytest.raises(InputError, match=message):
            task_weights(["a", "b"], frames, bad)
    with pytest.raises(InputError, match="mean 'sqrt'"):
        task_weights(["a", "b"], frames, "sqr")


@pytest.mark.parametrize("mode,per_step", [("mixed", 0), ("mixed", 2), ("single", 0)])
def test_each_task_counts_as_much_as_its_weight(mode: str, per_step: int) -> None:
    total: dict[str, float] = dict.fromkeys("abc", 0.0)
    for draws in drawn(sampler(mode, tasks_per_step=per_step), 2000):
        assert sum(w for *_, w in draws) == pytest.approx(1)
        for task, _, weight in draws:
            total[task] += weight / 2000
    assert total == pytest.approx({"a": 0.1, "b": 0.3, "c": 0.6}, abs=0.03)


@pytest.mark.parametrize("mode,per_step", [("mixed", 2), ("single", 0)])
def test_the_sampler_resumes_exactly(mode: str, per_step: int) -> None:
    whole = drawn(sampler(mode, tasks_per_step=per_step), 20)
    first = sampler(mode, tasks_per_step=per_step)
    drawn(first, 8)
    second = sampler(mode, tasks_per_step=per_step)
    second.load_state_dict(json.loads(json.dumps(first.state_dict())))
    assert drawn(second, 12) == whole[8:]


def test_tasks_of_a_body_share_a_forward_pass_and_keep_their_weights() -> None:
    actions = {"arm": ActionSpec("arm", (1,)), "leg": ActionSpec("leg", (1,))}
    arm, leg = merge(sampler().next(), actions)
    assert (arm.size, leg.size, arm.tasks, arm.share, leg.share) == (4, 2, ["a", "b"], pytest.approx(0.4), 0.6)
    assert arm.mean(torch.tensor([1.0, 1, 5, 5])) == pytest.approx(0.25 * 1 + 0.75 * 5)
    assert leg.weights is None
    values = torch.arange(8.0).reshape(4, 2)
    uniform = merge(sampler(weights="uniform").next(), actions)[0]
    assert torch.equal(uniform.mean(values), values.mean(0))


def test_statistics_are_pooled_over_bodies() -> None:
    generator = np.random.default_rng(0)
    parts = [generator.normal(m, 1 + m, (n, 2)) for m, n in ((0, 100), (4, 300))]
    sensors = [(GOAL.with_statistics(p.mean(0), p.std(0)), len(p)) for p in parts]
    pooled = pool_statistics(sensors)
    np.testing.assert_allclose(pooled.mean, np.concatenate(parts).mean(0))
    np.testing.assert_allclose(pooled.std, np.concatenate(parts).std(0))
    with pytest.raises(InputError, match="shape"):
        pool_statistics([sensors[0], (SensorSpec("goal", "goal", (3,), units="m"), 5)])


def test_prefetching_makes_exactly_as_many_calls_and_passes_errors_on() -> None:
    calls = iter(range(100))
    assert [item for item, _ in prefetched(lambda: next(calls), 5)] == list(range(5))
    assert next(calls) == 5

    def broken() -> int:
        raise InputError("no such frame")

    with pytest.raises(InputError, match="no such frame"):
        list(prefetched(broken, 3))


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


# Whole runs


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


KILLED = """
import json, sys
from trunkline.pretrain.train import PretrainConfig, pretrain

def progress(step, values):
    assert "ray" not in sys.modules

pretrain(PretrainConfig.from_json(json.loads(sys.argv[1])), sys.argv[2], progress)
"""


def test_a_killed_run_goes_on_bit_for_bit_and_needs_no_ray(config: PretrainConfig, tmp_path: Path) -> None:
    config = replace(config, steps=400, checkpoint_every=15)
    command = [sys.executable, "-c", KILLED, json.dumps(config.to_json()), str(tmp_path / "killed")]
    process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
    deadline = time.monotonic() + 120
    while len(read_metrics(tmp_path / "killed")) < 18 and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    resumed = len(read_metrics(tmp_path / "killed"))
    with pytest.raises(Interrupted):
        pretrain(config, tmp_path / "killed", stop_at(resumed + 30))
    with pytest.raises(Interrupted):
        pretrain(config, tmp_path / "whole", stop_at(resumed + 30))
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


def test_readings_that_are_not_finite_are_named(dots: str) -> None:
    _, batches = make_trainer(dots)
    bad = TensorBatch(**{**vars(batches[0]), "rows": (("dots/near", 5), ("dots/far", 3))})
    bad.observations["goal"][6] = float("nan")
    assert bad.first_non_finite() == "sensor 'goal' of task dots/far holds values that are not finite"


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


# Many workers


@pytest.mark.ray
@pytest.mark.filterwarnings("ignore::DeprecationWarning:ray.data.context")  # Ray Train makes a default one
def test_two_workers_average_gradients_and_survive_a_kill(
    config: PretrainConfig, tmp_path: Path, ray_session: None
) -> None:
    config = replace(config, workers=2, steps=200, checkpoint_every=20, batch_size=24, sensor_dropout=0.2)
    killed: list[int] = []

    def kill_one(step: int, values) -> None:
        if step >= 25 and not killed:
            killed.append(step)
            kill_a_train_worker()

    pretrain(config, tmp_path, kill_one)
    assert killed and len(list((tmp_path / "tensorboard").iterdir())) == 2
    rows = read_metrics(tmp_path)
    assert [row["step"] for row in rows] == list(range(1, 201))
    assert rows[-1]["loss"] < 0.5 * rows[0]["loss"]
    assert not (tmp_path / "ray").exists()
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
