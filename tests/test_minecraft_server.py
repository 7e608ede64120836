"""The protocol server: the real one, in a Node process, in lockstep."""

import json
import os
import shutil
import signal
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from child_processes import children

from trunkline.cli import main
from trunkline.envs.minecraft import packages
from trunkline.envs.minecraft.packages import NodePackages, find_node, find_npm
from trunkline.envs.minecraft.server import MinecraftServer, ServerConfig, Terrain
from trunkline.envs.minecraft.server_observation import ACTIONS, EVENTS, control_bits
from trunkline.envs.minecraft.server_process import PACKAGES, simulate, start_process
from trunkline.envs.remote.process import RemoteError
from trunkline.errors import InputError

# States of Minecraft 1.16.5's palette.
STONE, GRASS, DIRT, OAK_PLANKS, BEDROCK, CHEST, BARRIER = 1, 9, 10, 15, 33, 2035, 7540
ATTACK, USE, PLACE = (ACTIONS.index(name) for name in ("attack", "use", "place"))
FORWARD, JUMP = control_bits("forward"), control_bits("jump")


@pytest.fixture(scope="module")
def server(installed):
    """Four agents on flat ground; every test puts its own somewhere else."""
    with MinecraftServer(ServerConfig(agents=4, voxels=16)) as running:
        yield running


@pytest.fixture
def place():
    """A fresh spot of grass, far from all others."""
    place.count = getattr(place, "count", 0) + 1
    return np.array([8.5 + 48 * place.count, 5.0, 8.5])


def held(control: int, agent: int = 0) -> np.ndarray:
    """Only one agent's controls."""
    bits = np.zeros(4, np.uint8)
    bits[agent] = control
    return bits


def look_at(eye_from, target) -> tuple[float, float]:
    """Yaw and pitch from feet to a point."""
    x, y, z = np.subtract(target, np.add(eye_from, (0, 1.62, 0)))
    return float(np.degrees(np.arctan2(-x, z))), float(-np.degrees(np.arctan2(y, np.hypot(x, z))))


def stand(server, place, **options):
    """Agent 0 at rest there, without mobs and with nothing in its hands."""
    server.reset(0, pose=(*place, 0, 0), **{"inventory": [], "slot": 0, "game_mode": "survival", **options})
    server.step(0, (0, 0))  # the tick in which it falls on its feet
    return server.step(0, (0, 0))


def test_spawns_on_flat_ground_and_sees_it(server, place):
    observation = stand(server, place)
    np.testing.assert_allclose(observation.pose[0], [*place, 0, 0])
    assert observation.on_ground[0] and observation.health[0] == 20 and observation.food[0] == 20
    x, y, z = np.floor(place).astype(int) - observation.origin[0]
    assert (x, y, z) == (8, 8, 8)
    column = observation.voxels[0, x, :, z]
    assert column[y - 5 : y + 1].tolist() == [BEDROCK, DIRT, DIRT, DIRT, GRASS, 0]
    np.testing.assert_array_equal(observation.voxels[0], server.blocks(observation.origin[0], (16, 16, 16)))


def test_walks_4_317_metres_a_second(server, place):
    stand(server, place)
    z = [server.step(held(FORWARD), (0, 0)).pose[0, 2] for _ in range(40)]
    assert z[39] - z[19] == pytest.approx(4.317, abs=1e-3)


def test_sprints_only_forward(server, place):
    stand(server, place)
    sprint = control_bits("forward", "sprint")
    z = [server.step(held(sprint), (0, 0)).pose[0, 2] for _ in range(40)]
    assert z[39] - z[19] == pytest.approx(5.612, abs=2e-3)
    back = control_bits("back", "sprint")
    z = [server.step(held(back), (0, 0)).pose[0, 2] for _ in range(60)]
    assert z[39] - z[59] == pytest.approx(4.317, abs=1e-2)


def test_jump_has_its_apex_at_1_2522(server, place):
    stand(server, place)
    y = [server.step(held(JUMP if tick < 2 else 0), (0, 0)).pose[0, 1] for tick in range(14)]
    assert max(y) - place[1] == pytest.approx(1.2522, abs=1e-4)
    assert y[-1] == place[1]


