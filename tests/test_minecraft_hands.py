"""What hands do: dig in Minecraft's times, place, use, carry, craft, strike and shoot."""

import numpy as np
import pytest
from voxel_play import FLOOR, NOOP, Play

from trunkline.envs.minecraft.blocks import block_state, block_states
from trunkline.envs.minecraft.inventory import clear, give, stacks
from trunkline.envs.minecraft.items import item
from trunkline.envs.minecraft.recipes import craft_index
from trunkline.errors import InputError

USE, DROP, ATTACK, CRAFT, EQUIP, PLACE, DESTROY = 1, 2, 3, 4, 5, 6, 7
WALL = (8, FLOOR + 1, 10)  # a cell in front of the agent's eyes
BEHIND = (8, FLOOR + 1, 11)


def name(state):
    return block_states()[state].name


def before(block, tool="", **properties):
    """An agent that looks at a block, from two blocks away."""
    play = Play()
    play.put(block, WALL, **properties)
    x, y, z = WALL
    play.aim(x + 0.5, y + 0.5, z + 0.5)
    if tool:
        play.give(tool)
    return play


# Seconds of Minecraft's own tables, and what is left.
@pytest.mark.parametrize(
    ("block", "tool", "seconds", "drop"),
    [
        ("dirt", "", 0.75, "dirt"),
        ("dirt", "wooden_shovel", 0.4, "dirt"),
        ("grass_block", "", 0.9, "dirt"),
        ("stone", "", 7.5, ""),
        ("stone", "wooden_pickaxe", 1.15, "cobblestone"),
        ("stone", "diamond_pickaxe", 0.3, "cobblestone"),
        ("stone", "diamond_axe", 7.5, ""),
        ("iron_ore", "wooden_pickaxe", 7.5, ""),
        ("iron_ore", "stone_pickaxe", 1.15, "iron_ore"),
        ("obsidian", "diamond_pickaxe", 9.4, "obsidian"),
        ("oak_log", "", 3.0, "oak_log"),
        ("oak_log", "iron_axe", 0.5, "oak_log"),
        ("oak_leaves", "shears", 0.05, "oak_leaves"),
        ("white_wool", "shears", 0.25, "white_wool"),
        ("poppy", "", 0.05, "poppy"),
    ],
)
def test_digging_takes_its_time_and_leaves_its_drop(block, tool, seconds, drop):
    play = before("air", tool)
    x, y, z = (8, FLOOR, 10)  # on the ground, so that plants stand
    if block == "poppy":
        play.put("dirt", (x, y - 1, z))
    play.put(block, (x, y, z))
    play.aim(x + 0.5, y + 0.4, z + 0.5)
    assert play.until("broken", function=ATTACK) == round(seconds * 20)
    assert play["broken_state"][0] == block_state(block) and play.block(x, y, z) == 0
    play.keys(1)
    drops = [int(play["body_item"][0, m]) for m in np.flatnonzero(play["kind"][0])]
    assert drops == ([item(drop)] if drop else [])


def test_what_is_dug_is_picked_up_into_one_stack():
    play = before("dirt")
    play.put("dirt", (8, FLOOR, 10))
    play.give("dirt", 63, slot=7)
    play.until("broken", function=ATTACK)
    play.aim(8.5, FLOOR + 0.5, 10.5)
    play.until("broken", function=ATTACK)
    play.keys(15, forward=1)
    play.keys(40)
    assert play.has("dirt") == 65
    assert {(s.slot, s.count) for s in stacks(play.worlds, 0)} == {(7, 64), (0, 1)}


def test_blocks_are_dug_five_ticks_apart():
    play = before("dirt")
    play.put("dirt", BEHIND)
    assert play.until("broken", function=ATTACK) == 15
    assert play.until("broken", function=ATTACK) == 15 + 5


def test_letting_go_or_looking_away_begins_anew():
    play = before("dirt")
    play.keys(14, function=ATTACK)
    assert play["dig_progress"][0] == pytest.approx(14 / 15)
    play.keys(1)
    assert play["dig_progress"][0] == 0
    play.keys(14, function=ATTACK)
    play["pitch"][0] = 70
    play.keys(1, function=ATTACK)
    assert play["dig_progress"][0] < 0.1 and play.block(*WALL) != 0


