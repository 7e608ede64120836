"""Entities of the voxel world: flight, wounds, what mobs do, loot, drops; on small worlds of stone."""

from typing import Any

import numpy as np
import pytest
import warp as wp

from trunkline.envs.minecraft.blocks import block_state
from trunkline.envs.minecraft.entities import ENTITIES, entity_kind, spawn
from trunkline.envs.minecraft.items import item
from trunkline.envs.minecraft.kernels.combat import drop_item, free_place, hurt_agent, hurt_body, shoot, strike
from trunkline.envs.minecraft.kernels.entity import tick_entities
from trunkline.envs.minecraft.kernels.random import draw, draw_normal
from trunkline.envs.minecraft.rules import make_rules
from trunkline.envs.minecraft.state import ENTITY_NAMES, PANIC, PURSUE, Game, Rules, Worlds
from trunkline.envs.warp import start_warp
from trunkline.errors import InputError

FLOOR = 4  # height of the stone that all worlds here start with
ITEM, ARROW = entity_kind("item"), entity_kind("arrow")


@wp.kernel(enable_backward=False)
def act(game: Game, rules: Rules, verb: int, a: int, b: float, made: wp.array[wp.int32]):
    """One deed in every world: 0 a blow at place a, 1 a shot after a ticks, 2 a wound of b to place a, 3 the same to
    the agent, 4 a drop of item a, 5 a look for a place."""
    w = wp.tid()
    if verb == 0:
        strike(game, rules, w, a)
    elif verb == 1:
        made[w] = shoot(game, rules, w, a)
    elif verb == 2:
        hurt_body(game, rules, w, a, b, 1.0, 0.0, True)
    elif verb == 3:
        hurt_agent(game, rules, w, b, 0.0, 1.0)
    elif verb == 4:
        made[w] = drop_item(game, w, game.body_position[w, 0], a, int(b))
    else:
        made[w] = free_place(game, w)


@wp.kernel(enable_backward=False)
def draws(flat: wp.array[wp.float32], normal: wp.array[wp.float32]):
    i = wp.tid()
    flat[i] = draw(wp.uint32(7), i % 100, i / 100, 3)
    normal[i] = draw_normal(wp.uint32(7), i % 100, i / 100, 4)


@pytest.fixture(scope="module")
def rules() -> Any:
    start_warp()
    return make_rules("cpu")


class Play:
    """W worlds of `size` blocks of air above stone, with the agent in a corner, and what a tick of the engine does."""

    def __init__(
        self, rules: Any, count: int = 1, size: tuple[int, int, int] = (32, 16, 32), entities: int = 8
    ) -> None:
        self.rules, self.worlds = rules, Worlds(count, size, entities)
        nx, ny, nz = size
        self.cells = self.worlds.view("blocks").reshape(count, nx, nz, ny)  # by x, z, y
        self.cells[:, :, :, :FLOOR] = block_state("stone")
        self["active"][:] = 1
        self["seed"][:] = np.arange(count) + 1
        self["position"][:] = (1.5, FLOOR, 1.5)
        self["on_ground"][:] = 1
        self.made = wp.zeros(count, dtype=wp.int32, device="cpu")

    def __getitem__(self, name: str) -> np.ndarray:
        return self.worlds.view(name)

    def spawn(self, kind: str, *position: float, **facts: Any) -> int:
        return min(spawn(self.worlds, row, kind, position, **facts) for row in range(self.worlds.count))

    def arrow(self, position: tuple[float, ...], velocity: tuple[float, ...], critical: bool = False) -> int:
        place = self.spawn("arrow", *position)
        self["body_velocity"][:, place] = velocity
        self["body_count"][:, place] = critical
        return place

    def tick(self, count: int = 1) -> None:
        for _ in range(count):
            self["struck"][:] = self["shot"][:] = self["killed"][:] = -1
            wp.launch(tick_entities, dim=self.worlds.count, inputs=[self.worlds.game, self.rules], device="cpu")
            self["tick"][:] += 1
            self["charge"][:] += 1
            self["hurt"][:] = np.maximum(self["hurt"] - 1, 0)

    def act(self, verb: str, a: int = 0, b: float = 0.0) -> np.ndarray:
        number = ("strike", "shoot", "hurt", "hurt_agent", "drop", "free").index(verb)
        inputs = [self.worlds.game, self.rules, number, a, b, self.made]
        wp.launch(act, dim=self.worlds.count, inputs=inputs, device="cpu")
        return self.made.numpy()

    def give(self, name: str, count: int = 1, slot: int = 0) -> None:
        number = item(name)
        self["item"][:, slot], self["count"][:, slot] = number, count
        self["durability"][:, slot] = self.rules.item_durability.numpy()[number]


