"""What is seen of voxel worlds: against closed forms, and the caster that leaps against the one that does not."""

import itertools

import numpy as np
import pytest

from trunkline.envs.minecraft.blocks import block_state, block_states
from trunkline.envs.minecraft.clear import find_leaps
from trunkline.envs.minecraft.entities import ENTITIES, entity_kind, spawn
from trunkline.envs.minecraft.items import items
from trunkline.envs.minecraft.render import ENTITY_STATE, SKY_DEPTH, Renderer
from trunkline.envs.minecraft.rules import make_rules, texture_names
from trunkline.envs.minecraft.terrain import BIOMES, generate
from trunkline.envs.minecraft.textures import GLOWING, picture
from trunkline.envs.warp import start_warp
from trunkline.errors import InputError

wp = start_warp()

from trunkline.envs.minecraft.kernels.edit import clear_distance, set_block  # noqa: E402 - only after Warp has started
from trunkline.envs.minecraft.state import Game, Rules, Worlds  # noqa: E402

SIZE = (32, 32, 32)
STONE = block_state("stone")
MIDDLE = (16.5, 16.5, 4.5)  # looks along z in the tests


@wp.kernel(module="trunkline.tests.minecraft_edit")
def edit(game: Game, rules: Rules, cells: wp.array2d[wp.int32], states: wp.array[wp.int32]):
    for i in range(states.shape[0]):
        set_block(game, rules, 0, cells[i, 0], cells[i, 1], cells[i, 2], states[i])


@wp.kernel(module="trunkline.tests.minecraft_edit")
def measure_clear(game: Game, out: wp.array[wp.int32]):
    cell = wp.tid()
    out[cell] = clear_distance(game, 0, cell)


wp.set_module_options({"enable_backward": False}, module=wp.get_module("trunkline.tests.minecraft_edit"))


@pytest.fixture(scope="module")
def rules():
    return make_rules("cpu")


def empty_worlds(rules, count=1, size=SIZE, **boxes):
    """Worlds of air with boxes of blocks: name=(x0, y0, z0, x1, y1, z1), ends left out."""
    worlds = Worlds(count, size, entities=4)
    worlds.view("day")[:] = 6000
    cells = worlds.view("blocks").reshape(count, size[0], size[2], size[1])
    for name, (x0, y0, z0, x1, y1, z1) in boxes.items():
        cells[:, x0:x1, z0:z1, y0:y1] = block_state(name)
    find_leaps(worlds, rules, range(count))
    return worlds


@pytest.fixture(scope="module")
def land(rules):
    """One world of each biome, with entities."""
    worlds = Worlds(len(BIOMES), (64, 64, 64), entities=8)
    worlds.view("day")[:] = 6000
    rows = range(len(BIOMES))
    generate(worlds.fields["blocks"], rows, rows, rows, worlds.size)
    find_leaps(worlds, rules, rows)
    return worlds


def cameras(worlds, count, seed=0):
    """Eyes above the ground, some of them outside the world, that look anywhere."""
    rng = np.random.default_rng(seed)
    rows = np.arange(count) % worlds.count
    eyes = rng.uniform(2, np.array(worlds.size) - 2, (count, 3))
    blocks = worlds.view("blocks").reshape(worlds.count, worlds.size[0], worlds.size[2], worlds.size[1])
    for k in range(count):
        eyes[k, 1] = np.flatnonzero(blocks[rows[k], int(eyes[k, 0]), int(eyes[k, 2])]).max() + 2.62
    eyes[-1] = -5.3, 60.2, 31.7
    eyes[-2] = 30.2, 75.1, 20.9
    return eyes, rng.uniform(-180, 180, count), rng.normal(15, 20, count), rows


def look(renderer, eyes, yaw, pitch, rows=(0,), **options):
    seen = renderer.draw(
        np.asarray(eyes, float).reshape(-1, 3), np.atleast_1d(yaw), np.atleast_1d(pitch), rows, **options
    )
    return {name: array.numpy().copy() for name, array in seen.items()}


def tangents(side, fov=70.0):
    """Right and up of each pixel's ray, of a part along the gaze of 1."""
    half = np.tan(np.radians(fov / 2))
    centres = ((np.arange(side) + 0.5) / side * 2 - 1) * half
    return centres[None], -centres[:, None]


