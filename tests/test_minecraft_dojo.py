"""MineDojo's interface over the voxel worlds: its spaces, its masks, its tasks, and what it refuses."""

import hashlib
import json
import math
import time
from pathlib import Path

import numpy as np
import pytest
from gymnasium import spaces

import trunkline.envs.minecraft.dojo as minedojo
from trunkline.envs.minecraft.blocks import block_state, block_states
from trunkline.envs.minecraft.dojo.names import block_facts, placed_state
from trunkline.envs.minecraft.dojo.options import world_number
from trunkline.envs.minecraft.dojo.tasks import natural_blocks, programmatic_tasks, simulated_tasks
from trunkline.envs.minecraft.recipes import craft_index
from trunkline.envs.minecraft.terrains import terrain_blocks
from trunkline.errors import InputError

# MineDojo 0.1's own spaces, written down by its own code; the file says how.
REFERENCE = json.loads(Path(__file__).with_name("minedojo_spaces.json").read_text())
# The 1572 names of MineDojo 0.1's programmatic tasks, sorted and joined by newlines.
NAMES = "7422c91626323f94e8553f33b4999e64f27e809e62c55a517aca49b7292c821d"
SMALL = {"image_size": (24, 32), "world_size": (32, 32, 32), "seed": 1, "entities": 12}
FLAT = SMALL | {"generate_world_type": "flat", "allow_mob_spawn": False}
GROUND = 4  # of the flat world: bedrock, two of dirt, grass
USE, DROP, ATTACK, CRAFT, EQUIP, PLACE, DESTROY = range(1, 8)


def make(task="open-ended", **options):
    return minedojo.make(task, **FLAT | options)


def started(task="open-ended", **options):
    env = make(task, **options)
    env.reset()
    return env


def act(env, function=0, *, craft=0, slot=0, forward=0, jump=0, pitch=12, yaw=12):
    return env.step([forward, 0, jump, pitch, yaw, function, craft, slot])


def described(space):
    """A space as the reference tells of it."""
    found = {"space": type(space).__name__, "shape": list(space.shape)}
    found["dtype"] = "str" if found["space"] == "Text" else np.dtype(space.dtype).name
    if found["space"] == "Box":
        bounds = {"low": np.unique(space.low), "high": np.unique(space.high)}
        assert all(len(bound) == 1 for bound in bounds.values())
        found |= {name: float(b[0]) if math.isfinite(b[0]) else None for name, b in bounds.items()}
    if found["space"] == "MultiDiscrete":
        found["nvec"] = space.nvec.tolist()
    if found["space"] == "Discrete":
        found["n"] = int(space.n)
    return found


def leaves(space, path=""):
    if not isinstance(space, spaces.Dict):
        return {path[1:]: space}
    return {name: leaf for key, part in space.items() for name, leaf in leaves(part, f"{path}/{key}").items()}


def misfits(space, value, path=""):
    if isinstance(space, spaces.Dict):
        assert set(value) == set(space)
        return [found for key in space for found in misfits(space[key], value[key], f"{path}/{key}")]
    return [] if space.contains(value) and np.asarray(value).dtype.kind == np.dtype(space.dtype).kind else [path]


def test_the_spaces_are_minedojos():
    rays = [(0.0, 0.0, 10.0), (0.1, -0.2, 5.0)]
    env = minedojo.make(image_size=(160, 256), use_voxel=True, use_lidar=True, lidar_rays=rays, world_size=(16, 16, 16))
    action = env.action_space
    assert action.nvec.tolist() == REFERENCE["action"]["nvec"] == [3, 3, 4, 25, 25, 8, 244, 36]
    assert action.no_op().tolist() == REFERENCE["action"]["no_op"] and str(action.dtype) == REFERENCE["action"]["dtype"]
    assert {name: described(leaf) for name, leaf in leaves(env.observation_space).items()} == REFERENCE["observation"]
    names = env.observation_space["voxels"]["block_name"]
    assert names.contains(names.sample()) and not names.contains(np.zeros((3, 3, 3)))