def test_the_tables_are_in_the_order_of_the_kinds():
    assert tuple(entity.name for entity in ENTITIES) == ENTITY_NAMES


def test_names_and_places_of_entities(rules):
    with pytest.raises(InputError, match="unknown entity 'zombi'; did you mean 'zombie'"):
        entity_kind("zombi")
    play = Play(rules, entities=1)
    with pytest.raises(InputError, match="outside the world"):
        play.spawn("cow", 0.1, 4, 5)
    with pytest.raises(InputError, match="outside the world"):
        play.spawn("cow", 5, float("nan"), 5)
    play.spawn("cow", 5, 4, 5)
    with pytest.raises(InputError, match="all 1 places"):
        play.spawn("cow", 5, 4, 5)


def test_draws_are_even_and_normal():
    flat, normal = wp.zeros(20_000, dtype=wp.float32, device="cpu"), wp.zeros(20_000, dtype=wp.float32, device="cpu")
    wp.launch(draws, dim=20_000, inputs=[flat, normal], device="cpu")
    even, bell = flat.numpy(), normal.numpy()
    assert even.min() >= 0 and even.max() < 1 and len(np.unique(even)) > 19_950
    counts = np.histogram(even, 20, (0, 1))[0]
    assert ((counts - 1000) ** 2 / 1000).sum() < 45  # chi², 19 degrees of freedom, p = 0.0007
    assert abs(bell.mean()) < 0.03 and abs(bell.std() - 1) < 0.03
    assert abs(np.corrcoef(even[:-1], even[1:])[0, 1]) < 0.03


# Arrows


def test_an_arrow_flies_as_the_closed_form_says(rules):
    play = Play(rules, size=(64, 32, 16))
    start, v = np.array([2.0, 20.0, 8.0]), np.array([1.5, 0.9, 0.02])
    place = play.arrow(tuple(start), tuple(v))
    for n in range(1, 31):
        play.tick()
        fading = 0.99**n
        fall = 0.05 / 0.01  # the speed at which drag and gravity cancel
        there = start + v * (1 - fading) / 0.01
        there[1] += -fall * n + fall * (1 - fading) / 0.01
        np.testing.assert_allclose(play["body_position"][0, place], there, atol=1e-6)
    assert play["kind"][0, place] == ARROW


def test_an_arrow_is_slow_in_water(rules):
    play = Play(rules)
    play.cells[:, :, :, FLOOR:10] = block_state("water")
    place = play.arrow((5, 8, 5), (1, 0, 0))
    play.tick()
    np.testing.assert_allclose(play["body_velocity"][0, place], (0.6, -0.05, 0), atol=1e-7)


def test_an_arrow_sticks_falls_with_its_block_and_is_picked_up(rules):
    play = Play(rules)
    play.cells[:, 10, :, FLOOR:8] = block_state("stone")
    place = play.arrow((5, 7, 5.5), (3, 0, 0))
    play.tick(4)
    assert play["body_on_ground"][0, place] == 1
    assert 9.94 < play["body_position"][0, place][0] < 10
    at = play["body_position"][0, place].copy()
    play.tick(50)
    np.testing.assert_array_equal(play["body_position"][0, place], at)
    play.cells[:, 10, 5, FLOOR:8] = 0
    play.tick(40)
    assert play["body_position"][0, place][1] == pytest.approx(FLOOR + 0.05, abs=0.01)  # in the floor below
    play["position"][:] = at * (1, 0, 1) + (0, FLOOR, 0)
    play.tick(2)
    assert play["kind"][0, place] == 0
    assert play["item"][0, 0] == item("arrow") and play["count"][0, 0] == 1


