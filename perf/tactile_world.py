"""`tactile/insertion` with two 32 × 32 touch pads, 10 substeps a control step: control steps/s, and what touch costs.

The same episodes under the same actions (the expert's, half of the time disturbed) are run with touch and without. The
two take turns in short slices; the ratio is the median over pairs of neighbouring slices, so that drift of a shared
machine's speed hits both sides of every pair. Asked for: with touch at least 0.7 of the rate without it.

    python perf/tactile_world.py [threads] [simulations]
"""

import json
import sys
import time

import numpy as np

from trunkline.envs.base import World
from trunkline.envs.registry import make_worlds

TASK = "tactile/insertion"
BLIND = ["proprio", "wrist", "goal"]
SLICES, STEPS = 30, 12


def measure(num_envs: int, threads: int) -> tuple[float, float, float]:
    """Control steps/s with touch and without, medians over slices, and the median ratio of a pair of slices."""
    felt, blind = (make_worlds(TASK, num_envs, sensors=s, num_threads=threads) for s in (None, BLIND))
    for world in (felt, blind):
        world.reset(seed=0)
    rng = np.random.default_rng(0)
    rates: dict[bool, list[float]] = {True: [], False: []}

    def run(world: World, disturbances: np.ndarray) -> float:
        seconds = 0.0
        for disturbance in disturbances:
            actions = np.clip(world.expert_actions() + disturbance, -1, 1)
            start = time.perf_counter()
            world.step(actions)
            seconds += time.perf_counter() - start
        return num_envs * len(disturbances) / seconds

    for k in range(SLICES + 2):
        disturbances = rng.normal(0, 0.7, (STEPS, num_envs, 4)) * (rng.random((STEPS, num_envs, 1)) < 0.5)
        for world in (felt, blind) if k % 2 else (blind, felt):
            rate = run(world, disturbances.astype(np.float32))
            if k >= 2:  # the first ones warm up
                rates[world is felt].append(rate)
    ours, bare = np.array(rates[True]), np.array(rates[False])
    return float(np.median(ours)), float(np.median(bare)), float(np.median(ours / bare))


def main() -> None:
    threads = int(sys.argv[1]) if len(sys.argv) > 1 else 2
    num_envs = int(sys.argv[2]) if len(sys.argv) > 2 else 128
    ours, bare, ratio = measure(num_envs, threads)
    print(f"{TASK}, {num_envs} simulations, {threads} threads: {ours:,.0f} steps/s, {bare:,.0f} without touch")
    print(json.dumps({"steps_per_s": round(ours), "ratio_without_touch": round(ratio, 3)}))


if __name__ == "__main__":
    main()
