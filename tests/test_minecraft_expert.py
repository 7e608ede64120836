"""The scripted expert: what it does in worlds made by hand, and how many synthesised tasks it solves."""

import numpy as np
import pytest
from voxel_play import FLOOR, Play

from trunkline.envs.minecraft import actions
from trunkline.envs.minecraft.expert import Expert
from trunkline.envs.minecraft.goals import INTERACTIONS
from trunkline.envs.minecraft.start import Starter
from trunkline.envs.registry import make_worlds, sample_tasks
from trunkline.envs.warp import start_warp

SIZE = (24, 16, 16)
START = (3.5, FLOOR, 8.5)


class Errand:
    """An agent in a world made by hand, its target, and the expert that acts for it."""

    def __init__(self, interaction: str, ticks: int = 1) -> None:
        self.play = Play(1, SIZE)
        self.play.simulation.place_agent(0, START, yaw=180.0)
        self.starter = Starter(self.play.worlds, self.play.simulation.rules, interaction, 3.0)
        self.targets = self.starter.targets
        self.ticks = ticks

    def block(self, name: str, x: int, y: int, z: int) -> None:
        """The target is a block."""
        self.play.put(name, (x, y, z))
        self.targets.cells.numpy()[0, 0] = (x * SIZE[2] + z) * SIZE[1] + y
        self.targets.low.numpy()[0, 0] = (x, y, z)
        self.targets.high.numpy()[0, 0] = (x + 1, y + 1, z + 1)
        self.targets.boxes.numpy()[0] = 1

    def mob(self, name: str, *feet: float) -> None:
        """The target is a mob."""
        place = self.play.simulation.spawn(0, name, feet)
        self.targets.mob.numpy()[0] = place
        self.targets.kind.numpy()[0] = self.play["kind"][0, place]

    def run(self, steps: int = 400) -> bool:
        """Whether the expert reaches the goal in so many steps."""
        from trunkline.envs.minecraft.kernels.goal import watch

        wp = start_warp()
        play = self.play
        expert = Expert(play.worlds, play.simulation.rules, self.targets, self.ticks)
        expert.begin(np.zeros(1, np.int64))
        control, turn = np.zeros((1, 8), np.int32), np.zeros((1, 2), np.float32)
        for self.steps in range(1, steps + 1):
            chosen = expert.actions(np.ones(1, bool))
            assert ((chosen >= 0) & (chosen < actions.CHOICES)).all()
            actions.write_controls(chosen, control, turn)
            for tick in range(self.ticks):
                play.simulation.act(control, turn if tick == 0 else np.zeros_like(turn))
                play.simulation.tick()
                wp.launch(watch, 1, [play.worlds.game, play.simulation.rules, self.targets])
            if self.targets.reached.numpy()[0]:
                return True
        return False


@pytest.mark.parametrize("ticks", [1, 4])
def test_digs_where_there_is_no_way_around(ticks):
    errand = Errand("approach", ticks)
    errand.play.put("dirt", (9, FLOOR, 0, 10, 15, 15))
    errand.block("gold_block", 20, FLOOR, 8)
    assert errand.run()
    assert errand.play["position"][0, 0] > 11
    dug = (errand.play.cells[0, 9:11, :, FLOOR:] == 0).sum()
    assert 4 <= dug <= 8  # no more than a body needs


def test_bridges_a_gap_with_the_blocks_in_its_hand():
    errand = Errand("place")
    errand.play.put("air", (8, 0, 0, 11, FLOOR - 1, 15))
    errand.play.give("cobblestone", 16)
    errand.block("gold_block", 20, FLOOR, 8)
    assert errand.run(800)
    assert (errand.play.cells[0, 8:12, :, FLOOR - 1] != 0).sum() == 4


def test_walks_around_rather_than_dig():
    errand = Errand("approach")
    errand.play.put("dirt", (9, FLOOR, 0, 9, FLOOR + 3, 12))
    errand.block("gold_block", 14, FLOOR, 8)
    before = errand.play.cells.copy()
    assert errand.run()
    assert (errand.play.cells == before).all()


def test_climbs_and_does_not_jump_into_a_chasm():
    errand = Errand("interact")
    for step in range(4):
        errand.play.put("stone", (7 + step, FLOOR, 0, 23, FLOOR + step, 15))
    errand.play.put("air", (14, 0, 2, 16, 15, 13))
    errand.block("crafting_table", 20, FLOOR + 4, 8)
    assert errand.run()
    assert errand.play["health"][0] == 20


def test_swims():
    errand = Errand("approach")
    errand.play.put("water", (8, 1, 0, 13, FLOOR - 1, 15))
    errand.block("gold_block", 20, FLOOR, 8)
    assert errand.run()


@pytest.mark.parametrize("ticks", [1, 4])
@pytest.mark.parametrize("name", ["cow", "zombie"])
def test_hunts(name, ticks):
    errand = Errand("hunt", ticks)
    errand.play.give("diamond_sword")
    errand.mob(name, 14.5, FLOOR, 5.5)
    assert errand.run()


@pytest.mark.parametrize("ticks", [1, 4])
def test_shoots_what_is_far_away(ticks):
    errand = Errand("shoot", ticks)
    errand.play.give("bow")
    errand.play.give("arrow", 8, None)
    errand.mob("pig", 21.5, FLOOR, 11.5)
    assert errand.run()
    assert np.abs(errand.play["position"][0] - errand.play["body_position"][0, 0]).max() > 5


def test_breaks_what_is_near_without_detours():
    errand = Errand("break")
    errand.play.give("iron_pickaxe")
    errand.block("gold_block", 6, FLOOR + 1, 8)
    assert errand.run()
    assert errand.steps < 60


@pytest.mark.parametrize("interaction", INTERACTIONS)
def test_solves_synthesised_tasks(interaction):
    specs = sample_tasks(f"minecraft/{interaction}", 8, 5, "train")
    world = make_worlds(f"minecraft/{interaction}", 4, sensors=("status",), ticks_per_step=2)
    world.reset(options={"tasks": specs})
    solved = 0
    while world.active.any():
        _, _, _, _, info = world.step(world.expert_actions())
        solved += int(info["success"].sum())
    assert solved >= 7


def test_an_episode_does_not_depend_on_what_runs_beside_it():
    specs = sample_tasks("minecraft/hunt", 6, 9, "test/distance")

    def lengths(num_envs):
        world = make_worlds("minecraft/hunt", num_envs, sensors=("status",))
        world.reset(options={"tasks": specs})
        steps = np.zeros(len(specs), int)
        while world.active.any():
            _, _, _, _, info = world.step(world.expert_actions())
            np.add.at(steps, info["task"][info["task"] >= 0], 1)
        return steps.tolist()

    assert lengths(4) == lengths(1)