def test_a_stuck_arrow_is_gone_after_a_minute_and_leaves_at_the_side(rules):
    play = Play(rules)
    place = play.arrow((20, 6, 20), (0, -1, 0))
    play.tick(1195)
    assert play["kind"][0, place] == ARROW
    play.tick(15)
    assert play["kind"][0, place] == 0
    place = play.arrow((30, 10, 20), (3, 0, 0))
    play.tick(1)
    assert play["kind"][0, place] == 0


@pytest.mark.parametrize(("ticks", "speed"), [(20, 3.0), (60, 3.0), (10, 1.25), (5, 0.5625)])
def test_a_bow_shoots_as_fast_as_it_is_drawn(rules, ticks, speed):
    play = Play(rules, count=200)
    play.give("bow")
    play.give("arrow", 2, slot=9)
    play["yaw"][:], play["pitch"][:] = -90, 0  # to +x
    place = play.act("shoot", ticks)
    assert (place == 0).all() and (play["count"][:, 9] == 1).all()
    v = play["body_velocity"][:, 0]
    assert np.linalg.norm(v, axis=1) == pytest.approx(speed, rel=0.04)
    spread = v[:, 1:] / speed
    assert np.abs(spread.mean(0)).max() < 0.002 and spread.std(0) == pytest.approx(0.0075, rel=0.2)
    np.testing.assert_allclose(play["body_position"][:, 0], [(1.5, FLOOR + 1.52, 1.5)] * 200)
    assert (play["body_yaw"][:, 0] < -85).all()
    bow = play.rules.item_durability.numpy()[item("bow")]
    assert (play["durability"][:, 0] == bow - 1).all()


def test_no_arrow_without_arrows_or_with_a_weak_draw(rules):
    play = Play(rules)
    assert play.act("shoot", 20)[0] == -1
    play.give("arrow", 1, slot=3)
    assert play.act("shoot", 2)[0] == -1
    assert play["count"][0, 3] == 1
    assert play.act("shoot", 20)[0] == 0
    assert play["item"][0, 3] == 0 and play["count"][0, 3] == 0


def test_an_arrow_hurts_by_its_speed(rules):
    for velocity, critical, least, most in ((3.0, False, 6, 6), (1.6, False, 4, 4), (3.0, True, 6, 10)):
        play = Play(rules, count=50)
        cow = play.spawn("cow", 8, FLOOR, 8)
        play["body_health"][:, cow] = 20
        arrow = play.arrow((6, FLOOR + 1, 8), (velocity, 0, 0), critical)
        play.tick()
        lost = 20 - play["body_health"][:, cow]
        assert (play["kind"][:, arrow] == 0).all() and (play["shot"] == cow).all()
        assert lost.min() == least and lost.max() == most
        assert (play["body_velocity"][:, cow, 0] > 0.2).all()
        assert (play["body_task"][:, cow] == PANIC).all()
    play.arrow((6, FLOOR + 1, 8), (3, 0, 0))
    play["body_position"][:, cow], play["body_hurt"][:, cow], play["body_health"][:, cow] = (8, FLOOR, 8), 0, 5
    play.tick()
    assert (play["killed"] == cow).all() and (play["kind"][:, cow] != entity_kind("cow")).all()


def test_arrows_of_others_hurt_the_agent_and_its_own_do_not_at_once(rules):
    play = Play(rules)
    play["position"][:] = (8, FLOOR, 8)
    own = play.arrow((8, FLOOR + 1.5, 8), (0.2, 0, 0))
    play.tick()
    assert play["health"][0] == 20 and play["kind"][0, own] == ARROW
    play["kind"][:] = 0
    other = play.arrow((6, FLOOR + 1, 8), (1.6, 0, 0))
    play["body_owner"][:, other] = 5
    play.tick(2)
    assert play["health"][0] == 16 and play["damage"][0] == 4 and play["velocity"][0, 0] > 0.3
    assert play["shot"][0] == -1


# Blows


@pytest.mark.parametrize(("held", "charge", "expected"), [("air", 100, 1.0), ("iron_sword", 100, 6.0)])
def test_a_charged_blow(rules, held, charge, expected):
    play = Play(rules)
    cow = play.spawn("cow", 3, FLOOR, 1.5)
    play.give(held)
    play["charge"][:] = charge
    play.act("strike", cow)
    assert 10 - play["body_health"][0, cow] == pytest.approx(expected)
    assert play["struck"][0] == cow and play["charge"][0] == 0 and play["killed"][0] == -1
    # Half of nothing and 0.4 along the push.
    np.testing.assert_allclose(play["body_velocity"][0, cow], (0.4, 0, 0), atol=1e-6)


