"""The Minecraft tasks on the protocol server: the voxel worlds' sensors, actions and physics, and lost episodes."""

import os
import signal
from dataclasses import replace

import numpy as np
import pytest
from child_processes import children
from voxel_play import FLOOR, Play

from trunkline.configuration import compose
from trunkline.envs.minecraft import actions
from trunkline.envs.minecraft.blocks import block_state
from trunkline.envs.minecraft.packages import NodePackages
from trunkline.envs.minecraft.palette import state_to_palette
from trunkline.envs.minecraft.server import MinecraftServer, ServerConfig
from trunkline.envs.minecraft.server_process import PACKAGES
from trunkline.envs.minecraft.server_tasks import ENGINE, TASKS
from trunkline.envs.minecraft.tasks import SPLITS
from trunkline.envs.registry import make_worlds, sample_tasks, splits, tasks
from trunkline.envs.remote.process import RemoteError
from trunkline.errors import InputError
from trunkline.rollout.experiment.config import CollectionPlan, EvaluationPlan, ExperimentConfig
from trunkline.rollout.experiment.job import MainJob
from trunkline.rollout.experiment.plan import plan_manifests

BLIND = ("status", "interaction", "target_state")
FORWARD, BACK, LEFT, RIGHT, JUMP, SNEAK, SPRINT = 1, 2, 1, 2, 1, 2, 3


@pytest.fixture(scope="module")
def specs():
    return {task: sample_tasks(f"minecraft_server/{task}", 4, 0) for task in TASKS}


def of_voxels(drawn):
    return [replace(spec, task=spec.task.replace("minecraft_server", "minecraft")) for spec in drawn]


def make(task, count=1, sensors=BLIND, **options):
    return make_worlds(f"minecraft_server/{task}", count, sensors=sensors, **options)


def by_expert(world):
    """Runs the queue to its end; success by task, and reasons of losses."""
    done, reasons = {}, []
    while world.active.any():
        _, _, terminated, truncated, info = world.step(world.expert_actions())
        lost = info.get("lost", np.zeros(world.num_envs, bool))
        reasons += info.get("lost_reason", {}).values()
        for row in np.flatnonzero((terminated | truncated) & ~lost):
            done[int(info["task"][row])] = bool(info["success"][row])
    return done, reasons


def test_its_tasks_are_the_voxel_worlds_under_another_name(specs):
    assert {f"minecraft_server/{task}" for task in TASKS} <= set(tasks())
    assert splits("minecraft_server/break") == (*SPLITS, ENGINE)
    drawn = sample_tasks("minecraft_server/hunt", 3, 5, "test/target")
    assert drawn == [
        replace(spec, task="minecraft_server/hunt") for spec in sample_tasks("minecraft/hunt", 3, 5, "test/target")
    ]


def test_what_the_server_cannot_do_is_left_out_with_the_reason(specs):
    assert {spec.params["target"]["block"] for spec in specs["interact"]} == {"chest"}
    assert sample_tasks("minecraft_server/interact", 2, 0) == specs["interact"][:2]
    assert set(SPLITS) - set(splits("minecraft_server/interact")) == {"test/target", "test/all"}
    with pytest.raises(InputError, match="no minecraft_server/shoot: flying-squid has no bows"):
        make_worlds("minecraft_server/shoot")
    with pytest.raises(InputError, match="device=cuda:0"):
        make_worlds("minecraft_server/break", device="cuda:0")
    with pytest.raises(InputError, match="unknown option of minecraft_server 'timeout'"):
        make_worlds("minecraft_server/break", timeout=1)


def test_without_packages_or_node_the_remedy_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("TRUNKLINE_CACHE", str(tmp_path))
    with pytest.raises(InputError, match="trunkline envs install minecraft-server"):
        make_worlds("minecraft_server/break")
    (PACKAGES.folder / "node_modules").mkdir(parents=True)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="no 'node' on PATH"):
        make_worlds("minecraft_server/break")


@pytest.mark.parametrize("task", ["break", "hunt"])
def test_the_same_task_looks_the_same_on_both_engines_and_what_the_server_changes_is_seen(installed, specs, task):
    sensors = [spec.name for spec in make_worlds(f"minecraft/{task}", 1).available_sensors()]
    own = make(task, 2, sensors)
    voxels = make_worlds(f"minecraft/{task}", 2, sensors=sensors)
    assert own.action_spec == voxels.action_spec and own.single_observation_space == voxels.single_observation_space
    seen, info = own.reset(options={"tasks": specs[task][:1]})
    expected, expected_info = voxels.reset(options={"tasks": of_voxels(specs[task][:1])})
    assert set(seen) == set(expected)
    for name, value in expected.items():
        np.testing.assert_array_equal(seen[name][0], value[0], name)
    assert info["progress"][0] == expected_info["progress"][0]
    assert own.simulation.servers[1] is None  # who idles needs no server
    while own.active[0]:
        *_, info = own.step(own.expert_actions())
    assert info["success"].tolist() == [True, False]
    states = own.worlds.view("blocks")[0].reshape(own.worlds.size[0], own.worlds.size[2], -1).transpose(0, 2, 1)
    there = own.simulation.servers[0].blocks((0, 0, 0), own.worlds.size)
    np.testing.assert_array_equal(state_to_palette()[states], there)
    if task == "break":
        assert own.worlds.view("blocks")[0, own.worlds.view("broken")[0]] == block_state("air")
    else:
        assert own.worlds.view("killed")[0] == own.starter.targets.mob.numpy()[0]
    own.step(np.tile(actions.IDLE, (2, 1)))
    own.close()


