"""The Minecraft tasks as worlds: goals, sensors, success, reward, and the same episode everywhere."""

import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from trunkline.envs.minecraft import actions, synthesis
from trunkline.envs.minecraft.goals import INTERACTIONS, cluster, read_scene
from trunkline.envs.minecraft.inventory import clear
from trunkline.envs.minecraft.items import items
from trunkline.envs.minecraft.synthesis import synthesize
from trunkline.envs.minecraft.views import STATUS
from trunkline.envs.registry import make_worlds, sample_tasks, tasks
from trunkline.envs.spec import TaskSpec
from trunkline.errors import InputError

EACH = 8
BLIND = ("status", "interaction", "target_state")


@pytest.fixture(scope="module")
def drawn():
    return synthesize(dict.fromkeys(INTERACTIONS, EACH), 2)


def make(task, count=4, sensors=BLIND, **options):
    return make_worlds(f"minecraft/{task}", count, sensors=sensors, **options)


def begun(task, specs, count=4, sensors=BLIND, **options):
    world = make(task, count, sensors, **options)
    observations, info = world.reset(options={"tasks": specs})
    return world, observations, info


def idle(count, **choices):
    values = np.tile(actions.IDLE, (count, 1))
    for name, value in choices.items():
        values[:, getattr(actions, name)] = value
    return values


def scripted(step, rows):
    """Actions that depend on the step alone, so that they are the same in every batch."""
    rng = np.random.default_rng(step // 5)
    return np.repeat(rng.integers(actions.CHOICES)[None], rows, 0)


def changed(spec, **params):
    return TaskSpec(spec.task, spec.seed, {**spec.params, **params}, spec.split, spec.max_steps)


def test_the_family_has_a_task_for_every_interaction():
    assert {f"minecraft/{name}" for name in INTERACTIONS} <= set(tasks())


@pytest.mark.parametrize("task", INTERACTIONS)
def test_readings_are_of_the_declared_form_and_goal_views_show_their_targets(task, drawn):
    sensors = [spec.name for spec in make(task, 1).available_sensors()]
    world, observations, info = begun(task, drawn[task], EACH, sensors)
    assert set(observations) == set(sensors) and not info["success"].any()
    for _ in range(3):
        for name, spec in world.sensors.items():
            assert observations[name].shape == (EACH, *spec.shape) and observations[name].dtype == spec.dtype
        assert world.observation_space.contains(observations)
        observations, *_ = world.step(world.action_space.sample())
    mask = observations["goal_view"][..., 3]
    assert set(np.unique(mask)) == {0, 255}
    assert ((mask > 0).sum((1, 2)) >= 8).all()
    assert (observations["interaction"] == np.eye(len(INTERACTIONS))[INTERACTIONS.index(task)]).all()
    assert observations["rgb"].std() > 10
    assert world.render_images([1, 5], 96).shape == (2, 96, 96, 3)


def test_the_same_task_and_actions_give_the_same_world_alone_in_a_batch_and_in_another_process(drawn):
    specs = drawn["hunt"]
    world, observations, _ = begun("hunt", specs[:4], 4, ("rgb", "goal_view"), image_size=16)
    alone, first, _ = begun("hunt", [specs[2]], 1, ("rgb", "goal_view"), image_size=16)
    assert np.array_equal(first["goal_view"][0], observations["goal_view"][2])
    for step in range(40):
        observations, *_ = world.step(scripted(step, 4))
        first, *_ = alone.step(scripted(step, 1))
        assert np.array_equal(first["rgb"][0], observations["rgb"][2])
    assert alone.worlds.hash(0) == world.worlds.hash(2) != world.worlds.hash(1)
    script = (
        "import numpy as np\n"
        "import test_minecraft_world as t\n"
        "spec = t.synthesize({'hunt': 3}, 2)['hunt'][2]\n"
        "world, *_ = t.begun('hunt', [spec], 1)\n"
        "for step in range(40):\n"
        "    world.step(t.scripted(step, 1))\n"
        "print(world.worlds.hash(0))\n"
    )
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, 'tests')\n{script}"]
    assert subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip() == alone.worlds.hash(0)


def test_an_episode_leaves_nothing_to_the_next(drawn):
    specs = drawn["break"]
    world, *_ = begun("break", [specs[0], specs[1]], 1)
    while world._task_index[0] == 0:
        world.step(scripted(int(world._elapsed[0]), 1))
    fresh, *_ = begun("break", [specs[1]], 1)
    assert world.worlds.hash(0) == fresh.worlds.hash(0)
    for name in ("leaps", "ceiling"):
        assert np.array_equal(world.worlds.view(name), fresh.worlds.view(name))