def test_a_hasty_blow_is_weaker_by_the_square_of_its_charge(rules):
    play = Play(rules)
    cow = play.spawn("cow", 3, FLOOR, 1.5)
    play.give("iron_sword")  # 1.6 blows a second: 12.5 ticks
    play["charge"][:] = 5
    play.act("strike", cow)
    share = 5.5 / 12.5
    assert 10 - play["body_health"][0, cow] == pytest.approx(6 * (0.2 + 0.8 * share**2), rel=1e-5)


def test_falling_makes_a_blow_critical_and_sprinting_pushes_further(rules):
    play = Play(rules)
    play.spawn("zombie", 3, FLOOR, 1.5)
    play.give("stone_sword")
    play["fallen"][:], play["on_ground"][:] = 0.3, 0
    play.act("strike", 0)
    assert 20 - play["body_health"][0, 0] == pytest.approx(5 * 1.5)
    play = Play(rules)
    play.spawn("zombie", 3, FLOOR, 1.5)
    play["sprinting"][:], play["yaw"][:], play["velocity"][:] = 1, -90, (0.2, 0, 0)
    play["body_on_ground"][:] = 1
    play.act("strike", 0)
    assert play["body_velocity"][0, 0] == pytest.approx((0.4 / 2 + 0.5, 0.4, 0), abs=1e-6)
    assert play["velocity"][0, 0] == pytest.approx(0.12) and play["sprinting"][0] == 0


def test_nothing_is_hurt_twice_within_ten_ticks(rules):
    play = Play(rules)
    cow = play.spawn("cow", 3, FLOOR, 1.5)
    play["charge"][:] = 100
    play.act("strike", cow)
    for tick in range(1, 11):
        play["struck"][:], play["charge"][:] = -1, 100
        play.act("strike", cow)
        assert play["struck"][0] == -1, tick
        play.tick()
    play["charge"][:] = 100
    play.act("strike", cow)
    assert play["struck"][0] == cow and play["body_health"][0, cow] == 8
    play.act("hurt_agent", 0, 5.0)
    play.act("hurt_agent", 0, 5.0)
    assert play["health"][0] == 15 and play["damage"][0] == 5
    assert play["velocity"][0] == pytest.approx((0, 0.4, 0.4))


def test_swords_and_tools_wear_and_break(rules):
    play = Play(rules)
    for name, used in (("wooden_sword", 1), ("wooden_axe", 2), ("bow", 0)):
        play["kind"][:] = 0
        play.give(name)
        play.spawn("zombie", 3, FLOOR, 1.5)
        play.act("strike", 0)
        assert play.rules.item_durability.numpy()[item(name)] - play["durability"][0, 0] == used
    play["kind"][:] = 0
    play.give("wooden_sword")
    play["durability"][:, 0] = 1
    play.spawn("zombie", 3, FLOOR, 1.5)
    play.act("strike", 0)
    assert play["item"][0, 0] == 0 and play["count"][0, 0] == 0


def test_a_blow_at_the_air_or_at_a_drop_hurts_nothing(rules):
    play = Play(rules)
    drop = play.spawn("item", 3, FLOOR, 1.5, item=item("dirt"))
    for target in (-1, drop):
        play["charge"][:] = 100
        play.act("strike", target)
        assert play["struck"][0] == -1 and play["charge"][0] == 0
    assert play["kind"][0, drop] == ITEM


# Mobs


def walked(play: Play, place: int, ticks: int) -> np.ndarray:
    """Horizontal blocks a tick."""
    before = play["body_position"][:, place].copy()
    play.tick(ticks)
    d = (play["body_position"][:, place] - before)[:, [0, 2]]
    return np.asarray(np.linalg.norm(d, axis=1) / ticks)


