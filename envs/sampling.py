"""Drawing TaskSpecs, each from a generator of its own: a draw is a prefix of every longer one."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from trunkline.envs.random import generators
from trunkline.envs.spec import TaskSpec


def draw_tasks(
    family: str,
    task: str,
    count: int,
    seed: int,
    split: str,
    max_steps: int,
    draw: Callable[[np.random.Generator], Mapping[str, Any]],
) -> list[TaskSpec]:
    """`count` TaskSpecs of `family/task`.

    Args:
        family, task: whose they are.
        count: how many.
        seed: of the draw.
        split: they are of.
        max_steps: control steps after which their episodes are truncated.
        draw: the params of one of them.
    """
    specs = []
    for rng in generators(family, task, split, seed, count=count):
        params = draw(rng)
        specs.append(TaskSpec(f"{family}/{task}", int(rng.integers(2**31)), params, split, max_steps))
    return specs
