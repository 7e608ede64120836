"""The contract that every world keeps, on pointmass, the fakes and Gymnasium ids."""

import subprocess
import sys

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from trunkline.envs.manifest import disjoint
from trunkline.envs.registry import make_worlds, sample_tasks, splits
from trunkline.envs.single import make_env
from trunkline.errors import InputError


def run(task, specs, num_envs, policy, threads=1):
    """Success by spec, and every observation, in episode order."""
    world = make_worlds(task, num_envs, num_threads=threads)
    observations, _ = world.reset(options={"tasks": specs})
    success = np.zeros(len(specs), bool)
    traces = [[] for _ in specs]
    while world.active.any():
        running = np.flatnonzero(world.active)
        indices = world._task_index.copy()
        for row in running:
            traces[indices[row]].append({k: v[row].copy() for k, v in observations.items()})
        observations, _, terminated, truncated, info = world.step(policy(world, indices))
        done = terminated | truncated
        success[info["task"][done]] = info["success"][done]
    return success, traces


def expert(world, indices):
    return world.expert_actions()


def scripted(world, indices):
    """Actions that depend on the episode alone."""
    phase = np.where(indices >= 0, indices, 0) * 0.37 + world._elapsed * 0.11
    columns = [np.sin(phase + k) for k in range(world.single_action_space.shape[0])]
    return np.stack(columns, 1).astype(np.float32)


def uniform(world, indices):
    rng = np.random.default_rng(int(world._elapsed.sum()))
    return rng.uniform(-1, 1, world.action_space.shape).astype(np.float32)


@pytest.mark.parametrize("split", ["train", "test/goal", "test/object"])
def test_pointmass_expert_succeeds_and_random_does_not(split):
    specs = sample_tasks("pointmass/reach", 64, 3, split)
    assert run("pointmass/reach", specs, 32, expert)[0].mean() >= 0.95
    assert run("pointmass/reach", specs, 32, uniform)[0].mean() <= 0.10


def test_same_task_and_actions_give_the_same_trajectory_alone_in_a_batch_and_threaded():
    specs = sample_tasks("pointmass/reach", 64, 0, "train")
    _, batched = run("pointmass/reach", specs, 64, scripted, threads=2)
    for index in (0, 17, 63):
        world = make_worlds("pointmass/reach", 1)
        observations, _ = world.reset(options={"tasks": [specs[index]]})
        for expected in batched[index]:
            for name, value in expected.items():
                assert np.array_equal(observations[name][0], value)
            observations, *_ = world.step(scripted(world, np.array([index])))


def test_same_trajectory_in_another_process():
    script = (
        "import hashlib, numpy as np\n"
        "from trunkline.envs.registry import make_worlds, sample_tasks\n"
        "world = make_worlds('pointmass/reach', 4)\n"
        "world.reset(options={'tasks': sample_tasks('pointmass/reach', 4, 7, 'train')})\n"
        "digest = hashlib.sha256()\n"
        "for k in range(20):\n"
        "    observations, *_ = world.step(np.full((4, 2), np.sin(k), np.float32))\n"
        "    digest.update(observations['point_state'].tobytes())\n"
        "print(digest.hexdigest())\n"
    )
    results = {subprocess.run([sys.executable, "-c", script], check=True, capture_output=True).stdout for _ in range(2)}
    assert len(results) == 1 and len(next(iter(results))) == 65


def test_splits_share_no_context():
    for task in ("pointmass/reach", "fake/reach"):
        parts = [sample_tasks(task, 200, 0, split) for split in ("train", "validation/goal", "test/goal")]
        assert all(disjoint(a, b) for i, a in enumerate(parts) for b in parts[i + 1 :])
    # Disjoint by construction: the cells differ, so no training goal lies in a cell of the test part.
    cells = [
        {
            tuple(np.floor(np.array(t.params["goal"]) / 0.06).astype(int))
            for t in sample_tasks("pointmass/reach", 500, 1, s)
        }
        for s in ("train", "test/goal")
    ]
    assert cells[0] and cells[1] and not cells[0] & cells[1]


def test_a_shorter_draw_is_a_prefix_of_a_longer_one():
    assert sample_tasks("pointmass/reach", 20, 5, "train")[:8] == sample_tasks("pointmass/reach", 8, 5, "train")
    assert sample_tasks("pointmass/reach", 8, 5, "train") != sample_tasks("pointmass/reach", 8, 6, "train")


