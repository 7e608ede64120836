"""MineDojo in a process of its own: what is sent to it, what is made of its answers, and what installing says.

Tests with the fixture `venv` run MineDojo's own code, its connection to Java replaced by a fake
(`minedojo_fake_game.py`); they are skipped where `trunkline envs install minedojo` was not run. The game itself is
launched by none.
"""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from trunkline.cli import main
from trunkline.envs.minecraft import minedojo_setup
from trunkline.envs.minecraft.actions import ATTACK, IDLE, PLACE, STILL
from trunkline.envs.minecraft.blocks import block_state, block_states
from trunkline.envs.minecraft.minedojo import SERVER, MineDojo, MineDojoConfig, to_minedojo, to_states
from trunkline.envs.minecraft.minedojo_setup import VENV
from trunkline.envs.minecraft.views import STATUS
from trunkline.envs.remote.process import RemoteError
from trunkline.errors import InputError

HERE = Path(__file__).parent
FINE = (3, 3, 4, 1441, 1441, 8, 244, 36)
# The same interface in our own Python: the voxel worlds behind it stand in for MineDojo.
STAND_IN = f"""
import sys, runpy
import trunkline.envs.minecraft.dojo as minedojo
sys.modules["minedojo"] = minedojo
runpy.run_path({str(SERVER)!r}, run_name="__main__")
"""
FLAT = {"generate_world_type": "flat", "world_size": [32, 32, 32], "allow_mob_spawn": False, "seed": 1}


@pytest.fixture(scope="module")
def venv():
    """MineDojo's own interpreter."""
    if not VENV.installed:
        pytest.skip("MineDojo is not installed; run: trunkline envs install minedojo")
    return str(VENV.python)


@pytest.fixture
def stand_in(monkeypatch):
    """Starts a bridge to the stand-in."""

    def start(**config):
        source = str(Path(__file__).parents[1] / "src")
        code = f"import sys; sys.path.insert(0, {source!r})\n{STAND_IN}"
        return MineDojo(MineDojoConfig(image_size=16, **config), [sys.executable, "-c", code])

    return start


def values(status):
    return dict(zip(STATUS, status.tolist(), strict=True))


def test_actions_become_minedojos_choices():
    assert to_minedojo(IDLE, FINE) == [0, 0, 0, 720, 720, 0, 0, 0]
    assert to_minedojo((1, 2, 3, 0, 10, ATTACK), FINE) == [1, 2, 3, 660, 780, 3, 0, 0]
    assert to_minedojo((0, 0, 0, 4, 7, PLACE), FINE) == [0, 0, 0, 716, 730, 6, 0, 0]
    assert to_minedojo((0, 0, 0, 5, 5, PLACE), FINE, hand_empty=True)[5] == 0
    with pytest.raises(InputError, match=r"action \[0, 0, 0, 5, 11, 0\]: choose below \[3, 3, 4, 11, 11, 4\]"):
        to_minedojo((0, 0, 0, 5, 11, 0), FINE)
    with pytest.raises(InputError, match=r"give 6 integers"):
        to_minedojo((0.0,) * 6, FINE)


def test_voxels_become_our_blocks_and_strangers_are_counted():
    names = np.array(["grass block", "wood", "wood", "purpur block", "cobweb", "flowing goo"]).reshape(1, 6, 1)
    solid = np.array([True, True, True, True, False, False]).reshape(1, 6, 1)
    liquid = np.array([False, False, False, False, False, True]).reshape(1, 6, 1)
    metas = np.array([0, 2, 9, 0, 0, 0]).reshape(1, 6, 1)
    voxels = {"block_name": names, "block_meta": metas, "is_solid": solid, "is_liquid": liquid}
    states, strangers = to_states(voxels)
    shown = [str(block_states()[state]) for state in states.ravel()]
    assert shown[:2] == ["grass_block[snowy=false]", "birch_log[axis=y]"] and shown[2] == "spruce_log[axis=z]"
    assert shown[3:] == ["stone", "air", str(block_states()[block_state("water")])]
    assert strangers == {"purpur block": 1, "cobweb": 1, "flowing goo": 1}


def test_a_minedojo_in_another_process_is_played_with_our_sensors_and_actions(stand_in):
    with stand_in(options=FLAT) as game:
        assert set(game.sensors) == {"rgb", "status", "voxels"} and game.action_spec.name == "minecraft"
        assert "masks/craft_smelt" in game.parts and game.prompt == ""
        with pytest.raises(InputError, match="call reset first"):
            game.step(IDLE)
        first = game.reset()
        for _ in range(10):
            seen, reward, done, info = game.step((1, 0, 0, STILL, STILL + 5, PLACE))
        assert {name: (value.shape, value.dtype.name) for name, value in seen.items()} == {
            "rgb": ((16, 16, 3), "uint8"),
            "status": ((15,), "float32"),
            "voxels": ((5, 5, 5), "uint8"),
        }
        assert (reward, done, info) == (0.0, False, {"success": False, "alive": True})
        assert game.raw["location_stats"]["yaw"] == pytest.approx(150.0)
        below = [str(block_states()[state]) for state in first["voxels"][2, 2]]
        assert below == ["dirt", "grass_block[snowy=false]", "air", "air", "air"]
        assert values(seen["status"]) | {"pitch": 0.0} == {
            **dict.fromkeys(STATUS, 0.0),
            **dict.fromkeys(("health", "food", "oxygen", "on_ground", "charge", "nothing"), 1.0),
        }
        with pytest.raises(InputError, match="choose below"):
            game.step((3, 0, 0, 5, 5, 0))
    with pytest.raises(RemoteError, match="the process has been ended"):
        game.reset()


