"""What kernels know of goals: whether one is reached, how far it is, and where its target is in a picture.

Legend: W worlds, V cells of a world, M entities of a world, B boxes of a target, S pixels a side.
"""

import warp as wp

from trunkline.envs.minecraft.goals import INTERACTIONS
from trunkline.envs.minecraft.kernels.pick import eye_of
from trunkline.envs.minecraft.modules import inline_all
from trunkline.envs.minecraft.state import Game, Rules, look_vector

inline_all(__name__)

APPROACH, BREAK, INTERACT, HUNT, SHOOT, PLACE = range(len(INTERACTIONS))
CLOSE = 3.0  # m from the eye to the nearest of the target: approached
DRAWN = 20.0  # ticks after which a bow is fully drawn
_FAR = 1.0e9


@wp.struct
class Targets:
    """What the agents of W worlds are to reach."""

    interaction: int
    near: float  # m at which there is nothing to be gained by going nearer
    cells: wp.array2d[wp.int32]  # (W, B) of a target made of blocks
    low: wp.array2d[wp.vec3]  # (W, B) their boxes
    high: wp.array2d[wp.vec3]
    boxes: wp.array[wp.int32]  # (W,) how many; 0 for a mob
    mob: wp.array[wp.int32]  # (W,) place of a mob, −1 for none
    kind: wp.array[wp.uint8]  # (W,) its kind
    health: wp.array[wp.float32]  # (W,) at first
    first: wp.array[wp.float32]  # (W,) m at first, −1 before it was measured
    reached: wp.array[wp.uint8]  # (W,)
    lost: wp.array[wp.uint8]  # (W,) the agent is dead, or the mob gone, and not by what the agent was to do
    progress: wp.array[wp.float32]  # (W,)
    state: wp.array2d[wp.float32]  # (W, 4) m to the target's nearest: right, up, ahead; and how far
    marks: wp.array2d[wp.uint8]  # (W, V + M) 1 for instances that are the target


@wp.func
def eye_at(game: Game, w: int):
    """Where the agent's eye is, in single precision."""
    return wp.vec3(eye_of(game, w))


@wp.func
def nearest_in(eye: wp.vec3, low: wp.vec3, high: wp.vec3):
    """The point of a box that is nearest to the eye."""
    return wp.vec3(
        wp.clamp(eye[0], low[0], high[0]), wp.clamp(eye[1], low[1], high[1]), wp.clamp(eye[2], low[2], high[2])
    )


@wp.func
def to_target(game: Game, rules: Rules, targets: Targets, w: int, eye: wp.vec3):
    """From the eye to the nearest point of the target, and to the middle of the box that holds this point."""
    m = targets.mob[w]
    if m >= 0:
        kind = int(targets.kind[w])
        feet = game.body_position[w, m]
        middle = wp.vec3(float(feet[0]), float(feet[1]) + 0.5 * rules.body_height[kind], float(feet[2]))
        half = wp.vec3(0.5 * rules.body_width[kind], 0.5 * rules.body_height[kind], 0.5 * rules.body_width[kind])
        return nearest_in(eye, middle - half, middle + half) - eye, middle - eye
    offset = wp.vec3(wp.static(_FAR), 0.0, 0.0)
    towards = wp.vec3(wp.static(_FAR), 0.0, 0.0)
    for b in range(targets.boxes[w]):
        low = targets.low[w, b]
        high = targets.high[w, b]
        to = nearest_in(eye, low, high) - eye
        if wp.length_sq(to) < wp.length_sq(offset):
            offset = to
            towards = (low + high) * 0.5 - eye
    return offset, towards


@wp.func
def holds(targets: Targets, w: int, cell: int):
    """Whether a cell is the target's."""
    found = bool(False)
    if cell >= 0:
        for b in range(targets.boxes[w]):
            found = found or targets.cells[w, b] == cell
    return found


@wp.func
def beside(game: Game, targets: Targets, w: int, cell: int):
    """Whether a cell shares a face with one of the target's."""
    column = cell // game.ny
    y = cell - column * game.ny
    x = column // game.nz
    z = column - x * game.nz
    found = bool(False)
    for b in range(targets.boxes[w]):
        c = targets.cells[w, b]
        other = c // game.ny
        i = other // game.nz
        away = wp.abs(c - other * game.ny - y) + wp.abs(i - x) + wp.abs(other - i * game.nz - z)
        found = found or away == 1
    return found


@wp.kernel
def watch(game: Game, rules: Rules, targets: Targets):
    """After every tick: whether the goal was reached in it, or can no longer be."""
    w = wp.tid()
    if game.active[w] == wp.uint8(0) or targets.reached[w] != wp.uint8(0):
        return
    what = targets.interaction
    m = targets.mob[w]
    done = bool(False)
    if what == wp.static(APPROACH):
        offset, towards = to_target(game, rules, targets, w, eye_at(game, w))
        done = wp.length(offset) <= wp.static(CLOSE) and game.health[w] > 0.0
    elif what == wp.static(BREAK):
        done = holds(targets, w, game.broken[w])
    elif what == wp.static(INTERACT):
        done = holds(targets, w, game.used[w])
    elif what == wp.static(HUNT):
        done = m >= 0 and game.killed[w] == m
    elif what == wp.static(SHOOT):
        done = m >= 0 and game.shot[w] == m
    elif what == wp.static(PLACE):
        done = game.placed[w] >= 0 and beside(game, targets, w, game.placed[w])
    gone = m >= 0 and game.kind[w, m] != targets.kind[w]
    if gone and what == wp.static(APPROACH):
        done = False
    if done:
        targets.reached[w] = wp.uint8(1)
    elif gone or game.health[w] <= 0.0:
        targets.lost[w] = wp.uint8(1)


