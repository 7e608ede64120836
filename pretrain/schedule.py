"""The learning rate over a run."""

import math


def warmup_cosine(step: int, steps: int, warmup: int, floor: float = 0.0) -> float:
    """Factor on the peak learning rate at update `step` (from 0): linear warm-up, then half a cosine.

    Loshchilov and Hutter, "SGDR: Stochastic gradient descent with warm restarts", 2017, without restarts.

    Args:
        step: the update about to be made.
        steps: updates in the whole run.
        warmup: updates of the warm-up; the first has factor 1 / warmup.
        floor: the factor that the cosine ends at.
    """
    if step < warmup:
        return (step + 1) / warmup
    done = (step - warmup) / max(1, steps - warmup)
    return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))