def test_digs_grass_in_18_ticks_and_picks_up_the_drop(server, place):
    stand(server, place)
    below = np.floor(place).astype(int) - [0, 1, 0]
    for tick in range(1, 19):
        observation = server.step(0, (0, 90), held(ATTACK))
        dug = bool(observation.events[0] & EVENTS["dug"])
        assert dug == (tick == 18)
        if not dug:
            np.testing.assert_allclose(observation.digging[0], [*below, tick / 18], rtol=1e-5)
    assert server.blocks(below, (1, 1, 1)).item() == 0
    assert [entity.item for entity in observation.entities(0) if entity.type == "item"] == ["dirt"]
    for _ in range(30):
        observation = server.step(0, (0, 0))
        if observation.events[0] & EVENTS["collected"]:
            break
    assert list(observation.items(0).values()) == [("dirt", 1)]
    assert observation.pose[0, 1] == place[1] - 1


def test_letting_go_begins_a_dig_anew(server, place):
    stand(server, place)
    for _ in range(10):
        server.step(0, (0, 90), held(ATTACK))
    assert not server.step(0, (0, 90)).digging[0].any()
    for _ in range(17):
        observation = server.step(0, (0, 90), held(ATTACK))
    assert not observation.events[0] & EVENTS["dug"] and observation.digging[0, 3] == pytest.approx(17 / 18)


def test_a_tool_and_the_air_change_the_time(server, place):
    stand(server, place, inventory=[(2, "iron_shovel", 1)], slot=2)
    ticks = next(tick for tick in range(1, 30) if server.step(0, (0, 90), held(ATTACK)).events[0] & EVENTS["dug"])
    assert ticks == 3  # 0.15 s
    assert server.reset(0, game_mode="creative").items(0) == {2: ("iron_shovel", 1)}


def test_places_a_block_only_where_there_is_room(server, place):
    stand(server, place, inventory=[(0, "stone", 3)])
    observation = server.step(0, (0, 90), held(PLACE))  # under its own feet
    assert not observation.events[0] & EVENTS["placed"] and observation.items(0) == {0: ("stone", 3)}
    target = np.add(np.floor(place).astype(int), (0, 0, 2))
    for _ in range(6):
        observation = server.step(0, look_at(place, np.add(target, (0.5, 0, 0.5))), held(PLACE))
        if observation.events[0] & EVENTS["placed"]:
            break
    assert server.blocks(target, (1, 1, 1)).item() == STONE
    assert observation.voxels[0][tuple(target - observation.origin[0])] == STONE
    assert observation.items(0) == {0: ("stone", 2)}


def test_opens_a_chest(server, place):
    stand(server, place)
    chest = np.add(np.floor(place).astype(int), (0, 0, 2))
    server.reset(0, blocks={tuple(chest): CHEST})
    observation = server.step(0, look_at(place, chest + 0.5), held(USE))
    observations = [observation, server.step(0, (0, 0))]
    assert any(seen.events[0] & EVENTS["opened"] for seen in observations)


def test_hits_a_cow_until_it_dies(server, place):
    beside = np.add(place, (0, 0, 2))
    stand(server, place, entities=[("cow", tuple(beside), 90.0)])
    observation = server.step(0, (0, 0))
    (cow,) = observation.entities(0)
    assert (cow.type, cow.yaw) == ("cow", 90) and cow.position == pytest.approx(beside, abs=1e-3)
    hits = 0
    for _ in range(300):
        mobs = observation.entities(0)
        if not mobs:
            break
        feet = observation.pose[0, :3]
        far = mobs[0].position[2] - feet[2] > 2
        observation = server.step(
            held(FORWARD if far else 0), look_at(feet, np.add(mobs[0].position, [0, 0.7, 0])), held(ATTACK)
        )
        hits += bool(observation.events[0] & EVENTS["hit"])
    assert hits == 20 and not observation.entities(0)


def test_four_agents_move_alone_and_see_each_other(server, place):
    for agent in range(4):
        server.reset(agent, pose=(*np.add(place, (2 * agent, 0, 0)), 0, 0), clear=0)
    for _ in range(10):
        observation = server.step([FORWARD, 0, JUMP, control_bits("left")], [[0, 0], [0, 0], [0, 0], [90, 0]])
    moved = observation.pose[:, :3] - (place + np.arange(4)[:, None] * [2, 0, 0])
    assert moved[0, 2] > 1 and not moved[1].any() and moved[2, 1] > 0 and moved[3, 2] > 1
    for agent in range(4):
        seen = {entity.position for entity in observation.entities(agent) if entity.type == "player"}
        others = np.delete(observation.pose[:, :3], agent, 0)
        np.testing.assert_allclose(sorted(seen), others[np.lexsort(others.T[::-1])], atol=1e-2)