class Both:
    """One world as the voxel engine runs it, and one as a server does."""

    def __init__(self, *boxes, start=(8.5, FLOOR, 8.5), yaw=0.0):
        from trunkline.envs.minecraft.server_engine import ServerEngine

        self.plays = [Play(size=(32, 16, 32)) for _ in range(2)]
        for play in self.plays:
            for box in boxes:
                play.put("stone", box)
            play["position"][:], play["yaw"][:] = start, yaw
            play["on_ground"][:], play["velocity"][:] = 0, 0
        self.server = ServerEngine(self.plays[1].worlds, self.plays[1].simulation.rules, 30.0)
        self.server.start(np.array([0]))

    def step(self, turn=0.0, **factors):
        for play, engine in zip(self.plays, (self.plays[0].simulation, self.server), strict=True):
            control = np.zeros((1, 8), int)
            for name, value in factors.items():
                control[0, ("forward", "strafe", "jump").index(name)] = value
            play.simulation.act(control, np.array([[0.0, turn]]))
            engine.tick()
        return [play["position"][0].copy() for play in self.plays]


WALL = (4, FLOOR, 14, 20, FLOOR + 3, 14)
STAIR = (0, FLOOR, 12, 31, FLOOR, 31)
WALKS = {
    "flat": ([], {"forward": FORWARD}, 0.0),
    "turning": ([], {"forward": FORWARD, "strafe": LEFT}, 2.5),
    "sprinting jumps": ([], {"forward": FORWARD, "jump": SPRINT}, 0.0),
    "backwards": ([], {"forward": BACK, "strafe": RIGHT}, 0.0),
    "jumps": ([STAIR], {"forward": FORWARD, "jump": JUMP}, 0.0),
    "along a wall": ([WALL], {"forward": FORWARD, "strafe": LEFT}, 0.0),
    "against a wall": ([WALL], {"forward": FORWARD, "jump": SPRINT}, 0.5),
    "sneaking to an edge": ([STAIR], {"forward": FORWARD, "jump": SNEAK}, 1.0),
}


@pytest.fixture(scope="module")
def one_server(installed):
    both = Both()
    yield both
    both.server.close()


@pytest.mark.parametrize("walk", WALKS)
def test_who_walks_is_at_the_same_place_on_both_engines(one_server, walk):
    boxes, factors, turn = WALKS[walk]
    server = one_server.server
    above = block_state("air")
    for play in one_server.plays:
        play.cells[..., FLOOR:] = above
        play.worlds.clear_rows(np.array([0]))
        play["active"][:] = 1
        for box in ((0, FLOOR - 1, 0, 31, FLOOR - 1, 31), *boxes):
            play.put("stone", box)
        play["position"][:] = (8.5, FLOOR, 8.5)
    server.start(np.array([0]))
    gaps, path = [], []
    for tick in range(40):
        if walk == "sprinting jumps" and tick % 15 == 10:
            ours, theirs = one_server.step(turn, **{**factors, "jump": JUMP})
        else:
            ours, theirs = one_server.step(turn, **factors)
        gaps.append(np.abs(ours - theirs).max())
        path.append(theirs)
    assert max(gaps) <= 0.01, f"{walk}: {max(gaps)}"
    assert np.ptp(path, 0)[[0, 2]].max() > 1
    for name in ("on_ground", "blocked", "sprinting", "sneaking", "yaw"):
        assert one_server.plays[0][name][0] == one_server.plays[1][name][0], name


@pytest.mark.parametrize("task", ["interact", "place"])
def test_the_expert_reaches_goals_that_the_server_decides(installed, specs, task):
    before = children()
    world = make(task, 1)
    world.reset(options={"tasks": specs[task][:2]})
    pid = world.simulation.servers[0].pid
    done, reasons = by_expert(world)
    assert done == {0: True, 1: True} and not reasons
    assert world.simulation.servers[0].pid == pid  # the second episode began in the same process
    world.close()
    assert children() <= before


