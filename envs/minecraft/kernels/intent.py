"""What an expert perceives, and what it means to do in one action: a thread's notes while it chooses."""

import warp as wp

from trunkline.envs.minecraft.kernels.goal import Targets, to_target
from trunkline.envs.minecraft.kernels.pick import eye_of
from trunkline.envs.minecraft.state import Game, Rules

wp.set_module_options({"enable_backward": False, "max_unroll": 0})


@wp.struct
class Senses:
    """How one agent stands towards its target."""

    w: int  # its world
    what: int  # the kind of interaction
    mob: int  # the target, or -1 for blocks
    eye: wp.vec3d
    gaze_from: wp.vec3  # the eye in single precision
    here: wp.vec2  # x and z
    feet: int  # the layer it stands in
    wet: bool
    grounded: bool
    offset: wp.vec3  # from the eye to the target's nearest point
    towards: wp.vec3  # from the eye to the middle of what holds that point
    distance: float  # to the nearest point


@wp.struct
class Intent:
    """What it means to do."""

    # The target.
    seen: bool
    acts: bool  # stands still and deals with the target
    # The way.
    way: int  # the direction of the plan's next step, 0 for none
    node: int  # the cell of the plan it is in, or -1
    to: wp.vec3i  # the cell after it
    goes: bool  # wants to walk
    goal: wp.vec2  # to there
    rise: int  # layers up to the next cell
    digs: int  # the block in its way, or -1
    bridges: bool  # the next cell wants a floor
    long_way: bool  # straight on for a while
    caught: bool  # at a corner beside the way
    along: float  # the yaw of the way there
    # The head and the direction of walking, in degrees.
    point: wp.vec3  # that it deals with
    yaw: float
    pitch: float
    course: float
    all_sides: bool  # may walk sideways and backwards, for the gaze is bound
    # The keys.
    hand: int
    jump: bool
    sneak: bool
    sprint: bool


@wp.func
def perceive(game: Game, rules: Rules, targets: Targets, w: int):
    """The senses of the agent in world w."""
    me = Senses()
    me.w = w
    me.what = targets.interaction
    me.mob = targets.mob[w]
    p = game.position[w]
    me.eye = eye_of(game, w)
    me.gaze_from = wp.vec3(me.eye)
    me.here = wp.vec2(float(p[0]), float(p[2]))
    me.feet = int(wp.floor(p[1] + wp.float64(0.2)))
    me.wet = game.in_water[w] != wp.uint8(0)
    me.grounded = game.on_ground[w] != wp.uint8(0)
    offset, towards = to_target(game, rules, targets, w, me.gaze_from)
    me.offset = offset
    me.towards = towards
    me.distance = wp.length(offset)
    return me