def test_terrain_is_what_was_laid_and_is_restored(server):
    rng = np.random.default_rng(3)
    blocks = rng.choice(np.array([0, 0, STONE, GRASS, DIRT, OAK_PLANKS], np.uint16), (20, 24, 18))
    blocks[8:12, 12:16, 8:12] = 0
    origin = (2003, 40, -1005)
    terrain = Terrain(blocks, origin)
    pose = (origin[0] + 10, origin[1] + 12, origin[2] + 10, 0, 0)
    observation = server.reset(0, pose=pose, terrain=terrain, inventory=[])
    np.testing.assert_array_equal(server.blocks(origin, blocks.shape), blocks)
    low = observation.origin[0] - origin
    np.testing.assert_array_equal(observation.voxels[0], blocks[tuple(slice(c, c + 16) for c in low)])
    assert server.blocks((origin[0] - 1, 40, origin[2]), (1, 1, 1)).item() == BARRIER
    edit = tuple(int(c) for c in np.add(origin, (9, 13, 9)))
    observation = server.reset(0, blocks={edit: STONE})
    assert observation.voxels[0][tuple(edit - observation.origin[0])] == STONE
    observation = server.reset(0, terrain=terrain)
    np.testing.assert_array_equal(server.blocks(origin, blocks.shape), blocks)
    assert observation.voxels[0][tuple(edit - observation.origin[0])] == 0


def random_episode(steps: int) -> list[str]:
    """Digests along a random walk with digging, in a process of its own."""
    rng = np.random.default_rng(5)
    config = ServerConfig(agents=2, generator="diamond_square", seed=7, voxels=16)
    with MinecraftServer(config) as server:
        for agent in range(2):
            server.reset(agent, pose=(5.5 + 3 * agent, 90, 5.5, 0, 0), entities=[("pig", (9.5, 90, 9.5), 0)], clear=0)
        digests = []
        for step in range(steps):
            if step % 10 == 0:
                controls, action = rng.integers(0, 128, 2), rng.choice([0, ATTACK], 2)
            server.step(controls, rng.normal(0, 15, (2, 2)), action, relative=True)
            if step % 50 == 49:
                digests.append(server.hash())
        return digests


def test_two_processes_go_the_same_way(installed):
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(random_episode, [200, 200])
    assert len(set(first)) == 4 and first == second


def test_a_killed_server_is_an_error_and_leaves_no_process(installed):
    before = children()
    server = MinecraftServer(ServerConfig(voxels=0))
    server.step(0, (0, 0))
    os.kill(server.pid, signal.SIGKILL)
    with pytest.raises(RemoteError, match=r"minecraft-server .*signal 9"):
        for _ in range(3):
            server.step(0, (0, 0))
    with pytest.raises(RemoteError, match="ended"):
        server.step(0, (0, 0))
    server.close()
    assert children() <= before


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda s: s.reset(0, inventory=[(0, "iron_pickax", 1)]),
            "unknown item 'iron_pickax'; did you mean 'iron_pickaxe'",
        ),
        (lambda s: s.reset(0, inventory=[(36, "stone", 1)]), "slot 36"),
        (lambda s: s.reset(0, entities=[("zombi", (0, 5, 0), 0)]), "unknown mob 'zombi'; did you mean 'zombie'"),
        (lambda s: s.reset(0, game_mode="survive"), "unknown game mode 'survive'; did you mean 'survival'"),
        (lambda s: s.reset(0, blocks={(0, 5, 0): 60000}), "block state 60000"),
        (lambda s: s.reset(4), "agent 4"),
        (lambda s: s.reset(0, pose=(0, float("nan"), 0, 0, 0)), "pose"),
        (lambda s: s.reset(0, terrain=Terrain(np.zeros((2, 2, 2), np.uint8))), "uint8"),
        (lambda s: s.reset(0, terrain=Terrain(np.zeros((2, 9, 2), np.uint16), (0, 250, 0))), "outside the world"),
        (lambda s: s.step(0, (0, 0), 4), "action 4"),
        (lambda s: s.step(0, (0, 0), 0, 9), "slot 9"),
        (lambda s: s.step([0, 0], (0, 0)), r"controls has the shape \(2,\)"),
        (lambda s: s.step(300, (0, 0)), "control byte 300"),
        (lambda s: s._process.call("stp"), "no method 'stp'; known: blocks, configure"),
    ],
)
def test_bad_input_is_refused_and_the_server_goes_on(server, call, message):
    with pytest.raises(InputError, match=message):
        call(server)
    assert server.observe().tick >= 0


@pytest.mark.parametrize("options", [{"agents": 9}, {"voxels": 65}, {"seed": -1}, {"timeout_s": 0}])
def test_bad_configuration_is_refused(options):
    with pytest.raises(InputError, match=next(iter(options))):
        ServerConfig(**options)