def test_an_episode_goes_the_same_way_in_a_fresh_server_and_after_another_episode(installed, specs):
    world = make("place", 2)
    world.reset(options={"tasks": specs["place"][:2]})
    for last in (False, True):
        rng = np.random.default_rng(3)
        for _ in range(30):
            chosen = rng.integers(actions.CHOICES)
            world.step(np.tile(chosen, (2, 1)))
        if not last:
            first = [world.worlds.hash(row) for row in range(2)]
            world.reset(options={"tasks": specs["place"][1::-1]})
    assert [world.worlds.hash(row) for row in range(2)] == first[::-1] and first[0] != first[1]
    world.close()


def test_broken_servers_lose_their_episodes_alone_which_are_run_again(installed, specs, monkeypatch):
    before = children()
    world = make("approach", 4)
    world.reset(options={"tasks": specs["approach"]})
    for _ in range(5):
        world.step(world.expert_actions())
    killed, stopped, garbled, whole = world.simulation.servers
    os.kill(killed.pid, signal.SIGKILL)
    os.kill(stopped.pid, signal.SIGSTOP)
    stopped._process.timeout_s = 0.5
    told = {**garbled._process.call("observe"), "changes": np.array([[0, 5, 5, 5, 60000]], np.int32)}
    monkeypatch.setattr(garbled._process, "receive", lambda: told)
    _, _, _, truncated, info = world.step(world.expert_actions())
    assert info["lost"].tolist() == [True, True, True, False] == info["rerun"].tolist() == truncated.tolist()
    for row, reason in enumerate(("signal 9", "within 0.5 s", "not a server's")):
        assert reason in info["lost_reason"][row]
        np.testing.assert_array_equal(world.worlds.view("position")[row], world.starter.scenes[row].start[:3])
    assert world._elapsed.tolist() == [0, 0, 0, 6] and world.simulation.servers[3] is whole
    assert len({server.pid for server in (killed, stopped, garbled, *world.simulation.servers)}) == 7
    done, reasons = by_expert(world)
    assert done == dict.fromkeys(range(4), True) and not reasons
    world.close()
    assert children() <= before


def test_a_server_that_cannot_be_replaced_is_an_error_and_leaves_nothing(installed, specs, monkeypatch):
    from trunkline.envs.minecraft import server_engine

    before = children()
    world = make("approach", 1)
    started = []

    def fails(config):
        started.append(config)
        raise RemoteError("it does not start")

    monkeypatch.setattr(server_engine, "MinecraftServer", fails)
    with pytest.raises(RemoteError, match="world 0: it does not start"):
        world.reset(options={"tasks": specs["approach"][:1]})
    world.close()
    assert len(started) == 3 and children() <= before


def test_an_answer_without_its_parts_ends_the_server(installed, monkeypatch):
    before = children()
    server = MinecraftServer(ServerConfig(voxels=0))
    monkeypatch.setattr(server._process, "receive", lambda: {"tick": 1, "state": np.full((1, 30), np.nan)})
    with pytest.raises(RemoteError, match="not a server's"):
        server.step(0, (0, 0))
    assert children() <= before


def test_on_the_server_the_engine_is_what_is_new():
    there = sample_tasks("minecraft_server/break", 4, 0, "test/engine")
    assert [spec.axis for spec in there] == ["engine"] * 4
    as_in_unseen_worlds = sample_tasks("minecraft_server/break", 4, 0, "test/world")
    assert [spec.params for spec in there] == [spec.params for spec in as_in_unseen_worlds]
    config = ExperimentConfig(
        "unused",
        tasks=("minecraft/break",),
        held_out=("minecraft_server/break",),
        pretraining=CollectionPlan(1),
        demonstrations=CollectionPlan(1),
        evaluation=EvaluationPlan(episodes=2, axes=("world",)),
    )
    planned = plan_manifests(config)["test"].tasks
    assert [(spec.task, spec.axis) for spec in planned] == [
        *[("minecraft/break", "world")] * 2,
        *[("minecraft_server/break", "engine")] * 2,
    ]


def test_a_wrong_goal_is_shown_on_the_server_too(installed):
    spec = sample_tasks("minecraft_server/break", 1, 0, "test/engine")
    shown = []
    for wrong in (False, True):
        world = make("break", sensors=("goal_view",), wrong_goal=wrong)
        try:
            shown.append(world.reset(options={"tasks": spec})[0]["goal_view"])
        finally:
            world.close()
    assert all(image[..., 3].any() for image in shown)
    assert (shown[0] != shown[1]).any()


def test_the_experiment_plays_on_the_server_as_in_the_voxel_worlds():
    config = compose("run", ["experiment=minecraft"])
    assert config["evaluation"]["options"]["options"]["minecraft_server"] == config["options"]["minecraft"]


def test_what_is_not_installed_is_said_before_anything_runs(monkeypatch):
    def missing(self):
        raise InputError("not installed")

    monkeypatch.setattr(NodePackages, "require", missing)
    config = ExperimentConfig("unused", tasks=("minecraft/break",), held_out=("minecraft_server/break",))
    with pytest.raises(InputError, match="not installed"):
        MainJob(config)