def test_lone_block_is_where_it_must_be(rules):
    worlds = empty_worlds(rules, stone=(15, 17, 14, 16, 18, 15))
    seen = look(Renderer(worlds, rules, 96, 96), (16.45, 16.5, 4.5), 0.0, 0.0)
    right, up = tangents(96)
    # Whoever looks south has west at the right. The front is at z = 14, 9.5 ahead.
    x, y = 16.45 - right * 9.5, 16.5 + up * 9.5
    front = (x > 15) & (x < 16) & (y > 17) & (y < 18)
    assert front.sum() > 30
    cell = (15 * 32 + 14) * 32 + 17
    state, instance = seen["segmentation"][0, ..., 0], seen["segmentation"][0, ..., 1]
    assert (state[front] == STONE).all() and (instance[front] == cell).all()
    length = np.sqrt(1 + right**2 + up**2)
    np.testing.assert_allclose(seen["depth"][0][front], (9.5 * length)[front], rtol=1e-5)
    # Besides, its east side and its bottom are seen, between the planes x = 16 and y = 17.
    with np.errstate(divide="ignore"):
        east, bottom = 0.45 / right, 0.5 / up
    side = (east > 9.5) & (east < 10.5) & (16.5 + up * east > 17) & (16.5 + up * east < 18)
    below = (bottom > 9.5) & (bottom < 10.5) & (16.45 - right * bottom > 15) & (16.45 - right * bottom < 16)
    assert ((state == STONE) == (front | side | below)).all()
    assert (seen["depth"][0][state == -1] == SKY_DEPTH).all() and (instance[state == -1] == -1).all()


@pytest.mark.parametrize(
    ("yaw", "pitch", "cell"),
    [(0, 0, (16, 16, 20)), (90, 0, (10, 16, 16)), (180, 0, (16, 16, 10)), (-90, 0, (25, 16, 16)), (0, 90, (16, 5, 16))],
)
def test_yaw_and_pitch_are_minecrafts(rules, yaw, pitch, cell):
    worlds = empty_worlds(rules, stone=(*cell, *(c + 1 for c in cell)))
    seen = look(Renderer(worlds, rules, 33, 33), (16.5, 16.5, 16.5), yaw, pitch)
    x, y, z = cell
    assert tuple(seen["segmentation"][0, 16, 16]) == (STONE, (x * 32 + z) * 32 + y)
    assert seen["depth"][0, 16, 16] == pytest.approx(max(abs(np.array(cell) + 0.5 - 16.5)) - 0.5, abs=1e-5)


def assert_same(one, other, ties=0.0):
    """Equal pictures, but for a share of pixels whose ray passes an edge by less than rounding."""
    differs = (one["segmentation"] != other["segmentation"]).any(-1)
    assert differs.mean() <= ties
    np.testing.assert_allclose(one["depth"][~differs], other["depth"][~differs], rtol=1e-4)
    # Where two pictures meet, or a face and its neighbour, rounding may choose.
    assert (abs(one["rgb"].astype(int) - other["rgb"]).max(-1) > 3).mean() <= 2e-4


def test_leaping_sees_what_the_plain_caster_sees(land, rules):
    for kind, row in itertools.product(("zombie", "cow", "arrow"), range(land.count)):
        x, y, z = np.random.default_rng(row).uniform(8, 56, 3)
        spawn(land, row, kind, (x, 28 + y / 8, z), yaw=40 * row)
    renderer = Renderer(land, rules, 61, 75)
    views = cameras(land, 20)
    leaping, plain = look(renderer, *views), look(renderer, *views, skip=False)
    assert_same(leaping, plain, ties=1e-4)
    states = leaping["segmentation"][..., 0]
    assert 0.05 < (states < 0).mean() < 0.95 and len(np.unique(states)) > 12


def test_rays_of_their_own_see_what_tiles_see(land, rules):
    """The kernel for CUDA, here on the CPU."""
    renderer, views = Renderer(land, rules, 40, 56), cameras(land, 10, seed=5)
    tiles = look(renderer, *views)
    inputs = [renderer._scene, renderer._models, renderer._views, renderer._picture, 1]
    renderer._tiles, renderer._leaping = None, renderer._record(renderer._rays.draw_rays, inputs)
    assert_same(tiles, look(renderer, *views), ties=1e-4)