@pytest.mark.parametrize("kind", ["cow", "pig", "sheep"])
def test_a_struck_animal_flees_faster_than_it_walks(rules, kind):
    play = Play(rules, count=20, size=(64, 16, 64))
    animal = play.spawn(kind, 32, FLOOR, 32)
    play["position"][:] = (30.5, FLOOR, 32)
    play.act("strike", animal)
    play.tick(60)
    away = np.linalg.norm(play["body_position"][:, animal] - play["position"], axis=1)
    assert (away > 5).all()
    # At the speed that push and drag come to, within what turning costs.
    facts = ENTITIES[entity_kind(kind)]
    fast = 0.98 * facts.panic**2 / (1 - 0.546)
    at = np.linalg.norm(play["body_velocity"][:, animal][:, [0, 2]], axis=1) / 0.546
    assert np.quantile(at, 0.9) == pytest.approx(fast, rel=0.03)
    play.tick(100)
    assert (play["body_task"][:, animal] != PANIC).all()


def test_animals_wander_and_stay_in_the_world(rules):
    play = Play(rules, count=20)
    cow = play.spawn("cow", 16, FLOOR, 16)
    seen = []
    for _ in range(20):
        play.tick(50)
        seen.append(play["body_position"][:, cow].copy())
    track = np.array(seen)
    assert (np.ptp(track[:, :, 0], axis=0) > 2).mean() > 0.8
    assert track[..., [0, 2]].min() > 0.449 and track[..., [0, 2]].max() < 31.551
    assert (track[..., 1] == FLOOR).all()
    resting = np.linalg.norm(np.diff(track, axis=0), axis=2) < 0.01
    assert 0.2 < resting.mean() < 0.95


def test_a_zombie_comes_and_hits_once_a_second(rules):
    play = Play(rules, count=4)
    zombie = play.spawn("zombie", 12, FLOOR, 1.5)
    play.tick(8)
    assert (play["body_task"][:, zombie] == PURSUE).all()
    speed = walked(play, zombie, 40)
    assert speed == pytest.approx(0.98 * 0.23**2 / 0.454, rel=0.05)
    hits = []
    for tick in range(200):
        play.tick()
        if (play["health"] < 20).any():
            assert play["health"] == pytest.approx(17.0)
            hits.append(tick)
            play["health"][:] = 20
    assert len(hits) >= 4 and (np.diff(hits) == 20).all()


def test_a_zombie_sees_neither_through_walls_nor_beyond_its_range(rules):
    play = Play(rules)
    play.cells[:, 6, :, FLOOR:8] = block_state("stone")
    zombie = play.spawn("zombie", 10, FLOOR, 1.5)
    play.tick(20)
    assert play["body_task"][0, zombie] != PURSUE
    play.cells[:, 6, :, FLOOR:8] = 0
    play.tick(5)
    assert play["body_task"][0, zombie] == PURSUE
    play = Play(rules)
    zombie = play.spawn("zombie", 19, FLOOR, 1.5)
    play.tick(5)
    assert play["body_task"][0, zombie] != PURSUE


def test_a_pursuer_jumps_onto_a_step_and_walks_round_a_pillar(rules):
    play = Play(rules)
    play.cells[:, 5:, :, FLOOR] = block_state("stone")  # a step up, between them
    play.cells[:, 9, 0:3, FLOOR + 1 : 8] = block_state("stone")  # a wall with a way round
    play.cells[:, 9, 0:3, FLOOR + 2] = block_state("air")  # and a gap to see through
    play["position"][:] = (2.5, FLOOR, 1.5)
    zombie = play.spawn("zombie", 13, FLOOR + 1, 1.5)
    play.tick(250)
    assert play["health"][0] < 20
    play["position"][:] = (13, FLOOR + 1, 8)
    play["health"][:] = 20
    play.tick(300)
    assert play["body_position"][0, zombie][1] == FLOOR + 1 and play["health"][0] < 20


def test_mobs_stop_at_cliffs_and_lava(rules):
    for hole in ("air", "lava"):
        play = Play(rules, count=10, size=(32, 16, 32))
        play.cells[:, :, :, :8] = block_state("stone")
        play.cells[:, 8:12, :, 2 if hole == "air" else 7 : 8] = block_state(hole)
        play["position"][:] = (2, 8, 16)
        zombie = play.spawn("zombie", 16, 8, 16)
        play.tick(200)
        at = play["body_position"][:, zombie]
        assert (play["body_task"][:, zombie] == PURSUE).all()
        assert (at[:, 0] > 11.7).all() and (at[:, 0] < 13.5).all() and (at[:, 1] == 8).all(), hole


