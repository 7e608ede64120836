"""Blocks, items and recipes are Minecraft's."""

from collections import Counter

import numpy as np
import pytest

from trunkline.envs.minecraft import flags
from trunkline.envs.minecraft.blocks import AIR, block_names, block_state, block_states, states_of, version
from trunkline.envs.minecraft.entities import entity_tables
from trunkline.envs.minecraft.items import item, items
from trunkline.envs.minecraft.palette import palette, palette_to_state, palette_to_states, state_to_palette
from trunkline.envs.minecraft.recipes import (
    craft_index,
    craft_list,
    fuels,
    items_of_minedojo,
    minedojo_name,
    recipe_tables,
    recipes,
    recipes_for,
)
from trunkline.envs.minecraft.rules import face_textures, tables, texture_names
from trunkline.envs.warp import start_warp
from trunkline.errors import InputError


def test_states_fit_a_byte_and_are_numbered_in_order():
    states = block_states()
    assert [state.number for state in states] == list(range(len(states)))
    assert len(states) <= 256
    assert len(block_names()) >= 60
    assert states[AIR].name == "air"


# The official block report of 1.16.5 says so.
@pytest.mark.parametrize(
    ("name", "properties", "palette_id"),
    [
        ("stone", {}, 1),
        ("grass_block", {}, 9),
        ("water", {}, 34),
        ("lava", {}, 50),
        ("oak_log", {}, 74),
        ("oak_log", {"axis": "x"}, 73),
        ("oak_leaves", {}, 158),
        ("chest", {"facing": "north"}, 2035),
        ("crafting_table", {}, 3356),
        ("oak_door", {}, 3584),
        ("lever", {"face": "wall", "facing": "north", "powered": "false"}, 3792),
        ("furnace", {"facing": "north", "lit": "false"}, 3374),
        ("cactus", {}, 3931),
    ],
)
def test_palette_ids_are_those_of_the_protocol(name, properties, palette_id):
    assert block_states()[block_state(name, **properties)].palette_id == palette_id


def test_palette_ids_round_trip():
    ids = state_to_palette()
    assert len(set(ids.tolist())) == len(ids)
    np.testing.assert_array_equal(palette_to_states(ids), np.arange(len(ids)))
    assert palette().exact[ids].all()


def test_every_id_of_the_protocol_shows_something():
    assert len(palette().state) == 17112
    ids = np.array([[1, 1954], [3573, 3985]])
    replaced: Counter[str] = Counter()
    names = [[block_states()[n].name for n in row] for row in palette_to_states(ids, replaced)]
    assert names == [["stone", "oak_planks"], ["oak_door", "oak_planks"]]
    assert replaced == {"oak_stairs": 1, "oak_fence": 1}
    jungle_door_upper_open = 8870
    shown = block_states()[palette_to_state(jungle_door_upper_open)]
    assert str(shown) == "oak_door[facing=north,half=upper,open=true]"
    persistent_leaves = 145
    assert block_states()[palette_to_state(persistent_leaves)].name == "oak_leaves"


def test_an_id_beyond_the_protocol_is_refused():
    with pytest.raises(InputError, match=r"17112.*0 to 17111"):
        palette_to_state(17112)
    with pytest.raises(InputError, match="-1"):
        palette_to_states(np.array([3, -1]))


def test_unknown_names_answer_with_the_nearest_match():
    with pytest.raises(InputError, match="did you mean 'oak_log'"):
        block_state("oak_lgo")
    with pytest.raises(InputError, match=r"axis of oak_log 'w'.*known: x, y, z"):
        block_state("oak_log", axis="w")
    with pytest.raises(InputError, match="property of oak_log"):
        block_state("oak_log", facing="north")
    with pytest.raises(InputError, match="did you mean 'iron_pickaxe'"):
        item("iron_pikaxe")
    with pytest.raises(InputError, match="did you mean 'torch'"):
        recipes_for("torchs")
    with pytest.raises(InputError, match="unknown recipe for 'bedrock'"):
        recipes_for("bedrock")
    with pytest.raises(InputError, match="did you mean 'wooden_pickaxe'"):
        craft_index("wodden_pickaxe")


