"""RL finetuning: the runner's arrays, the update, learning, resuming, the pull to the reference, lost runners."""

import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest
import torch

from trunkline.agents.agent import Agent
from trunkline.agents.checkpoint import load_agent, save_agent
from trunkline.agents.config import AgentConfig
from trunkline.envs.manifest import Manifest
from trunkline.envs.registry import make_worlds, sample_tasks
from trunkline.envs.spec import ActionSpec, SensorSpec
from trunkline.errors import InputError
from trunkline.rollout.finetune import FinetuneConfig, finetune
from trunkline.rollout.rl.advantages import generalised_advantages
from trunkline.rollout.rl.algorithm import Resources, algorithm_config
from trunkline.rollout.rl.config import PPOConfig
from trunkline.rollout.rl.env_runner import RunnerConfig, WorldRunner
from trunkline.rollout.rl.fragment import Sample, join, split
from trunkline.rollout.rl.groups import plan_groups
from trunkline.rollout.rl.module import AgentModule, Blueprint

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("ray_session")]

SMALL = AgentConfig(width=32, depth=0)
FAKE = FinetuneConfig(
    tasks=("fake/reach", "fake/image", "pointmass/reach"),
    agent=AgentConfig(width=16, depth=1),
    critic=SMALL,
    steps=4 * 3 * 4 * 10,
    num_envs=4,
    fragment_length=10,
    ppo=PPOConfig(epochs=2, minibatches=2),
    checkpoint_every=2,
    num_env_runners=0,
)


def make_runner(tasks, num_envs=8, steps=40, seed=0) -> WorldRunner:
    groups, sensors, actions = plan_groups(tasks, {})
    blueprint = Blueprint(sensors, actions, SMALL, 0)
    runner = RunnerConfig(groups, num_envs, steps, seed)
    config = algorithm_config(blueprint, runner, PPOConfig(), Resources(num_env_runners=0), 1)
    return WorldRunner(config=config, worker_index=0, num_workers=0)


def make_config(base: FinetuneConfig, **changes) -> FinetuneConfig:
    return FinetuneConfig(**{**vars(base), **changes})