def octant_leaps(solid):
    """(2, 2, 2, nx, nz, ny): sides of the largest empty cubes, by whether x, z, y grow; the recurrence in words."""
    out = np.zeros((2, 2, 2, *solid.shape), int)
    for signs in itertools.product((0, 1), repeat=3):
        flip = tuple(slice(None, None, 1 if s else -1) for s in signs)
        leap = np.zeros([n + 1 for n in solid.shape], int)
        for i, k, j in itertools.product(*(range(n - 1, -1, -1) for n in solid.shape)):
            if not solid[flip][i, k, j]:
                leap[i, k, j] = 1 + min(14, leap[i : i + 2, k : k + 2, j : j + 2].reshape(-1)[1:].min())
        out[signs] = leap[:-1, :-1, :-1][flip]
    return out


def stored_leaps(worlds, row=0):
    nx, ny, nz = worlds.size
    planes = worlds.view("leaps")[row].reshape(2, 2, nx, nz, ny).astype(int)  # by z, x
    return np.stack([planes & 15, planes >> 4], 2).transpose(1, 0, 2, 3, 4, 5)


def scattered(rules, size=(15, 17, 14), share=0.006):
    worlds = Worlds(1, size)
    cells = worlds.view("blocks")
    cells[0] = np.where(np.random.default_rng(0).random(cells.shape[1]) < share, STONE, 0)
    find_leaps(worlds, rules, [0])
    return worlds, cells.reshape(size[0], size[2], size[1])


def test_leaps_are_the_largest_empty_cubes(rules):
    worlds, cells = scattered(rules)
    assert (stored_leaps(worlds) == octant_leaps(cells != 0)).all()
    column = worlds.view("ceiling")[0].reshape(15, 14)
    heights = np.where((cells != 0).any(2), 17 - np.argmax((cells != 0)[..., ::-1], 2), 0)
    assert (column == heights).all()


def test_edits_keep_leaps_valid(rules):
    worlds, cells = scattered(rules)
    rng = np.random.default_rng(1)
    for _ in range(2):
        places = rng.integers(0, (15, 17, 14), (60, 3)).astype(np.int32)
        solid = np.argwhere(cells != 0)[:, [0, 2, 1]]
        places[:30] = solid[rng.choice(len(solid), 30)]
        states = rng.choice([0, STONE, block_state("poppy")], 60).astype(np.int32)
        wp.launch(edit, 1, [worlds.game, rules, wp.array(places, dtype=wp.int32), wp.array(states, dtype=wp.int32)])
        kept, largest = stored_leaps(worlds), octant_leaps(cells != 0)
        assert (kept <= largest).all() and ((kept > 0) == (largest > 0)).all()
        assert kept.sum() > 0.7 * largest.sum()  # and digging lets them grow
        shading = cells == STONE
        heights = np.where(shading.any(2), 17 - np.argmax(shading[..., ::-1], 2), 0)
        assert (worlds.view("ceiling")[0].reshape(15, 14) == heights).all()
    distances = wp.zeros(worlds.cells, dtype=wp.int32)
    wp.launch(measure_clear, worlds.cells, [worlds.game, distances])
    assert (distances.numpy().reshape(cells.shape) == kept.min((0, 1, 2))).all()


def test_edits_outside_change_nothing(rules):
    worlds, _ = scattered(rules)
    before = worlds.hash(0), worlds.view("leaps").copy()
    outside = np.array([[-1, 3, 3], [3, -1, 3], [3, 3, 14], [15, 3, 3], [3, 17, 3]], np.int32)
    states = wp.array(np.full(5, STONE, np.int32), dtype=wp.int32)
    wp.launch(edit, 1, [worlds.game, rules, wp.array(outside, dtype=wp.int32), states])
    assert worlds.hash(0) == before[0] and (worlds.view("leaps") == before[1]).all()


def test_edited_terrain_is_seen_the_same(rules):
    worlds = Worlds(1, (48, 48, 48))
    generate(worlds.fields["blocks"], [0], [3], [3], worlds.size)
    find_leaps(worlds, rules, [0])
    rng = np.random.default_rng(2)
    names = ("air", "air", "stone", "glass", "poppy", "water", "stone_slab", "snow", "torch", "oak_leaves")
    places = np.stack([rng.integers(0, 48, 900), rng.integers(14, 34, 900), rng.integers(0, 48, 900)], 1).astype(
        np.int32
    )
    states = rng.choice([block_state(name) for name in names], 900).astype(np.int32)
    wp.launch(edit, 1, [worlds.game, rules, wp.array(places, dtype=wp.int32), wp.array(states, dtype=wp.int32)])
    renderer, views = Renderer(worlds, rules, 64, 64), cameras(worlds, 12, seed=3)
    assert_same(look(renderer, *views), look(renderer, *views, skip=False), ties=1e-4)
    found = look(renderer, *views)
    find_leaps(worlds, rules, [0])
    assert_same(found, look(renderer, *views), ties=1e-4)


