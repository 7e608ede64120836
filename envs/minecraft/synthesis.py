"""Tasks made by themselves: draws of TaskSpecs, terrain by terrain.

A draw takes turns in WORLDS terrains, so that a short one already has many; tasks of one terrain share its survey and
are made together. A task for which a terrain has no room is drawn again in another. Each draws from a generator of its
own, so that none depends on how many are made.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from trunkline.envs.minecraft.goals import FAMILY, INTERACTIONS, Cell, cluster, world_version
from trunkline.envs.minecraft.placement import Placer
from trunkline.envs.minecraft.survey import survey
from trunkline.envs.minecraft.tasks import SIZE, Context, context, draw_world, place_of, ticks
from trunkline.envs.minecraft.terrains import terrain_blocks
from trunkline.envs.random import generator
from trunkline.envs.spec import TaskSpec
from trunkline.errors import InputError, unknown

ATTEMPTS = 60  # terrains tried for one task
TERRAINS = 8  # in which another target is looked for


def synthesize(
    counts: Mapping[str, int],
    seed: int,
    split: str = "train",
    size: Cell = SIZE,
    progress: Callable[[int], None] | None = None,
) -> dict[str, list[TaskSpec]]:
    """TaskSpecs of each interaction; a prefix of a longer draw with the same seed, split and size.

    Args:
        counts: how many of each of INTERACTIONS.
        seed: of the draw.
        split: of `tasks.SPLITS`.
        size: blocks (nx, ny, nz) of the worlds.
        progress: told how many TaskSpecs are there, after every world.

    Raises:
        InputError: an unknown interaction or split, or worlds too small for tasks of that split.
    """
    for interaction in counts:
        if interaction not in INTERACTIONS:
            raise unknown("interaction", interaction, INTERACTIONS)
    what = context(split)
    worlds: dict[int, list[tuple[str, int, int]]] = {}
    for interaction, count in counts.items():
        for index in range(count):
            number, k = place_of(index)
            worlds.setdefault(number, []).append((interaction, k, index))
    specs: dict[str, list[Any]] = {interaction: [None] * count for interaction, count in counts.items()}
    done = 0
    for number in sorted(worlds):
        made = _make_world(what, [(i, k) for i, k, _ in worlds[number]], number, seed, split, size)
        for interaction, k, index in worlds[number]:
            specs[interaction][index] = made[interaction, k]
        done += len(made)
        if progress is not None:
            progress(done)
    return specs


def _make_world(
    what: Context, wanted: Sequence[tuple[str, int]], number: int, seed: int, split: str, size: Cell
) -> dict[tuple[str, int], TaskSpec]:
    """The TaskSpecs of one world of a draw, by interaction and number within it."""
    missing = list(wanted)
    made: dict[tuple[str, int], TaskSpec] = {}
    for attempt in range(ATTEMPTS):
        if not missing:
            return made
        world, biome = draw_world(what, seed, number, attempt)
        placer = _placer(world, biome, size)
        named = {"version": world_version(), "world": world, "biome": biome, "size": list(size)}
        for interaction in dict.fromkeys(interaction for interaction, _ in missing):
            here = [k for other, k in missing if other == interaction]
            rngs = [generator(FAMILY, interaction, split, seed, number, k, attempt) for k in here]
            for k, rng, params in zip(here, rngs, placer.make(interaction, what, rngs), strict=True):
                if params is not None:
                    own = int(rng.integers(2**31))
                    limit = ticks(interaction, params["distance"])
                    made[interaction, k] = TaskSpec(f"{FAMILY}/{interaction}", own, {**named, **params}, split, limit)
        missing = [slot for slot in missing if slot not in made]
    if missing:
        raise InputError(
            f"no {missing[0][0]} task of split {split} was found in {ATTEMPTS} worlds of size {list(size)}; "
            "choose a larger size"
        )
    return made


def another(spec: TaskSpec) -> TaskSpec:
    """A task with another target; which one depends on the TaskSpec alone.

    The target is of the same terrain; where that has no other that fits, of one of the same biome.

    Raises:
        InputError: neither this terrain nor the next ones have another target.
    """
    params = spec.params
    size: Cell = (int(params["size"][0]), int(params["size"][1]), int(params["size"][2]))
    interaction = spec.task.partition("/")[2]
    for world in range(params["world"], params["world"] + TERRAINS):
        rngs = [generator(FAMILY, "another", int(spec.id, 16), attempt) for attempt in range(ATTEMPTS)]
        for made in _placer(world, params["biome"], size).make(interaction, context(spec.split), rngs):
            if made is not None and (world != params["world"] or not _same_target(params, made["target"], size)):
                return replace(spec, params={**params, **made, "world": world})
    raise InputError(
        f"TaskSpec {spec.id}: no other target in {TERRAINS} terrains of {params['biome']}; leave out wrong_goal"
    )


def _same_target(params: Mapping[str, Any], target: Mapping[str, Any], size: Cell) -> bool:
    """Whether a target of the same terrain is that of `params`: blocks that hang together go by any of their cells."""
    mine = params["target"]
    if "block" not in mine or mine["block"] != target.get("block"):
        return bool(mine == target)
    x, y, z = target["cell"]
    together = cluster(terrain_blocks(params["world"], params["biome"], size), (x, y, z))
    return bool((together == mine["cell"]).all(1).any())


@functools.lru_cache(maxsize=2)
def _placer(seed: int, biome: str, size: Cell) -> Placer:
    return Placer(survey(terrain_blocks(seed, biome, size)))