def test_the_prefix_of_minecraft_may_be_given():
    assert block_state("minecraft:stone") == block_state("stone")
    assert item("minecraft:stick") == item("stick")


def test_doors_and_levers_toggle_there_and_back():
    for name in ("oak_door", "lever"):
        for state in states_of(name):
            other = block_states()[state.toggle]
            assert other.name == name
            assert other.toggle == state.number != other.number
    assert all(s.toggle == s.number for s in block_states() if s.interact not in ("door", "lever"))


def test_a_door_opens_to_the_side_of_its_hinge():
    closed, open_ = (block_states()[block_state("oak_door", facing="east", open=o)] for o in ("false", "true"))
    assert closed.box == (0, 0, 0, 3 / 16, 1, 1)  # the west side: behind who looks east
    assert open_.box == (0, 0, 0, 1, 1, 3 / 16)  # the north side: the hinge is on the left


def test_drops_name_items_and_facts_are_minecrafts():
    for state in block_states():
        assert state.item == "" or item(state.item) > 0
        for drop in state.drops:
            assert item(drop.item) > 0
            assert 0 <= drop.least <= drop.most
    stone = block_states()[block_state("stone")]
    assert (stone.hardness, stone.tool, stone.harvest_level) == (1.5, "pickaxe", 0)
    assert [drop.item for drop in stone.drops] == ["cobblestone"]
    obsidian = block_states()[block_state("obsidian")]
    assert (obsidian.hardness, obsidian.harvest_level) == (50, 3)
    assert block_states()[block_state("bedrock")].hardness == -1
    assert block_states()[block_state("iron_ore")].harvest_level == 1
    ripe = block_states()[block_state("wheat", age="7")]
    assert [drop.item for drop in ripe.drops] == ["wheat", "wheat_seeds"]


def test_items_are_minecrafts():
    facts = {i.name: i for i in items()}
    assert [i.number for i in items()] == list(range(len(items())))
    pickaxe = facts["iron_pickaxe"]
    assert (pickaxe.speed, pickaxe.tier, pickaxe.durability, pickaxe.stack) == (6, 2, 250, 1)
    assert (pickaxe.damage, pickaxe.attack_speed) == (4, 1.2)
    assert [facts[f"{t}_sword"].damage for t in ("wooden", "stone", "iron", "diamond", "golden")] == [4, 5, 6, 7, 4]
    assert [facts[f"{t}_axe"].damage for t in ("wooden", "stone", "iron", "diamond", "golden")] == [7, 9, 9, 9, 7]
    assert [facts[f"{t}_hoe"].damage for t in ("wooden", "stone", "iron", "diamond", "golden")] == [1] * 5
    assert (facts["bread"].food, facts["bread"].saturation) == (5, 6)
    assert facts["snowball"].stack == 16
    assert facts["oak_log"].places == block_state("oak_log")
    assert facts["wheat_seeds"].places == block_state("wheat")
    assert (facts["carrot"].kind, facts["carrot"].places) == ("food", block_state("carrots"))
    assert facts["air"].places == 0


def test_every_field_of_the_kernels_rules_is_filled():
    start_warp()
    from trunkline.envs.minecraft.state import Rules

    filled = tables()
    assert set(filled) | set(entity_tables()) == set(Rules.vars)
    by_state = [n for n in filled if not n.startswith("item_")]
    assert all(len(filled[name]) == len(block_states()) for name in by_state)
    assert all(len(filled[name]) == len(items()) for name in filled if name.startswith("item_"))
    assert int(face_textures().max()) < len(texture_names()) <= 256


def test_flags_say_what_states_are():
    flag = tables()["flags"]
    assert flag[block_state("water")] & flags.LIQUID == flags.WATER
    assert flag[block_state("lava", level="2")] & (flags.LAVA | flags.SOURCE) == flags.LAVA
    assert flag[block_state("stone")] & flags.SOLID
    assert not flag[block_state("poppy")] & (flags.SOLID | flags.OPAQUE)
    assert flag[block_state("sand")] & flags.GRAVITY
    assert flag[block_state("ladder")] & flags.CLIMBABLE
    assert not flag[AIR] & flags.DIGGABLE


