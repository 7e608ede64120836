"""The tabletop worlds: episodes, splits, sensors, expert, pictures, and the same bits everywhere."""

import hashlib
import os
import subprocess
import sys

import mujoco
import numpy as np
import pytest

from trunkline.envs.base import World
from trunkline.envs.families.tabletop import TASKS, VIEW, Tabletop
from trunkline.envs.manifest import disjoint
from trunkline.envs.mujoco.raycast import FAR
from trunkline.envs.mujoco.sensors import goal_sensor
from trunkline.envs.mujoco.shapes import SHAPES, inertias
from trunkline.envs.mujoco.tabletop.task import CELL
from trunkline.envs.registry import make_worlds, sample_tasks
from trunkline.envs.spec import TaskSpec
from trunkline.envs.splits import part_of
from trunkline.errors import InputError

NAMES = tuple(TASKS)


def run(world: World, specs: list[TaskSpec], policy: str) -> np.ndarray:
    """Success of every TaskSpec."""
    rng = np.random.default_rng(0)
    world.reset(options={"tasks": specs})
    success = np.zeros(len(specs), bool)
    while world.active.any():
        expert = policy == "expert"
        actions = world.expert_actions() if expert else rng.uniform(-1, 1, (world.num_envs, 4)).astype(np.float32)
        assert (np.abs(actions) <= 1).all()
        observations, _, terminated, _, info = world.step(actions)
        for name, value in observations.items():
            assert world.observation_space[name].contains(value), name
        assert ((info["progress"] >= 0) & (info["progress"] <= 1)).all()
        success[info["task"][terminated]] = True
    return success


def episode(task: str, specs: list[TaskSpec], actions: np.ndarray, threads: int, steps: int) -> list[bytes]:
    """Hash of every simulation's observations, rewards and final state over `steps` steps of the same actions."""
    world = make_worlds(task, len(specs), num_threads=threads)
    observations, _ = world.reset(options={"tasks": specs})
    digests = [hashlib.sha256() for _ in specs]
    for t in range(steps + 1):
        for i, digest in enumerate(digests):
            for name in world.sensors:
                digest.update(observations[name][i].tobytes())
        if t < steps:
            observations, reward, _, _, info = world.step(np.broadcast_to(actions[t], (len(specs), 4)))
            for i, digest in enumerate(digests):
                digest.update(reward[i].tobytes() + info["progress"][i].tobytes())
    return [digest.digest() for digest in digests]


def fixed_actions(steps: int) -> np.ndarray:
    """Actions that go to the middle of the table, close, and wander there."""
    rng = np.random.default_rng(3)
    actions = rng.uniform(-0.7, 0.7, (steps, 4)).astype(np.float32)
    actions[:8] += np.array([0.5, 0.1, -0.5, 0.3], np.float32)
    return np.clip(actions, -1, 1)


@pytest.mark.parametrize("name", NAMES)
def test_expert_succeeds_and_random_fails(name: str) -> None:
    world = make_worlds(f"tabletop/{name}", 16)
    specs = sample_tasks(world.qualified_task, 16, 11, "train")
    specs += sample_tasks(world.qualified_task, 16, 11, "test/object" if TASKS[name].has_object else "test/goal")
    assert run(world, specs, "expert").mean() >= 0.95
    assert run(world, specs[:16], "random").mean() <= 0.1


@pytest.mark.parametrize("name", NAMES)
def test_same_bits_alone_in_a_batch_and_on_two_threads(name: str) -> None:
    task, steps = f"tabletop/{name}", 24
    specs = [*sample_tasks(task, 40, 5, "train"), *sample_tasks(task, 24, 5, "test/task")]
    actions = fixed_actions(steps)
    batch = episode(task, specs, actions, 1, steps)
    assert episode(task, specs, actions, 2, steps) == batch
    for i in (0, 9, 63):
        assert episode(task, specs[i : i + 1], actions, 1, steps) == batch[i : i + 1]


def test_same_bits_after_other_episodes_and_in_another_process() -> None:
    task, steps = "tabletop/push", 20
    specs = sample_tasks(task, 3, 5, "train")
    actions = fixed_actions(steps)
    fresh = episode(task, specs[2:], actions, 1, steps)
    # The third episode of a simulation that already ran two others.
    world = make_worlds(task, 1)
    short = [TaskSpec(s.task, s.seed, s.params, s.split, 7) for s in specs[:2]]
    observations, _ = world.reset(options={"tasks": [*short, specs[2]]})
    for _ in range(14):
        observations, *_ = world.step(np.full((1, 4), 0.4, np.float32))
    digest = hashlib.sha256()
    for t in range(steps + 1):
        for name in world.sensors:
            digest.update(observations[name][0].tobytes())
        if t < steps:
            observations, reward, _, _, info = world.step(actions[t][None])
            digest.update(reward[0].tobytes() + info["progress"][0].tobytes())
    assert digest.digest() == fresh[0]
    code = (
        "from trunkline.envs.registry import sample_tasks\nimport test_tabletop as t\n"
        f"specs = sample_tasks('{task}', 3, 5, 'train')[2:]\n"
        f"print(t.episode('{task}', specs, t.fixed_actions({steps}), 1, {steps})[0].hex())"
    )
    path = os.pathsep.join([os.path.dirname(__file__), *sys.path])
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path}, check=True
    )
    assert done.stdout.strip() == fresh[0].hex()