def test_digging_is_five_times_slower_in_the_air_and_under_water():
    play = before("dirt")
    play["on_ground"][0] = 0
    play.keys(1, function=ATTACK)
    assert play["dig_progress"][0] == pytest.approx(1 / 75)
    play["on_ground"][0], play["dig_cell"][0] = 1, -1
    play.put("water", (8, FLOOR, 8, 8, FLOOR + 2, 9))
    play.keys(1, function=ATTACK)
    assert play["dig_progress"][0] == pytest.approx(1 / 75)


def test_bedrock_and_what_is_out_of_reach_stay():
    play = before("bedrock")
    play.keys(100, function=ATTACK)
    assert play.block(*WALL) == block_state("bedrock")
    far = Play()
    far.put("dirt", (8, FLOOR + 1, 13))
    far.aim(8.5, FLOOR + 1.62, 13.5)
    far["position"][0, 2] = 8.4
    far.keys(30, function=ATTACK)
    assert far["look_cell"][0] == -1 and far.block(8, FLOOR + 1, 13) != 0
    far["position"][0, 2] = 8.6
    far.keys(1)
    assert far["look_cell"][0] >= 0 and far["look_distance"][0] == pytest.approx(4.4, abs=0.01)


def test_tools_wear_and_break():
    play = before("stone", "wooden_pickaxe")
    play["durability"][0, 0] = 2
    for left in (1, 0):
        play.put("stone", WALL)
        play.until("broken", function=ATTACK)
        assert play["durability"][0, 0] == left
    assert play["item"][0, 0] == 0


def test_sand_falls_and_torches_come_off():
    play = before("dirt")
    x, y, z = WALL
    play.put("sand", (x, y + 1, z, x, y + 2, z))
    play.put("wall_torch", (x + 1, y, z), facing="east")
    play.until("broken", function=ATTACK)
    assert play.block(x + 1, y, z) == 0
    play.keys(40)
    column = [name(play.block(x, height, z)) for height in range(FLOOR, FLOOR + 5)]
    assert column == ["sand", "sand", "air", "air", "air"]
    lying = {int(play["body_item"][0, m]) for m in np.flatnonzero(play["kind"][0])}
    assert lying | set(play["item"][0].tolist()) == {0, item("dirt"), item("torch")}


def test_sand_falls_at_once_where_no_entity_fits():
    play = Play(entities=4)
    play.put("dirt", WALL)
    play.put("gravel", (8, FLOOR + 2, 10, 8, FLOOR + 3, 10))
    for k in range(4):
        play.simulation.spawn(0, "cow", (2.5 + 3 * k, FLOOR, 2.5))
    play.aim(8.5, FLOOR + 1.5, 10.5)
    play.until("broken", function=ATTACK)
    assert [name(play.block(8, FLOOR + k, 10)) for k in range(4)] == ["gravel", "gravel", "air", "air"]


def test_doors_open_and_go_as_a_whole():
    play = before("oak_door", half="lower", facing="south")
    x, y, z = WALL
    play.put("oak_door", (x, y + 1, z), half="upper", facing="south")
    play.put("stone", (x, y - 1, z))
    for state, side in (("true", 0.5), ("false", 0.9)):
        play.aim(x + side, y + 0.5, z + 0.3)
        play.keys(1, function=USE)
        play.keys(1)
        assert {block_states()[play.block(x, y + k, z)].properties["open"] for k in (0, 1)} == {state}
    play.aim(x + 0.5, y + 0.5, z)
    play.until("broken", function=ATTACK)
    assert play.block(x, y, z) == play.block(x, y + 1, z) == 0
    assert (play["kind"][0] != 0).sum() == 1


