"""World.step against raw `Batch.step` on the same model, threads and substeps, in one run.

The worlds read their default state sensors; both sides apply fresh random actions (controls) every step. The two take
turns in short slices; the ratio is the median over pairs of neighbouring slices, so that drift of a shared machine's
speed hits both sides of every pair. Asked for: ≥ 0.8 on every tabletop task at 64
simulations, ≥ 0.5 on pointmass at 1,024.
"""

import json
import sys
import time

import numpy as np

from trunkline.envs.registry import make_worlds

TASKS = ["reach", "push", "pick-place", "door-open", "drawer-open", "button-press", "peg-insert"]
SLICES, SLICE_SECONDS = 30, 0.2


def measure(task: str, num_envs: int, threads: int) -> tuple[float, float, float]:
    """Steps/s of the world and of its bare physics, medians over slices, and the median ratio of a pair of slices."""
    world, twin = (make_worlds(task, num_envs, num_threads=threads) for _ in range(2))
    world.reset(seed=0)
    twin.reset(seed=0)
    rng = np.random.default_rng(0)
    actions = rng.uniform(-1, 1, (64, *world.action_space.shape)).astype(np.float32)
    # The raw batch replays the controls that the world's own steps produce, so both simulate the same motion.
    controls = []
    raw_control = twin.batch.bind("ctrl")
    for action in actions:
        world.step(action)
        controls.append(world.batch.bind("ctrl").copy())

    def step_world(k: int) -> None:
        world.step(actions[k % 64])

    def step_raw(k: int) -> None:
        raw_control[:] = controls[k % 64]
        twin.batch.step(nstep=world.substeps)

    rates: dict[str, list[float]] = {"world": [], "raw": []}
    for _ in range(SLICES):
        for name, function in (("world", step_world), ("raw", step_raw)):
            start, k = time.perf_counter(), 0
            while (elapsed := time.perf_counter() - start) < SLICE_SECONDS:
                function(k)
                k += 1
            rates[name].append(k * num_envs / elapsed)
    ours, raw = np.array(rates["world"]), np.array(rates["raw"])
    return float(np.median(ours)), float(np.median(raw)), float(np.median(ours / raw))


def main() -> None:
    threads = int(sys.argv[1]) if len(sys.argv) > 1 else 2
    ratios = {}
    for task, num_envs in [("pointmass/reach", 1024), *((f"tabletop/{name}", 64) for name in TASKS)]:
        ours, raw, ratio = measure(task, num_envs, threads)
        ratios[task] = round(ratio, 3)
        print(f"{task:<24} {num_envs:>5} sims {threads} threads: {ours:>9,.0f} of {raw:>9,.0f} = {ratios[task]:.3f}")
    tabletop = [ratio for task, ratio in ratios.items() if task.startswith("tabletop/")]
    print(json.dumps({**ratios, "min_ratio": min(tabletop)}))


if __name__ == "__main__":
    main()
