"""Episodes out of a batch of simulations: order, content, unusable readings, policies."""

import numpy as np
import pytest

from trunkline.envs.registry import make_worlds, sample_tasks
from trunkline.errors import InputError
from trunkline.rollout.episodes import Finished, Lost, run_episodes
from trunkline.rollout.policies import AgentPolicy, ExpertPolicy, PolicyConfig, RandomPolicy, make_policy

TASK = "fake/reach"


def run(specs, policy, num_envs=4, world=None, **options):
    world = world or make_worlds(TASK, num_envs)
    return {outcome.index: outcome for outcome in run_episodes(world, policy, specs, **options)}


def same(a, b):
    """Whether two episodes are equal bit for bit."""
    arrays = [
        (a.actions, b.actions),
        (a.rewards, b.rewards),
        *((a.observations[k], b.observations[k]) for k in a.observations),
    ]
    return (
        all(x.dtype == y.dtype and np.array_equal(x, y) for x, y in arrays)
        and (a.task, a.success, a.progress) == (b.task, b.success, b.progress)
        and set(a.observations) == set(b.observations)
    )


def agent(seed=0):
    import torch

    from trunkline.agents.agent import Agent

    torch.set_num_threads(1)  # batches this small are slower on more
    world = make_worlds(TASK, 1)
    return Agent(world.sensors, {world.action_spec.name: world.action_spec}, seed=seed)


def test_every_taskspec_runs_once_and_holds_what_its_own_world_showed():
    specs = sample_tasks(TASK, 11, seed=1)
    outcomes = run(specs, ExpertPolicy())
    assert sorted(outcomes) == list(range(11))
    for index, spec in enumerate(specs):
        episode = outcomes[index].episode
        assert episode.task == spec and episode.success and outcomes[index].seconds > 0
        steps = len(episode)
        assert episode.rewards.shape == (steps,) and episode.actions.shape == (steps, 1)
        assert np.allclose(episode.observations["goal"][:, 0], spec.params["goal"])
        position = episode.observations["position"][:, 0]
        assert np.isclose(position[0], spec.params["start"])  # the reading before each action
        assert np.allclose(position[1:], np.clip(position[:-1] + 0.1 * episode.actions[:-1, 0], -1, 1), atol=1e-6)


@pytest.mark.parametrize(
    "config",
    [
        PolicyConfig("random", seed=3),
        PolicyConfig("expert", noise=0.5),
        PolicyConfig("expert", random_fraction=0.4),
        PolicyConfig("expert", random_fraction=0.5, random_unit="episode", noise=0.1),
    ],
    ids=lambda config: f"{config.kind}-{config.noise}-{config.random_fraction}-{config.random_unit}",
)
def test_an_episode_does_not_depend_on_its_batch(config):
    specs = sample_tasks(TASK, 9, seed=2)
    alone = [run([spec], make_policy(config), num_envs=1)[0].episode for spec in specs]
    together = run(specs, make_policy(config), num_envs=4)
    shuffled = run(specs[::-1], make_policy(config), num_envs=3)
    for index, episode in enumerate(alone):
        assert same(episode, together[index].episode)
        assert same(episode, shuffled[8 - index].episode)


def test_policies_are_mixed_in_the_asked_proportion():
    specs = sample_tasks(TASK, 60, seed=3)
    expert = run(specs, ExpertPolicy(), 16)
    mixed = run(specs, make_policy(PolicyConfig("expert", random_fraction=0.5, random_unit="episode")), 16)
    kept = sum(same(expert[i].episode, mixed[i].episode) for i in range(60))
    assert 15 <= kept <= 45
    one, other = run(specs, RandomPolicy(1), 16), run(specs, RandomPolicy(2), 16)
    assert not any(same(one[i].episode, other[i].episode) for i in range(60))


def test_what_was_intended_is_recorded_beside_what_mistakes_led_to():
    specs = sample_tasks(TASK, 20, seed=3)
    config = {"kind": "expert", "random_fraction": 0.4, "noise": 0.2}
    executed = run(specs, make_policy(PolicyConfig(**config)))
    intended = run(specs, make_policy(PolicyConfig(**config, recorded="intended")))
    for index in range(20):
        did, meant = executed[index].episode, intended[index].episode
        assert np.array_equal(did.observations["position"], meant.observations["position"])
        assert not np.array_equal(did.actions, meant.actions)
        away = (meant.observations["goal"] - meant.observations["position"])[:, :1]
        assert np.array_equal(np.sign(meant.actions), np.sign(away))  # the expert goes straight to the goal
    with pytest.raises(InputError, match="did you mean 'intended'"):
        PolicyConfig(recorded="intend")