def test_logs_and_furnaces_show_their_faces_where_they_point():
    names = np.array(texture_names())[face_textures()]
    west, east, down, up, north, south = range(6)
    lying = names[block_state("oak_log", axis="x")]
    assert lying[west] == lying[east] == "oak_log_top"
    assert lying[up] == "oak_log"
    furnace = names[block_state("furnace", facing="south")]
    assert furnace[south] == "furnace_front"
    assert furnace[north] == furnace[east] == "furnace_side"
    assert furnace[up] == furnace[down] == "furnace_top"


def _ways(name):
    names = [i.name for i in items()]
    return [(r.count, r.station, {names[members[0]]: n for members, n in r.ingredients}) for r in recipes_for(name)]


def test_recipes_make_what_minecrafts_do():
    assert len(recipes()) >= 40
    assert _ways("oak_planks") == [(4, "hand", {"oak_log": 1})]
    assert _ways("stick") == [(4, "hand", {"oak_planks": 2})]
    assert _ways("crafting_table") == [(1, "hand", {"oak_planks": 4})]
    assert _ways("torch") == [(4, "hand", {"coal": 1, "stick": 1})]
    assert _ways("wooden_pickaxe") == [(1, "crafting_table", {"oak_planks": 3, "stick": 2})]
    assert _ways("furnace") == [(1, "crafting_table", {"cobblestone": 8})]
    assert (1, "furnace", {"iron_ore": 1}) in _ways("iron_ingot")
    assert (1, "crafting_table", {"iron_nugget": 9}) in _ways("iron_ingot")
    assert _ways("bow") == [(1, "crafting_table", {"stick": 3, "string": 3})]
    assert _ways("glass") == [(1, "furnace", {"sand": 1})]


def test_any_planks_and_either_coal_do():
    stick = recipes_for("stick")[0].ingredients[0][0]
    assert {items()[i].name for i in stick} >= {"oak_planks", "birch_planks", "dark_oak_planks"}
    assert fuels()[item("coal")] == fuels()[item("charcoal")] == 8


def test_the_craft_list_is_minedojos():
    listed = craft_list()
    assert len(listed) == 244
    assert [sum(entry.station == s for entry in listed) for s in ("hand", "crafting_table", "furnace")] == [54, 170, 20]
    assert [listed[i].name for i in (0, 53, 54, 223, 224, 243)] == [
        "blaze_powder", "wool", "acacia_boat", "writable_book", "baked_potato", "stone",
    ]  # fmt: skip
    assert listed[craft_index("planks")].recipes[0].item == item("oak_planks")
    assert not listed[craft_index("blaze_powder")].recipes
    assert sum(bool(entry.recipes) for entry in listed) >= 40


def test_names_of_the_older_version_map_to_ours_and_back():
    assert [i.name for i in items_of_minedojo("log2")] == ["acacia_log", "dark_oak_log"]
    assert items_of_minedojo("shulker_shell") == ()
    assert minedojo_name(item("birch_planks")) == ("planks", 2)
    assert minedojo_name(item("grass_block")) == ("grass", 0)
    assert minedojo_name(item("grass")) == ("tallgrass", 1)
    assert minedojo_name(item("iron_pickaxe")) == ("iron_pickaxe", 0)


def test_recipe_tables_hold_the_craft_list():
    table = recipe_tables()
    planks = craft_index("stick")
    assert table["first"][-1] == len(table["made"])
    r = table["first"][planks]
    assert table["first"][planks + 1] - r == 1
    assert (table["made"][r], table["made_count"][r], table["station"][r]) == (item("stick"), 4, 0)
    assert set(table["need"][r, 0].tolist()) >= {item("oak_planks"), item("spruce_planks")}
    assert table["need_count"][r].tolist() == [2, 0, 0]


def test_the_version_is_that_of_the_facts():
    assert len(version()) == 16