def test_what_minedojo_refuses_is_one_line(stand_in):
    with pytest.raises(InputError, match="neither creative tasks nor the playthrough"):
        stand_in(task_id="playthrough")
    with pytest.raises(InputError, match="image_size is chosen by the bridge"):
        MineDojoConfig(options={"image_size": 3})
    with pytest.raises(InputError, match="voxels=4; choose an odd number"):
        MineDojoConfig(voxels=4)


def test_a_venv_that_is_not_there_is_one_line(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("TRUNKLINE_CACHE", str(tmp_path))
    assert main(["envs", "check", "minedojo"]) == 2
    assert "run: trunkline envs install minedojo" in capsys.readouterr().err
    monkeypatch.setattr(minedojo_setup, "_find_python", lambda: "/no/python")
    with pytest.raises(OSError):
        VENV.install(lambda line: None)
    assert not any((tmp_path / "minedojo").iterdir())


def test_pip_that_fails_is_one_line_and_leaves_nothing(monkeypatch, tmp_path):
    monkeypatch.setenv("TRUNKLINE_CACHE", str(tmp_path))
    stub = tmp_path / "python"
    stub.write_text(
        '#!/bin/sh\n[ "$2" = venv ] || { echo no network; exit 3; }\nmkdir -p "$3/bin"; cp "$0" "$3/bin/python"\n'
    )
    stub.chmod(0o755)
    monkeypatch.setattr(minedojo_setup, "_find_python", lambda: str(stub))
    with pytest.raises(InputError, match=r"could not install setuptools==65.5.0 \(exit status 3\): no network"):
        VENV.install(lambda line: None)
    assert not any((tmp_path / "minedojo").iterdir())


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ('openjdk version "17.0.15"', "java is version 17.0.15, Minecraft 1.11.2 needs 8"),
        ('openjdk version "1.8.0_442"', None),
        (None, "no java"),
    ],
)
def test_what_launching_lacks_is_said(monkeypatch, tmp_path, said, words):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setenv("TRUNKLINE_CACHE", str(tmp_path))
    if said:
        java = tmp_path / "java"
        java.write_text(f"#!/bin/sh\necho '{said}' >&2\n")
        java.chmod(0o755)
    missing = VENV.missing()
    assert (words in missing[0] if words else missing == []) and len(missing) <= 1
    monkeypatch.delenv("DISPLAY")
    assert any("neither a display nor xvfb-run" in line for line in VENV.missing())


@pytest.mark.timeout(120)
def test_minedojos_own_spaces_are_the_reference(venv):
    done = subprocess.run([venv, str(HERE / "minedojo_spaces.py")], capture_output=True, text=True, timeout=100)
    reference = json.loads((HERE / "minedojo_spaces.json").read_text())
    assert json.loads(done.stdout) == reference
    with MineDojo() as game:  # made, but not launched
        assert set(game.parts) == {name for name in reference["observation"] if not name.startswith("rays/")}


@pytest.mark.timeout(240)
def test_minedojos_own_code_runs_over_a_fake_game(venv):
    command = [venv, str(HERE / "minedojo_fake_game.py"), str(SERVER)]
    with MineDojo(
        MineDojoConfig(image_size=16, task_id="harvest_1_log", options={"fast_reset": False}), command
    ) as game:
        assert game.prompt == "obtain log"
        first = game.reset()
        assert first["rgb"][0, 0].tolist() == [100, 150, 255] and first["rgb"][-1, 0].tolist() == [0, 128, 0]
        status = values(first["status"])
        assert (status["health"], status["food"], status["tool"], status["on_ground"]) == (
            1.0,
            pytest.approx(0.9),
            1,
            1,
        )
        names = {(x, z, y): block_states()[s].name for (x, z, y), s in np.ndenumerate(first["voxels"])}
        assert (names[2, 2, 1], names[1, 2, 2], names[2, 2, 2]) == ("grass_block", "water", "air")
        seen, reward, done, info = game.step((1, 0, 0, STILL, STILL + 1, ATTACK))
        assert (reward, done, info) == (0.0, False, {"success": False, "alive": True})
        assert game.raw["location_stats"]["pos"].tolist() == pytest.approx([8.5, 4.0, 9.7])
        assert game.raw["location_stats"]["yaw"][0] == 1.0  # 0.92 degrees, to the quarter
        assert values(seen["status"])["health"] == pytest.approx(0.95)
        for _ in range(2):
            seen, *_ = game.step((1, 0, 0, STILL, STILL, 0))
        assert block_states()[seen["voxels"][2, 4, 2]].name == "birch_log"
        game.step((0, 0, 0, STILL, STILL, PLACE))
        assert game.raw["inventory"]["name"][0] == "air"
        seen, *_ = game.step((0, 0, 0, STILL, STILL, PLACE))  # nothing to place is no mistake here
        assert values(seen["status"])["nothing"] == 1.0