def test_queue_runs_every_task_once_and_then_idles():
    specs = sample_tasks("fake/reach", 11, 0, "train")
    world = make_worlds("fake/reach", 4)
    world.reset(options={"tasks": iter(specs)})
    seen = []
    while world.active.any():
        observations, reward, terminated, truncated, info = world.step(world.expert_actions())
        done = terminated | truncated
        seen += info["task"][done].tolist()
        if done.any():
            assert np.array_equal(info["_final_obs"], done)
            assert set(info["final_obs"]) == set(observations)
        assert (reward[info["task"] < 0] == 0).all()
    assert sorted(seen) == list(range(11))


@pytest.mark.filterwarnings("ignore:.*Box observation space m.*imum value is.*infinity")  # of its state
@pytest.mark.parametrize("task", ["pointmass/reach", "tabletop/push", "fake/reach", "fake/image"])
def test_gymnasium_checker_accepts_the_single_environment(task):
    check_env(make_env(task), skip_render_check=True)


@pytest.mark.parametrize(
    ("task", "sensors", "fps"),
    [
        ("pointmass/reach", None, 20),
        ("tabletop/reach", None, 20),
        ("tactile/grip", ("proprio",), 40),
        ("tactile/insertion", ("proprio",), 40),
        ("tactile/touch", ("touch_arm",), 50),
        ("gym:CartPole-v1", None, 50),
    ],
)
def test_frames_a_second_are_the_worlds_control_rate(task, sensors, fps):
    env = make_env(task, sensors)
    assert env.world.fps == env.world.metadata["render_fps"] == env.metadata["render_fps"] == fps
    model = getattr(env.world, "model", None)
    if model is not None:
        assert model.opt.timestep * env.world.substeps * fps == pytest.approx(1.0)
    env.close()


def test_any_gymnasium_id_is_a_world():
    specs = sample_tasks("gym:Pendulum-v1", 3, 0, "train")
    world = make_worlds("gym:Pendulum-v1", 2)
    observations, _ = world.reset(options={"tasks": specs})
    single = gymnasium.make("Pendulum-v1")
    first, _ = single.reset(seed=specs[0].seed)
    assert np.array_equal(observations["observation"][0], first)
    actions = np.full((2, 1), 0.5, np.float32)
    observations, reward, *_ = world.step(actions)
    expected, expected_reward, *_ = single.step(actions[0])
    assert np.array_equal(observations["observation"][0], expected) and reward[0] == np.float32(expected_reward)
    episodes = 0
    while world.active.any():
        *_, truncated, _info = world.step(actions)
        episodes += int(truncated.sum())
    assert episodes == 3
    with pytest.raises(InputError, match="no scripted expert"):
        world.expert_actions()
    discrete = make_worlds("gym:CartPole-v1", 2)
    discrete.reset(seed=0)
    assert discrete.action_spec.choices == (2,)
    discrete.step(np.zeros((2, 1), int))


@pytest.mark.parametrize("seed", [0, 715, 716, 2**40])
def test_gymnasium_splits_start_from_disjoint_seeds(seed, monkeypatch):
    parts = splits("gym:CartPole-v1")
    world = make_worlds("gym:CartPole-v1", 64)
    asked = []
    reset = world._envs.reset
    monkeypatch.setattr(world._envs, "reset", lambda *, seed, options: asked.append(seed) or reset(seed=seed))
    for part in parts:
        world.reset(options={"tasks": sample_tasks("gym:CartPole-v1", 64, seed, part)})
    for number, seeds in enumerate(asked):
        assert {s % len(parts) for s in seeds} == {number} and max(seeds) < 2**31


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: make_worlds("pointmas/reach"), "did you mean 'pointmass'"),
        (lambda: make_worlds("pointmass/reech"), "did you mean 'pointmass/reach'"),
        (lambda: make_worlds("pointmass/reach", sensors=["gaol"]), "did you mean 'goal'"),
        (lambda: make_worlds("pointmass/reach", colour=1), "unknown option"),
        (lambda: make_worlds("gym:Pendulun-v1"), "Pendulun"),
        (lambda: sample_tasks("gym:Pendulum-v1", 1, -1), "seed=-1"),
        (lambda: make_worlds("tabletop/reach", image_size="abc"), "image_size='abc': choose 8 to 1024"),
        (lambda: sample_tasks("pointmass/reach", 1, 0, "test/gaol"), "did you mean 'test/goal'"),
        (lambda: make_worlds("fake/reach", 2).step(np.zeros((3, 1))), r"\(3, 1\)"),
        (lambda: make_worlds("fake/reach", 2).step(np.full((2, 1), np.nan)), "environment 0 is not finite"),
        (
            lambda: make_worlds("fake/reach").reset(options={"tasks": sample_tasks("pointmass/reach", 1, 0)}),
            "is of pointmass/reach",
        ),
    ],
)
def test_bad_input_names_the_thing(call, message):
    with pytest.raises(InputError, match=message):
        call()