def test_a_port_in_use_and_an_unknown_generator_are_refused(installed):
    before = children()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=f"port {port} is in use"):
            MinecraftServer(ServerConfig(port=port))
    with pytest.raises(InputError, match="unknown generator 'superflt'; did you mean 'superflat'"):
        MinecraftServer(ServerConfig(generator="superflt"))
    assert children() <= before


def test_physics_without_a_server_is_the_servers(server, place):
    controls = np.array([0] * 5 + [FORWARD | JUMP] * 20 + [control_bits("forward", "left", "sprint")] * 15, np.uint8)
    look = np.stack([np.linspace(0, 60, len(controls)), np.zeros(len(controls))], 1)
    blocks = np.zeros((32, 16, 32), np.uint16)
    blocks[:, :5] = STONE
    with start_process(PACKAGES.require()) as process:
        alone = simulate(process, blocks, (8.5, 5, 8.5, 0, 0), controls, look)
    server.reset(0, pose=(*place, 0, 0))
    poses = [server.step(held(int(bits)), at).pose[0] for bits, at in zip(controls, look, strict=True)]
    np.testing.assert_allclose(np.array(poses)[:, :3] - place, alone["pose"][:, :3] - [8.5, 5, 8.5], atol=1e-9)
    assert alone["on_ground"][1:5].all() and not alone["on_ground"][8]


def fake(folder: Path, name: str, script: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_missing_and_old_programs_are_named_with_the_remedy(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match=r"no 'node' on PATH; install Node.js 20 or later"):
        find_node()
    fake(tmp_path, "node", "echo v18.19.0")
    with pytest.raises(InputError, match=r"node is version v18.19.0, too old; install Node.js 20"):
        find_node()
    fake(tmp_path, "node", "echo v22.1.0")
    assert find_node().version == "v22.1.0"
    with pytest.raises(InputError, match=r"no 'npm' on PATH"):
        find_npm()
    fake(tmp_path, "npm", "exit 3")
    with pytest.raises(InputError, match=r"npm --version does not work"):
        find_npm()


def test_a_failed_installation_leaves_nothing(tmp_path, monkeypatch):
    fake(tmp_path, "node", "echo v22.1.0")
    version = '[ "$1" = --version ] && echo 11.0.0 && exit'
    fake(tmp_path, "npm", f'{version}; mkdir node_modules; echo "no such host"; exit 1')
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("TRUNKLINE_CACHE", str(tmp_path / "cache"))
    source = tmp_path / "source"
    source.mkdir()
    locked = {"": {}, "node_modules/a": {"version": "1.0.0"}, "node_modules/b": {"version": "1.0.0", "optional": True}}
    (source / "package.json").write_text("{}")
    (source / "package-lock.json").write_text(json.dumps({"packages": locked}))
    copy = NodePackages("minecraft-server", source)
    with pytest.raises(InputError, match=r"npm 11.0.0 could not install .*no such host"):
        copy.install()
    assert not copy.installed and not list((tmp_path / "cache" / "minecraft-server").iterdir())
    with pytest.raises(InputError, match="trunkline envs install minecraft-server"):
        copy.require()
    fake(tmp_path, "npm", f"{version}; mkdir node_modules")
    with pytest.raises(InputError, match=r"1 of its packages are not there, among them node_modules/a"):
        copy.install()
    assert not copy.installed
    fake(tmp_path, "npm", f"{version}; mkdir -p node_modules/a; echo {{}} > node_modules/a/package.json")
    assert copy.install() == copy.folder and copy.installed
    assert packages.cache_folder() == tmp_path / "cache"


def test_commands(capsys, monkeypatch, installed):
    assert main(["envs", "install", "minecraft-serve"]) == 2
    assert "did you mean 'minecraft-server'?" in capsys.readouterr().err
    assert main(["envs", "install", "minecraft-server"]) == 0
    assert str(installed) in capsys.readouterr().out
    assert main(["envs", "check", "minecraft-server"]) == 0
    assert "walked 4" in capsys.readouterr().out
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert main(["envs", "check", "minecraft-server"]) == 2
    assert "no 'node' on PATH" in capsys.readouterr().err


def test_the_lock_file_pins_public_packages():
    lock = (PACKAGES.source / "package-lock.json").read_text()
    resolved = [line.split('"')[3] for line in lock.splitlines() if '"resolved"' in line]
    assert len(resolved) > 100
    assert all(url.startswith("https://registry.npmjs.org/") for url in resolved)