def metrics(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


# The arrays


def test_advantages_equal_the_sum_of_discounted_errors_of_each_episode():
    rng = np.random.default_rng(0)
    steps, sims, gamma, lam = 12, 5, 0.9, 0.8
    rewards, values, nexts = rng.normal(size=(3, steps, sims))
    done = rng.random((steps, sims)) < 0.2
    result = generalised_advantages(rewards, values, nexts, done, gamma, lam)
    for e in range(sims):
        for t in range(steps):
            expected, factor = 0.0, 1.0
            for k in range(t, steps):
                expected += factor * (rewards[k, e] + gamma * nexts[k, e] - values[k, e])
                factor *= gamma * lam
                if done[k, e]:
                    break
            assert result[t, e] == pytest.approx(expected)


def test_a_fragment_holds_what_the_worlds_did():
    runner = make_runner(["fake/reach"], num_envs=4, steps=70)
    sample = runner.sample(iteration=3)
    assert isinstance(sample, Sample)
    (fragment,) = sample.fragments
    # The same contexts and actions, stepped by hand.
    world = make_worlds("fake/reach", 4)
    lane = runner._lanes[0]
    observation, _ = world.reset(options={"tasks": lane._contexts("fake/reach", 3)})
    cut = []
    for t in range(70):
        for name, value in observation.items():
            np.testing.assert_array_equal(fragment.observations[name][t], value)
        observation, reward, terminated, truncated, info = world.step(fragment.actions[t])
        np.testing.assert_array_equal(fragment.rewards[t], reward)
        np.testing.assert_array_equal(fragment.terminated[t], terminated)
        np.testing.assert_array_equal(fragment.truncated[t], truncated)
        cut += [(t, e, info["final_obs"]["position"][e]) for e in np.flatnonzero(truncated)]
    for name, value in observation.items():
        np.testing.assert_array_equal(fragment.last[name], value)
    assert len(cut) >= 4
    np.testing.assert_array_equal(fragment.cut_at, [(t, e) for t, e, _ in cut])
    np.testing.assert_array_equal(fragment.cut["position"], [value for _, _, value in cut])
    statistics = sample.statistics["fake/reach"]
    assert statistics.episodes == int((fragment.terminated | fragment.truncated).sum())
    assert statistics.successes == int(fragment.terminated.sum())


def test_sampling_depends_on_seed_and_iteration_alone():
    first, second, other = (make_runner(["pointmass/reach", "fake/image"], seed=seed) for seed in (1, 1, 2))
    torch.manual_seed(0)
    a = first.sample(iteration=5)
    torch.manual_seed(1)
    b, c = second.sample(iteration=5), other.sample(iteration=5)
    for x, y, z in zip(a.fragments, b.fragments, c.fragments, strict=True):
        np.testing.assert_array_equal(x.actions, y.actions)
        np.testing.assert_array_equal(x.rewards, y.rewards)
        assert not np.array_equal(x.actions, z.actions)


def test_fragments_split_and_join():
    (fragment,) = make_runner(["fake/reach"], num_envs=6, steps=40).sample(iteration=0).fragments
    parts = split(fragment, 3)
    assert [part.num_simulations for part in parts] == [2, 2, 2]
    joined = join(parts)
    order = np.concatenate([np.arange(part, 6, 3) for part in range(3)])
    np.testing.assert_array_equal(joined.rewards, fragment.rewards[:, order])
    assert len(joined.cut_at) == len(fragment.cut_at) > 0
    for (t, e), value in zip(joined.cut_at, joined.cut["position"], strict=True):
        match = (fragment.cut_at == [t, order[e]]).all(1)
        np.testing.assert_array_equal(fragment.cut["position"][match][0], value)


def test_simulations_with_readings_that_are_not_finite_are_left_out(caplog):
    runner = make_runner(["fake/reach"], num_envs=4, steps=10)
    runner.sample(iteration=0)
    world = runner._lanes[0].worlds[0]
    world._nan_seeds = {world.specs[2].seed}
    with caplog.at_level("WARNING"):
        sample = runner.sample(iteration=1)
    assert sample.fragments[0].num_simulations == 3
    assert sample.statistics["fake/reach"].dropped == 1
    assert all(np.isfinite(v).all() for v in sample.fragments[0].observations.values())
    assert "position of fake/reach is not finite" in caplog.text


def test_an_error_in_a_world_reaches_the_caller():
    runner = make_runner(["fake/reach"], num_envs=4, steps=10)
    runner.sample(iteration=0)
    world = runner._lanes[0].worlds[0]
    world._wrong_shape_seeds = {spec.seed for spec in world.specs}
    assert isinstance(runner.sample(iteration=1), Exception)


# The networks


def test_discrete_actions_have_log_probabilities_entropy_and_kl():
    sensors = {"position": SensorSpec("position", "proprio", (1,))}
    actions = {"keys": ActionSpec("keys", (2,), choices=(3, 4))}
    blueprint = Blueprint(sensors, actions, SMALL, 0, reference=True)
    module = AgentModule(model_config={"blueprint": blueprint})
    drawn, log_probs = module.explore({"position": torch.randn(7, 1)}, "keys")
    observations = {"position": torch.randn(7, 1)}
    reference = module.reference_features(observations)
    rows = {"action": "keys", "observations": observations, "actions": drawn, "reference": reference}
    outputs = module.forward_train({"rows": [rows], "freeze_policy": False})
    assert drawn.shape == (7, 2) and log_probs.shape == (7,)
    assert all(outputs[name].shape == (7,) for name in ("log_probs", "entropy", "values", "kl"))
    assert outputs["kl"].abs().max() < 1e-6  # the reference starts with the same weights
    assert not module.training and not module.policy.training


# The runs


def test_ppo_from_scratch_learns_to_reach(tmp_path):
    config = FinetuneConfig(
        tasks=("pointmass/reach",),
        agent=AgentConfig.plain_mlp((64, 64)),
        steps=60_000,
        num_envs=128,
        fragment_length=16,
        ppo=PPOConfig(lr=1e-3),
        num_env_runners=0,
    )
    finetune(config, tmp_path)
    rows = [row for row in metrics(tmp_path) if row.get("episodes/pointmass/reach")][-5:]
    assert np.mean([row["success/pointmass/reach"] for row in rows]) > 0.8


def test_a_resumed_run_equals_an_uninterrupted_one_bit_for_bit(tmp_path):
    def stop(iteration, figures):
        if iteration == 3:
            raise KeyboardInterrupt

    whole = finetune(FAKE, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        finetune(FAKE, tmp_path / "parts", stop)
    assert [p.name for p in (tmp_path / "parts" / "checkpoints").iterdir()] == ["00000002"]
    parts = finetune(FAKE, tmp_path / "parts")
    assert whole.name == parts.name == "00000004"
    files = sorted(p.relative_to(whole) for p in whole.rglob("*.safetensors"))
    assert len(files) > 5
    for file in files:
        assert (whole / file).read_bytes() == (parts / file).read_bytes(), file
    assert [row["step"] for row in metrics(tmp_path / "parts")] == [1, 2, 3, 4]
    assert finetune(FAKE, tmp_path / "parts") == parts  # nothing is left to do


def test_step_sizes_rise_after_the_critic_has_warmed_up_and_fall():
    ppo = PPOConfig(lr=1.0, critic_lr=2.0, lr_end=0.5, critic_warmup=2, lr_warmup=3)
    policy, critic = zip(*(ppo.lr_at(i, i / 10) for i in range(11)), strict=True)
    decay = [1 - 0.05 * i for i in range(11)]
    rise = [1, 1, 0.25, 0.5, 0.75, *[1] * 6]
    assert policy == pytest.approx([a * b for a, b in zip(decay, rise, strict=True)])
    assert critic == pytest.approx([2 * a for a in decay])


def test_the_first_update_is_small_with_a_step_size_that_rises(tmp_path):
    def first_move(name: str, **changes: int) -> float:
        config = make_config(FAKE, steps=3 * 4 * 10, ppo=PPOConfig(epochs=2, minibatches=2, **changes))
        finetune(config, tmp_path / name)
        return metrics(tmp_path / name)[0]["kl_update"]

    assert 0 < first_move("rising", lr_warmup=9) < 0.1 * first_move("at once")


def test_the_reference_holds_the_policy(tmp_path):
    _, sensors, actions = plan_groups(["fake/reach"], {})
    save_agent(Agent(sensors, actions, SMALL, seed=1), tmp_path / "pretrained")
    drift = {}
    for coefficient in (1e-6, 100.0):
        config = make_config(
            FAKE,
            tasks=("fake/reach",),
            init=str(tmp_path / "pretrained"),
            steps=8 * 8 * 16,
            num_envs=8,
            fragment_length=16,
            ppo=PPOConfig(lr=3e-3, kl_coefficient=coefficient, kl_decay=0.5),
        )
        finetune(config, tmp_path / str(coefficient))
        rows = metrics(tmp_path / str(coefficient))
        drift[coefficient] = rows[-1]["kl_reference"]
        assert rows[3]["kl_coefficient"] == pytest.approx(coefficient / 8)
    assert drift[100.0] < 0.1 * drift[1e-6]


def test_the_critic_warms_up_and_frozen_parts_stay(tmp_path):
    _, sensors, actions = plan_groups(["fake/reach"], {})
    start = Agent(sensors, actions, AgentConfig(width=16, depth=1), seed=1)
    save_agent(start, tmp_path / "pretrained")
    config = make_config(FAKE, tasks=("fake/reach",), init=str(tmp_path / "pretrained"), steps=3 * 4 * 10)
    warm = load_agent(finetune(make_config(config, ppo=PPOConfig(critic_warmup=3)), tmp_path / "warm"))
    held = load_agent(finetune(make_config(config, freeze=("trunk",), critic=None), tmp_path / "held"))
    assert all(torch.equal(value, warm.state_dict()[name]) for name, value in start.state_dict().items())
    changed = {name for name, value in start.state_dict().items() if not torch.equal(value, held.state_dict()[name])}
    assert changed and not any(name.startswith("trunk") for name in changed)


def test_training_on_a_manifest_stays_within_it(tmp_path):
    Manifest(tuple(sample_tasks("fake/reach", 5, 0))).save(tmp_path / "train.json")
    Manifest(tuple(sample_tasks("fake/reach", 5, 0, "test/goal"))).save(tmp_path / "test.json")
    config = make_config(FAKE, tasks=("fake/reach",), contexts=str(tmp_path / "train.json"), steps=80)
    assert finetune(config, tmp_path / "run").exists()
    with pytest.raises(InputError, match="split test/goal; train on train only"):
        finetune(make_config(config, contexts=str(tmp_path / "test.json")), tmp_path / "other")


def test_worlds_are_made_with_their_familys_options(tmp_path):
    options = {"tactile": {"touch_sensor": "digit", "image_size": 32}}
    config = make_config(
        FAKE,
        tasks=("tactile/insertion",),
        sensors={"tactile": ("touch_left",)},
        options=options,
        steps=2 * 4,
        num_envs=2,
        fragment_length=4,
    )
    trained = load_agent(finetune(config, tmp_path / "run"))
    touch = trained.sensors["touch_left"]
    assert touch.shape == (32, 32, 3) and touch.mean is not None
    with pytest.raises(InputError, match=r"options\.tactile"):
        finetune(make_config(config, options={}), tmp_path / "run")
    with pytest.raises(InputError, match="option of tactile/insertion 'tuch_sensor'"):
        finetune(make_config(config, options={"tactile": {"tuch_sensor": "digit"}}), tmp_path / "other")
    with pytest.raises(InputError, match="world family in options 'tactil'"):
        finetune(make_config(config, options={"tactil": {}}), tmp_path / "other")


def failing(tmp_path, count: int, broken: int, **changes) -> FinetuneConfig:
    """A run on `count` contexts, of which `broken` ones have a sensor that fails."""
    contexts = sample_tasks("fake/reach", count, 0)
    Manifest(tuple(contexts)).save(tmp_path / "train.json")
    options = {"fake": {"nan_seeds": [spec.seed for spec in contexts[:broken]]}}
    return make_config(FAKE, tasks=("fake/reach",), contexts=str(tmp_path / "train.json"), options=options, **changes)


def test_steps_that_were_dropped_are_not_counted_also_after_resuming(tmp_path):
    config = failing(tmp_path, count=6, broken=1, steps=4 * 4 * 10)

    def stop(iteration, figures):
        if iteration == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        finetune(config, tmp_path / "run", stop)
    finetune(config, tmp_path / "run")
    rows = metrics(tmp_path / "run")
    assert sum(row["dropped"] for row in rows) > 0
    assert [row["total_steps"] for row in rows] == list(np.cumsum([row["steps"] for row in rows]))
    assert rows[-1]["total_steps"] < config.steps


def test_a_run_that_has_nothing_left_to_learn_from_says_which_sensor_failed(tmp_path):
    with pytest.raises(InputError, match=r"0 simulations are left to learn from.*not finite: position of fake/reach"):
        finetune(failing(tmp_path, count=3, broken=3), tmp_path / "run")


def test_a_killed_runner_is_replaced_and_a_run_goes_on_with_another_number(tmp_path):
    import psutil

    config = make_config(
        FAKE, tasks=("fake/reach",), num_env_runners=2, agent=SMALL, steps=1000 * 4 * 10, checkpoint_every=10
    )
    runners: list[float] = []

    def kill(iteration, figures):
        runners.append(figures["runners"])
        if iteration == 2:
            children = psutil.Process().children(recursive=True)
            victim = next(p for p in children if "WorldRunner" in " ".join(p.cmdline()))
            os.kill(victim.pid, signal.SIGKILL)
        elif iteration > 10 and figures["runners"] == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        finetune(config, tmp_path, kill)
    assert runners[:2] == [2, 2] and 1 in runners[2:]
    last = int(max(p.name for p in (tmp_path / "checkpoints").iterdir()))

    def stop(iteration, figures):
        assert figures["runners"] == 1
        if iteration == last + 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        finetune(make_config(config, num_env_runners=0), tmp_path, stop)
    assert [row["step"] for row in metrics(tmp_path)] == list(range(1, last + 3))


# Bad input


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tasks": ("fake/reech",)}, "did you mean 'fake/reach'"),
        ({"sensors": {"fake": ("positon",)}}, "did you mean 'position'"),
        ({"sensors": {"tabletop": ("goal",)}}, "unknown world family"),
        ({"freeze": ("trunc",)}, "did you mean 'trunk'"),
        ({"init": "/nowhere"}, "no checkpoint at /nowhere"),
        ({"num_env_runners": 64, "num_envs": 64}, "need 64 CPUs"),
    ],
)
def test_bad_input_is_named(tmp_path, changes, message):
    with pytest.raises(InputError, match=message):
        finetune(make_config(FAKE, **changes), tmp_path / "run")
    assert not (tmp_path / "run" / "checkpoints").exists()