@pytest.mark.parametrize("block", ["chest", "crafting_table", "furnace", "lever", "oak_door"])
def test_using_is_noted(block):
    play = before(block)
    x, y, z = WALL
    play.aim(x + 0.5, y + 0.3, z + 0.5)
    play.keys(1, function=USE)
    assert play["used"][0] == (x * 16 + z) * 16 + y
    changed = play.block(x, y, z) != block_state(block)
    assert changed == (block in ("lever", "oak_door"))
    if block != "oak_door":  # the gaze goes through it now
        play.keys(3, function=USE)
        assert play["used"][0] == -1  # four ticks apart while the key is held
        play.keys(1, function=USE)
        assert play["used"][0] >= 0


@pytest.mark.parametrize(
    ("thing", "wanted"),
    [
        ("dirt", block_state("dirt")),
        ("oak_log", block_state("oak_log", axis="z")),
        ("furnace", block_state("furnace", facing="north")),
        ("torch", block_state("wall_torch", facing="north")),
        ("ladder", block_state("ladder", facing="north")),
        ("lever", block_state("lever", face="wall", facing="north")),
    ],
)
@pytest.mark.parametrize("function", [USE, PLACE])
def test_blocks_are_placed_on_the_face_that_is_seen(thing, wanted, function):
    play = before("stone")
    play.give(thing, 2)
    play.keys(1, function=function)
    x, y, z = WALL
    assert play.block(x, y, z - 1) == wanted
    assert play["placed"][0] == (x * 16 + z - 1) * 16 + y and play.has(thing) == 1


def test_place_takes_what_its_slot_holds():
    play = before("stone", "diamond_sword")
    play.give("dirt", 1, slot=9)
    play.keys(1, function=PLACE, slot=9)
    assert name(play.block(8, FLOOR + 1, 9)) == "dirt" and not play.has("dirt")
    play.keys(1, function=PLACE, slot=9)
    assert play["placed"][0] == -1 and play["item"][0, 0] == item("diamond_sword")


def test_nothing_is_placed_into_bodies_or_blocks():
    play = Play()
    play.give("stone", 3)
    play["pitch"][0] = 90
    play.keys(1, function=PLACE)
    assert play["placed"][0] == -1
    play.give("torch", 1, slot=1)
    play.keys(1, function=PLACE, slot=1)
    assert name(play.block(8, FLOOR, 8)) == "torch"  # which no body collides with
    play.aim(8.5, FLOOR, 10.5)
    play.simulation.spawn(0, "cow", (8.5, FLOOR, 11.2))
    play.keys(1, function=PLACE)
    assert play["placed"][0] == -1
    play["kind"][0] = 0
    play.keys(1, function=PLACE)
    assert name(play.block(8, FLOOR, 10)) == "stone"


def test_a_pillar_grows_below_a_jumping_agent():
    play = Play()
    play.give("dirt", 1)
    play["pitch"][0] = 90
    play.until("placed", jump=1, function=PLACE)
    play.keys(20)
    assert play["position"][0, 1] == FLOOR + 1 and name(play.block(8, FLOOR, 8)) == "dirt"


def test_slabs_double_grass_gives_way_and_plants_need_ground():
    play = Play()
    play.give("oak_slab", 2)
    play.aim(8.5, FLOOR, 10.5)
    play.keys(1, function=PLACE)
    assert play.block(8, FLOOR, 10) == block_state("oak_slab", type="bottom")
    play.aim(8.5, FLOOR + 0.5, 10.5)
    play.keys(1, function=PLACE)
    assert play.block(8, FLOOR, 10) == block_state("oak_slab", type="double")
    play.put("grass", (10, FLOOR, 8))
    play.give("stone")
    play.aim(10.5, FLOOR + 0.3, 8.5)
    play.keys(1, function=PLACE)
    assert name(play.block(10, FLOOR, 8)) == "stone"
    play.give("poppy")
    play.aim(10.01, FLOOR + 0.5, 8.5)
    play.put("air", (9, FLOOR - 1, 8))
    play.keys(1, function=PLACE)
    assert play["placed"][0] == -1


