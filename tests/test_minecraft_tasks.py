"""Synthesised Minecraft tasks: repeatable, reachable, seen, and split along one axis at a time."""

import hashlib
import itertools
import math
import subprocess
import sys
from collections import deque

import numpy as np
import pytest

from trunkline.cli import main
from trunkline.envs.manifest import Manifest, disjoint
from trunkline.envs.minecraft import tasks
from trunkline.envs.minecraft.blocks import block_states
from trunkline.envs.minecraft.entities import ENTITIES
from trunkline.envs.minecraft.goals import INTERACTIONS, cluster, kin, parse_state, read_scene, world_version
from trunkline.envs.minecraft.survey import survey
from trunkline.envs.minecraft.synthesis import another, synthesize
from trunkline.envs.minecraft.targets import BLOCKS, MOBS, structure
from trunkline.envs.minecraft.terrains import terrain_blocks
from trunkline.envs.registry import sample_tasks, splits
from trunkline.envs.spec import TaskSpec
from trunkline.errors import InputError

EACH = 6


@pytest.fixture(scope="module")
def drawn():
    """Some TaskSpecs of every split and interaction."""
    return {split: synthesize(dict.fromkeys(INTERACTIONS, EACH), 5, split) for split in tasks.SPLITS}


def every(drawn, split):
    return [spec for specs in drawn[split].values() for spec in specs]


def changed(spec, **params):
    return TaskSpec(spec.task, spec.seed, {**spec.params, **params}, spec.split, spec.max_steps)


def scene_blocks(spec):
    """The block states (nx, nz, ny) an episode starts with."""
    scene = read_scene(spec)
    blocks = terrain_blocks(scene.seed, scene.biome, scene.size).copy()
    for (x, y, z), state in scene.blocks:
        blocks[x, z, y] = state
    return blocks


def test_a_draw_is_repeatable_a_prefix_of_a_longer_one_and_free_of_its_company(drawn):
    few = synthesize({"hunt": 2, "break": 3}, 5)
    assert few["break"] == drawn["train"]["break"][:3] and few["hunt"] == drawn["train"]["hunt"][:2]
    assert sample_tasks("minecraft/break", 2, 5) == few["break"][:2]
    assert synthesize({"break": 3}, 6)["break"] != few["break"]
    script = (
        "from trunkline.envs.minecraft.synthesis import another, synthesize\n"
        "print(','.join(spec.id for spec in synthesize({'break': 3}, 5)['break']))"
    )
    other = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout
    assert other.strip() == ",".join(spec.id for spec in few["break"])


def test_consecutive_tasks_take_turns_in_worlds():
    places = [tasks.place_of(index) for index in range(4 * tasks.WORLDS * tasks.TASKS_PER_WORLD)]
    assert len(set(places)) == len(places)
    assert [world for world, _ in places[: tasks.WORLDS]] == list(range(tasks.WORLDS))
    assert max(k for _, k in places) == tasks.TASKS_PER_WORLD - 1
    assert all(tasks.place_of(index)[0] < 4 for index in (0, 1, 2, 3))


def test_splits_are_named_by_the_family_and_share_no_world(drawn):
    assert splits("minecraft/break") == tasks.SPLITS
    seeds = {}
    for split in tasks.SPLITS:
        part = split.partition("/")[0]
        worlds = {spec.params["world"] for spec in every(drawn, split)}
        first, end = tasks.SEEDS[part]
        assert all(first <= seed < end for seed in worlds)
        seeds.setdefault(part, set()).update(worlds)
    assert not seeds["train"] & seeds["test"] and not seeds["train"] & seeds["validation"]
    assert not seeds["validation"] & seeds["test"]
    # By construction, whatever is drawn: the ranges do not overlap.
    ranges = sorted(tasks.SEEDS.values())
    assert all(first < end <= other for (first, end), (other, _) in itertools.pairwise(ranges))
    lists = {split: every(drawn, split) for split in tasks.SPLITS}
    assert all(disjoint(lists["train"], lists[split]) for split in tasks.SPLITS if split != "train")