def test_a_skeleton_keeps_its_distance_and_shoots(rules):
    play = Play(rules, count=30, size=(40, 16, 32))
    play["position"][:] = (4.5, FLOOR, 16)
    skeleton = play.spawn("skeleton", 9, FLOOR, 16)
    arrows = np.zeros(30)
    hits = np.zeros(30)
    for _ in range(240):
        before = play["health"].copy()
        flying = (play["kind"] == ARROW).sum(1)
        play.tick()
        arrows += np.maximum((play["kind"] == ARROW).sum(1) - flying, 0)
        lost = before - play["health"]
        assert set(np.unique(lost)) <= {0, 3, 4}
        hits += lost > 0
        play["health"][:] = 20
    away = np.linalg.norm(play["body_position"][:, skeleton] - play["position"], axis=1)
    assert ((away > 7) & (away < 16)).all()
    assert (arrows >= 3).all() and (arrows <= 5).all()
    assert 0.4 < hits.sum() / arrows.sum() < 1
    play["position"][:] = (36, FLOOR, 16)  # far away: it comes nearer
    play["body_position"][:, skeleton] = (20.3, FLOOR, 16)
    play["kind"][:, skeleton + 1 :] = 0
    play.tick(40)
    away = np.linalg.norm(play["body_position"][:, skeleton] - play["position"], axis=1)
    assert (away < 15.4).all()


def test_monsters_that_are_shot_from_afar_turn_on_the_agent(rules):
    play = Play(rules)
    zombie = play.spawn("zombie", 29, FLOOR, 29)
    play.act("hurt", zombie, 2.0)
    assert walked(play, zombie, 30)[0] > 0.06


def test_mobs_float_in_water_and_climb_out(rules):
    play = Play(rules, count=10)
    play.cells[:, 8:16, 8:16, FLOOR:8] = block_state("water")
    play.cells[:, :8, :, FLOOR:8] = play.cells[:, 16:, :, FLOOR:8] = block_state("stone")
    play.cells[:, 8:16, :8, FLOOR:8] = play.cells[:, 8:16, 16:, FLOOR:8] = block_state("stone")
    play["position"][:] = (2, 8, 12)
    zombie = play.spawn("zombie", 12, FLOOR, 12)
    cow = play.spawn("cow", 14, FLOOR, 12)
    play.tick(60)
    assert (play["body_position"][:, cow, 1] > 6.5).all()
    play.tick(300)
    assert (play["body_position"][:, zombie, 0] < 8).all()


def test_falls_and_lava_hurt_mobs(rules):
    play = Play(rules)
    play.spawn("cow", 8, FLOOR + 3, 8)
    play.spawn("cow", 12, FLOOR + 8, 8)
    play.tick(40)
    assert play["body_health"][0, :2].tolist() == [10, 5]
    play = Play(rules)
    play.cells[:, :, :, FLOOR] = block_state("lava")
    play.spawn("cow", 8, FLOOR, 8)
    play.tick(31)
    assert play["kind"][0, 0] != entity_kind("cow")
    assert play["killed"][0] == -1


# Loot and drops


def test_loot(rules):
    for kind, expected in (
        ("cow", {"beef": (1, 3), "leather": (0, 2)}),
        ("pig", {"porkchop": (1, 3)}),
        ("sheep", {"mutton": (1, 2), "white_wool": (1, 1)}),
        ("zombie", {"rotten_flesh": (0, 2)}),
        ("skeleton", {"bone": (0, 2), "arrow": (0, 2)}),
    ):
        play = Play(rules, count=100)
        mob = play.spawn(kind, 16, FLOOR, 16)
        play.act("hurt", mob, 50.0)
        assert (play["killed"] == mob).all() and (play["kind"][:, mob] == 0).all()
        drops = play["kind"] == ITEM
        left = set(play["body_item"][drops])
        assert left == {item(name) for name in expected}, kind
        for name, (least, most) in expected.items():
            counts = np.where(drops & (play["body_item"] == item(name)), play["body_count"], 0).sum(1)
            assert (counts.min(), counts.max()) == (least, most), name


