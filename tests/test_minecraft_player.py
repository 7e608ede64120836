"""The agent's body: Minecraft's movement in closed form and as mineflayer computes it; wounds, hunger, saved worlds."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from voxel_play import FLOOR, NOOP, Play

from trunkline.errors import InputError

TRACES = json.loads((Path(__file__).parent / "minecraft_traces.json").read_text())
AHEAD, SPRINT, SNEAK, JUMP = 1, 3, 2, 1
TICKS = 20  # a second


@pytest.mark.parametrize("trace", TRACES["traces"], ids=lambda trace: trace["name"])
def test_moves_as_mineflayer(trace):
    play = Play(1, tuple(TRACES["size"]))
    play.cells[:] = 0
    for *box, name in trace["boxes"]:
        play.put(name, tuple(box))
    play.simulation.place_agent(0, trace["start"])
    found = []
    for ticks, forward, strafe, jump, yaw in trace["keys"]:
        play["yaw"][0] = yaw
        for _ in range(ticks):
            play["health"][0] = 20
            play.keys(forward=forward, strafe=strafe, jump=jump)
            found.append(play["position"][0].copy())
    assert np.abs(np.array(found) - trace["positions"]).max() < 1e-5


# Sneaking is 0.3 times walking; the 1.31 that is often quoted leaves out that keys count 0.98.
@pytest.mark.parametrize(("jump", "speed"), [(0, 4.317), (SPRINT, 5.612), (SNEAK, 0.3 * 4.317)])
def test_speed(jump, speed):
    play = Play(1, (16, 16, 64))
    play["position"][0, 2] = 2
    play.keys(20, forward=AHEAD, jump=jump)
    start = play["position"][0, 2]
    play.keys(2 * TICKS, forward=AHEAD, jump=jump)
    assert (play["position"][0, 2] - start) / 2 == pytest.approx(speed, rel=1e-3)


def test_jump_rises_1_2522():
    play = Play()
    heights = []
    for _ in range(12):
        play.keys(jump=JUMP)
        heights.append(play["position"][0, 1] - FLOOR)
    assert max(heights) == pytest.approx(1.2522, abs=1e-4)
    assert heights[-1] == 0 and play["on_ground"][0]


def test_fall_follows_gravity_and_drag():
    play = Play(1, (16, 64, 16))
    play.simulation.place_agent(0, (8.5, 60, 8.5))
    play.keys(30)
    # v(n) = 3.92·(0.98ⁿ − 1), and its sum
    drag = float(np.float32(0.98))
    speeds = -0.08 * drag / (1 - drag) * (1 - drag ** np.arange(30))
    assert play["position"][0, 1] == pytest.approx(60 + speeds.sum(), abs=1e-9)


def test_steps_up_slabs_but_not_blocks():
    play = Play()
    play.put("stone_slab", (8, FLOOR, 10, 8, FLOOR, 12))
    play.keys(12, forward=AHEAD)
    assert play["position"][0, 1] == FLOOR + 0.5
    play["position"][0] = (8.5, FLOOR, 8.5)
    play.put("stone", (8, FLOOR, 10, 8, FLOOR, 10))
    play.keys(12, forward=AHEAD)
    assert play["position"][0, 2] == pytest.approx(9.7) and play["blocked"][0]


def test_sides_of_the_world_hold():
    play = Play()
    play.keys(100, forward=AHEAD, jump=SPRINT)
    assert play["position"][0, 2] == pytest.approx(15.7)
    play.put("air", (0, 0, 0, 15, 3, 15))
    play.keys(60)
    assert play["position"][0, 1] == 0


def test_a_sprint_lasts_through_jumps_and_ends_at_walls():
    play = Play(1, (16, 16, 32))
    play["position"][0, 2] = 2
    play.keys(2, forward=AHEAD, jump=SPRINT)
    play.keys(5, forward=AHEAD, jump=JUMP)
    assert play["sprinting"][0]
    play.keys(1)
    assert not play["sprinting"][0]
    play["food"][0] = 6
    play.keys(5, forward=AHEAD, jump=SPRINT)
    assert not play["sprinting"][0]


def fall_from(height, ground="stone"):
    play = Play(1, (16, 64, 16))
    if ground != "stone":
        play.put(ground, (0, FLOOR - 2, 0, 15, FLOOR - 1, 15))
    play["food"][0] = 10  # no healing
    play.simulation.place_agent(0, (8.5, FLOOR + height, 8.5))
    play.keys(100)
    return 20 - play["health"][0]


@pytest.mark.parametrize(("height", "damage"), [(3, 0), (3.9, 1), (4, 1), (5, 2), (10, 7), (23, 20), (40, 20)])
def test_falls_hurt_beyond_three_blocks(height, damage):
    assert fall_from(height) == damage


def test_water_breaks_a_fall():
    assert fall_from(20, "water") == 0


def test_the_dead_stay_and_do_nothing():
    play = Play()
    play["health"][0] = 0
    before = play["position"][0].copy()
    play.keys(50, forward=AHEAD, jump=JUMP, function=3)
    assert (play["position"][0] == before).all() and play["health"][0] == 0


def test_drowning_takes_two_a_second_without_air():
    play = Play(ground="water")
    play["food"][0] = 10
    play.put("stone", (0, 8, 0, 15, 8, 15))
    play.put("water", (0, FLOOR, 0, 15, 7, 15))
    play.keys(300)
    assert play["oxygen"][0] == 0 and play["health"][0] == 20
    play.keys(20)
    assert play["health"][0] == 18
    play.keys(20)
    assert play["health"][0] == 16
    play.put("air", (0, FLOOR, 0, 15, 7, 15))
    play.simulation.place_agent(0, (8.5, 9, 8.5))
    play.keys(10)
    assert play["oxygen"][0] == 40


def test_lava_and_cactus_hurt():
    play = Play()
    play["food"][0] = 10
    play.put("lava", (7, FLOOR, 7, 9, FLOOR, 9))
    play.keys(1)
    assert play["health"][0] == 16 and play["damage"][0] == 4
    play.keys(10)
    assert play["health"][0] == 12
    play.put("air", (7, FLOOR, 7, 9, FLOOR, 9))
    play.put("cactus", (8, FLOOR, 10, 8, FLOOR, 10))
    play["hurt"][0] = 0
    play.keys(12, forward=AHEAD)
    assert play["health"][0] == 11


def test_the_fed_heal_and_the_empty_starve():
    play = Play()
    play["health"][0], play["saturation"][0] = 10, 6
    play.keys(10)
    assert play["health"][0] == 11
    play["food"][0], play["saturation"][0], play["exhaustion"][0] = 18, 0, 0
    play.keys(80)
    assert play["health"][0] == 12
    play["food"][0] = 0
    play["food_timer"][0] = 0
    play.keys(80)
    assert play["health"][0] == 11


def test_sprinting_makes_hungry():
    play = Play(1, (16, 16, 64))
    play["position"][0, 2] = 2
    play.keys(100, forward=AHEAD, jump=SPRINT)
    run = play["position"][0, 2] - 2
    assert play["exhaustion"][0] == pytest.approx(0.1 * run, rel=0.05)


def dance(play, rows, ticks=60):
    """The same keys for some rows while the others do something else."""
    rng, other = np.random.default_rng(5), np.random.default_rng(6)
    for _ in range(ticks):
        control = np.tile(NOOP, (play.worlds.count, 1))
        turn = np.zeros((play.worlds.count, 2))
        for row in range(play.worlds.count):
            draw = rng if row == rows[0] else other
            if row in rows[1:]:
                control[row], turn[row] = control[rows[0]], turn[rows[0]]
                continue
            control[row, :3] = draw.integers(0, 3, 3)
            control[row, 5] = draw.choice([0, 1, 3, 3, 3, 6])
            turn[row] = draw.normal(0, 12, 2)
        play.simulation.act(control, turn)
        play.simulation.tick()


def prepared(count, rows):
    play = Play(count, entities=12)
    play.put("oak_log", (6, FLOOR, 10, 9, FLOOR + 1, 10))
    play.put("sand", (6, FLOOR + 2, 10, 9, FLOOR + 3, 10))
    play.give("dirt", 20)
    for row in range(count):
        play["seed"][row] = 77 if row in rows else 100 + row
        for kind, x in (("cow", 4.5), ("zombie", 12.5)):
            play.simulation.spawn(row, kind, (x, FLOOR, 4.5))
    return play


def lone_hash():
    play = prepared(1, [0])
    dance(play, [0])
    return play.worlds.hash(0)


def test_a_world_depends_on_its_state_and_actions_alone():
    play = prepared(6, [0, 5])
    dance(play, [0, 5])
    alone = lone_hash()
    assert play.worlds.hash(0) == play.worlds.hash(5) == alone
    assert play.worlds.hash(1) != alone
    code = "from test_minecraft_player import lone_hash; print(lone_hash())"
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parent, capture_output=True, text=True, check=True
    )
    assert found.stdout.split()[-1] == alone


def test_a_saved_world_goes_on_bit_for_bit(tmp_path):
    play = prepared(2, [0, 1])
    dance(play, [0, 1], 20)
    path = tmp_path / "world.safetensors"
    play.simulation.save_file(0, path)
    other = Play(3, entities=12)
    other.simulation.load_file(2, path)
    assert other.worlds.hash(2) == play.worlds.hash(0)
    assert all((a == other.simulation.save(2)[name]).all() for name, a in play.simulation.save(0).items())
    for each, row in ((play, 0), (other, 2)):
        dance(each, [row])
    assert other.worlds.hash(2) == play.worlds.hash(0)


def test_damaged_and_foreign_worlds_are_refused(tmp_path):
    play = Play()
    path = tmp_path / "world.safetensors"
    play.simulation.save_file(0, path)
    whole = path.read_bytes()
    for damaged in (whole[:50], whole[: len(whole) // 2], b"", b"\xff" * 100):
        path.write_bytes(damaged)
        with pytest.raises(InputError, match="cannot be read"):
            play.simulation.load_file(0, path)
    with pytest.raises(InputError, match="cannot be read"):
        play.simulation.load_file(0, tmp_path / "none")
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(InputError, match="damaged"):
        play.simulation.load_file(0, path)
    path.write_bytes(whole)
    with pytest.raises(InputError, match="size"):
        Play(1, (16, 24, 16)).simulation.load_file(0, path)
    with pytest.raises(InputError, match="body_age is int32"):
        Play(1, entities=3).simulation.load_file(0, path)
    arrays = play.simulation.save(0)
    with pytest.raises(InputError, match="blocks holds values that cannot be"):
        play.simulation.load(0, {**arrays, "blocks": np.full_like(arrays["blocks"], 255)})
    arrays.pop("health")
    with pytest.raises(InputError, match="health"):
        play.simulation.load(0, arrays)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"control": [(3, 0, 0, 12, 12, 0, 0, 0)]}, "forward/back is 3; choose 0 to 2"),
        ({"control": [(0, 0, 0, 12, 12, 0, 244, 0)]}, "craft is 244"),
        ({"control": [(0, 0, 0, -1, 12, 0, 0, 0)]}, "pitch is -1"),
        ({"control": [NOOP] * 2}, "are needed"),
        ({"control": [NOOP], "turn": [[float("nan"), 0]]}, "finite"),
    ],
)
def test_bad_actions_are_refused(change, message):
    with pytest.raises(InputError, match=message):
        Play().simulation.act(**{name: np.array(value) for name, value in change.items()})


def test_places_outside_are_refused():
    simulation = Play().simulation
    with pytest.raises(InputError, match="outside"):
        simulation.set_blocks(0, np.array([[16, 0, 0]]), 1)
    with pytest.raises(InputError, match="block state"):
        simulation.set_blocks(0, np.array([[1, 0, 0]]), 255)
    with pytest.raises(InputError, match="choose a place within"):
        simulation.place_agent(0, (8, -1, 8))
    with pytest.raises(InputError, match="there are 1"):
        simulation.place_agent(1, (8, 5, 8))


def test_idle_worlds_stand_still():
    play = Play(2)
    play["active"][1] = 0
    before = play.worlds.hash(1)
    play.keys(5, forward=AHEAD)
    assert play.worlds.hash(1) == before and play["tick"][0] == 5