def test_another_target_is_never_the_same_blocks_by_another_cell():
    """Trunks and ores go by any of their cells."""
    for spec in synthesize({"approach": 24}, 4000, "test/world")["approach"]:
        other = another(spec)
        mine, theirs = spec.params["target"], other.params["target"]
        if "block" in theirs and other.params["world"] == spec.params["world"]:
            blocks = terrain_blocks(spec.params["world"], spec.params["biome"], tuple(spec.params["size"]))
            together = cluster(blocks, tuple(theirs["cell"])).tolist()
            assert mine.get("block") != theirs["block"] or mine["cell"] not in together


def test_test_worlds_share_no_chunk_with_training_worlds(drawn):
    def chunks(split):
        hashes = set()
        for seed, biome in {(s.params["world"], s.params["biome"]) for s in every(drawn, split)}:
            blocks = terrain_blocks(seed, biome, tasks.SIZE)
            for x in range(0, tasks.SIZE[0], 16):
                for z in range(0, tasks.SIZE[2], 16):
                    hashes.add(hashlib.sha256(blocks[x : x + 16, z : z + 16].tobytes()).digest())
        return hashes

    train = chunks("train")
    assert len(train) > 50
    assert not any(train & chunks(split) for split in ("validation/world", "test/world", "test/biome"))


def names_of(spec):
    return spec.params["target"].get("block") or spec.params["target"]["entity"]


@pytest.mark.parametrize("split", tasks.SPLITS)
def test_every_split_is_new_along_its_own_axis_alone(drawn, split):
    axis = split.partition("/")[2]
    for spec in every(drawn, split):
        interaction, params = spec.task.partition("/")[2], spec.params
        held_out = "test" if axis in ("target", "all") else "train"
        known = BLOCKS.get(interaction, {}).get(held_out, ()) + MOBS.get(interaction, {}).get(held_out, ())
        assert names_of(spec) in known
        assert params["biome"] in tasks.BIOMES["test" if axis in ("biome", "all") else "train"]
        low, high = (16, 24) if axis in ("distance", "all") else (4, 12)
        assert low <= params["distance"] <= high
        low, high = (120, 180) if axis in ("view", "all") else (0, 90)
        assert low - 0.1 <= params["view"] <= high + 0.1
        low, high = (0.9, 1.0) if axis in ("occlusion", "all") else (0.0, 0.5)
        assert low <= params["occlusion"] <= high
        assert spec.split == split and spec.max_steps >= 100 + 10 * low


def test_held_out_targets_are_nowhere_in_training(drawn):
    for pool in (*BLOCKS.values(), *MOBS.values()):
        assert not set(pool["train"]) & set(pool["test"])
    held_out = {name for pool in BLOCKS.values() for name in pool["test"]}
    for spec in every(drawn, "train"):
        assert not held_out & {block_states()[parse_state(text)].name for *_, text in spec.params["blocks"]}


def near_enough(eye, cells, mobs):
    """Metres from the eye to the nearest cell or mob."""
    boxes = [(np.asarray(c, float), np.asarray(c, float) + 1) for c in cells]
    boxes += [(np.subtract(p, (0.5, 0, 0.5)), np.add(p, (0.5, 1.5, 0.5))) for p in mobs]
    return min(float(np.linalg.norm(np.clip(eye, low, high) - eye)) for low, high in boxes)


