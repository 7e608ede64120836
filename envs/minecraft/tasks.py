"""Splits of the Minecraft tasks: what the worlds, targets, starts and goal views of a split may be.

Six axes of novelty, each met alone: everything else is then as in training. Worlds of two parts (training, validation,
test) share no seed, because the parts draw theirs from disjoint ranges; all test splits are in unseen worlds.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from trunkline.envs.minecraft.goals import INTERACTIONS
from trunkline.envs.random import generator
from trunkline.errors import unknown

SIZE = (64, 48, 64)  # blocks of the worlds that tasks are made in, unless told otherwise
# Seeds of worlds, [first, behind the last).
SEEDS = {"train": (0, 2**29), "validation": (2**29, 2**29 + 2**28), "test": (2**29 + 2**28, 2**30)}
BIOMES = {"train": ("plains", "forest", "hills", "snow"), "test": ("desert",)}
WORLDS = 32  # that consecutive tasks of a draw take turns in
TASKS_PER_WORLD = 16  # of one interaction; then the next WORLDS come
# Ticks until an episode is cut off: at least so many, and more with the distance.
TICKS = {"approach": 100, "break": 160, "interact": 140, "hunt": 300, "shoot": 240, "place": 160}
TICKS_PER_BLOCK = 10

Range = tuple[float, float]


@dataclass(frozen=True)
class Context:
    """What a split may draw from.

    Attributes:
        part: of the worlds' seeds: "train", "validation" or "test".
        biomes, targets: "train" for those of training, "test" for those held out.
        distance: blocks between the agent's start and the target, over the ground.
        view: degrees between the goal's camera and the start, seen from the target.
        occlusion: share of the target that is hidden from the start.
    """

    part: str
    biomes: str = "train"
    targets: str = "train"
    distance: Range = (4.0, 12.0)
    view: Range = (0.0, 90.0)
    occlusion: Range = (0.0, 0.5)


_UNSEEN: dict[str, dict[str, Any]] = {
    "world": {},
    "biome": {"biomes": "test"},
    "target": {"targets": "test"},
    "distance": {"distance": (16.0, 24.0)},
    "view": {"view": (120.0, 180.0)},
    "occlusion": {"occlusion": (0.9, 1.0)},
}
_TEST = Context("test")
CONTEXTS: dict[str, Context] = {
    "train": Context("train"),
    "validation/world": Context("validation"),
    **{f"test/{axis}": replace(_TEST, **change) for axis, change in _UNSEEN.items()},
    "test/all": replace(_TEST, **{key: value for change in _UNSEEN.values() for key, value in change.items()}),
}
SPLITS = tuple(CONTEXTS)


def context(split: str) -> Context:
    """What a split draws from.

    Raises:
        InputError: no such split, with the nearest match.
    """
    if split not in CONTEXTS:
        raise unknown("split of minecraft", split, SPLITS)
    return CONTEXTS[split]


def draw_world(what: Context, seed: int, number: int, attempt: int) -> tuple[int, str]:
    """Seed and biome of a world: the `number`-th of a draw, or where that one had no room, a later attempt.

    Splits of the same part and biomes meet the same worlds, so that their axes are compared in the same places.
    """
    rng: np.random.Generator = generator("minecraft", "world", what.part, what.biomes, seed, number, attempt)
    biomes = BIOMES[what.biomes]
    return int(rng.integers(*SEEDS[what.part])), biomes[int(rng.integers(len(biomes)))]


def place_of(index: int) -> tuple[int, int]:
    """World and number within it of the `index`-th TaskSpec of a draw."""
    block, rest = divmod(index, WORLDS * TASKS_PER_WORLD)
    return block * WORLDS + rest % WORLDS, rest // WORLDS


def ticks(interaction: str, distance: float) -> int:
    """Ticks after which an episode is cut off.

    Raises:
        InputError: unknown interaction.
    """
    if interaction not in TICKS:
        raise unknown("interaction", interaction, INTERACTIONS)
    return TICKS[interaction] + round(TICKS_PER_BLOCK * distance)