def test_finer_turns_have_more_choices():
    env = started(cam_interval=5)
    assert env.action_space.nvec[3:5].tolist() == [73, 73]
    assert env.action_space.no_op()[3:5].tolist() == [36, 36]
    obs, *_ = act(env, pitch=38, yaw=33)
    assert (obs["location_stats"]["pitch"][0], obs["location_stats"]["yaw"][0]) == (10.0, -15.0)


def test_random_actions_that_the_masks_allow_give_observations_of_the_space():
    env = minedojo.make(use_voxel=True, use_lidar=True, world_seed="trunk", **SMALL)
    observations = [env.reset()]
    rng = np.random.default_rng(0)
    for slot, name in enumerate(("log", "dirt", "coal")):
        env.set_inventory([minedojo.InventoryItem(slot, name, quantity=9)])
    for _ in range(50):
        masks = env.prev_obs["masks"]
        action = rng.integers(env.action_space.nvec)
        action[5] = rng.choice(np.flatnonzero(masks["action_type"]))
        for function, name, factor in (
            (CRAFT, "craft_smelt", 6),
            (EQUIP, "equip", 7),
            (PLACE, "place", 7),
            (DESTROY, "destroy", 7),
        ):
            if action[5] == function:
                action[factor] = rng.choice(np.flatnonzero(masks[name]))
        obs, reward, done, info = env.step(action)
        observations.append(obs)
        assert reward == 0 and done is False and info["is_alive"]
    assert [misfits(env.observation_space, obs) for obs in observations] == [[]] * 51
    assert observations[-1]["rgb"].shape == (3, 24, 32) and observations[-1]["rgb"].std() > 5