def test_bad_configurations_are_named():
    for changes, message in (
        ({"tasks": "fake/reach"}, "must be a list"),
        ({"tasks": ()}, "at least one task"),
        ({"num_envs": 1, "num_env_runners": 2}, "at least 1 for each of 2"),
        ({"steps": 0}, "steps=0"),
        ({"critic_sensors": "position"}, "must be a list"),
        ({"critic_sensors": ("position",), "critic": None}, "need a critic of its own"),
    ):
        with pytest.raises(InputError, match=message):
            make_config(FAKE, **changes)
    with pytest.raises(InputError, match=r"ppo\.gamma=2"):
        PPOConfig(gamma=2)


def test_a_checkpoint_for_another_body_is_refused(tmp_path):
    _, sensors, actions = plan_groups(["pointmass/reach"], {})
    save_agent(Agent(sensors, actions, SMALL), tmp_path / "point")
    config = make_config(FAKE, tasks=("fake/reach",), init=str(tmp_path / "point"))
    with pytest.raises(InputError, match="no policy for body 'line'"):
        finetune(config, tmp_path / "run")


def test_the_folder_of_another_run_is_left_alone(tmp_path):
    tiny = make_config(FAKE, tasks=("fake/reach",), steps=40)
    checkpoint = finetune(tiny, tmp_path)
    with pytest.raises(InputError, match="seed is 1, the run there has 0"):
        finetune(make_config(tiny, seed=1), tmp_path)
    assert checkpoint.exists()