def test_every_target_can_be_walked_to(drawn):
    """A search of its own, forwards and in plain Python, on the blocks as the episode has them."""
    solid = np.zeros(256, bool)
    wet = np.zeros(256, bool)
    for state in block_states():
        solid[state.number], wet[state.number] = state.solid, state.liquid
    for spec in (s for split in ("train", "test/distance", "test/occlusion") for s in every(drawn, split)):
        scene, blocks = read_scene(spec), scene_blocks(spec)
        cells = [] if scene.goal.cell is None else cluster(blocks, scene.goal.cell).tolist()
        mobs = [] if scene.goal.mob is None else [scene.mobs[0].position]

        def free(x, y, z, blocks=blocks):
            state = blocks[x, z, y]
            return not solid[state] and not wet[state]

        def stands(x, y, z, blocks=blocks, free=free):
            return free(x, y, z) and free(x, y + 1, z) and solid[blocks[x, z, y - 1]]

        start = tuple(math.floor(v) for v in scene.start[:3])
        assert stands(*start)
        seen, queue, found = {start}, deque([start]), False
        while queue and not found:
            x, y, z = queue.popleft()
            found = near_enough(np.array([x + 0.5, y + 1.62, z + 0.5]), cells, mobs) <= 3.4
            for dx, dz in ((1, 0), (-1, 0), (0, 1), (0, -1)):
                for rise in (1, 0, -1, -2, -3):
                    to = (x + dx, y + rise, z + dz)
                    if to in seen or not (0 <= to[0] < 64 and 0 <= to[2] < 64 and 1 <= to[1] < 46):
                        continue
                    room = stands(*to) and (rise < 1 or free(x, y + 2, z))
                    if room and all(free(to[0], k, to[2]) for k in range(to[1], y + 2)):
                        seen.add(to)
                        queue.append(to)
        assert found, spec.id


def test_every_goal_camera_sees_its_target(drawn):
    """Rays of its own from the camera, in steps of 4 cm, over the pixels of a small picture."""
    clear = np.zeros(256, bool)
    for state in block_states():
        clear[state.number] = state.shape not in ("full", "liquid", "cactus")
    for spec in every(drawn, "train")[::2] + every(drawn, "test/view")[::2]:
        scene, blocks = read_scene(spec), scene_blocks(spec)
        *eye, yaw, pitch = scene.goal.camera
        yaw, pitch = math.radians(yaw), math.radians(pitch)
        forward = np.array([-math.sin(yaw) * math.cos(pitch), -math.sin(pitch), math.cos(yaw) * math.cos(pitch)])
        right = np.array([-math.cos(yaw), 0.0, -math.sin(yaw)])
        up = np.cross(right, forward)
        grid = (np.arange(40) + 0.5) / 20 - 1
        t = math.tan(math.radians(35.0))
        rays = forward + t * (grid[None, :, None] * right - grid[:, None, None] * up)
        rays = rays.reshape(-1, 3) / np.linalg.norm(rays, axis=-1).reshape(-1, 1)
        target = np.zeros(blocks.shape, bool)
        if scene.goal.cell is not None:
            x, y, z = cluster(blocks, scene.goal.cell).T
            target[x, z, y] = True
        else:
            mob, feet = ENTITIES[scene.mobs[0].kind], np.asarray(scene.mobs[0].position)
            low = np.subtract(feet, (mob.width / 2, 0, mob.width / 2))
            high = np.add(low, (mob.width, mob.height, mob.width))
        hit = np.zeros(len(rays), bool)
        going = np.ones(len(rays), bool)
        for distance in np.arange(0.04, 9.0, 0.04):
            places = np.asarray(eye) + distance * rays
            x, y, z = (np.floor(places[:, i]).astype(int).clip(0, n - 1) for i, n in enumerate(scene.size))
            if scene.goal.cell is not None:
                hit |= going & target[x, z, y]
            else:
                hit |= going & ((places >= low) & (places <= high)).all(1)
            going &= ~hit & clear[blocks[x, z, y]]
        assert hit.sum() >= 4, spec.id


def test_starts_are_neither_done_nor_out_of_the_way(drawn):
    for split in tasks.SPLITS:
        for spec in every(drawn, split):
            params = spec.params
            assert 0 < params["path"] <= 1.6 * params["distance"] + 6
            camera, start = np.array(params["camera"][:3]), np.array(params["start"][:3])
            assert all(0 <= v < n for v, n in zip(camera, params["size"], strict=True))
            assert np.hypot(*(camera - start)[[0, 2]]) > 0.5 or params["distance"] < 7


