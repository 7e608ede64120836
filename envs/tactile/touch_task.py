"""What an episode of `tactile/touch` is: an object, where it comes down, and what to do once it touches."""

import math
from typing import Any

import numpy as np

from trunkline.envs.splits import part_of
from trunkline.envs.tactile.objects import TouchObject, touch_objects

MOTIONS = ("press", "shear", "twist", "roll")
MAX_STEPS = 80
CELL = 0.001  # m, edge of the cells that split the places of trials
PLACE = 0.003  # m, trials come down within this of the pad's middle, along x and y
FORCE = (1.0, 7.0)  # N
FRICTION = (0.3, 1.2)
SPLITS = ("train", "validation/trial", "test/trial", "validation/object", "test/object")
_MARGIN = 0.0018  # m above the pad at the start
_TILT = 0.05  # rad

Params = dict[str, Any]


def objects_of(split: str) -> list[TouchObject]:
    """The objects of a split: two splits share either no object or no trial."""
    part, _, axis = split.partition("/")
    wanted = part if axis == "object" else "train"
    return [thing for thing in touch_objects() if thing.part == wanted]


def sample(rng: np.random.Generator, split: str) -> Params:
    """Draw the params of one episode."""
    part, _, axis = split.partition("/")
    things = objects_of(split)
    thing = things[int(rng.integers(len(things)))]
    motion = MOTIONS[int(rng.integers(len(MOTIONS)))]
    # Trials of other parts come down on other cells of the pad, so that none can be in two splits.
    cells = "train" if axis == "object" else part
    while True:
        place = [_draw(rng, -PLACE, PLACE), _draw(rng, -PLACE, PLACE)]
        if part_of(place[0], place[1], CELL) == cells:
            break
    tilt = [_draw(rng, -_TILT, _TILT), _draw(rng, -_TILT, _TILT)]
    height = _MARGIN + _draw(rng, 0, 0.001) + 0.01 * (abs(tilt[0]) + abs(tilt[1]))
    return {
        "object": thing.name,
        "motion": motion,
        "start": [*place, round(height, 6), _draw(rng, -math.pi, math.pi), *tilt],
        "force": _draw(rng, *FORCE),
        "move": _move(rng, motion, thing),
        "friction": _draw(rng, *FRICTION),
    }


def _move(rng: np.random.Generator, motion: str, thing: TouchObject) -> list[float]:
    """What the object does from touch-down on: along x and y (m), about its own z, y and x (rad)."""
    angle = 2 * math.pi * rng.random()
    sign = 1 if rng.random() < 0.5 else -1
    share = rng.random()
    if motion == "shear":
        length = 0.0004 + 0.0026 * share
        return [round(length * math.cos(angle), 6), round(length * math.sin(angle), 6), 0.0, 0.0, 0.0]
    if motion == "twist":
        return [0.0, 0.0, round(sign * (0.08 + 0.42 * share), 4), 0.0, 0.0]
    if motion == "roll":
        # What is round can roll; anything else is tilted over an edge, where a little goes a long way.
        turn = 0.08 + 0.27 * share if thing.solid.rounded else 0.03 + 0.07 * share
        return [0.0, 0.0, 0.0, round(turn * math.cos(angle), 4), round(turn * math.sin(angle), 4)]
    return [0.0] * 5


def _draw(rng: np.random.Generator, low: float, high: float) -> float:
    return round(low + (high - low) * rng.random(), 6)