@wp.kernel
def measure(game: Game, rules: Rules, targets: Targets):
    """How far every agent is: `progress`, `state`, and where it starts `first`."""
    w = wp.tid()
    eye = eye_at(game, w)
    state = wp.vec4(0.0, 0.0, 0.0, 0.0)
    score = float(0.0)
    if targets.mob[w] >= 0 or targets.boxes[w] > 0:
        offset, towards = to_target(game, rules, targets, w, eye)
        distance = wp.length(offset)
        yaw = wp.radians(game.yaw[w])
        ahead = wp.vec3(-wp.sin(yaw), 0.0, wp.cos(yaw))
        right = wp.vec3(-wp.cos(yaw), 0.0, -wp.sin(yaw))
        state = wp.vec4(wp.dot(towards, right), towards[1], wp.dot(towards, ahead), distance)
        if targets.first[w] < 0.0:
            targets.first[w] = distance
        span = wp.max(targets.first[w] - targets.near, 1.0)
        near = 1.0 - wp.clamp((distance - targets.near) / span, 0.0, 1.0)
        aim = 0.5 + 0.5 * wp.dot(look_vector(game.yaw[w], game.pitch[w]), wp.normalize(towards))
        what = targets.interaction
        work = float(0.0)
        if what == wp.static(BREAK) and holds(targets, w, game.dig_cell[w]):
            work = game.dig_progress[w]
        elif what == wp.static(HUNT):
            work = 1.0 - game.body_health[w, targets.mob[w]] / targets.health[w]
        elif what == wp.static(SHOOT):
            work = wp.min(float(game.draw[w]) / wp.static(DRAWN), 1.0)
        score = near
        if what != wp.static(APPROACH):
            score = 0.6 * near + 0.2 * aim + 0.15 * wp.clamp(work, 0.0, 1.0)
        if targets.lost[w] != wp.uint8(0):
            score = 0.0
        if targets.reached[w] != wp.uint8(0):
            score = 1.0
    targets.progress[w] = wp.clamp(score, 0.0, 1.0)
    for i in range(4):
        targets.state[w, i] = state[i]


@wp.kernel
def describe(game: Game, classes: wp.array[wp.int32], values: wp.array2d[wp.float32]):
    """How the agents are: the sensor `status`, see `views.STATUS`.

    Args:
        game: the worlds.
        classes: (I,) column of an item in the hand.
        values: (W, n), filled.
    """
    w = wp.tid()
    for i in range(values.shape[1]):
        values[w, i] = 0.0
    values[w, 0] = wp.clamp(game.health[w] / 20.0, 0.0, 1.0)
    values[w, 1] = wp.clamp(float(game.food[w]) / 20.0, 0.0, 1.0)
    values[w, 2] = wp.clamp(float(game.oxygen[w]) / 300.0, 0.0, 1.0)
    values[w, 3] = game.pitch[w] / 90.0
    values[w, 4] = float(game.on_ground[w])
    values[w, 5] = float(game.in_water[w])
    values[w, 6] = wp.min(float(game.charge[w]) / 20.0, 1.0)
    values[w, 7] = wp.min(game.dig_progress[w], 1.0)
    values[w, 8] = wp.min(float(game.draw[w]) / wp.static(DRAWN), 1.0)
    item = int(0)
    if game.count[w, 0] > wp.int16(0):
        item = int(game.item[w, 0])
    values[w, classes[item]] = 1.0


@wp.kernel
def label(
    segmentation: wp.array4d[wp.int32], rows: wp.array[wp.int32], targets: Targets, labels: wp.array2d[wp.float32]
):
    """Where the target is in pictures (K, S, S): seen or not; its centroid x, y; its box x0, y0, x1, y1; in [−1, 1].

    Args:
        segmentation: (K, S, S, 2), of which the second is the instance.
        rows: (K,) the pictures' worlds.
        targets: of the worlds.
        labels: (K, 7), filled; all 0 where the target is not seen.
    """
    k = wp.tid()
    w = rows[k]
    size = segmentation.shape[1]
    count = int(0)
    across = int(0)
    down = int(0)
    x0 = int(size)
    y0 = int(size)
    x1 = int(-1)
    y1 = int(-1)
    for y in range(size):
        for x in range(size):
            instance = segmentation[k, y, x, 1]
            if instance >= 0 and targets.marks[w, instance] != wp.uint8(0):
                count += 1
                across += x
                down += y
                x0 = wp.min(x0, x)
                x1 = wp.max(x1, x)
                y0 = wp.min(y0, y)
                y1 = wp.max(y1, y)
    for i in range(7):
        labels[k, i] = 0.0
    if count > 0:
        scale = 2.0 / float(size)
        labels[k, 0] = 1.0
        labels[k, 1] = (float(across) / float(count) + 0.5) * scale - 1.0
        labels[k, 2] = (float(down) / float(count) + 0.5) * scale - 1.0
        labels[k, 3] = float(x0) * scale - 1.0
        labels[k, 4] = float(y0) * scale - 1.0
        labels[k, 5] = float(x1 + 1) * scale - 1.0
        labels[k, 6] = float(y1 + 1) * scale - 1.0


@wp.kernel
def mask(segmentation: wp.array4d[wp.int32], rows: wp.array[wp.int32], targets: Targets, masks: wp.array3d[wp.uint8]):
    """255 where pictures (K, S, S) show the target, else 0."""
    k, y, x = wp.tid()
    instance = segmentation[k, y, x, 1]
    value = wp.uint8(0)
    if instance >= 0 and targets.marks[rows[k], instance] != wp.uint8(0):
        value = wp.uint8(255)
    masks[k, y, x] = value