@pytest.mark.parametrize("name", NAMES)
def test_splits_are_disjoint_and_draws_are_prefixes(name: str) -> None:
    task = f"tabletop/{name}"
    key = "place" if "place" in sample_tasks(task, 1, 0)[0].params else "goal"
    parts = {"train": "train", "validation/goal": "validation", "test/goal": "test"}
    drawn = {split: sample_tasks(task, 60, 0, split) for split in Tabletop.splits(name)}
    for split, specs in drawn.items():
        assert sample_tasks(task, 20, 0, split) == specs[:20]
        assert sample_tasks(task, 20, 1, split) != specs[:20]
        assert len({s.id for s in specs}) == len(specs)
        if split == "test/task":
            continue
        assert {part_of(*s.params[key][:2], CELL) for s in specs} == {parts.get(split, "train")}
        if TASKS[name].has_object:
            shapes = {"validation/object": {"capsule"}, "test/object": {"ellipsoid"}}.get(split, {"box", "cylinder"})
            assert {s.params["shape"] for s in specs} == shapes
        assert split == "train" or disjoint(specs, drawn["train"])
    assert all(TaskSpec.from_json(s.to_json()) == s for s in drawn["train"])


def test_sensors_have_the_same_form_in_every_task_and_the_goal_can_be_hidden() -> None:
    worlds = [make_worlds(f"tabletop/{name}", 2) for name in NAMES]
    for world in worlds:
        observations, _ = world.reset(seed=0)
        assert tuple(observations) == ("proprio", "object_state", "goal")
        assert all(s.difference(worlds[0].sensors[name]) is None for name, s in world.sensors.items())
        assert world.sensors["goal"] == goal_sensor()
        if world.task != "reach":
            state = observations["object_state"]
            np.testing.assert_allclose(np.square(state[:, 3:7]).sum(1), 1, atol=1e-5)
            assert (state[:, 16:20].sum(1) == 1).all() and (state[:, 13:16] > 0).all()
    hidden = make_worlds("tabletop/reach", 2, sensors=["proprio"])
    assert tuple(hidden.reset(seed=0)[0]) == ("proprio",)
    assert list(hidden.observation_space) == ["proprio"]


@pytest.mark.parametrize("name", [n for n in NAMES if n != "reach"])
def test_handled_thing_is_where_the_sensor_says(name: str) -> None:
    """What is computed in closed form agrees with MuJoCo's kinematics, also in motion."""
    world = make_worlds(f"tabletop/{name}", 4)
    specs = sample_tasks(world.qualified_task, 4, 2, "test/task")
    observations, _ = world.reset(options={"tasks": specs})
    bodies = {"button-press": "button", "door-open": "door", "drawer-open": "drawer"}
    for _ in range(20):
        observations, *_ = world.step(world.expert_actions())
    for i in range(4):
        model, data = world.batch.get_model(i), world.batch.get_data(i)
        mujoco.mj_kinematics(model, data)
        geom = "handle" if name in bodies else "object"
        point = data.geom(geom).xpos.copy()
        if name == "button-press":
            point[2] += specs[i].params["half_extents"][2]
        np.testing.assert_allclose(observations["object_state"][i, :3], point, atol=1e-5)
        body = data.body(bodies.get(name, "object"))
        np.testing.assert_allclose(observations["object_state"][i, 3:7], body.xquat, atol=1e-5)
        hand = data.body("hand").xpos
        np.testing.assert_allclose(observations["proprio"][i, :3], hand, atol=1e-5)


def test_idle_simulations_stay_finite_and_earn_nothing() -> None:
    world = make_worlds("tabletop/pick-place", 3)
    world.reset(options={"tasks": sample_tasks("tabletop/pick-place", 1, 0)})
    observations, reward, terminated, truncated, info = world.step(np.ones((3, 4), np.float32))
    assert info["task"].tolist() == [0, -1, -1]
    assert all(np.isfinite(v).all() for v in observations.values())
    assert (reward[1:] == 0).all() and not (terminated | truncated)[1:].any()


def test_progress_rises_along_the_experts_way() -> None:
    for name in NAMES:
        world = make_worlds(f"tabletop/{name}", 8)
        world.reset(options={"tasks": sample_tasks(world.qualified_task, 8, 4)})
        total, start = np.zeros(8), world._progress.copy()
        while world.active.any():
            active = world.active
            _, reward, *_ = world.step(world.expert_actions())
            total[active] += reward[active]
        assert (start < 0.45).all(), name
        np.testing.assert_allclose(total, 10 * (1 - start) + 5, rtol=1e-4)