@pytest.mark.parametrize(
    ("plant", "soil", "grows"),
    [
        ("poppy", "dirt", True),
        ("poppy", "stone", False),
        ("carrot", "farmland", True),
        ("carrot", "dirt", False),
        ("sugar_cane", "sand", True),
        ("cactus", "sand", True),
        ("cactus", "cactus", True),
        ("cactus", "dirt", False),
        ("brown_mushroom", "stone", True),
        ("torch", "cactus", True),
    ],
)
def test_plants_need_their_soil(plant, soil, grows):
    play = Play(ground="sand")
    play.give(plant)
    play.put(soil, (8, FLOOR, 10))
    play.aim(8.5, FLOOR + 0.9, 10.5)
    play.keys(1, function=PLACE)
    assert (play["placed"][0] >= 0) == grows


def test_a_door_needs_two_cells():
    play = Play()
    play.give("oak_door", 2)
    play.aim(8.5, FLOOR, 10.5)
    play.put("stone", (8, FLOOR + 1, 10))
    play.aim(8.5, FLOOR, 10.3)
    play.keys(1, function=PLACE)
    assert play["placed"][0] == -1
    play.put("air", (8, FLOOR + 1, 10))
    play.keys(1, function=PLACE)
    halves = [block_states()[play.block(8, FLOOR + k, 10)].properties["half"] for k in (0, 1)]
    assert halves == ["lower", "upper"]


def test_eating_takes_32_ticks_and_only_the_hungry_eat():
    play = Play()
    play.give("bread", 2)
    play.keys(40, function=USE)
    assert play.has("bread") == 2
    play["food"][0], play["saturation"][0] = 10, 0
    play.keys(1)
    play.keys(31, function=USE)
    assert play.has("bread") == 2
    play.keys(1, function=USE)
    assert play.has("bread") == 1 and play["food"][0] == 15 and play["saturation"][0] == 6


def test_equip_drop_destroy():
    play = Play()
    play.give("dirt", 5)
    play.give("iron_axe", 1, slot=20)
    play.keys(1, function=EQUIP, slot=20)
    assert [(s.slot, s.name) for s in stacks(play.worlds, 0)] == [(0, "iron_axe"), (20, "dirt")]
    play.keys(1, function=DESTROY, slot=20)
    assert not play.has("dirt")
    play.keys(1, function=DROP)
    assert stacks(play.worlds, 0) == () and (play["kind"][0] != 0).sum() == 1
    play.keys(30)
    assert not play.has("iron_axe")  # it lies ahead, and cannot be picked up at once
    play.keys(40, forward=1)
    assert play.has("iron_axe") == 1


def test_blows_need_time_to_charge():
    play = Play()
    play.give("diamond_sword")
    play.simulation.spawn(0, "zombie", (8.5, FLOOR, 10.5), yaw=180)
    play.aim(8.5, FLOOR + 1.5, 10.5)
    play.simulation.look()
    assert play["look_entity"][0] == 0
    play.keys(1, function=ATTACK)
    assert play["struck"][0] == 0 and play["body_health"][0, 0] == 13
    play["body_hurt"][0] = 0
    play.keys(1)
    play["body_position"][0, 0] = (8.5, FLOOR, 10.5)
    play.keys(1, function=ATTACK)  # pressed anew after two ticks: c = 2.5·1.6/20
    assert play["body_health"][0, 0] == pytest.approx(13 - 7 * (0.2 + 0.8 * 0.2**2), abs=1e-5)


def test_a_held_key_strikes_with_full_blows():
    play = Play()
    play.give("diamond_sword")
    play.simulation.spawn(0, "cow", (8.5, FLOOR, 10.5))
    blows = []
    for tick in range(40):
        play["body_health"][0, 0], play["body_position"][0, 0] = 10, (8.5, FLOOR, 10.5)
        play.aim(8.5, FLOOR + 1, 10.5)
        play.keys(1, function=ATTACK)
        if play["struck"][0] == 0:
            blows.append(tick)
            assert play["body_health"][0, 0] == 3
    assert blows == [0, 12, 24, 36]  # 1.6 a second