def test_loot_finds_room_in_a_full_world(rules):
    play = Play(rules, entities=3)
    for x in (6, 8, 10):
        play.spawn("sheep", x, FLOOR, 16)
    play.act("hurt", 1, 50.0)
    assert play["kind"][0].tolist() == [3, ITEM, 3]
    play = Play(rules, entities=2)
    play.spawn("cow", 6, FLOOR, 16)
    play.spawn("item", 8, FLOOR, 8, item=item("dirt"))
    play.act("hurt", 0, 50.0)
    assert item("beef") in play["body_item"][0][play["kind"][0] == ITEM]


def test_the_oldest_drop_gives_way_and_never_a_mob(rules):
    play = Play(rules, entities=4)
    play.spawn("cow", 6, FLOOR, 16)
    for x in (8, 16, 24):
        play.spawn("item", x, FLOOR, 24, item=item("dirt"))
    play["body_age"][0] = (900, 10, 30, 20)
    assert play.act("free")[0] == 2
    assert play.act("drop", item("stone"), 5)[0] == 2
    assert play["body_item"][0, 2] == item("stone") and play["body_count"][0, 2] == 5
    assert play.act("drop", item("stone"), 0)[0] == -1
    play["kind"][:] = entity_kind("pig")
    assert play.act("free")[0] == -1 and play.act("drop", item("stone"), 1)[0] == -1


def test_a_drop_falls_and_rests(rules):
    play = Play(rules)
    place = play.spawn("item", 8, 10, 8, item=item("dirt"))
    for n in range(1, 15):  # v' = 0.98·(v − 0.04)
        play.tick()
        speed = -0.04 / 0.02 * 0.98 * (1 - 0.98**n)
        assert play["body_velocity"][0, place][1] == pytest.approx(speed, abs=1e-6)
    play.tick(40)
    assert play["body_position"][0, place].tolist() == [8, FLOOR, 8]
    play.cells[:, 8, 8, 2:FLOOR] = play.cells[:, 7, 8, 2:FLOOR] = 0
    play.cells[:, 8, 7, 2:FLOOR] = play.cells[:, 7, 7, 2:FLOOR] = 0
    play.tick(40)
    assert play["body_position"][0, place][1] == 2


def test_drops_merge_up_to_a_stack(rules):
    play = Play(rules)
    for x, count in ((8, 20), (8.5, 30), (8.3, 40)):
        play.spawn("item", x, FLOOR, 8, item=item("dirt"), count=count)
    play.spawn("item", 8.2, FLOOR, 8, item=item("stone"))
    play.tick(15)
    left = play["kind"][0] == ITEM
    assert sorted(play["body_count"][0][left].tolist()) == [1, 40, 50]


def test_the_agent_picks_up_after_the_delay(rules):
    play = Play(rules)
    play["position"][:] = (8.5, FLOOR, 8)
    play.spawn("cow", 8, FLOOR, 8)
    place = play.act("drop", item("dirt"), 3)[0]
    play.give("dirt", 62, slot=5)
    play.tick(9)
    assert play["kind"][0, place] == ITEM
    play.tick(1)
    assert play["kind"][0, place] == 0
    assert play["count"][0, 5] == 64 and play["item"][0, 0] == item("dirt") and play["count"][0, 0] == 1


def test_what_does_not_fit_stays_and_tools_keep_their_wear(rules):
    play = Play(rules)
    play["position"][:] = (8.5, FLOOR, 8)
    play["item"][:], play["count"][:] = item("stone"), 64
    place = play.spawn("item", 8, FLOOR, 8, item=item("iron_pickaxe"))
    play["body_timer"][:, place] = 17
    play.tick(5)
    assert play["kind"][0, place] == ITEM
    play["count"][:, 7] = play["item"][:, 7] = 0
    play.tick(1)
    assert play["item"][0, 7] == item("iron_pickaxe") and play["durability"][0, 7] == 17
    play["health"][:] = 0
    place = play.spawn("item", 8, FLOOR, 8, item=item("stone"))
    play["count"][:, 7] = play["item"][:, 7] = 0
    play.tick(5)
    assert play["kind"][0, place] == ITEM  # the dead pick up nothing