def test_zombie_is_a_box_of_its_height(rules):
    worlds = empty_worlds(rules, stone=(0, 0, 0, 32, 15, 32))
    place = spawn(worlds, 0, "zombie", (16.5, 15.0, 14.5), yaw=180.0)
    renderer = Renderer(worlds, rules, 120, 120)
    seen = look(renderer, (16.5, 16.6, 4.5), 0.0, 0.0)
    state, instance = seen["segmentation"][0, ..., 0], seen["segmentation"][0, ..., 1]
    zombie = state == ENTITY_STATE + entity_kind("zombie")
    assert (instance[zombie] == worlds.cells + place).all()
    right, up = (np.broadcast_to(t, zombie.shape) for t in tangents(120))
    depth = seen["depth"][0] / np.sqrt(1 + right**2 + up**2)
    assert depth[zombie].min() == pytest.approx(10 - 10.5 / 16 - 0.0, abs=0.35)
    height = ENTITIES[entity_kind("zombie")].height
    points = 16.6 + up[zombie] * depth[zombie]
    assert 15.0 - 0.01 <= points.min() < 15.2 and 15 + height - 0.2 < points.max() <= 15 + height + 0.1
    # Behind a wall it is not seen; behind glass only the frame hides it.
    worlds.view("blocks").reshape(32, 32, 32)[:, 9, 15:20] = STONE
    find_leaps(worlds, rules, [0])
    assert not (look(renderer, (16.5, 16.6, 4.5), 0.0, 0.0)["segmentation"][..., 0] >= ENTITY_STATE).any()
    worlds.view("blocks").reshape(32, 32, 32)[:, 9, 15:20] = block_state("glass")
    find_leaps(worlds, rules, [0])
    shown = (look(renderer, (16.5, 16.6, 4.5), 0.0, 0.0)["segmentation"][0, ..., 0] >= ENTITY_STATE) & zombie
    assert 0.4 * zombie.sum() < shown.sum() < zombie.sum()


@pytest.mark.parametrize("kind", [entity.name for entity in ENTITIES[1:]])
def test_every_entity_is_seen_within_its_bounds(rules, kind):
    worlds = empty_worlds(rules)
    number = 5 if kind == "item" else STONE
    spawn(worlds, 0, kind, (16.5, 16.0, 9.5), yaw=30.0, item=number if kind in ("item", "falling_block") else 0)
    renderer = Renderer(worlds, rules, 128, 128)
    seen = look(renderer, (16.5, 16.6, 4.5), 0.0, 0.0)
    mine = seen["segmentation"][0, ..., 0] == ENTITY_STATE + entity_kind(kind)
    assert mine.sum() > 3
    rows, columns = np.nonzero(mine)
    assert rows.min() > 0 and rows.max() < 127 and columns.min() > 0 and columns.max() < 127
    assert_same(seen, look(renderer, (16.5, 16.6, 4.5), 0.0, 0.0, skip=False))


def test_hurt_entities_flush(rules):
    worlds = empty_worlds(rules)
    spawn(worlds, 0, "pig", (16.5, 16.0, 9.5))
    renderer = Renderer(worlds, rules, 64, 64)
    calm = look(renderer, (16.5, 16.6, 4.5), 0.0, 0.0)
    pig = calm["segmentation"][0, ..., 0] >= ENTITY_STATE
    worlds.view("body_hurt")[0, 0] = 5
    hurt = look(renderer, (16.5, 16.6, 4.5), 0.0, 0.0)
    redness = [
        float((view["rgb"][0][pig][:, 0].astype(int) - view["rgb"][0][pig][:, 1]).mean()) for view in (calm, hurt)
    ]
    assert redness[1] > redness[0] + 30


