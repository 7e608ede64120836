"""Insertion and grip: experts, what only touch can know, exact taxels, the same bits everywhere."""

import hashlib
from collections.abc import Callable
from dataclasses import replace

import mujoco
import numpy as np
import pytest

from trunkline.envs.base import World
from trunkline.envs.manifest import disjoint
from trunkline.envs.registry import make_worlds, sample_tasks, splits
from trunkline.envs.spec import TaskSpec
from trunkline.envs.tactile.grip import ECONOMY, Grip
from trunkline.envs.tactile.grip_task import object_parts
from trunkline.envs.tactile.gripper import PAD, SIDES
from trunkline.envs.tactile.gripper_touch import TOUCH, in_hand, in_pad
from trunkline.envs.tactile.insertion import FORCE_LIMIT, STEP, Insertion
from trunkline.envs.tactile.insertion_connectors import CLEARANCE, CONNECTORS, DROP
from trunkline.envs.tactile.insertion_task import CONTEXTS, offset_parts
from trunkline.envs.tactile.sensor import load_touch_sensor
from trunkline.errors import InputError

TASKS = ("tactile/insertion", "tactile/grip")
BLIND = {"tactile/insertion": ["proprio", "wrist", "goal"], "tactile/grip": ["proprio", "grip_force"]}
Policy = Callable[[World], np.ndarray]


def run(world: World, specs: list[TaskSpec], policy: Policy) -> np.ndarray:
    """Success of every TaskSpec."""
    observations, _ = world.reset(options={"tasks": specs})
    success = np.zeros(len(specs), bool)
    while world.active.any():
        observations, _, terminated, _, info = world.step(policy(world))
        for name, value in observations.items():
            assert world.observation_space[name].contains(value), name
        assert ((info["progress"] >= 0) & (info["progress"] <= 1)).all()
        success[info["task"][terminated]] = info["success"][terminated]
    return success


def expert(world: World) -> np.ndarray:
    return world.expert_actions()


def blind_insertion(world: World) -> np.ndarray:
    """The expert's way for a plug without offsets and a socket in its place; what is pressed on is pressed gently."""
    assert isinstance(world, Insertion)
    hand, command = world._hand, world._command
    offset = hand[:, :3] - [0.0, 0.0, DROP] - world._nominal
    actions = np.empty((world.num_envs, 4))
    actions[:, :2] = -0.6 * offset[:, :2]
    over = np.abs(offset[:, :2]).max(1) < 3e-4
    actions[:, 2] = np.where(over, hand[:, 2] - command[:, 2] - 0.003, 0.01 - offset[:, 2])
    actions[:, 3] = -0.5 * hand[:, 3]
    return np.clip(actions / STEP, -1, 1).astype(np.float32)


def resized(specs: list[TaskSpec], **params: object) -> list[TaskSpec]:
    """The same TaskSpecs with other params."""
    return [replace(s, params={**s.params, **params}) for s in specs]


@pytest.mark.parametrize("task", TASKS)
def test_expert_succeeds_and_random_fails(task: str) -> None:
    world = make_worlds(task, 32, sensors=BLIND[task])
    specs = [s for split in splits(task) for s in sample_tasks(task, 16, 3, split)]
    assert run(world, specs, expert).mean() >= 0.95
    rng = np.random.default_rng(0)
    random = run(world, specs[:32], lambda w: rng.uniform(-1, 1, w.action_space.shape).astype(np.float32))
    assert random.mean() <= 0.1


def test_who_cannot_feel_cannot_insert() -> None:
    world = make_worlds("tactile/insertion", 64, sensors=BLIND["tactile/insertion"])
    specs = sample_tasks("tactile/insertion", 64, 0, "test/offset")
    assert run(world, specs, blind_insertion).mean() <= 0.25
    # It is a fair try: with the plug and the socket where it believes them it works.
    centred = resized(specs[:32], grasp=[0.0, 0.0, 0.0], socket=[0.0, 0.0])
    assert run(world, centred, blind_insertion).mean() >= 0.9