def test_the_queue_runs_every_task_and_then_idles(drawn):
    short = [TaskSpec(s.task, s.seed, s.params, s.split, 5 + i) for i, s in enumerate(drawn["approach"][:5])]
    world, *_ = begun("approach", short, 2)
    ended = []
    for _ in range(30):
        hashes = [world.worlds.hash(row) for row in range(2)]
        running = world.active
        _, reward, terminated, truncated, info = world.step(idle(2))
        ended += info["task"][terminated | truncated].tolist()
        for row in np.flatnonzero(~running):
            assert world.worlds.hash(row) == hashes[row] and reward[row] == 0 and info["task"][row] == -1
    assert sorted(ended) == [0, 1, 2, 3, 4] and not world.active.any()


def cells_of(world, row):
    targets = world.starter.targets
    return targets.cells.numpy()[row, : targets.boxes.numpy()[row]]


def happened(world, event, value):
    """Whether the goal of the first world counts as reached when a tick reports an event."""
    targets = world.starter.targets
    targets.reached.numpy()[:] = targets.lost.numpy()[:] = 0
    for name in ("broken", "placed", "used", "shot", "killed"):
        world.worlds.view(name)[:] = -1
    world.worlds.view(event)[0] = value
    world.worlds.view("active")[:] = 1
    world._watch.launch()
    return bool(targets.reached.numpy()[0])


@pytest.mark.parametrize(("task", "event"), [("break", "broken"), ("interact", "used")])
def test_success_is_an_event_at_any_block_of_the_target_and_nowhere_else(task, event, drawn):
    world, *_ = begun(task, drawn[task], EACH)
    cells = cells_of(world, 0)
    scene = read_scene(drawn[task][0])
    x, y, z = scene.goal.cell
    assert (x * scene.size[2] + z) * scene.size[1] + y in cells
    assert all(happened(world, event, int(cell)) for cell in cells)
    assert not happened(world, event, int(cells.min()) - 1) and not happened(world, event, -1)
    others = {"broken", "placed", "used"} - {event}
    assert not any(happened(world, other, int(cells[0])) for other in others)


def test_a_block_is_placed_at_the_target_if_it_shares_a_face(drawn):
    world, *_ = begun("place", drawn["place"], EACH)
    _, ny, nz = world.options.size
    cells = set(cells_of(world, 0).tolist())
    beside = {cell + step for cell in cells for step in (1, -1, ny, -ny, nz * ny, -nz * ny)} - cells
    assert all(happened(world, "placed", cell) for cell in beside)
    cell = min(cells)
    assert not happened(world, "placed", cell + ny + nz * ny)  # across an edge
    assert not happened(world, "placed", cell + 40)


@pytest.mark.parametrize(("task", "event"), [("hunt", "killed"), ("shoot", "shot")])
def test_mobs_are_hunted_and_shot_one_by_one(task, event, drawn):
    world, *_ = begun(task, drawn[task], EACH)
    place = int(world.starter.targets.mob.numpy()[0])
    assert place >= 0 and happened(world, event, place)
    assert not happened(world, event, place + 1) and not happened(world, event, -1)
    assert not happened(world, {"killed": "shot", "shot": "killed"}[event], place)


def test_who_comes_within_three_metres_has_approached(drawn):
    specs = [spec for spec in drawn["approach"] if "block" in spec.params["target"]]
    world, *_ = begun("approach", specs, 1)
    low = world.starter.targets.low.numpy()[0, 0]
    feet = world.worlds.view("position")
    for away, reached in ((3.01, False), (2.99, True)):
        feet[0] = (low[0] - away, low[1] - 1.62, low[2])
        assert happened(world, "used", -1) is reached
    _, reward, terminated, _, info = world.step(idle(1))
    assert terminated[0] and info["success"][0] and info["progress"][0] == 1.0 and reward[0] > 5


def test_the_expert_earns_the_potential_and_the_bonus(drawn):
    world, _, info = begun("approach", drawn["approach"], EACH)
    start, earned, ended = info["progress"].copy(), np.zeros(EACH), np.zeros(EACH, bool)
    for _ in range(400):
        _, reward, terminated, truncated, info = world.step(world.expert_actions())
        earned += np.where(ended, 0, reward)
        ended |= terminated | truncated
        assert ((info["progress"] >= 0) & (info["progress"] <= 1)).all()
    won = earned > 5
    assert won.sum() >= EACH - 1
    np.testing.assert_allclose(earned[won], 10 * (1 - start[won]) + 5, atol=1e-3)