def test_things_to_tell_apart_lie_near_the_target(drawn):
    specs = [spec for split in tasks.SPLITS for spec in every(drawn, split)]
    others = 0
    for spec in specs:
        name = names_of(spec)
        kinds = {block_states()[parse_state(text)].name for *_, text in spec.params["blocks"]}
        kinds |= {mob for mob, *_ in spec.params["mobs"]}
        others += bool(kinds - {name})
    assert others > 0.8 * len(specs)


def test_survey_knows_where_one_can_stand():
    names = ("stone", "water", "cactus", "oak_leaves", "grass", "oak_slab")
    states = {name: parse_state(name) for name in names}
    blocks = np.zeros((32, 32, 32), np.uint8)
    blocks[:, :, :4] = states["stone"]
    blocks[10, 10, 4] = states["grass"]  # can be walked through
    blocks[12, 12, 3] = states["water"]
    blocks[15, 15, 4] = states["cactus"]
    blocks[20, 20, 5] = states["stone"]  # a roof that leaves no room
    blocks[22, 22, 8] = states["stone"]  # a roof
    blocks[24, 24, 8] = states["oak_leaves"]  # a tree
    blocks[26, 26, 4] = states["oak_slab"]
    land = survey(blocks)
    stands = {tuple(node) for node in land.nodes.tolist()}
    assert (10, 4, 10) in stands and (5, 4, 5) in stands and (24, 4, 24) in stands and (22, 9, 22) in stands
    assert not stands & {(24, 9, 24), (12, 4, 12), (12, 3, 12), (15, 4, 15), (16, 4, 15), (20, 4, 20), (22, 4, 22)}
    assert not stands & {(26, 5, 26), (0, 4, 5), (31, 4, 5)}
    assert all(land.index[(x * 32 + z) * 32 + y] == n for n, (x, y, z) in enumerate(land.nodes.tolist()))


def test_a_target_is_all_that_hangs_together():
    blocks = np.zeros((16, 16, 16), np.uint8)
    log, lying, stone = parse_state("oak_log"), parse_state("oak_log[axis=x]"), parse_state("stone")
    blocks[5, 5, 3:7] = log
    blocks[6, 5, 6] = lying  # another state of the same block
    blocks[7, 6, 6] = log  # touches only at an edge
    blocks[5, 6, 3] = stone
    cells = cluster(blocks, (5, 3, 5))
    assert {tuple(c) for c in cells.tolist()} == {(5, 3, 5), (5, 4, 5), (5, 5, 5), (5, 6, 5), (6, 6, 5)}
    blocks[:, :, 0] = stone
    assert len(cluster(blocks, (8, 0, 8))) == 32
    assert kin()[log] == kin()[lying] != kin()[stone]


def test_structures_are_made_of_known_blocks():
    for pool in BLOCKS.values():
        for name in (*pool["train"], *pool["test"]):
            for tall, turn in ((0.0, 0.0), (0.99, 0.99)):
                put = structure(name, tall, turn)
                assert {block_states()[parse_state(text)].name for _, text in put} == {name}
                assert [offset for offset, _ in put] == [(0, i, 0) for i in range(len(put))]
    halves = [block_states()[parse_state(text)].properties["half"] for _, text in structure("oak_door", 0, 0.3)]
    assert halves == ["lower", "upper"]