def test_offsets_show_in_touch_and_not_in_proprioception() -> None:
    task = "tactile/insertion"
    first = sample_tasks(task, 1, 0)
    offsets = ([0.0, 0.0, 0.0], [0.004, 0.0, 0.0], [0.0, 0.002, 0.0], [0.0, 0.0, 0.2])
    specs = [s for grasp in offsets for s in resized(first, grasp=grasp, socket=[0.0, 0.0])]
    specs += resized(first, grasp=offsets[0], socket=[0.001, -0.001])
    world = make_worlds(task, len(specs))
    world.reset(options={"tasks": specs})
    for _ in range(5):  # in the air
        observations = world.step(np.tile(np.array([0.5, -0.5, 0.0, 0.3], np.float32), (len(specs), 1)))[0]
    for name, tolerance in (("proprio", 2e-4), ("wrist", 1.1e-3), ("goal", 0.0)):
        assert np.abs(observations[name] - observations[name][0]).max() <= tolerance, name
    touch = observations["touch_left"][..., 0]
    changed = np.abs(touch[1:] - touch[0]).max((1, 2))
    assert (changed[:3] > 3e-4).all() and changed[3] < 1e-6  # nobody feels the socket before touching it


@pytest.mark.parametrize("task", TASKS)
def test_taxels_are_the_exact_indentation_and_carry_the_contact_forces(task: str) -> None:
    world = make_worlds(task, 3)
    observations, _ = world.reset(options={"tasks": sample_tasks(task, 3, 1, splits(task)[-1])})
    assert isinstance(world, Insertion | Grip)
    for _ in range(4):
        observations = world.step(np.zeros(world.action_space.shape, np.float32))[0]
    centre, half, radius = world._held()
    x = ((np.arange(32) + 0.5) / 32 - 0.5) * PAD.size[0]
    points = np.stack([*np.meshgrid(x, -x), np.zeros((32, 32))], -1)
    for i in range(3):
        model, data = world.batch.get_model(i), world.batch.get_data(i)
        mujoco.mj_forward(model, data)
        for pad, (side, name) in enumerate(zip(SIDES, TOUCH, strict=True)):
            reading = observations[name][i].astype(float)
            shifted = centre.copy()
            shifted[:, 1] -= (1 - 2 * pad) * world._finger_positions()[:, pad]
            c, h = in_pad(shifted, pad)[i], in_pad(half, pad)[i]
            along = np.clip(((points - c) @ h) / (h @ h), -1, 1)
            depth = radius[i] - np.linalg.norm(points - c - along[..., None] * h, axis=-1)
            np.testing.assert_allclose(reading[..., 0], np.maximum(depth, 0), atol=2e-5)
            # MuJoCo's own contact forces on that pad, in its frame; they are those on a contact's second geom.
            total = np.zeros(3)
            for k in range(data.ncon):
                contact, wrench = data.contact[k], np.zeros(6)
                names = [model.geom(g).name for g in (contact.geom1, contact.geom2)]
                if f"pad_{side}" in names:
                    mujoco.mj_contactForce(model, data, k, wrench)
                    sign = 1 if names[1] == f"pad_{side}" else -1
                    total += sign * contact.frame.reshape(3, 3).T @ wrench[:3]
            force = in_pad(in_hand(total[None], world._pitch()[i : i + 1]), pad)[0]
            assert force[2] < -5  # presses into the pad
            sums = reading.sum((0, 1))
            np.testing.assert_allclose(sums[1:] / sums[0], force[:2] / -force[2], atol=3e-3)
            assert sums[2] / sums[0] < -0.005  # the weight hangs on the pads, which feel it as shear down


@pytest.mark.parametrize("pins", CONNECTORS)
def test_clearance_is_what_it_says(pins: int) -> None:
    """Seated, a plug has 0.2 mm of play to every side and no more."""
    task = "tactile/insertion"
    spec = resized(sample_tasks(task, 1, 0), pins=pins, socket=[0.0, 0.0])
    world = make_worlds(task, 1, sensors=["proprio"])
    world.reset(options={"tasks": spec})
    model, data = world.batch.get_model(0), world.batch.get_data(0)
    address = model.joint("plug").qposadr[0]
    for direction in ((1, 0), (-1, 0), (0, 1), (0, -1)):
        for share, touches in ((0.45, False), (0.55, True)):
            data.qpos[address : address + 7] = [*spec[0].params["nominal"], 1, 0, 0, 0]
            data.qpos[address : address + 2] += share * CLEARANCE * np.array(direction)
            data.qpos[address + 2] += DROP + 0.0005
            mujoco.mj_forward(model, data)
            names = {model.geom(g).name[:4] for c in data.contact for g in (c.geom1, c.geom2)}
            assert ("wall" in names) == touches, (direction, share)


