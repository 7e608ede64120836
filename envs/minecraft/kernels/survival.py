"""What the agent's body suffers: falls, hunger, drowning, lava, cactus; and how it heals. Minecraft 1.16, normal."""

import warp as wp

from trunkline.envs.minecraft.flags import HURTS, WATER
from trunkline.envs.minecraft.kernels.collision import box_flags, cell_of
from trunkline.envs.minecraft.kernels.combat import EYE, EYE_SNEAKING, hurt_agent
from trunkline.envs.minecraft.state import Game, Rules, cell_index, inside

wp.set_module_options({"enable_backward": False, "max_unroll": 0})

SAFE_FALL = 3.0  # blocks
FULL_HEALTH, FULL_FOOD, FULL_OXYGEN = 20.0, 20, 300
HEALING_FOOD = 18  # from which health comes back slowly
STARVING_HEALTH = 1.0  # below which hunger does not go
DROWNING = -20  # ticks without air between two wounds
LAVA_DAMAGE, CACTUS_DAMAGE, DROWNING_DAMAGE = 4.0, 1.0, 2.0
SPRINT_EXHAUSTION, SWIM_EXHAUSTION = 0.1, 0.01  # a block


@wp.func
def land(
    game: Game, rules: Rules, w: int, risen: wp.float64, in_water: bool, in_lava: bool, climbing: bool, lands: bool
):
    """Count how far the agent has fallen, and hurt it when it lands: a half heart a block after the third."""
    fallen = game.fallen[w]
    if risen < wp.float64(0.0):
        fallen = fallen - float(risen)
    if in_water or climbing:
        fallen = 0.0
    if in_lava:
        fallen = fallen * 0.5
    if lands:
        amount = wp.ceil(fallen - wp.static(SAFE_FALL))
        fallen = 0.0
        if amount > 0.0:
            hurt_agent(game, rules, w, amount, 0.0, 0.0)
    game.fallen[w] = fallen


@wp.func
def eyes_in_water(game: Game, rules: Rules, w: int):
    """Whether the agent's eyes are under water."""
    eye = wp.where(game.sneaking[w] != wp.uint8(0), wp.static(EYE_SNEAKING), wp.static(EYE))
    x = cell_of(game.position[w][0])
    z = cell_of(game.position[w][2])
    height = game.position[w][1] + wp.float64(eye)
    y = cell_of(height)
    if not inside(game, x, y, z):
        return False
    cell = cell_index(game, x, y, z)
    state = int(game.blocks[w, cell])
    if (rules.flags[state] & wp.static(wp.uint32(WATER))) == wp.uint32(0):
        return False
    if y + 1 < game.ny:  # below more water it fills its cell
        above = int(game.blocks[w, cell + 1])
        if (rules.flags[above] & wp.static(wp.uint32(WATER))) != wp.uint32(0):
            return True
    return height < wp.float64(y) + wp.float64(rules.high[state][1])


@wp.func
def touches_cactus(game: Game, rules: Rules, w: int):
    """Whether the agent's box reaches into the cell of a block that hurts."""
    p = game.position[w]
    side = wp.float64(0.299)
    low = p + wp.vec3d(-side, wp.float64(0.001), -side)
    high = p + wp.vec3d(side, wp.float64(1.799), side)
    return (box_flags(game, rules, w, low, high) & wp.static(wp.uint32(HURTS))) != wp.uint32(0)


@wp.func
def digest(game: Game, rules: Rules, w: int):
    """Exhaustion uses up saturation, then food; who is fed heals, who is empty starves."""
    exhaustion = game.exhaustion[w]
    saturation = game.saturation[w]
    food = game.food[w]
    health = game.health[w]
    timer = game.food_timer[w] + 1
    if exhaustion > 4.0:
        exhaustion = exhaustion - 4.0
        if saturation > 0.0:
            saturation = wp.max(saturation - 1.0, 0.0)
        else:
            food = wp.max(food - 1, 0)
    wounded = health < wp.static(FULL_HEALTH)
    starves = bool(False)
    if wounded and food >= wp.static(FULL_FOOD) and saturation > 0.0:
        if timer >= 10:
            used = wp.min(saturation, 6.0)
            health = health + used / 6.0
            exhaustion = exhaustion + used
            timer = 0
    elif wounded and food >= wp.static(HEALING_FOOD):
        if timer >= 80:
            health = health + 1.0
            exhaustion = exhaustion + 6.0
            timer = 0
    elif food <= 0:
        if timer >= 80:
            starves = health > wp.static(STARVING_HEALTH)
            timer = 0
    else:
        timer = 0
    game.exhaustion[w] = wp.min(exhaustion, 40.0)
    game.saturation[w] = saturation
    game.food[w] = food
    game.food_timer[w] = timer
    game.health[w] = wp.min(health, wp.static(FULL_HEALTH))
    if starves:
        hurt_agent(game, rules, w, 1.0, 0.0, 0.0)


@wp.func
def survive(game: Game, rules: Rules, w: int, moved: wp.vec3d):
    """One tick of a living body after it moved."""
    along = wp.sqrt(float(moved[0] * moved[0] + moved[2] * moved[2]))
    if game.in_water[w] != wp.uint8(0):
        game.exhaustion[w] = game.exhaustion[w] + wp.static(SWIM_EXHAUSTION) * along
    elif game.sprinting[w] != wp.uint8(0) and game.on_ground[w] != wp.uint8(0):
        game.exhaustion[w] = game.exhaustion[w] + wp.static(SPRINT_EXHAUSTION) * along

    if eyes_in_water(game, rules, w):
        oxygen = game.oxygen[w] - 1
        if oxygen <= wp.static(DROWNING):
            oxygen = 0
            hurt_agent(game, rules, w, wp.static(DROWNING_DAMAGE), 0.0, 0.0)
        game.oxygen[w] = oxygen
    else:
        game.oxygen[w] = wp.min(game.oxygen[w] + 4, wp.static(FULL_OXYGEN))
    if game.in_lava[w] != wp.uint8(0):
        hurt_agent(game, rules, w, wp.static(LAVA_DAMAGE), 0.0, 0.0)
    if touches_cactus(game, rules, w):
        hurt_agent(game, rules, w, wp.static(CACTUS_DAMAGE), 0.0, 0.0)
    digest(game, rules, w)
