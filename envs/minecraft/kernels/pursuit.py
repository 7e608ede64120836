"""What monsters do to the agent: they look for it, pursue it, strike and shoot."""

import warp as wp

from trunkline.envs.minecraft.kernels.combat import UNSEEN, fill_arrow, free_place, hurt_agent
from trunkline.envs.minecraft.kernels.gait import flat
from trunkline.envs.minecraft.kernels.projectile import AGENT_HEIGHT, sees
from trunkline.envs.minecraft.kernels.random import STRAFE_SIDE, draw
from trunkline.envs.minecraft.state import PURSUE, SKELETON, ZOMBIE, Game, Rules

wp.set_module_options({"enable_backward": False, "max_unroll": 0})

SIGHT = 16.0
SIGHT_EVERY = 4  # ticks
MEMORY = UNSEEN + 1 + SIGHT_EVERY  # ticks
EYE = 1.74  # of zombies and skeletons
AGENT_EYE = 1.62
BLOW_DAMAGE = 3.0
BLOW_EVERY = 20  # ticks
BLOW_REACH = 2.04  # squared distance
CLOSE = 0.8  # a zombie comes no nearer
RANGE_NEAR, RANGE_FAR = 8.0, 15.0
SHOT_EVERY, DRAW_TICKS = 60, 20
ARROW_SPEED, ARROW_SPREAD = 1.6, 6.0
ARROW_LIFT = 0.2  # a block higher for five blocks of distance


@wp.func
def watch(game: Game, rules: Rules, w: int, m: int):
    """A monster looks for the agent now and then, and pursues it while it remembers it."""
    task = int(game.body_task[w, m])
    if (game.tick[w] + m) % wp.static(SIGHT_EVERY) == 0:
        away = wp.length(game.position[w] - game.body_position[w, m])
        if game.health[w] <= 0.0:
            if task == wp.static(PURSUE):
                game.body_timer[w, m] = 0
        elif away <= wp.float64(wp.static(SIGHT)) and sees(game, rules, w, m, wp.static(EYE), wp.static(AGENT_EYE)):
            if task != wp.static(PURSUE) and int(game.kind[w, m]) == wp.static(SKELETON):
                game.body_delay[w, m] = wp.max(game.body_delay[w, m], wp.static(DRAW_TICKS))
            game.body_task[w, m] = wp.uint8(wp.static(PURSUE))
            game.body_timer[w, m] = wp.static(MEMORY)


@wp.func
def shoot_at_agent(game: Game, w: int, m: int):
    """A skeleton's arrow, aimed at a third of the agent's height and above it by what the arrow drops on the way."""
    start = game.body_position[w, m] + wp.vec3d(wp.float64(0.0), wp.float64(wp.static(EYE - 0.1)), wp.float64(0.0))
    to = game.position[w] + wp.vec3d(wp.float64(0.0), wp.float64(wp.static(AGENT_HEIGHT / 3.0)), wp.float64(0.0))
    d = to - start
    x = float(d[0])
    z = float(d[2])
    aim = wp.vec3(x, float(d[1]) + wp.static(ARROW_LIFT) * wp.sqrt(x * x + z * z), z)
    place = free_place(game, w)
    if place >= 0:
        fill_arrow(game, w, place, start, aim, wp.static(ARROW_SPEED), wp.static(ARROW_SPREAD), m)


@wp.func
def attack(game: Game, rules: Rules, w: int, m: int):
    """A pursuer strikes or shoots when it is ready and can; returns where it wants to walk, (0, 0) to stand."""
    kind = int(game.kind[w, m])
    to = game.position[w] - game.body_position[w, m]
    way = flat(to)
    distance = wp.length(way)
    heading = way / wp.max(distance, 1.0e-6)
    want = heading
    ready = game.body_delay[w, m] <= 0
    if kind == wp.static(ZOMBIE):
        if distance < wp.static(CLOSE):
            want = wp.vec2(0.0, 0.0)
        within = float(wp.dot(to, to)) <= wp.static(BLOW_REACH)
        if ready and within and sees(game, rules, w, m, wp.static(EYE), wp.static(AGENT_EYE)):
            hurt_agent(game, rules, w, wp.static(BLOW_DAMAGE), way[0], way[1])
            game.body_delay[w, m] = wp.static(BLOW_EVERY)
    else:
        # What was seen at the last look is seen.
        seen = game.body_timer[w, m] > wp.static(UNSEEN)
        if seen and distance <= wp.static(RANGE_FAR):
            if ready and sees(game, rules, w, m, wp.static(EYE), wp.static(AGENT_EYE)):
                shoot_at_agent(game, w, m)
                game.body_delay[w, m] = wp.static(SHOT_EVERY)
            if distance < wp.static(RANGE_NEAR):
                want = -heading
            else:
                side = wp.where(draw(game.seed[w], game.tick[w] / 40, m, wp.static(STRAFE_SIDE)) < 0.5, 0.5, -0.5)
                want = wp.vec2(-heading[1] * side, heading[0] * side)
        elif game.body_delay[w, m] < wp.static(DRAW_TICKS):
            game.body_delay[w, m] = wp.static(DRAW_TICKS)  # the bow is lowered
    return want
