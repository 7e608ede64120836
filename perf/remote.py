"""The process bridge against Gymnasium's AsyncVectorEnv with shared memory: batches of 16 with 64×64×3 pictures.

Both run the same environment: one that costs nothing, so that only the bridge is measured, and one that computes for
half a millisecond. AsyncVectorEnv has a process an environment; ours has one a core by default, and is also measured
with one an environment, without shared memory, and as a world (`make_worlds("remote:…")`), which also does the
bookkeeping of episodes. All take turns in slices; a ratio is the median over rounds of ours, as a world, by
AsyncVectorEnv.
Then the bridge alone: empty calls, and an array of 8 MiB there and back. Asked for: ratio ≥ 1.

    python perf/remote.py
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import gymnasium
import numpy as np

BATCH, SLICES, SLICE_SECONDS = 16, 15, 0.3
PICTURE = (64, 64, 3)


class Pixels(gymnasium.Env):
    """One of eight pictures a step, after computing for `seconds`."""

    observation_space = gymnasium.spaces.Box(0, 255, PICTURE, np.uint8)
    action_space = gymnasium.spaces.Box(-1, 1, (4,), np.float32)

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.pictures = np.random.default_rng(0).integers(0, 256, (8, *PICTURE), np.uint8)
        self.steps = 0

    def reset(self, *, seed: int | None = None, options: dict | None = None) -> tuple[np.ndarray, dict]:
        return self.pictures[0], {}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict]:
        end = time.perf_counter() + self.seconds
        while self.seconds and time.perf_counter() < end:
            pass
        self.steps += 1
        return self.pictures[self.steps % 8], 0.0, False, False, {}


def step_gymnasium(seconds: float) -> tuple[Callable[[np.ndarray], None], Callable[[], None]]:
    from gymnasium.vector import AsyncVectorEnv, AutoresetMode

    makers = [lambda: Pixels(seconds)] * BATCH
    envs = AsyncVectorEnv(makers, shared_memory=True, context="forkserver", autoreset_mode=AutoresetMode.DISABLED)
    envs.reset(seed=0)
    return envs.step, envs.close


def step_batch(seconds: float, processes: int, shared: bool = True) -> tuple[Callable, Callable]:
    from trunkline.envs.remote.batch import RemoteBatch, RemoteOptions

    options = RemoteOptions(processes=processes, shared=shared, paths=(str(Path(__file__).parent),))
    batch = RemoteBatch("remote:Pixels", BATCH, {"seconds": seconds}, options)
    batch.reset(range(BATCH), [0] * BATCH)

    def step(actions: np.ndarray) -> np.ndarray:
        batch.step(actions)
        return batch.arrays["observation/observation"].copy()  # AsyncVectorEnv hands out copies too

    return step, batch.close


def step_world(seconds: float) -> tuple[Callable, Callable]:
    from dataclasses import replace

    from trunkline.envs.registry import make_worlds, sample_tasks

    world = make_worlds("remote:remote:Pixels", BATCH, paths=[str(Path(__file__).parent)], seconds=seconds)
    tasks = sample_tasks("remote:remote:Pixels", BATCH, 0)
    world.reset(options={"tasks": [replace(task, max_steps=10**9) for task in tasks]})
    return world.step, world.close


def compare(seconds: float) -> dict[str, float]:
    """Environment steps/s of each row, medians, and the ratios of the last row to the first one of each round."""
    rows = {
        f"AsyncVectorEnv, {BATCH} processes": step_gymnasium(seconds),
        "bridge, a process a core": step_batch(seconds, 0),
        f"bridge, {BATCH} processes": step_batch(seconds, BATCH),
        "bridge, a process a core, over the socket": step_batch(seconds, 0, shared=False),
        "bridge as a world, a process a core": step_world(seconds),
    }
    actions = np.random.default_rng(1).uniform(-1, 1, (BATCH, 4)).astype(np.float32)
    rates: dict[str, list[float]] = {name: [] for name in rows}
    for _ in range(SLICES):
        for name, (step, _) in rows.items():
            step(actions)
            start, count = time.perf_counter(), 0
            while (elapsed := time.perf_counter() - start) < SLICE_SECONDS:
                step(actions)
                count += BATCH
            rates[name].append(count / elapsed)
    for _, close in rows.values():
        close()
    first, *_, last = (np.array(rate) for rate in rates.values())
    print(f"an environment that computes for {1000 * seconds:g} ms a step")
    for name, rate in rates.items():
        megabytes = np.median(rate) * np.prod(PICTURE) / 1e6
        over = np.median(np.array(rate) / first)
        print(f"  {name:<44}{np.median(rate):>10,.0f} steps/s {megabytes:>8,.0f} MB/s   ratio {over:.2f}")
    return {"ratio": float(np.median(last / first)), "steps_per_s": float(np.median(last))}


def bridge() -> dict[str, float]:
    """Empty calls a second, and MB/s of an array there and back, over the socket."""
    from trunkline.envs.remote.batch import SERVER
    from trunkline.envs.remote.process import RemoteProcess

    calls, megabytes = [], []
    array = np.random.default_rng(0).integers(0, 256, 8 << 20, np.uint8)
    with RemoteProcess([sys.executable, str(SERVER)]) as server:
        for _ in range(10):
            start = time.perf_counter()
            for _ in range(500):
                server.call("ping")
            calls.append(500 / (time.perf_counter() - start))
            start = time.perf_counter()
            server.call("ping", value=array)
            megabytes.append(2 * array.nbytes / 1e6 / (time.perf_counter() - start))
    figures = {"round_trips_per_s": float(np.median(calls)), "socket_mb_per_s": float(np.median(megabytes))}
    print(f"{figures['round_trips_per_s']:,.0f} empty calls/s; {figures['socket_mb_per_s']:,.0f} MB/s over the socket")
    return figures


def main() -> None:
    free, working = compare(0.0), compare(0.0005)
    figures = {
        "ratio": free["ratio"],
        "ratio_working": working["ratio"],
        "steps_per_s": free["steps_per_s"],
        **bridge(),
    }
    print(json.dumps({name: round(value, 3 if "ratio" in name else 0) for name, value in figures.items()}))


if __name__ == "__main__":
    main()