def test_the_same_seeds_give_the_same_course():
    def course():
        with minedojo.make(use_voxel=True, **SMALL | {"seed": 7}) as env:
            first = env.reset()
            steps = [act(env, forward=1, jump=i % 2, yaw=13) for i in range(10)]
            return first["rgb"], steps[-1][0]["rgb"], steps[-1][0]["location_stats"]["pos"]

    for one, other in zip(course(), course(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_script_of_minedojos_runs_with_one_import_changed(tmp_path, capsys):
    script = """
import trunkline.envs.minecraft.dojo as minedojo

env = minedojo.make(task_id="harvest_wool_with_shears_and_sheep", image_size=(40, 64), seed=42, world_seed=123)
obs = env.reset()
print(env.task_prompt, obs["rgb"].shape, obs["inventory"]["name"][0])
for i in range(20):
    act = env.action_space.no_op()
    act[0] = 1  # forward
    if i % 10 == 0:
        act[2] = 1  # jump
    obs, reward, done, info = env.step(act)
env.render(mode="rgb_array")
print(env.unwrapped.prev_obs is obs, done, minedojo.sim.ALL_CRAFT_SMELT_ITEMS[7])
env.close()
"""
    exec(compile(script, "script", "exec"), {})
    assert capsys.readouterr().out.splitlines() == [
        "shear a sheep with shears and a sheep nearby (3, 40, 64) shears",
        "True False crafting_table",
    ]


def test_masks_say_what_would_do_something():
    env = started()
    masks = env.prev_obs["masks"]
    assert masks["action_type"].tolist() == [True, True, False, True, False, False, False, False]
    assert masks["action_arg"].ravel().tolist() == [False] * 4 + [True] * 4
    assert not masks["craft_smelt"].any()
    env.set_inventory([minedojo.InventoryItem("mainhand", "stick"), minedojo.InventoryItem(5, "log", quantity=3)])
    masks = env.prev_obs["masks"]
    assert masks["action_type"].all()
    assert [np.flatnonzero(masks[name]).tolist() for name in ("equip", "place", "destroy")] == [[5], [5], [0, 5]]
    assert np.flatnonzero(masks["craft_smelt"]).tolist() == [craft_index("planks")]


def test_stations_and_fuel_open_masks():
    env = started(
        initial_inventory=[minedojo.InventoryItem(0, "planks", quantity=8), minedojo.InventoryItem(1, "iron_ore")]
    )
    pickaxe, ingot = craft_index("wooden_pickaxe"), craft_index("iron_ingot")
    env.set_inventory([minedojo.InventoryItem(2, "stick", quantity=8)])
    assert not env.prev_obs["masks"]["craft_smelt"][pickaxe] and not env.prev_obs["nearby_tools"]["table"]
    obs, *_ = env.set_block(["crafting_table", "furnace"], [[2, 1, 0], [-2, 1, 0]])
    assert obs["nearby_tools"] == {"table": True, "furnace": True}
    assert obs["masks"]["craft_smelt"][[pickaxe, ingot]].all()  # planks and sticks burn
    env.clear_inventory()
    obs, *_ = env.set_inventory([minedojo.InventoryItem(0, "iron_ore")])
    assert not obs["masks"]["craft_smelt"][ingot]
    obs, *_ = env.set_inventory([minedojo.InventoryItem(1, "coal")])
    assert obs["masks"]["craft_smelt"][ingot]
    obs, *_ = act(env, CRAFT, craft=ingot)
    assert "iron ingot" in obs["inventory"]["name"]
    obs, *_ = env.teleport_agent(3.5, GROUND, 3.5, 0, 0)
    assert obs["nearby_tools"] == {"table": False, "furnace": False}


def test_what_crafting_changes_is_told_apart():
    env = started(initial_inventory=[minedojo.InventoryItem(0, "log", variant=1, quantity=2)])
    obs, *_ = act(env, CRAFT, craft=craft_index("planks"))
    delta = obs["delta_inv"]
    assert (delta["inc_name_by_craft"][0], delta["inc_quantity_by_craft"][0]) == ("planks", 4)
    assert delta["dec_name_by_craft"].tolist() == ["log", "air", "air", "air"]
    assert not delta["inc_quantity_by_other"].any() and not delta["dec_quantity_by_other"].any()
    assert sorted(zip(obs["inventory"]["name"], obs["inventory"]["variant"], strict=True))[-2:] == [
        ("log", 1),
        ("planks", 1),
    ]
    obs, *_ = act(env, DESTROY, slot=0)
    assert obs["delta_inv"]["dec_name_by_other"][0] == "log" and obs["delta_inv"]["dec_quantity_by_other"][0] == 1


def test_voxels_and_rays_say_what_is_around():
    rays = [(0, 0, 10), (-math.pi / 2, 0, 5), (-0.25, math.pi / 2, 4), (0.9, 0, 3)]
    env = started(use_voxel=True, use_lidar=True, lidar_rays=rays)
    env.teleport_agent(16.5, GROUND, 16.5, 0, 0)
    env.set_block(["log 4", "water"], [[0, 1, 1], [-1, 0, 0]])
    obs, *_ = env.spawn_mobs("cow", [3, 0, 0])
    voxels, rays = obs["voxels"], obs["rays"]
    assert voxels["block_name"][1].tolist() == [["grass block"] * 3, ["air"] * 3, ["air", "air", "wood"]]
    assert voxels["block_name"][0, 1, 1] == "water" and voxels["is_liquid"][0, 1, 1]
    assert not voxels["blocks_movement"][0, 1, 1] and voxels["blocks_light"][1, 0].all()
    assert voxels["can_burn"][1, 2, 2] and voxels["block_meta"][1, 2, 2] == 4 and voxels["is_solid"][1, 0, 1]
    assert voxels["cos_look_vec_angle"][1, 2, 2] == pytest.approx(0.5 / math.hypot(0.5, 0.62, 0.5), abs=1e-5)
    assert rays["block_name"].tolist() == ["wood", "grass block", "air", "air"]
    assert rays["block_distance"] == pytest.approx([0.5, 1.62, rays["block_distance"][2], 3.0], abs=0.03)
    assert rays["entity_name"].tolist() == ["null", "null", "cow", "null"]
    assert 2 < rays["entity_distance"][2] < 3.2
    assert (rays["traced_block_x"][0], rays["traced_block_y"][0], rays["traced_block_z"][0]) == (16, GROUND + 1, 17)


def test_every_block_is_known_to_voxels():
    facts = block_facts()
    names = facts["block_name"][: len(block_states())]
    assert "barrier" not in names and len(set(names)) > 60
    assert facts["block_meta"][block_state("oak_log", axis="x")] == 4
    assert placed_state("log", 2) == block_state("birch_log") and placed_state("tallgrass", 1) == block_state("grass")


def test_light_falls_off_from_the_sky_and_from_torches():
    env = started()
    level = lambda: env.prev_obs["location_stats"]["light_level"][0]  # noqa: E731
    assert level() == 15 and env.prev_obs["location_stats"]["can_see_sky"] == 1
    env.teleport_agent(16.5, GROUND, 16.5, 0, 0)
    env.set_block(["stone"] * 25, [[x, 3, z] for x in range(-2, 3) for z in range(-2, 3)])
    assert level() == 12 and env.prev_obs["location_stats"]["can_see_sky"] == 0
    sides = [[x, y, z] for x in (-1, 0, 1) for y in (0, 1, 2) for z in (-1, 0, 1) if (x, z) != (0, 0)]
    env.set_block(["stone"] * len(sides), sides)
    assert level() == 0
    env.set_block("torch", [0, 1, 0])
    assert level() == 13
    assert env.set_time(18000)[0]["location_stats"]["sky_light_level"] == pytest.approx(0.2)


def test_commands_change_the_world():
    env = started()
    obs, reward, done, _ = env.execute_cmd("/give @p diamond_pickaxe")
    assert obs["inventory"]["name"][0] == "diamond pickaxe" == obs["equipment"]["name"][0] and (reward, done) == (
        0,
        False,
    )
    assert obs["inventory"]["max_durability"][0] == obs["inventory"]["cur_durability"][0] == 1561
    assert env.clear_inventory()[0]["inventory"]["quantity"].sum() == 0
    env.execute_cmd("/setblock ~2 ~ ~ minecraft:stone 3")
    x, y, z = (int(v) for v in env.prev_obs["location_stats"]["pos"])
    assert env.game.cells[x + 2, z, y] == block_state("diorite")
    obs, *_ = env.execute_cmd("/tp 5.5 ~ 9.5 90 -10")
    assert obs["location_stats"]["pos"].tolist() == [5.5, GROUND, 9.5] and obs["location_stats"]["yaw"] == 90
    obs, *_ = env.random_teleport(4)
    assert np.abs(obs["location_stats"]["pos"] - (5.5, GROUND, 9.5)).max() <= 4.5
    assert env.set_time(13000)[3]["world_time"] == 13001
    env.spawn_mobs(["cow", "zombie"], [2, 0, 2])
    env.execute_cmd("/kill @e[type=cow]")
    assert sorted(kind for kind in env.game.read("kind") if kind) == [4]
    assert env.set_weather("clear")[2] is False


def test_an_unknown_command_is_skipped_unless_asked_otherwise(caplog):
    env = started()
    before = env.prev_obs
    env.execute_cmd("/dance")
    assert "'/dance'" in caplog.text and env.prev_obs is not before
    strict = started(raise_error_on_invalid_cmds=True)
    with pytest.raises(InputError, match="unknown command '/dance'; known: /clear, /give"):
        strict.execute_cmd("/dance")


def test_a_dead_agent_is_at_home_again_with_empty_hands():
    env = started(initial_inventory=[minedojo.InventoryItem(0, "log")])
    home = env.prev_obs["location_stats"]["pos"].copy()
    env.teleport_agent(4.5, GROUND, 4.5, 0, 0)
    obs, _, done, info = env.kill_agent()
    assert (
        obs["life_stats"]["life"] == 0 and not done and not info["is_alive"] and info["stat"]["time_since_death"] == 0
    )
    obs, _, _, info = env.step(env.action_space.no_op())
    assert obs["life_stats"]["life"] == 20 and obs["inventory"]["name"][0] == "air" and info["is_alive"]
    np.testing.assert_allclose(obs["location_stats"]["pos"], home)
    assert 6 in env.game.read("kind")  # what it carried lies where it died


def test_the_day_stands_still_if_asked():
    env = started(allow_time_passage=False, start_time=6000)
    assert [env.step(env.action_space.no_op())[3]["world_time"] for _ in range(2)] == [6000, 6000]


def test_worlds_are_kept_or_made_anew():
    env = minedojo.make(**SMALL)
    env.reset()
    env.set_block("diamond_block", [2, 0, 0])
    env.reset()
    assert (env.game.cells == block_state("diamond_block")).sum() == 1
    flat = started()
    flat.set_block("diamond_block", [2, 0, 0])
    flat.reset()
    assert (flat.game.cells == block_state("diamond_block")).sum() == 0
    fast = started(fast_reset=True, fast_reset_random_teleport_range=6, start_time=1000)
    home = fast.prev_obs["location_stats"]["pos"].copy()
    fast.set_block("diamond_block", [2, 0, 0])
    obs = fast.reset()
    assert (fast.game.cells == block_state("diamond_block")).sum() == 1
    assert 0 < np.abs(obs["location_stats"]["pos"] - home).max() <= 7 and fast.info_prev_reset["world_time"] == 1000


def test_world_seeds_are_read_as_minecraft_does():
    assert [world_number(seed) for seed in (5, "-12", "", None)] == [5, -12, None, None]
    assert world_number("hello") == 99162322


def test_flat_presets_are_layers():
    env = started(flat_world_seed_string="3;minecraft:bedrock,3*minecraft:stone,minecraft:sand;2")
    column = env.game.cells[3, 3, :6].tolist()
    assert [block_states()[state].name for state in column] == ["bedrock", "stone", "stone", "stone", "sand", "air"]


def test_harvesting_a_log_is_rewarded_and_ends():
    env = started("harvest_1_log", generate_world_type="flat", fast_reset=False)
    assert env.task_prompt == "obtain log" and "voxels" in env.prev_obs
    env.teleport_agent(16.5, GROUND, 16.5, 0, 0)
    env.set_block("log", [0, 1, 1])
    total = 0.0
    for _ in range(80):
        _, reward, done, info = act(env, ATTACK, pitch=12)
        total += reward
        if info["stat"]["mine_block"]["minecraft"]["log"]:
            break
    for _ in range(40):
        _, reward, done, info = act(env, forward=1)
        total += reward
        if done:
            break
    assert (total, done, env.is_successful) == (1.0, True, True)


def test_crafting_planks_and_tools_step_by_step():
    env = started("harvest_8_planks", generate_world_type="flat")
    env.set_inventory([minedojo.InventoryItem(0, "log", quantity=2)])
    rewards = [act(env, CRAFT, craft=craft_index("planks"))[1:3] for _ in range(2)]
    assert rewards == [(4.0, False), (4.0, True)]

    env = started("techtree_from_barehand_to_wooden_pickaxe", generate_world_type="flat")
    assert env.task_prompt == "find material and craft a wooden pickaxe"
    env.teleport_agent(16.5, GROUND, 16.5, 0, 90)
    env.set_inventory([minedojo.InventoryItem(0, "planks", quantity=3), minedojo.InventoryItem(1, "stick", quantity=2)])
    env.set_block("crafting_table", [2, 0, 0])
    obs, reward, done, _ = act(env, CRAFT, craft=craft_index("wooden_pickaxe"))
    assert (reward, done) == (1.0, False)
    slot = int(np.flatnonzero(obs["inventory"]["name"] == "wooden pickaxe")[0])
    if slot:
        act(env, EQUIP, slot=slot)
    for _ in range(100):
        _, reward, done, _ = act(env, ATTACK)
        if done:
            break
    assert (reward, done) == (10.0, True)


def test_killing_what_is_hunted_is_rewarded():
    env = started("combat_cow_plains_barehand", generate_world_type="specified_biome")
    assert env.task_prompt == "hunt a cow in plains" and env.prev_info["biome_id"] == 1
    assert env.game.read("kind").tolist().count(1) == 1
    env.teleport_agent(16.5, 25.5, 16.5, 0, 0)
    env.set_inventory([minedojo.InventoryItem(0, "diamond_sword")])
    reward, done = 0.0, False
    for _ in range(300):
        cow = int(np.flatnonzero(env.game.read("kind") == 1)[0])
        x, y, z = env.game.read("body_position")[cow]
        env.game.simulation.place_agent(0, (x, y, z - 1.5), 0, 30)
        env.game.simulation.look()
        _, reward, done, info = act(env, ATTACK)
        if done:
            break
    assert (reward, done, info["stat"]["kill_entity"]["cow"]) == (1.0, True, 1)


def test_kinds_of_tasks_take_their_own_arguments():
    env = started(
        "combat",
        target_names=["zombie", "pig"],
        target_quantities=[1, 2],
        initial_inventory=[minedojo.InventoryItem("mainhand", "iron_sword")],
    )
    assert env.task_prompt == "Hunt 1 zombie, 2 pig." and env.prev_info["world_time"] == 13000
    env = make("survival", target_days=2, per_day_reward=3)
    assert (env.task.bonus, env.task.prompt) == (6, "Survive for 2 days.")
    with pytest.raises(InputError, match="'harvest' needs the argument target_names"):
        make("harvest")
    with pytest.raises(InputError, match="target_days=1; choose more than 1"):
        make("survival", target_days=1)


def test_the_names_of_tasks_are_minedojos():
    names = programmatic_tasks()
    assert hashlib.sha256("\n".join(sorted(names)).encode()).hexdigest() == NAMES
    assert len(names) == 1572 and set(simulated_tasks()) < set(names)
    for name in (
        "harvest_8_cobblestone_with_stone_pickaxe",
        "harvest_1_iron_ingot_with_furnace_and_fuel",
        "harvest_1_beef_plains",
        "techtree_from_wood_to_stone_axe",
        "survival_sword_food",
    ):
        assert name in minedojo.tasks.ALL_PROGRAMMATIC_TASK_IDS


def test_what_terrain_is_made_of_is_listed():
    states = {
        int(s) for biome in ("mixed", "desert", "snow") for s in np.unique(terrain_blocks(3, biome, (64, 48, 64)))
    }
    found = {block_states()[state].name for state in states} - {"air", "water", "lava", "bedrock"}
    assert found <= natural_blocks()


@pytest.mark.parametrize(
    ("task", "options", "words"),
    [
        ("harvest_milk", {}, "task 'harvest_milk': item 'milk_bucket' cannot be obtained"),
        ("harvest_1_obsidian", {}, "item 'obsidian' cannot be obtained"),
        ("harvest_1_log_jungle", {}, "biome 'jungle' is not simulated; there are: plains"),
        ("combat_zombie_plains_diamond_armors_iron_sword_shield", {}, "neither armour nor a shield is simulated"),
        ("combat_spider_plains_leather_armors_diamond_sword_shield", {}, "mob 'spider' is not simulated"),
        ("techtree_from_barehand_to_redstone_piston", {}, "item 'piston' is not simulated"),
        ("techtree_from_wood_to_stone_hoe", {}, "using 'stone_hoe' is not simulated"),
        ("creative:255", {}, "neither creative tasks nor the playthrough"),
        ("playthrough", {}, "neither creative tasks nor the playthrough"),
        ("open-ended", {"initial_weather": "rain"}, "initial_weather='rain' is not simulated"),
        ("open-ended", {"generate_world_type": "from_file"}, "no files of Minecraft"),
        (
            "open-ended",
            {"generate_world_type": "specified_biome", "specified_biome": "nether"},
            "biome 'nether' is not",
        ),
        ("open-ended", {"event_level_control": False}, "event_level_control=False is not simulated"),
        ("open-ended", {"spawn_in_village": True}, "spawn_in_village=True is not simulated"),
        ("open-ended", {"break_speed_multiplier": 2.0}, "break_speed_multiplier=2.0 is not simulated"),
        ("open-ended", {"use_depth": True}, "use_depth=True is not simulated"),
        ("open-ended", {"initial_inventory": [("head", "diamond_helmet")]}, "slot 'head' is not simulated"),
        ("open-ended", {"initial_inventory": [(0, "elytra")]}, "item 'elytra' is not simulated"),
        ("harvest", {"target_names": "log", "target_quantities": 1, "spawn_rate": 0.1}, "spawn_rate is not simulated"),
    ],
)
def test_what_is_not_simulated_is_named(task, options, words):
    with pytest.raises(minedojo.NotSimulatedError) as caught:
        make(task, **options)
    assert words in str(caught.value) and "\n" not in str(caught.value)
    assert isinstance(caught.value, InputError) and isinstance(caught.value, NotImplementedError)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"task": "harvest_1_lgo"}, "task 'harvest_1_lgo' is none of MineDojo's; did you mean 'harvest_1_log'?"),
        ({"image_sise": 3}, "unknown argument of make 'image_sise'; did you mean 'image_size'?"),
        ({"task": None}, "task_id=None; give a name"),
        ({"image_size": "x"}, "image_size='x': give rows and columns"),
        ({"image_size": None}, "image_size=None: give rows and columns"),
        ({"start_health": 30}, "start_health=30; choose 0 to 20"),
        ({"voxel_size": {"xmin": 0}}, "voxel_size has the keys xmin; it needs xmin, xmax"),
        ({"start_position": {"x": 1}}, "start_position has the keys x; it needs x, y"),
        ({"initial_inventory": [(41, "log")]}, "inventory slot 41: choose 0 to 35"),
        ({"initial_inventory": [(0, "log", 0, 65)]}, "65 log in slot 0: a slot holds 1 to 64"),
        ({"generate_world_type": "round"}, "unknown generate_world_type 'round'"),
        ({"cam_interval": 0}, "cam_interval=0; choose degrees"),
        ({"flat_world_seed_string": "x*stone"}, "'x\\*stone' is not COUNT\\*BLOCK"),
    ],
)
def test_bad_arguments_are_one_clear_line(options, words):
    with pytest.raises(InputError, match=words) as caught:
        started(**options)
    assert "\n" not in str(caught.value)