def test_pressing_too_hard_ends_the_episode() -> None:
    task = "tactile/insertion"
    specs = resized(sample_tasks(task, 4, 0), grasp=[0.003, 0.0, 0.0])
    world = make_worlds(task, 4, sensors=["plug_state"])
    observations, _ = world.reset(options={"tasks": specs})
    down = np.tile(np.array([0, 0, -1, 0], np.float32), (4, 1))
    ended = np.zeros(4, bool)
    while world.active.any():
        observations, _, terminated, truncated, info = world.step(down)
        ended |= terminated
        assert not info["success"].any() and not truncated.any()
        final = info.get("final_obs", observations)["plug_state"]
        assert ((final[:, 11] > FORCE_LIMIT) == terminated)[info["task"] >= 0].all()
    assert ended.all()


def test_a_loose_grip_loses_the_object_and_a_firm_one_is_wasteful() -> None:
    task = "tactile/grip"
    world = make_worlds(task, 4, sensors=["held_state"])
    world.reset(options={"tasks": sample_tasks(task, 4, 0)})
    while world.active.any():
        *_, terminated, truncated, info = world.step(np.full((4, 1), -1, np.float32))
        assert not info["success"].any() and not truncated.any()
        if terminated.any():
            assert (info["progress"][terminated] < ECONOMY).all()
    world.reset(options={"tasks": sample_tasks(task, 4, 0)})
    total = np.zeros(4)
    for _ in range(120):
        _, reward, terminated, truncated, info = world.step(np.zeros((4, 1), np.float32))
        assert (reward >= 0).all() and not terminated.any()
        total += reward
    assert truncated.all() and not info["success"].any()
    np.testing.assert_allclose(total, 10 * info["progress"], rtol=1e-4)


@pytest.mark.parametrize("task", TASKS)
def test_splits_are_disjoint_and_draws_are_prefixes(task: str) -> None:
    drawn = {split: sample_tasks(task, 40, 0, split) for split in splits(task)}
    for split, specs in drawn.items():
        assert sample_tasks(task, 10, 0, split) == specs[:10] != sample_tasks(task, 10, 1, split)
        assert all(disjoint(specs, other) for name, other in drawn.items() if name != split)
        part, _, axis = split.partition("/")
        for spec in specs:
            assert TaskSpec.from_json(spec.to_json()) == spec
            if task == "tactile/insertion":
                assert offset_parts(spec.params["grasp"], spec.params["socket"]) == (part, part)
                assert (spec.params["pins"] == 17) == (axis == "connector")
                assert spec.params["pins"] in CONTEXTS[split].pins
            else:
                parts = object_parts(spec.params)
                assert parts == {"object": (part, "train"), "shape": ("train", part)}.get(axis, ("train", "train"))


def digests(task: str, specs: list[TaskSpec], actions: np.ndarray, threads: int = 1, **options: object) -> list[bytes]:
    """Hash of every simulation's observations, rewards and progress under the same actions."""
    world = make_worlds(task, len(specs), num_threads=threads, **options)
    observations, _ = world.reset(options={"tasks": specs})
    hashes = [hashlib.sha256() for _ in specs]
    for t in range(len(actions) + 1):
        for i, digest in enumerate(hashes):
            for name in world.sensors:
                digest.update(observations[name][i].tobytes())
        if t < len(actions):
            observations, reward, _, _, info = world.step(np.broadcast_to(actions[t], world.action_space.shape))
            for i, digest in enumerate(hashes):
                digest.update(reward[i].tobytes() + info["progress"][i].tobytes())
    return [digest.digest() for digest in hashes]


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("sensor", [None, "digit"])
def test_same_bits_alone_in_a_batch_and_on_two_threads(task: str, sensor: str | None) -> None:
    options = {} if sensor is None else {"touch_sensor": sensor, "image_size": 32}
    size = make_worlds(task, 1).action_space.shape[1]
    actions = np.random.default_rng(0).uniform(-1, 1, (14, size)).astype(np.float32)
    if task == "tactile/insertion":
        actions[:, 2] -= 0.8  # down to the socket
    actions = np.clip(actions, -1, 1)
    specs = [s for split in splits(task) for s in sample_tasks(task, 3, 5, split)]
    batch = digests(task, specs, actions, **options)
    assert len(set(batch)) == len(specs)
    assert digests(task, specs, actions, threads=2, **options) == batch
    assert digests(task, specs[4:5], actions, **options) == batch[4:5]