def test_outcome_reward_is_one_on_success(drawn):
    world, *_ = begun("approach", drawn["approach"], 2, reward="outcome")
    total = 0.0
    for _ in range(60):
        _, reward, _, _, info = world.step(world.expert_actions())
        assert np.array_equal(reward, info["success"].astype(np.float32))
        total += reward.sum()
    assert total >= 1


def test_without_its_mob_or_its_agent_an_episode_ends_and_fails(drawn):
    world, *_ = begun("hunt", drawn["hunt"][:3], 2)
    world.worlds.view("kind")[0, world.starter.targets.mob.numpy()[0]] = 0
    world.worlds.view("health")[1] = 0.0
    _, _, terminated, _, info = world.step(idle(2))
    assert terminated.all() and not info["success"].any()
    assert list(world._task_index) == [2, -1]


def test_an_action_may_last_for_several_ticks(drawn):
    spec = drawn["approach"][0]
    each, *_ = begun("approach", [spec], 1)
    slow, *_ = begun("approach", [spec], 1, ticks_per_step=4)
    assert (each.fps, slow.fps) == (20, 5)
    assert slow._limit[0] == -(-spec.max_steps // 4)
    walk = idle(1, FORWARD=1)
    turn = idle(1, FORWARD=1, YAW=7)
    each.step(turn)
    for _ in range(3):
        each.step(walk)
    slow.step(turn)
    assert each.worlds.hash(0) == slow.worlds.hash(0)


def test_status_says_how_the_agent_is(drawn):
    for task, held in (("hunt", "sword"), ("shoot", "bow"), ("place", "block"), ("approach", "nothing")):
        _, observations, _ = begun(task, drawn[task][:1], 1)
        values = dict(zip(STATUS, observations["status"][0], strict=True))
        assert values["health"] == values["food"] == values["oxygen"] == 1
        assert values["pitch"] == pytest.approx(drawn[task][0].params["start"][4] / 90)
        assert [name for name in STATUS[9:] if values[name]] == [held]


def test_what_is_needed_is_in_the_hand(drawn):
    for task in ("break", "shoot"):
        world, *_ = begun(task, drawn[task], EACH)
        for row, spec in enumerate(drawn[task]):
            wanted = [name for name, _ in spec.params["items"]]
            held = [items()[n].name for n in world.worlds.view("item")[row][: len(wanted)]]
            assert held == wanted


def test_target_state_is_seen_from_the_agent(drawn):
    spec = next(s for s in drawn["break"] if len(s.params["blocks"]))
    world, observations, _ = begun("break", [spec], 1)
    scene = read_scene(spec)
    x, y, z, yaw, _ = scene.start
    eye, yaw = np.array([x, y + 1.62, z]), np.radians(yaw)
    blocks = world.worlds.view("blocks")[0].reshape(scene.size[0], scene.size[2], scene.size[1])
    cells = cluster(blocks, scene.goal.cell)
    distance = min(np.linalg.norm(np.clip(eye, cell, cell + 1) - eye) for cell in cells)
    right, up, ahead, away = observations["target_state"][0]
    assert away == pytest.approx(distance, abs=0.3)  # flowers are smaller than their cells
    place = eye + right * np.array([-np.cos(yaw), 0, -np.sin(yaw)]) + ahead * np.array([-np.sin(yaw), 0, np.cos(yaw)])
    place[1] += up
    assert min(np.abs(place - (cell + 0.5)).max() for cell in cells) < 0.51


def test_target_view_labels_the_target_in_the_agents_own_view(drawn):
    """An agent that stands where the goal's camera stood sees the goal's picture."""
    spec = next(s for s in drawn["break"] if s.params["camera"][4] < 60)
    x, y, z, yaw, pitch = spec.params["camera"]
    moved = changed(spec, start=[x, y - 1.62, z, yaw, pitch])
    world, observations, _ = begun("break", [moved], 1, ("rgb", "segmentation", "goal_view", "target_view"))
    mask = observations["goal_view"][0, ..., 3] > 0
    assert np.array_equal(observations["rgb"][0], observations["goal_view"][0, ..., :3])
    assert np.array_equal(np.isin(observations["segmentation"][0, ..., 1], cells_of(world, 0)), mask)
    rows, columns = np.nonzero(mask)
    centre = [(columns.mean() + 0.5) / 32 - 1, (rows.mean() + 0.5) / 32 - 1]
    box = [columns.min() / 32 - 1, rows.min() / 32 - 1, (columns.max() + 1) / 32 - 1, (rows.max() + 1) / 32 - 1]
    np.testing.assert_allclose(observations["target_view"][0], [1, *centre, *box], atol=1e-5)
    away = changed(spec, start=[x, y - 1.62, z, yaw + 180, pitch])
    _, observations, _ = begun("break", [away], 1, ("target_view",))
    assert not observations["target_view"].any()


def test_the_goal_view_stays_while_the_world_goes_on(drawn):
    world, first, _ = begun("hunt", drawn["hunt"][:2], 2, ("rgb", "goal_view"), image_size=16)
    for step in range(10):
        observations, *_ = world.step(scripted(step, 2))
    assert np.array_equal(observations["goal_view"], first["goal_view"])
    assert not np.array_equal(observations["rgb"], first["rgb"])


def test_voxels_are_the_blocks_around_the_feet(drawn):
    world, observations, _ = begun("approach", drawn["approach"][:1], 1, ("voxels",))
    x, y, z = (int(v) for v in np.floor(world.worlds.view("position")[0]))
    nx, ny, nz = world.options.size
    blocks = world.worlds.view("blocks")[0].reshape(nx, nz, ny)
    assert np.array_equal(observations["voxels"][0], blocks[x - 2 : x + 3, z - 2 : z + 3, y - 2 : y + 3])
    world.worlds.view("position")[0] = (0.5, 0.0, 0.5)
    corner = world._observe(None)["voxels"][0]
    assert (corner[:2] == 255).all() and (corner[:, :2] == 255).all() and (corner[:, :, :2] == 255).all()
    assert np.array_equal(corner[2:, 2:, 2:], blocks[:3, :3, :3])


def test_pictures_for_people_show_the_goal_in_a_corner(drawn):
    world, *_ = begun("place", drawn["place"][:2], 2, ("status",))
    small, large = world.render_images([0, 1], 64), world.render_images([0, 1], 128)
    assert small.shape == (2, 64, 64, 3) and large.shape == (2, 128, 128, 3) and small.dtype == np.uint8
    red = (large[:, :52, 128 - 51 :] == [255, 64, 64]).all(-1)
    assert (red.sum((1, 2)) > 3).all()
    assert np.array_equal(world.render_images([1], 128)[0], large[1])


def test_camera_bins_are_fine_in_the_middle_and_symmetric():
    degrees = actions.bin_degrees()
    assert degrees[actions.STILL] == 0 and degrees[-1] == 15 and np.allclose(degrees, -degrees[::-1])
    steps = np.diff(degrees[actions.STILL :])
    assert (np.diff(steps) > 0).all() and steps[0] < 1
    assert np.array_equal(actions.nearest_bin(degrees), np.arange(11))
    assert actions.nearest_bin(100.0) == 10 and actions.nearest_bin(0.3) == actions.STILL


def test_actions_become_minedojos_controls():
    control, turn = np.zeros((2, 8), np.int32), np.zeros((2, 2), np.float32)
    actions.write_controls(np.array([actions.IDLE, (2, 1, 3, 0, 6, actions.PLACE)]), control, turn)
    assert control[0].tolist() == [0, 0, 0, 12, 12, 0, 0, 0]  # MineDojo's no-op
    assert control[1].tolist() == [2, 1, 3, 12, 12, 6, 0, 0]
    assert turn[0].tolist() == [0, 0] and turn[1, 0] == -15 and 0 < turn[1, 1] < 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"imagesize": 64}, "did you mean 'image_size'"),
        ({"image_size": "a"}, "image_size='a' must be of type int"),
        ({"ticks_per_step": 2.5}, "ticks_per_step=2.5 must be of type int"),
        ({"wrong_goal": "maybe"}, "wrong_goal='maybe' must be of type bool"),
        ({"overlay": "hand"}, "must be a list"),
        ({"image_size": 4}, "choose 8 to 1024 pixels"),
        ({"ticks_per_step": 0}, "choose 1 to 20"),
        ({"reward": "outcom"}, "did you mean 'outcome'"),
        ({"size": [64, 48]}, "must have 3 items"),
        ({"size": [16, 48, 64]}, "at least 32"),
        ({"field_of_view": 5}, "choose 10 to 150 degrees"),
        ({"entities": 1}, "choose 4 to 256"),
        ({"device": "cuda:7"}, "does not exist here"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        make("break", 1, **options)


def test_tasks_that_cannot_be_played_here_are_refused(drawn):
    spec = drawn["break"][0]
    world = make("break", 1)
    with pytest.raises(InputError, match="make the worlds with size="):
        make("break", 1, size=[32, 32, 32]).reset(options={"tasks": [spec]})
    high = changed(spec, target={**spec.params["target"], "cell": [5, 46, 5]})
    with pytest.raises(InputError, match="the world holds air there"):
        world.reset(options={"tasks": [high]})
    with pytest.raises(InputError, match="these are"):
        world.reset(options={"tasks": [changed(spec, version="0")]})
    with pytest.raises(InputError, match="did you mean 'forest'"):
        world.reset(options={"tasks": [changed(spec, biome="forrest")]})
    with pytest.raises(InputError, match="this world runs minecraft/break"):
        world.reset(options={"tasks": drawn["hunt"][:1]})
    world.reset(options={"tasks": [spec]})  # and still runs


def test_a_world_draws_training_tasks_by_itself():
    world = make("interact", 2)
    world.reset(seed=3)
    assert [spec.split for spec in world.specs] == ["train", "train"]
    assert world.specs[0] == sample_tasks("minecraft/interact", 1, 3)[0]


def test_the_screen_shows_a_crosshair_and_what_is_in_the_hand(drawn):
    sensors = ("rgb", "segmentation")
    _, plain, _ = begun("shoot", drawn["shoot"][:2], 2, sensors)
    world, shown, _ = begun("shoot", drawn["shoot"][:2], 2, sensors, overlay=("crosshair", "hand"))
    other = (plain["rgb"] != shown["rgb"]).any(-1)
    assert np.array_equal(plain["segmentation"], shown["segmentation"])
    middle = slice(28, 36)
    assert np.array_equal(shown["rgb"][:, 31, 31], 255 - plain["rgb"][:, 31, 31])
    assert other[0, middle, middle].sum() == 13 and not other[:, :28, :36].any() and not other[:, 36:, :36].any()
    hand = other[:, 40:, 38:]
    assert hand[0].sum() > 30 and np.array_equal(shown["rgb"][0][40:, 38:][hand[0]], shown["rgb"][1][40:, 38:][hand[0]])
    clear(world.worlds, 1)
    empty = world.views.observe(None)["rgb"]
    assert np.array_equal(empty[1, 40:, 38:], plain["rgb"][1, 40:, 38:])
    assert world.render_images([0], 96).shape == (1, 96, 96, 3)
    assert world.sensors["rgb"].form["overlay"] == ["crosshair", "hand"]
    with pytest.raises(InputError, match="did you mean 'crosshair'"):
        make("shoot", 1, overlay=["cross hair"])


def test_actions_that_there_are_not_are_refused(drawn):
    world, *_ = begun("approach", drawn["approach"][:2], 2)
    for actions_, message in (
        (idle(2, HANDS=4), "choice 5 is one of 0 to 3"),
        (idle(2, FORWARD=-1), r"environment 0 is \[-1"),
        (idle(2).astype(float), "whole numbers, not float64"),
    ):
        with pytest.raises(InputError, match=message):
            world.step(actions_)
    world.step(idle(2))


def test_where_a_terrain_has_one_target_the_wrong_goal_is_of_another_terrain(drawn, monkeypatch):
    spec, real = drawn["hunt"][0], synthesis._placer

    def placer(seed, biome, size):
        alone = SimpleNamespace(make=lambda *_: [])
        return alone if seed == spec.params["world"] else real(seed, biome, size)

    monkeypatch.setattr(synthesis, "_placer", placer)
    other = synthesis.another(spec)
    assert other.params["world"] != spec.params["world"] and other.params["biome"] == spec.params["biome"]
    _, right, _ = begun("hunt", [spec], 1, ("goal_view",))
    _, wrong, _ = begun("hunt", [spec], 1, ("goal_view",), wrong_goal=True)
    assert (wrong["goal_view"][..., 3] > 0).any() and not np.array_equal(right["goal_view"], wrong["goal_view"])
    monkeypatch.setattr(synthesis, "_placer", lambda *_: SimpleNamespace(make=lambda *_: []))
    with pytest.raises(InputError, match="no other target in 8 terrains"):
        synthesis.another(spec)