def test_a_drop_is_gone_after_five_minutes_or_in_lava(rules):
    play = Play(rules)
    place = play.spawn("item", 8, FLOOR, 8, item=item("dirt"))
    play["body_age"][:, place] = 5990
    play.tick(10)
    assert play["kind"][0, place] == ITEM
    play.tick(1)
    assert play["kind"][0, place] == 0
    play.cells[:, 8, 8, FLOOR - 1] = block_state("lava")
    place = play.spawn("item", 8.5, FLOOR + 2, 8.5, item=item("dirt"))
    play.tick(40)
    assert play["kind"][0, place] == 0


# All together


def bumpy(play: Play, seed: int) -> None:
    """Hills of stone, water and lava in the hollows, four of each mob but pigs."""
    rng = np.random.default_rng(seed)
    _, nx, nz, _ny = play.cells.shape
    height = FLOOR + rng.integers(0, 2, (nx, nz)) + 3 * rng.integers(0, 2, (nx // 8, nz // 8)).repeat(8, 0).repeat(8, 1)
    for x in range(nx):
        for z in range(nz):
            play.cells[:, x, z, : height[x, z]] = block_state("stone")
    wet = (height[::4, ::4] == FLOOR) & (rng.random((nx // 4, nz // 4)) < 0.5)
    for x, z in np.argwhere(wet) * 4:
        play.cells[:, x, z, 1:FLOOR] = block_state("water" if (x + z) % 8 else "lava")
    spots = rng.permutation((nx // 2 - 1) * (nz // 2 - 1))
    for n, kind in enumerate(("cow", "sheep", "zombie", "skeleton") * 4):
        x, z = np.array(divmod(int(spots[n]), nz // 2 - 1)) * 2 + 2
        play.spawn(kind, x, height[x - 1 : x + 1, z - 1 : z + 1].max(), z)


def test_nobody_is_ever_inside_a_block_or_below_the_world(rules):
    play = Play(rules, count=2, size=(32, 16, 32), entities=24)
    bumpy(play, 5)
    solid = play.cells == block_state("stone")
    rng = np.random.default_rng(1)
    half = np.array([e.width / 2 for e in ENTITIES])
    tall = np.array([e.height for e in ENTITIES])
    for tick in range(2000):
        play["health"][:] = 20
        if tick % 100 == 0:
            play["position"][:] = rng.uniform((1, 8, 1), (31, 9, 31))
        if tick % 7 == 0:
            victim = int(rng.integers(16))
            play["body_health"][:, victim] = 20
            play.act("hurt", victim, 1.0)
        play.tick()
        kind, at = play["kind"], play["body_position"]
        bodies = (kind > 0) & (kind <= ITEM)
        rows, _places = np.nonzero(bodies)
        p, h, t = at[bodies], half[kind[bodies]], tall[kind[bodies]]
        assert (p[:, [0, 2]] >= h[:, None] - 1e-6).all() and (p[:, [0, 2]] <= 32 - h[:, None] + 1e-6).all()
        assert (p[:, 1] >= 0).all()
        for dx in (-1, 1):
            for dz in (-1, 1):
                for dy in (0.0, 0.5, 1.0):
                    x = np.clip(p[:, 0] + dx * (h - 1e-6), 0, 31.99).astype(int)
                    z = np.clip(p[:, 2] + dz * (h - 1e-6), 0, 31.99).astype(int)
                    y = np.floor(p[:, 1] + 1e-6 + dy * (t - 2e-6)).astype(int)
                    assert not (solid[rows, x, z, np.minimum(y, 15)] & (y < 16)).any(), tick


def test_a_world_does_not_depend_on_its_place_in_the_batch(rules):
    def course(count: int, row: int) -> str:
        play = Play(rules, count=count, entities=24)
        bumpy(play, 3)
        play["position"][:] = (16, 8, 16)
        play["seed"][row] = 1234
        play.give("bow")
        play.give("arrow", 20, slot=4)
        for tick in range(300):
            if tick % 40 == 0:
                play.act("shoot", 20)
                play.act("strike", tick // 40)
            play.tick()
        return play.worlds.hash(row)

    alone = course(1, 0)
    assert course(5, 3) == alone
    assert course(5, 0) == course(5, 0)


def test_a_world_that_is_not_active_stands_still(rules):
    play = Play(rules, count=2)
    play.spawn("item", 8, 10, 8, item=item("dirt"))
    play["active"][1] = 0
    play.tick(3)
    assert play["body_position"][0, 0, 1] < 10 and play["body_position"][1, 0, 1] == 10