@pytest.mark.parametrize("task", TASKS)
def test_an_episode_is_the_same_after_others(task: str) -> None:
    specs = sample_tasks(task, 3, 5)
    world = make_worlds(task, 2)
    short = [replace(s, max_steps=4 + k) for k, s in enumerate(specs[:2])]
    world.reset(options={"tasks": [*short, specs[2]]})
    actions = np.full(world.action_space.shape, 0.3, np.float32)
    for _ in range(4):
        observations, _, _, truncated, _ = world.step(actions)
    assert truncated.tolist() == [True, False]  # simulation 0 begins the third episode
    alone = make_worlds(task, 1)
    fresh, _ = alone.reset(options={"tasks": specs[2:]})
    for _ in range(6):
        for name, value in observations.items():
            assert value[0].tobytes() == fresh[name][0].tobytes(), name
        observations, *_, info = world.step(actions)
        fresh, *_ = alone.step(actions[:1])
    assert info["task"].tolist() == [2, -1] and all(np.isfinite(v).all() for v in observations.values())


@pytest.mark.parametrize("name", ["gelsight_mini_markers", "digit360", "magnetic_4x4"])
def test_pads_can_carry_any_sensor_of_the_catalogue(name: str) -> None:
    world = make_worlds("tactile/insertion", 2, touch_sensor=name, image_size=48)
    sensor = load_touch_sensor(name)
    spec = world.sensors["touch_left"]
    assert spec.modality == ("tactile_rgb" if sensor.kind == "optical" else "taxels")
    specs = sample_tasks("tactile/insertion", 1, 0)
    centred, moved = resized(specs, grasp=[0.0, 0.0, 0.0]), resized(specs, grasp=[0.004, 0.0, 0.1])
    observations, _ = world.reset(options={"tasks": [*centred, *moved]})
    for side in TOUCH:
        image = observations[side].astype(float)
        assert world.observation_space[side].contains(observations[side])
        if sensor.kind == "optical":
            assert image.shape == (2, 48, 48, 3)
        assert np.abs(image[0] - image[1]).max() > 5 * sensor.noise  # the offset shows


@pytest.mark.parametrize("task", TASKS)
def test_pictures_show_the_scene(task: str) -> None:
    world = make_worlds(task, 2)
    world.reset(seed=0)
    images = world.render_images([0, 1], 64)
    assert images.shape == (2, 64, 64, 3) and images.dtype == np.uint8
    assert images.std() > 15 and (images[0] != images[1]).any()


def test_bad_input() -> None:
    for task, change, message in (
        ("tactile/insertion", {"pins": 5}, "connectors with"),
        ("tactile/insertion", {"grasp": [0.0]}, "grasp"),
        ("tactile/insertion", {"socket": [float("nan"), 0]}, "finite"),
        ("tactile/grip", {"mass": 0.0}, "positive"),
        ("tactile/grip", {"pulls": [[1.0]]}, "pulls"),
    ):
        specs = resized(sample_tasks(task, 1, 0), **change)
        with pytest.raises(InputError, match=message):
            make_worlds(task, 1, sensors=["proprio"]).reset(options={"tasks": specs})
    with pytest.raises(InputError, match="did you mean 'touch_sensor'"):
        make_worlds("tactile/grip", touch_sensors="digit")
    with pytest.raises(InputError, match="did you mean 'digit'"):
        make_worlds("tactile/grip", touch_sensor="digitt")
    with pytest.raises(InputError, match="image_size"):
        make_worlds("tactile/grip", image_size=4)
    with pytest.raises(InputError, match="did you mean 'touch_left'"):
        make_worlds("tactile/insertion", sensors=["touch_leftt"])