def test_water_is_seen_through_until_it_is_deep(rules):
    down = {"yaw": 0.0, "pitch": 90.0}
    shallow = empty_worlds(rules, sand=(0, 0, 0, 32, 10, 32), water=(0, 10, 0, 32, 13, 32))
    deep = empty_worlds(rules, sand=(0, 0, 0, 32, 2, 32), water=(0, 2, 0, 32, 25, 32))
    dry = empty_worlds(rules, sand=(0, 0, 0, 32, 10, 32))
    views = {}
    for name, worlds in (("shallow", shallow), ("deep", deep), ("dry", dry)):
        views[name] = look(Renderer(worlds, rules, 9, 9), (16.5, 26.5, 16.5), **down)
    assert views["shallow"]["segmentation"][0, 4, 4, 0] == block_state("sand")
    assert views["shallow"]["depth"][0, 4, 4] == pytest.approx(16.5, abs=1e-4)
    assert views["deep"]["segmentation"][0, 4, 4, 0] == block_state("water")
    sand, wet = views["dry"]["rgb"][0, 4, 4].astype(int), views["shallow"]["rgb"][0, 4, 4].astype(int)
    assert wet[2] - wet[0] > sand[2] - sand[0] + 30


def test_glass_shows_its_frame_and_what_is_behind(rules):
    worlds = empty_worlds(rules, glass=(16, 16, 8, 17, 17, 9), stone=(10, 10, 20, 24, 24, 21))
    state = look(Renderer(worlds, rules, 128, 128), MIDDLE, 0.0, 0.0)["segmentation"][0, ..., 0]
    right, up = tangents(128)
    x, y = 16.5 - right * 3.5, 16.5 + up * 3.5
    across = np.broadcast_to(16 * (x - 16), state.shape), np.broadcast_to(16 * (y - 16), state.shape)
    inner = (across[0] > 1) & (across[0] < 2.9) & (across[1] > 1) & (across[1] < 2.9)
    frame = ((across[0] > 0) & (across[0] < 1) & (across[1] > 0) & (across[1] < 16)) & True
    assert inner.any() and (state[inner] == STONE).all()
    assert frame.any() and (state[frame] == block_state("glass")).all()


def test_plants_are_crosses_with_gaps(rules):
    worlds = empty_worlds(rules, poppy=(16, 16, 8, 17, 17, 9))
    poppy = block_state("poppy")
    view = look(Renderer(worlds, rules, 200, 200, 40.0), (16.5, 16.5, 4.5), 0.0, 0.0)
    seen = view["segmentation"][0, ..., 0] == poppy
    assert 0.05 < seen.sum() / (200 / (4 * 2 * np.tan(np.radians(20)))) ** 2 < 0.6
    depth = view["depth"][0][seen]
    assert depth.min() > 3.5 and depth.max() < 4.6
    # The diagonals cross at x = z = ½: what is seen lies on one of them.
    right, up = tangents(200, 40.0)
    ahead = view["depth"][0] / np.sqrt(1 + right**2 + up**2)
    x, z = 16.5 - right * ahead - 16, 4.5 + ahead - 8
    assert np.minimum(abs(x - z), abs(x + z - 1))[seen].max() < 1e-4


@pytest.mark.parametrize(
    ("name", "height"), [("stone_slab", 0.5), ("snow", 2 / 16), ("farmland", 15 / 16), ("chest", 14 / 16)]
)
def test_low_blocks_have_their_height(rules, name, height):
    worlds = empty_worlds(rules, **{name: (14, 10, 14, 19, 11, 19)})
    renderer = Renderer(worlds, rules, 9, 9)
    from_above = look(renderer, (16.5, 20.0, 16.5), 0.0, 90.0)
    assert from_above["segmentation"][0, 4, 4, 0] == block_state(name)
    assert from_above["depth"][0, 4, 4] == pytest.approx(20 - 10 - height, abs=1e-5)
    for above in (-0.02, 0.02):  # along its upper edge
        state = look(renderer, (16.5, 10 + height + above, 4.5), 0.0, 0.0)["segmentation"][0, 4, 4, 0]
        assert (state == block_state(name)) == (above < 0)


def test_pictures_do_not_depend_on_the_batch(land, rules):
    renderer, (eyes, yaw, pitch, rows) = Renderer(land, rules, 32, 40), cameras(land, 15, seed=8)
    every = look(renderer, eyes, yaw, pitch, rows)
    order = np.random.default_rng(0).permutation(15)
    shuffled = look(renderer, eyes[order], yaw[order], pitch[order], rows[order])
    for name in every:
        assert (every[name][order] == shuffled[name]).all()
    alone = look(renderer, eyes[:1], yaw[:1], pitch[:1], rows[:1])
    assert (alone["rgb"][0] == every["rgb"][0]).all()
    # The same world at another place.
    twin = Worlds(3, land.size, entities=8)
    twin.view("day")[:] = 6000
    twin.view("blocks")[2] = land.view("blocks")[1]
    for name in land.fields:
        if name == "kind" or name.startswith("body_"):
            twin.view(name)[2] = land.view(name)[1]
    find_leaps(twin, rules, range(3))
    there = look(Renderer(twin, rules, 32, 40), eyes[1:2], yaw[1:2], pitch[1:2], [2])
    assert all((there[name][0] == every[name][1]).all() for name in every)