def test_bad_actions_are_one_clear_line():
    env = make()
    with pytest.raises(InputError, match="no episode has begun; call reset first"):
        env.step(env.action_space.no_op())
    env.reset()
    for action, words in (
        ([0, 0, 0, 12, 12, 8, 0, 0], r"action\[5\] \(function\) is 8; choose 0 to 7"),
        ([0, 0, 0, -1, 12, 0, 0, 0], r"action\[3\] \(pitch\) is -1; choose 0 to 24"),
        ([0, 0, 0], r"action is int64\[3\]; give 8 integers"),
        ([0.5] * 8, r"action is float64\[8\]; give 8 integers"),
        ([0, 0, 0, 12, 12, PLACE, 0, 3], r"slot 3 is empty, nothing to place there"),
    ):
        with pytest.raises(InputError, match=words):
            env.step(action)
    for command, words in (
        ("/tp 999 5 5", r"choose a place within"),
        ("/setblock 1 2", "its arguments are incomplete"),
        ("/weather thunder", "weather 'thunder' is not simulated"),
        ("/summon creeper ~ ~ ~", "mob 'creeper' is not simulated"),
        ("/give @p bedrok", "item 'bedrok' is not simulated; did you mean 'bedrock'"),
    ):
        with pytest.raises(InputError, match=words):
            env.execute_cmd(command)
    with pytest.raises(InputError, match=r"rel_positions has the shape \(3, 3\)"):
        env.spawn_mobs(["cow", "pig"], np.zeros((3, 3)))
    env.close()
    with pytest.raises(InputError, match="the environment is closed"):
        env.reset()


def test_steps_are_quick():
    env = started(use_voxel=True)
    act(env)
    began = time.perf_counter()
    for _ in range(20):
        act(env, forward=1)
    assert time.perf_counter() - began < 2.0