def test_camera_sees_depth_and_normals() -> None:
    world = make_worlds("tabletop/drawer-open", 2, sensors=["camera"], image_size=32)
    image = world.reset(seed=0)[0]["camera"]
    assert world.observation_space["camera"].contains(image) and image.shape == (2, 32, 32, 4)
    depth, length = image[..., 0], np.sqrt(np.square(image[..., 1:]).sum(-1))
    seen = depth < FAR
    assert seen.mean() > 0.5
    np.testing.assert_allclose(length[seen], 1, atol=1e-4)
    assert (length[~seen] == 0).all()
    # The middle of the picture shows what the view is aimed at, and the table faces up.
    assert abs(depth[:, 16, 16] - np.linalg.norm(np.subtract(VIEW.target, VIEW.position))).max() < 0.25
    assert (image[:, -2, 8:24, 3] > 0.99).all()
    alone = make_worlds("tabletop/drawer-open", 1, sensors=["camera"], image_size=32)
    first = alone.reset(options={"tasks": [world.specs[1]]})[0]["camera"]
    assert first[0].tobytes() == image[1].tobytes()
    _, *_, info = world.step(np.zeros((2, 4), np.float32))
    assert "final_obs" not in info


@pytest.mark.parametrize("name", NAMES)
def test_pictures_show_the_scene_and_the_goal(name: str) -> None:
    world = make_worlds(f"tabletop/{name}", 2)
    world.reset(seed=0)
    images = world.render_images([0, 1], 64)
    assert images.shape == (2, 64, 64, 3) and images.dtype == np.uint8
    assert images.std() > 15 and (images[0] != images[1]).any()
    np.testing.assert_array_equal(world.render_images([1], 64)[0], images[1])
    world._task.goal[0] += [0.05, 0.02, 0.03]
    assert (world.render_images([0], 64) != images[:1]).any()


def test_rgb_without_opengl_says_what_to_install() -> None:
    code = (
        "from trunkline.envs.registry import make_worlds\nfrom trunkline.errors import InputError\n"
        "try:\n    make_worlds('tabletop/reach', 1, sensors=['rgb'])\n"
        "except InputError as error:\n    print(error)\n"
    )
    # MuJoCo's GLFW backend without a display fails as a machine without OpenGL does.
    environment = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY")}
    environment |= {"MUJOCO_GL": "glfw", "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONWARNINGS": "ignore"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    message = done.stdout.strip()
    assert message.startswith("sensor 'rgb' needs OpenGL") and "libegl1" in message and "\n" not in message


def test_rgb_draws_every_simulation_where_there_is_opengl() -> None:
    try:
        world = make_worlds("tabletop/push", 2, sensors=["rgb", "camera"], image_size=48)
    except InputError as error:
        pytest.skip(str(error))
    observations, _ = world.reset(seed=0)
    image = observations["rgb"]
    assert world.observation_space["rgb"].contains(image)
    assert image.std() > 10 and (image[0] != image[1]).any()
    # The same view as the ray camera's: what it does not hit is black.
    assert ((image.sum(-1) == 0) == (observations["camera"][..., 0] == FAR)).mean() > 0.97
    world.close()


def test_bad_input() -> None:
    spec = sample_tasks("tabletop/push", 1, 0)[0]
    world = make_worlds("tabletop/push", 1)
    for change, message in (
        ({"mass": None}, "mass"),
        ({"goal": [0, 0]}, "goal"),
        ({"shape": "boxx"}, "did you mean 'box'"),
        ({"mass": float("nan")}, "finite"),
    ):
        params = {**spec.params, **change}
        with pytest.raises(InputError, match=message):
            world.reset(options={"tasks": [TaskSpec(spec.task, 0, params, "train", 5)]})
    with pytest.raises(InputError, match="lack 'goal'"):
        params = {k: v for k, v in spec.params.items() if k != "goal"}
        world.reset(options={"tasks": [TaskSpec(spec.task, 0, params, "train", 5)]})
    with pytest.raises(InputError, match="did you mean 'tabletop/push'"):
        make_worlds("tabletop/pushh")
    with pytest.raises(InputError, match="image_size"):
        make_worlds("tabletop/push", image_size=4)
    with pytest.raises(InputError, match="did you mean 'image_size'"):
        make_worlds("tabletop/push", imagesize=4)
    with pytest.raises(InputError, match="did you mean 'camera'"):
        make_worlds("tabletop/push", sensors=["camara"])


@pytest.mark.parametrize("shape", range(len(SHAPES)))
def test_inertia_agrees_with_mujoco(shape: int) -> None:
    half = np.array([0.02, 0.02, 0.05])
    kinds = (mujoco.mjtGeom.mjGEOM_BOX, mujoco.mjtGeom.mjGEOM_CYLINDER, mujoco.mjtGeom.mjGEOM_CAPSULE)
    kind = [*kinds, mujoco.mjtGeom.mjGEOM_ELLIPSOID][shape]
    size = [half, [0.02, 0.05, 0], [0.02, 0.03, 0], half][shape]
    spec = mujoco.MjSpec()
    body = spec.worldbody.add_body(name="b")
    body.add_freejoint()
    body.add_geom(type=kind, size=size, mass=0.3)
    expected = np.sort(spec.compile().body("b").inertia)
    ours = inertias(np.array([shape]), half[None], np.array([0.3]))[0]
    np.testing.assert_allclose(np.sort(ours), expected, rtol=1e-6)