def test_an_agents_samples_belong_to_the_taskspec():
    specs = sample_tasks(TASK, 6, seed=4)
    policy = AgentPolicy(agent(), deterministic=False)
    alone = [run([spec], policy, num_envs=1)[0].episode for spec in specs]
    together = run(specs, policy, num_envs=4)
    for index, episode in enumerate(alone):  # the last bits of a matrix product may depend on the batch's size
        assert np.allclose(episode.actions, together[index].episode.actions, atol=1e-4)
    assert not np.allclose(alone[0].actions, run(specs, AgentPolicy(agent()))[0].episode.actions)


@pytest.mark.parametrize("num_envs", [1, 4])
def test_a_reading_that_is_not_finite_loses_its_episode_alone(num_envs):
    specs = sample_tasks(TASK, 9, seed=5)
    bad = specs[4]
    policy = RandomPolicy()
    whole = run(specs, policy, num_envs)
    world = make_worlds(TASK, num_envs, nan_seeds=[bad.seed])
    outcomes = run(specs, policy, world=world)
    assert isinstance(outcomes[4], Lost) and outcomes[4].task == bad and outcomes[4].step == 4
    for part in ("'position'", TASK, "step 4", bad.id):
        assert part in outcomes[4].reason
    assert all(same(outcomes[i].episode, whole[i].episode) for i in range(9) if i != 4)


def test_an_agent_never_sees_unusable_readings():
    specs = sample_tasks(TASK, 6, seed=5)
    outcomes = run(specs, AgentPolicy(agent()), world=make_worlds(TASK, 3, nan_seeds=[specs[1].seed]))
    assert [type(outcomes[i]) for i in range(6)] == [Finished, Lost, *[Finished] * 4]


def test_a_reading_of_the_wrong_shape_loses_the_episodes_that_run():
    specs = sample_tasks(TASK, 12, seed=6)
    outcomes = run(specs[:3], RandomPolicy(), world=make_worlds(TASK, 1, wrong_shape_seeds=[specs[1].seed]))
    assert [type(outcomes[i]) for i in range(3)] == [Finished, Lost, Finished]
    assert "'position'" in outcomes[1].reason and "shape" in outcomes[1].reason
    # In a batch nobody can tell whose reading it was: all that run at the time are lost, the later ones are not.
    batch = run(specs, RandomPolicy(), world=make_worlds(TASK, 3, wrong_shape_seeds=[specs[1].seed]))
    assert sorted(batch) == list(range(12))
    lost = [i for i in range(12) if isinstance(batch[i], Lost)]
    assert 1 in lost and set(range(6, 12)).isdisjoint(lost)


def test_recording_and_filming_are_chosen():
    specs = sample_tasks(TASK, 3, seed=7)
    outcomes = run(specs, ExpertPolicy(), record=(), film={specs[1].id}, frame_size=32)
    assert outcomes[0].frames is None and not outcomes[0].episode.observations
    steps = len(outcomes[1].episode)
    assert outcomes[1].frames.shape == (steps, 32, 32, 3) and outcomes[1].frames.dtype == np.uint8
    with pytest.raises(InputError, match="did you mean 'goal'"):
        run(specs, ExpertPolicy(), record=("gaol",))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"kind": "exprt"}, "did you mean 'expert'"),
        ({"kind": "checkpoint"}, "needs a path"),
        ({"noise": -1.0}, "noise=-1.0"),
        ({"mask": ("goal",)}, "kind='checkpoint'"),
        ({"random_unit": "steps"}, "did you mean 'step'"),
    ],
)
def test_wrong_policies_are_refused(config, message):
    with pytest.raises(InputError, match=message):
        PolicyConfig(**config)


def test_a_policy_that_cannot_act_there_says_why():
    trained = agent()
    with pytest.raises(InputError, match="act blindly"):
        AgentPolicy(trained, mask=("position", "goal")).sensors(make_worlds(TASK, 1).sensors)
    with pytest.raises(InputError, match="unknown body"):
        run(sample_tasks("pointmass/reach", 1, 0), AgentPolicy(trained), world=make_worlds("pointmass/reach", 1))
    with pytest.raises(InputError, match="did you mean 'goal'"):
        AgentPolicy(trained, mask=("goals",))