def test_a_manifest_of_synthesised_tasks_is_whole(tmp_path, drawn):
    manifest = Manifest(tuple(spec for split in tasks.SPLITS for spec in every(drawn, split)))
    manifest.save(tmp_path / "tasks.json")
    loaded = Manifest.load(tmp_path / "tasks.json")
    assert loaded.sha256 == manifest.sha256
    assert [read_scene(a) for a in loaded] == [read_scene(b) for b in manifest]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": "0-old"}, f"version '0-old', these are '{world_version()}'; synthesise its manifest again"),
        ({"target": {"block": "oak_lag", "cell": [5, 5, 5]}}, "did you mean 'oak_log'"),
        ({"target": {"block": "oak_log", "cell": [5, 5, 99]}}, "outside the world of size"),
        ({"target": {"entity": "caw"}}, "did you mean 'cow'"),
        ({"target": {"entity": "cow"}}, "the first of its mobs is not"),
        ({"blocks": [[1, 2, 3, "chest[facing=nort]"]]}, "did you mean 'north'"),
        ({"blocks": [[1, 2, 3, "chest["]]}, "is not of the form"),
        ({"blocks": [[1, 200, 3, "chest"]]}, "the block at .* is outside the world"),
        ({"mobs": [["sheap", 1, 2, 3, 0.0]]}, "did you mean 'sheep'"),
        ({"items": [["iron_axt", 1]]}, "did you mean 'iron_axe'"),
        ({"camera": [1, 2, 3, 0.0, 120.0]}, "pitch lies in"),
        ({"start": [1, 2]}, "malformed params"),
        ({"start": [-1, 2, 3, 0, 0]}, "the start at .* is outside the world"),
    ],
)
def test_what_cannot_be_played_is_refused_in_one_line(drawn, change, message):
    with pytest.raises(InputError, match=message.replace("(", r"\(")) as error:
        read_scene(changed(drawn["train"]["break"][0], **change))
    assert "\n" not in str(error.value)


def test_missing_params_and_wrong_kinds_of_targets_are_refused(drawn):
    spec = drawn["train"]["break"][0]
    rest = {name: value for name, value in spec.params.items() if name != "camera"}
    with pytest.raises(InputError, match="has no 'camera' among its params"):
        read_scene(TaskSpec(spec.task, 0, rest, "train", 10))
    with pytest.raises(InputError, match="hunt needs an entity"):
        read_scene(TaskSpec("minecraft/hunt", 0, spec.params, "train", 10))
    with pytest.raises(InputError, match="break needs a block"):
        read_scene(TaskSpec("minecraft/break", 0, drawn["train"]["hunt"][0].params, "train", 10))


def test_unknown_names_of_a_draw_are_refused():
    with pytest.raises(InputError, match="did you mean 'break'"):
        synthesize({"brake": 1}, 0)
    with pytest.raises(InputError, match="did you mean 'test/view'"):
        sample_tasks("minecraft/break", 1, 0, "test/veiw")
    with pytest.raises(InputError, match="did you mean 'minecraft/shoot'"):
        sample_tasks("minecraft/shot", 1, 0)
    with pytest.raises(InputError, match="world size"):
        synthesize({"break": 1}, 0, size=(16, 16, 16))


def test_the_command_writes_a_manifest(tmp_path, capsys):
    out = tmp_path / "tasks.json"
    arguments = ["tasks", "synthesize", "count=7", f"out={out}", "tasks=[minecraft/break,minecraft/hunt]", "seed=5"]
    assert main(arguments) == 0
    manifest = Manifest.load(out)
    assert [len(indices) for indices in manifest.by_task().values()] == [4, 3]
    assert f"7 tasks, sha256 {manifest.sha256}" in capsys.readouterr().out
    assert list(manifest)[:4] == synthesize({"break": 4}, 5)["break"]
    assert main(arguments) == 2
    assert "is there already" in capsys.readouterr().err
    assert main(["tasks", "verify", str(out)]) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tasks=[minecraft/brake]"], "did you mean 'minecraft/break'"),
        (["split=test/viev"], "did you mean 'test/view'"),
        (["count=0"], "at least 1"),
        (["size=[64,48]"], "three numbers"),
        (["size=[8,8,8]"], "world size 8×8×8"),
        (["tasks=[minecraft/hunt,minecraft/hunt]"], "named twice"),
        (["--count", "seven"], "count"),
    ],
)
def test_the_command_refuses_in_one_line(tmp_path, capsys, arguments, message):
    out = tmp_path / "tasks.json"
    assert main(["tasks", "synthesize", f"out={out}", *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert not out.exists()


def test_the_command_takes_flags_too(tmp_path):
    out = tmp_path / "tasks.json"
    assert main(["tasks", "synthesize", "--count", "2", f"--out={out}", "tasks=[minecraft/place]"]) == 0
    assert len(Manifest.load(out)) == 2