def test_agents_see_from_their_eyes(land, rules):
    eyes, yaw, pitch, _ = cameras(land, land.count)
    land.view("position")[:] = eyes - (0, 1.62, 0)
    land.view("yaw")[:], land.view("pitch")[:] = yaw, pitch
    renderer = Renderer(land, rules, 24, 24)
    agents = {name: array.numpy().copy() for name, array in renderer.draw_agents().items()}
    assert_same(agents, look(renderer, eyes, yaw, pitch, range(land.count)), ties=1e-3)


def test_light_follows_the_day_and_roofs(rules):
    worlds = empty_worlds(rules, stone=(0, 0, 0, 32, 4, 32), oak_planks=(4, 12, 4, 12, 13, 12))
    renderer = Renderer(worlds, rules, 9, 9)

    def brightness(x, day, y=8.0):
        worlds.view("day")[0] = day
        return float(look(renderer, (x, y, 8.5), 0.0, 90.0)["rgb"][0, 2:7, 2:7].mean())

    noon, dusk, night = (brightness(20.5, day) for day in (6000, 12500, 18000))
    assert noon > 1.3 * dusk > 1.3 * night > 0
    assert brightness(8.5, 6000) < 0.75 * noon
    glowing = empty_worlds(rules, glowstone=(0, 0, 0, 32, 4, 32))
    glowing.view("day")[0] = 18000
    assert look(Renderer(glowing, rules, 9, 9), (8.5, 8.0, 8.5), 0.0, 90.0)["rgb"].mean() > 120


def test_what_is_drawn_can_be_chosen(land, rules):
    views = cameras(land, 4)
    every = look(Renderer(land, rules, 20, 30), *views)
    assert every["rgb"].shape == (4, 20, 30, 3) and every["rgb"].dtype == np.uint8
    assert every["depth"].shape == (4, 20, 30) and every["depth"].dtype == np.float32
    assert every["segmentation"].shape == (4, 20, 30, 2) and every["segmentation"].dtype == np.int32
    for name in every:
        only = look(Renderer(land, rules, 20, 30, **{part: part == name for part in every}), *views)
        assert list(only) == [name] and (only[name] == every[name]).all()
    assert look(Renderer(land, rules, 20, 30), np.zeros((0, 3)), [], [], [])["rgb"].shape == (0, 20, 30, 3)


def test_bad_input_is_refused(land, rules):
    for arguments, words in (((0, 8), "0×8 pixels"), ((8, 8, 200.0), "200.0 degrees"), ((5000, 8), "5000×8")):
        with pytest.raises(InputError, match=words):
            Renderer(land, rules, *arguments)
    with pytest.raises(InputError, match="nothing is drawn"):
        Renderer(land, rules, 8, 8, rgb=False, depth=False, segmentation=False)
    renderer = Renderer(land, rules, 8, 8)
    with pytest.raises(InputError, match="there are 5"):
        look(renderer, MIDDLE, 0.0, 0.0, [5])
    with pytest.raises(InputError, match="not finite"):
        look(renderer, (np.nan, 1, 1), 0.0, 0.0)
    with pytest.raises(InputError, match="yaw \\(2,\\)"):
        look(renderer, MIDDLE, [0.0, 1.0], 0.0)
    far = look(renderer, (1e7, 40.0, -1e7), 45.0, 0.0)  # strange, but not wrong
    assert far["rgb"].shape == (1, 8, 8, 3)


def test_pictures_are_our_own_and_distinct():
    names = {name for state in block_states() for name in state.texture}
    assert names == set(texture_names())
    pictures = {name: picture(name) for name in names if name != "air"}
    assert len({p.tobytes() for p in pictures.values()}) == len(pictures)
    for name, pixels in pictures.items():
        assert pixels.shape == (16, 16, 4) and pixels.dtype == np.uint8
        assert set(np.unique(pixels[..., 3])) <= {0, GLOWING, 255}, name
        assert (pixels[..., 3] > 0).any(), name
        assert (picture(name) == pixels).all(), name
    for item in items()[1:]:
        assert item.places or (picture(item.name)[..., 3] > 0).all()