def test_mobs_behind_blocks_or_too_far_are_not_hit():
    play = before("stone")
    play.simulation.spawn(0, "zombie", (8.5, FLOOR, 11.5))
    play.keys(1, function=ATTACK)
    assert play["struck"][0] == -1 and play["look_entity"][0] == -1
    play.put("air", WALL)
    play["body_position"][0, 0] = (8.5, FLOOR, 12.5)
    play.keys(1)
    play.keys(1, function=ATTACK)
    assert play["struck"][0] == -1


def test_a_bow_is_drawn_and_let_go():
    play = Play()
    play.give("bow")
    play.give("arrow", 2, slot=5)
    play.simulation.spawn(0, "cow", (8.5, FLOOR, 13.5))
    play.aim(8.5, FLOOR + 0.9, 13.5)
    play.keys(22, function=USE)
    assert play["draw"][0] == 22 and play.has("arrow") == 2
    assert play.until("shot", 10) < 6
    assert play.has("arrow") == 1 and play["draw"][0] == 0
    play.keys(1, function=USE)
    play.keys(1)
    assert play.has("arrow") == 1  # hardly drawn, nothing flies


def craft(play, thing):
    play.keys(1, function=CRAFT, craft=craft_index(thing))


def test_crafting_by_hand_and_at_a_table():
    play = Play()
    play.give("birch_log", 3)
    craft(play, "planks")
    craft(play, "planks")
    craft(play, "stick")
    assert (play.has("birch_log"), play.has("birch_planks"), play.has("stick")) == (1, 6, 4)
    craft(play, "wooden_pickaxe")
    assert not play.has("wooden_pickaxe")
    play.put("crafting_table", (8, FLOOR, 11))
    craft(play, "wooden_pickaxe")
    assert (play.has("wooden_pickaxe"), play.has("birch_planks"), play.has("stick")) == (1, 3, 2)
    assert next(s.uses for s in stacks(play.worlds, 0) if s.name == "wooden_pickaxe") == 59
    play.put("air", (8, FLOOR, 11))
    play.put("crafting_table", (8, FLOOR, 14))
    craft(play, "wooden_sword")
    assert not play.has("wooden_sword")


def test_smelting_burns_fuel_that_lasts():
    play = Play()
    play.put("furnace", (8, FLOOR, 11))
    play.give("iron_ore", 10)
    craft(play, "iron_ingot")
    assert not play.has("iron_ingot")
    play.give("coal", 1, slot=1)
    for _ in range(9):
        craft(play, "iron_ingot")
    assert (play.has("iron_ingot"), play.has("iron_ore"), play.has("coal")) == (8, 2, 0)


def test_what_does_not_fit_falls_down():
    play = Play()
    play.give("oak_log", 2)
    for slot in range(1, 36):
        play.give("dirt", 64, slot=slot)
    craft(play, "planks")
    assert play.has("oak_planks") == 0 or play.has("oak_log") == 1
    play.keys(1)
    made = play.has("oak_planks") + int(play["body_count"][0][play["kind"][0] != 0].sum())
    assert made == 4


def test_turning_is_bounded():
    play = Play()
    play.simulation.act(np.array([NOOP]), np.array([[-500.0, 725.0]]))
    play.simulation.tick()
    assert play["pitch"][0] == -90 and play["yaw"][0] == pytest.approx(5)
    play.keys(1, pitch=13, yaw=10)
    assert play["pitch"][0] == -75 and play["yaw"][0] == pytest.approx(-25)


def test_the_inventory_from_outside():
    play = Play()
    give(play.worlds, 0, "dirt", 70)
    assert [(s.slot, s.count) for s in stacks(play.worlds, 0)] == [(0, 64), (1, 6)]
    clear(play.worlds, 0)
    assert stacks(play.worlds, 0) == ()
    with pytest.raises(InputError, match="did you mean 'dirt'"):
        give(play.worlds, 0, "dirtt")
    with pytest.raises(InputError, match="no room"):
        give(play.worlds, 0, "iron_axe", 37)
    with pytest.raises(InputError, match="hold 1 of it"):
        give(play.worlds, 0, "iron_axe", 2, slot=0)
